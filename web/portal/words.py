"""What a guest is told to do next."""

from __future__ import annotations

from billing.model.decision import Reason
from web.language import words

_USED = "Use another voucher, or buy one."
_OTHER = ("The hotspot has not let you in.", "Try again; if it stays so, tell whoever runs it.")
_WORDS = {
    Reason.UNKNOWN_USER: ("The code or password is wrong.", "Look at it again."),
    Reason.BAD_PASSWORD: ("The code or password is wrong.", "Look at it again."),
    Reason.NO_CREDENTIAL: ("The code or password is wrong.", "Look at it again."),
    Reason.CLOSED: ("This account is closed.", _USED),
    Reason.STAFF_SUSPENDED: ("This account is suspended.", "Ask your provider."),
    Reason.PAUSED: ("This account is paused.", "Ask your provider to end the pause."),
    Reason.DISCONTINUED: ("A bill was not paid.", "Pay it at your provider's pages."),
    Reason.OVERDUE: ("A bill is overdue.", "Pay it at your provider's pages."),
    Reason.WALLET_EXHAUSTED: ("The wallet is used up.", "Top it up, or use a voucher."),
    Reason.NOT_COVERED: ("The wallet does not cover the next period.", "Top it up."),
    Reason.SPENDING_CAP: ("The spending cap of this month is reached.", "Lift it, or wait."),
    Reason.NO_ENTITLEMENT: ("There is no package.", _USED),
    Reason.EXPIRED: ("This has expired.", _USED),
    Reason.TIME_USED_UP: ("Its time is used up.", _USED),
    Reason.DATA_USED_UP: ("Its data is used up.", _USED),
    Reason.NAS_NOT_ALLOWED: ("It is not for this place.", "Ask whoever gave it to you."),
    Reason.MAC_NOT_ALLOWED: ("It is not for this device.", "Use the device that it is for."),
    Reason.OUTSIDE_HOURS: ("It is not for this hour.", "Come back at the hours that it is for."),
    Reason.TOO_MANY_SESSIONS: (
        "It is in use by another device.",
        "Log off there, or wait some minutes, and connect again.",
    ),
    Reason.ALLOWANCE_IN_USE: (
        "Other devices hold all that is left of it.",
        "End one of them, or wait some minutes.",
    ),
    Reason.POOL_EXHAUSTED: ("The hotspot is full.", "Try again in a few minutes."),
    Reason.THROTTLED: ("There were too many failed logins.", "Wait some minutes."),
    Reason.UNAVAILABLE: ("The hotspot gets no answer.", "Try again in a few minutes."),
}


def advice(reason: Reason | None) -> tuple[str, str]:
    """What is the matter, and what to do then. Words of a NAS that are not known are not repeated:
    anybody may have written them."""
    said, todo = _OTHER if reason is None else _WORDS.get(reason, _OTHER)
    return words(said), words(todo)
