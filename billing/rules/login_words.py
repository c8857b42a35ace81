"""Why a login was granted or refused, for who is asked on the telephone (rule A3)."""

from __future__ import annotations

from billing.model.decision import Reason

_WORDS = {
    Reason.OK: "let in",
    Reason.UNKNOWN_USER: "no subscriber has this user name",
    Reason.BAD_PASSWORD: "wrong password",
    Reason.NO_CREDENTIAL: "no password is stored for it",
    Reason.BAD_REQUEST: "the device sent no user name that can be read",
    Reason.TUNNEL_FAILED: "the device broke off before it sent a password:"
    " it does not trust the certificate, or uses another method",
    Reason.OUTER_NAME: "the name outside of the tunnel is somebody else's",
    Reason.CLOSED: "the account is closed",
    Reason.STAFF_SUSPENDED: "suspended by staff",
    Reason.PAUSED: "paused",
    Reason.DISCONTINUED: "a bill was unpaid at the agreed date",
    Reason.OVERDUE: "a bill is overdue",
    Reason.WALLET_EXHAUSTED: "the wallet is used up",
    Reason.SPENDING_CAP: "the spending cap is reached",
    Reason.NOT_COVERED: "the wallet does not cover the period",
    Reason.NO_ENTITLEMENT: "no package was bought",
    Reason.EXPIRED: "the package has expired",
    Reason.TIME_USED_UP: "the time of the package is used up",
    Reason.DATA_USED_UP: "the data of the package is used up",
    Reason.NAS_NOT_ALLOWED: "not allowed at this NAS",
    Reason.MAC_NOT_ALLOWED: "this device (MAC address) is not allowed",
    Reason.OUTSIDE_HOURS: "outside of the login hours",
    Reason.TOO_MANY_SESSIONS: "as many sessions as are allowed run already",
    Reason.POOL_EXHAUSTED: "no address is free in the pool",
    Reason.ALLOWANCE_IN_USE: "other sessions hold all that is left",
    Reason.THROTTLED: "too many wrong passwords: wait five minutes",
    Reason.UNAVAILABLE: "the database did not answer",
    Reason.SNAPSHOT: "let in during an outage, by what was known last",
}


def reason_words(reason: str) -> str:
    """`wrong password`; a reason that this version does not know stays as it is."""
    try:
        return _WORDS[Reason(reason)]
    except ValueError:
        return reason
