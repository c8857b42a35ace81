"""Which running sessions do not fit what their subscription may do now (rules A4, A6, A7)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from billing.model.access_settings import AccessSettings, OpenSession
from billing.model.login_hours import parse_login_hours
from billing.rules.hours import allowed_until


def unfit(
    sessions: Sequence[OpenSession],
    before: AccessSettings,
    after: AccessSettings,
    now: datetime,
    time_zone: str,
) -> list[int]:
    """The numbers of those to be ended, where not only logins from now on are to change.

    Other login hours end every session, as each ends itself by those that it began with. Of more
    sessions than may be, those stay that began first.
    """
    if not _within(after, now, time_zone) or after.login_hours != before.login_hours:
        return [one.session_id for one in sessions]
    fit = [one for one in sessions if _fits(one, before, after)]
    staying = sorted(one.session_id for one in fit)[: after.session_limit]
    return [one.session_id for one in sessions if one.session_id not in staying]


def _within(settings: AccessSettings, now: datetime, time_zone: str) -> bool:
    if settings.login_hours is None:
        return True
    return allowed_until(parse_login_hours(settings.login_hours), now, time_zone) is not None


def _fits(one: OpenSession, before: AccessSettings, after: AccessSettings) -> bool:
    if after.macs and one.calling_station not in after.macs:
        return False
    if after.nas_ids and one.nas_id not in after.nas_ids:
        return False
    if one.suspended:
        return True
    if after.framed_ip is not None:
        return one.framed_ip == after.framed_ip
    return before.framed_ip is None or one.framed_ip != before.framed_ip
