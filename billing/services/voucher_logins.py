"""Vouchers as user names (rule R3): asked only for names that nobody has, so that other logins pay
nothing for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from billing.model.account import Credential
from billing.model.events import AccessRequest
from billing.model.vouchers import UNKNOWN_LOGIN
from billing.rules.vouchers import canonical, could_be_code, fitting
from billing.services.secrets import SecretBox
from billing.services.voucher_codes import code_hash, password_of
from billing.store import hotpath
from billing.store.hotpath import HotConnection


@dataclass(frozen=True, slots=True)
class VoucherLogin:
    """A login by a code: the request under the name that the voucher's subscriber has, and what the
    password must be. Without `credential` nobody has the code."""

    request: AccessRequest
    credential: Credential | None


def may_be_code(username: str) -> bool:
    """Whether a user name looks like a voucher's code; most do not, few subscribers' names do."""
    return could_be_code(canonical(username))


def look(
    lane: HotConnection, box: SecretBox, requests: Sequence[AccessRequest]
) -> list[VoucherLogin | None]:
    """Which of these requests have a code for a user name, in their order. Raises Unavailable."""
    texts = [canonical(request.username) for request in requests]
    if not any(map(could_be_code, texts)):
        return [None] * len(requests)
    formats = hotpath.voucher_login_formats(lane)
    forms = [fitting(text, formats) for text in texts]
    hashes = [
        None if form is None else code_hash(box, text)
        for text, form in zip(texts, forms, strict=True)
    ]
    wanted = [one for one in hashes if one is not None]
    if not wanted:
        return [None] * len(requests)
    names = hotpath.find_voucher_logins(lane, wanted)
    found: list[VoucherLogin | None] = []
    for request, text, form, hashed in zip(requests, texts, forms, hashes, strict=True):
        if form is None or hashed is None:
            found.append(None)
            continue
        name = names.get(hashed)
        if name is None:
            found.append(VoucherLogin(replace(request, username=UNKNOWN_LOGIN), None))
            continue
        # Of a PIN the login page sends the same text twice, however it was written.
        password = password_of(box, text, form) or request.sent_username
        found.append(VoucherLogin(replace(request, username=name), Credential(cleartext=password)))
    return found
