"""Who logs in and what they use: the subscribers and sessions that both servers are given.

Everything follows from the number of a subscriber and of a step, so that the generator, the seeds
and the exactness check agree without exchanging lists.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address

NAS_ADDRESS = IPv4Address("127.0.0.1")
SECRET = b"bench-shared-secret-0123456789ab"
PLAN_NAME = "bench-daily"
RATE_LIMIT = "10M/10M"
POOL_NAME = "bench-pool"
SECONDS_PER_STEP = 4
INPUT_OCTETS_PER_STEP = 1_000_000
OUTPUT_OCTETS_PER_STEP = 5_000_000
# More than the longest run uses, so that nobody is cut off while being measured.
ALLOWANCE_SECONDS = 86_400
ALLOWANCE_OCTETS = 500 * 10**9


@dataclass(frozen=True)
class Usage:
    """Cumulative counters of one session, or the sum over several."""

    seconds: int
    input_octets: int
    output_octets: int

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.seconds + other.seconds,
            self.input_octets + other.input_octets,
            self.output_octets + other.output_octets,
        )


NOTHING = Usage(0, 0, 0)


def user_name(user: int) -> str:
    """Login of subscriber number *user*."""
    return f"bench{user:06d}"


def password(user: int) -> str:
    """Cleartext password of subscriber number *user*."""
    return f"secret-{user * 7919 % 1_000_003:06d}"


def mac(user: int) -> str:
    """Calling-Station-Id of the subscriber's only device."""
    text = f"02{user:010x}".upper()
    return "-".join(text[at : at + 2] for at in range(0, 12, 2))


def framed_address(user: int) -> IPv4Address:
    """Address that the NAS reports for the session."""
    return IPv4Address("10.64.0.0") + user


def session_id(user: int, generation: int) -> str:
    """Acct-Session-Id; each *generation* is one session of every subscriber."""
    return f"{generation:04x}{user:08x}"


def user_of(acct_session_id: str) -> int:
    """The subscriber of a `session_id`."""
    return int(acct_session_id[4:], 16)


def usage_at(user: int, step: int) -> Usage:
    """Counters of a session at its *step*-th record after the Start (step 0)."""
    return Usage(
        seconds=step * SECONDS_PER_STEP,
        input_octets=step * (INPUT_OCTETS_PER_STEP + user * 7),
        output_octets=step * (OUTPUT_OCTETS_PER_STEP + user * 13),
    )
