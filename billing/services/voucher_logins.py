"""Vouchers as user names (rule R3): asked only for names that nobody has, so that other logins pay
nothing for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from billing.model.account import Credential
from billing.model.events import AccessRequest
from billing.model.vouchers import UNKNOWN_LOGIN, CodeFormat
from billing.rules.vouchers import canonical, could_be_code, fitting
from billing.services.secrets import SecretBox
from billing.services.voucher_keys import CodeKey, opened
from billing.store import hotpath
from billing.store.hotpath import HotConnection

READ_AGAIN = timedelta(seconds=2)
"""The first batch of a new format logs in after this long at most."""


@dataclass(frozen=True, slots=True)
class VoucherLogin:
    """A login by a code: the request under the name that the voucher's subscriber has, and what the
    password must be. Without `credential` nobody has the code."""

    request: AccessRequest
    credential: Credential | None


def may_be_code(username: str) -> bool:
    """Whether a user name looks like a voucher's code; most do not, few subscribers' names do."""
    return could_be_code(canonical(username))


class VoucherBook:
    """Which names are codes. Formats that log in are held in memory: a name of none of them costs
    no statement. Shared by all lanes without a lock: what is read is replaced as a whole."""

    def __init__(self, box: SecretBox) -> None:
        self._box = box
        self._formats: tuple[CodeFormat, ...] = ()
        self._keys = opened(box, ())
        self._read_at: datetime | None = None

    def look(
        self, lane: HotConnection, requests: Sequence[AccessRequest], now: datetime
    ) -> list[VoucherLogin | None]:
        """Which of these requests have a code for a user name, in their order. One statement for
        all of them at most, and another where the formats are older than READ_AGAIN. Raises
        Unavailable."""
        texts = [canonical(request.username) for request in requests]
        if not any(map(could_be_code, texts)):
            return [None] * len(requests)
        formats = self._known_formats(lane, now)
        forms = [fitting(text, formats) for text in texts]
        keys = self._keys
        hashes = [
            [] if form is None else [key.code_hash(text) for key in keys]
            for text, form in zip(texts, forms, strict=True)
        ]
        wanted = [one for several in hashes for one in several]
        if not wanted:
            return [None] * len(requests)
        names = hotpath.find_voucher_logins(lane, wanted)
        return [
            None
            if form is None
            else _login(
                request,
                text,
                form,
                [(key, names.get(one)) for key, one in zip(keys, several, strict=True)],
            )
            for request, text, form, several in zip(requests, texts, forms, hashes, strict=True)
        ]

    def _known_formats(self, lane: HotConnection, now: datetime) -> tuple[CodeFormat, ...]:
        if self._read_at is None or not self._read_at <= now < self._read_at + READ_AGAIN:
            self._formats = tuple(hotpath.voucher_login_formats(lane))
            self._keys = opened(self._box, hotpath.voucher_keys(lane) if self._formats else ())
            self._read_at = now
        return self._formats


def _login(
    request: AccessRequest,
    text: str,
    form: CodeFormat,
    named: Sequence[tuple[CodeKey, tuple[str, int] | None]],
) -> VoucherLogin:
    """`named`: by each key, who has the code, and how long its password is: batches of one form
    may differ in that."""
    found = None
    for key, has in named:
        name, length = has or (None, form.password_length)
        own = replace(form, password_length=length)
        # Reckoned for a code that nobody has, too, so that it takes as long.
        password = key.password_of(text, own) or request.sent_username
        if name is not None:
            # Of a PIN the login page sends the same text twice, however it was written.
            found = VoucherLogin(replace(request, username=name), Credential(cleartext=password))
    return found or VoucherLogin(replace(request, username=UNKNOWN_LOGIN), None)
