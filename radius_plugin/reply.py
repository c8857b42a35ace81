"""Decision → what a hook hands back to FreeRADIUS (rules A2, A3, A6, B10, F6)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from billing.model.account import Credential
from billing.model.decision import (
    MESSAGES,
    Accept,
    Admission,
    Decision,
    Limits,
    Reason,
    Reject,
    Service,
    Suspended,
)
from billing.model.grants import GrantLimits
from billing.model.making import maker
from billing.model.network import Link, of_voucher
from billing.model.vouchers import LOGIN_PREFIX
from billing.services.access import granted
from radius_plugin import vendors
from radius_plugin.own_reply import beside, with_own
from radius_plugin.vendors import Codec, Pair
from radius_plugin.vendors.codec import escaped, no_garden

_PBKDF2_HEADER = "{x-pbkdf2}"
_NT_HASH_OCTETS = 16
_ID_LIMIT = 2**63
_NOTHING = Admission()
_TAKEN = ("session_limit", "pool_id", "silence_seconds", "grant_version_id", "normal_seconds")

_MESSAGE_PAIRS: dict[Reason, Pair] = {
    reason: ("Reply-Message", ":=", escaped(message)) for reason, message in MESSAGES.items()
}


class Verdict(StrEnum):
    """The three outcomes of an access request (rule A3)."""

    ACCEPT = "accept"
    SUSPENDED = "suspended"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class DecisionTag:
    """A decision on its way from `authorize` to `post_auth`, in the attribute Tollway-Decision.

    `entitlement_id` is the first-login package to activate (rule B2), `admission` what else is to
    be taken. An id that is not known or not needed is None.
    """

    verdict: Verdict
    reason: Reason
    customer_id: int | None = None
    subscription_id: int | None = None
    entitlement_id: int | None = None
    admission: Admission = _NOTHING
    login_name: str | None = None
    """What a login by a voucher is called in the place of its code (rule R3)."""
    attempt: int = 0
    """The number under which the login's line of history is held; 0: none is."""

    @property
    def takes_something(self) -> bool:
        """Whether the login may be answered only after a write: a package to start, a slot, a grant
        or an address to take (rule A1)."""
        return self.verdict is not Verdict.REJECT and (
            self.entitlement_id is not None or self.admission is not _NOTHING
        )

    def encode(self) -> str:
        """`verdict:reason:customer:subscription:entitlement`, 0 for None; and, where there is
        something to take, `:limit:pool:silence`, then `:version:seconds` of a grant. A
        voucher's name stands before it all, with `@`; `noted` puts `attempt` behind it."""
        name = f"{self.login_name}@" if self.login_name else ""
        text = (
            f"{name}{self.verdict}:{self.reason}:{self.customer_id or 0}"
            f":{self.subscription_id or 0}:{self.entitlement_id or 0}"
        )
        take = self.admission
        if take is _NOTHING:
            return text
        text = f"{text}:{take.session_limit}:{take.pool_id}:{take.silence_seconds}"
        if not take.grant_version_id:
            return text
        return f"{text}:{take.grant_version_id}:{take.normal_seconds}"

    @classmethod
    def decode(cls, text: str) -> DecisionTag:
        """The reverse of `encode`; raises ValueError on anything that it did not write."""
        name, mark, rest = text.rpartition("@")
        if mark and not name.startswith(LOGIN_PREFIX):
            raise ValueError("the name in Tollway-Decision is no voucher's")
        rest, mark, number = rest.partition("#")
        parts = rest.split(":")
        if len(parts) not in (5, 8, 10):
            raise ValueError("Tollway-Decision does not have five, eight or ten parts")
        customer_id, subscription_id, entitlement_id = (_id(part) for part in parts[2:5])
        take = _NOTHING
        if len(parts) > 5:
            numbers = [_id(part) or 0 for part in parts[5:]]
            take = Admission(**dict(zip(_TAKEN, numbers, strict=False)))
        return cls(
            Verdict(parts[0]),
            Reason(parts[1]),
            customer_id,
            subscription_id,
            entitlement_id,
            take,
            name or None,
            (_id(number) or 0) if mark else 0,
        )


def noted(decision: Pair, attempt: int) -> Pair:
    """Tollway-Decision with the number of the line of history that is held. One pair for both:
    FreeRADIUS copies a list for each pair that a hook adds to it (docs/performance.md)."""
    name, operator, text = decision
    return name, operator, f"{text}#{attempt}"


def _id(text: str) -> int | None:
    if len(text) > 19 or not text.isascii() or not text.isdecimal():
        raise ValueError("an id of Tollway-Decision is not a number")
    value = int(text)
    if str(value) != text or value >= _ID_LIMIT:
        raise ValueError("an id of Tollway-Decision is out of bounds")
    return value or None


_make_tag = maker(DecisionTag)


def tag_of(
    decision: Decision,
    customer_id: int | None = None,
    subscription_id: int | None = None,
    admission: Admission | None = None,
) -> DecisionTag:
    """The tag of a decision; the ids are None for an unknown user."""
    take = admission or _NOTHING
    match decision:
        case Accept():
            return _make_tag(
                Verdict.ACCEPT,
                decision.reason,
                customer_id,
                subscription_id,
                decision.activate_entitlement_id,
                take,
            )
        case Suspended():
            return DecisionTag(
                Verdict.SUSPENDED, decision.reason, customer_id, subscription_id, None, take
            )
        case Reject():
            return DecisionTag(Verdict.REJECT, decision.reason, customer_id, subscription_id)


def reply_pairs(decision: Decision, vendor: str, link: Link = Link.OTHER) -> tuple[Pair, ...]:
    """The reply list of a decision: attributes in the NAS's dialect; and a Reply-Message, for who
    does not get what was bought.

    Raises ValueError when a value (pool, address, Class) can't be sent: then nothing may be.
    """
    match decision:
        case Accept():
            codec = vendors.for_nas(vendor, link)
            pairs = codec.encode(codec.tellable(decision.service))
            own = decision.service.own_reply
            return tuple(pairs if own is None else with_own(pairs, own))
        case Suspended():
            message = message_pair(decision.reason)
            codec = vendors.for_nas(vendor, link)
            service = _walled(decision.service, codec)
            name = service.pool or service.leased_pool
            garden = codec.garden(name) if name is not None else []
            own = decision.service.own_reply
            if own is None:
                return (*codec.encode(service), *garden, message)
            return (*beside([*codec.encode(service), *garden], own), message)
        case Reject():
            return (message_pair(decision.reason),)


def address_pairs(address: str, netmask: str | None) -> tuple[Pair, ...]:
    """The address that a login was leased (rule A6), as the database wrote it."""
    pairs: tuple[Pair, ...] = (("Framed-IP-Address", ":=", address),)
    return pairs if netmask is None else (*pairs, ("Framed-IP-Netmask", ":=", netmask))


def grant_pairs(
    tag: DecisionTag, reservation_id: int, grant: GrantLimits, vendor: str, link: Link
) -> tuple[Pair, ...]:
    """The limits of a grant in the NAS's dialect (rule Q4), and the Class that names it."""
    codec = vendors.for_nas(vendor, link)
    limits = granted(tag.admission.normal_seconds or None, grant, GrantLimits(seconds=0))
    session_class = f"tw1:{tag.subscription_id}:n{reservation_id}"
    if tag.login_name is not None:
        session_class = of_voucher(session_class)
    told = Service(limits=limits, session_class=session_class)
    bare = codec.encode(Service())
    return tuple(pair for pair in codec.encode(told) if pair not in bare)


def message_pair(reason: Reason) -> Pair:
    """The Reply-Message alone: what an Access-Reject carries."""
    return _MESSAGE_PAIRS[reason]


def _walled(service: Service, codec: Codec) -> Service:
    """A suspended subscriber's service: pool and time stay; the fixed address and the quota of what
    it bought do not (rules A6, B10), nor its speed where the garden takes the place of it. A NAS
    that fences nobody in gives it no more speed than was bought."""
    fenced = codec.garden is not no_garden
    return Service(
        pool=service.pool,
        leased_pool=service.leased_pool,
        speed_up_kbps=None if fenced else service.speed_up_kbps,
        speed_down_kbps=None if fenced else service.speed_down_kbps,
        interim_seconds=service.interim_seconds,
        idle_timeout_seconds=service.idle_timeout_seconds,
        limits=Limits(session_seconds=service.limits.session_seconds),
        session_class=service.session_class,
    )


def control_pairs(credential: Credential | None, tag: DecisionTag) -> tuple[Pair, ...]:
    """The control list: the decision, and what FreeRADIUS verifies the password against (A2).

    Without a usable credential there is the decision alone, and every password is wrong.
    Raises ValueError on a malformed hash (the text never holds the hash itself).
    """
    decision = ("Tollway-Decision", ":=", tag.encode())
    known = None if credential is None else _known_good(credential)
    return (decision,) if known is None else (decision, known)


def _known_good(credential: Credential) -> Pair | None:
    if credential.cleartext:
        if "\0" in credential.cleartext:
            raise ValueError("Cleartext-Password holds a NUL")
        return ("Cleartext-Password", ":=", escaped(credential.cleartext))
    if credential.nt_hash is not None:
        if len(credential.nt_hash) != _NT_HASH_OCTETS:
            raise ValueError("NT-Password is not 16 octets")
        return ("NT-Password", ":=", f"0x{credential.nt_hash.hex()}")
    if credential.pbkdf2 is not None:
        if credential.pbkdf2.count(":") != 3 or not credential.pbkdf2.isascii():
            raise ValueError("the salted hash is not digest:iterations:salt:hash")
        return ("Password-With-Header", ":=", escaped(_PBKDF2_HEADER + credential.pbkdf2))
    return None
