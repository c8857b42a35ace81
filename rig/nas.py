"""A simulated NAS: logs subscribers in, accounts for them, obeys CoA and Disconnect.

It speaks real RADIUS over real sockets of loopback, from a source address of its own.
"""

from __future__ import annotations

import secrets
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import md5
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from pyrad import packet
from pyrad.dictionary import Dictionary

from rig.mschap import challenge_response

Method = Literal["pap", "chap", "mschapv2"]
StatusType = Literal["Start", "Interim-Update", "Stop"]
_DICTIONARY = Path(__file__).resolve().parent.parent / "radius_plugin" / "dictionary" / "radius"
_GIGAWORD_OCTETS = 2**32
_LISTEN_POLL_SECONDS = 0.1
_CODES = {
    packet.AccessAccept: "accept",
    packet.AccessReject: "reject",
    packet.AccessChallenge: "challenge",
}
_SESSION_NOT_FOUND = 503
_REQUESTS = {packet.CoARequest: "CoA-Request", packet.DisconnectRequest: "Disconnect-Request"}


@dataclass(frozen=True)
class LoginOutcome:
    """What a login led to: accept | reject | challenge | silence, and the reply's attributes."""

    result: str
    attributes: dict[str, list[object]]

    def first(self, name: str) -> object | None:
        """The first value of an attribute, None when the reply has none."""
        values = self.attributes.get(name)
        return values[0] if values else None

    @property
    def message(self) -> str:
        """The Reply-Message, empty when there is none."""
        return str(self.first("Reply-Message") or "")


@dataclass
class NasSession:
    """One session as this NAS counts it; octets from the subscriber's side (input: sent by it)."""

    username: str
    acct_session_id: str
    calling_station: str
    framed_ip: str | None = None
    session_class: bytes | None = None
    seconds: int = 0
    input_octets: int = 0
    output_octets: int = 0
    open: bool = True


@dataclass(frozen=True)
class Order:
    """A CoA-Request or Disconnect-Request that arrived; `arrived_at` is UTC."""

    kind: str
    attributes: dict[str, list[object]]
    arrived_at: datetime
    source_port: int
    genuine: bool
    """Request Authenticator and Message-Authenticator are right for the shared secret."""


@dataclass
class Behaviour:
    """How CoA and Disconnect are answered.

    `answer`: ack | nak | silent. `error_cause` goes with a NAK. `obedient`: a Disconnect that is
    acknowledged also ends the session, and its Stop is sent. `copies`: so often the answer is
    sent; 0: it is lost on the way. `finds` says of an order's attributes whether they name a
    session that there is; if not, the answer is a NAK that says so.
    """

    answer: Literal["ack", "nak", "silent"] = "ack"
    error_cause: int | None = None
    obedient: bool = True
    copies: int = 1
    finds: Callable[[dict[str, list[object]]], bool] = lambda _attributes: True


@dataclass
class SimulatedNas:
    """A NAS at `address`, a loopback address of its own; use as a context manager.

    `coa_port` 0 takes a free one; `nas_id` is what Tollway calls it, for its owner to remember.
    Requests are resent `resends` times, `timeout_seconds` apart.
    """

    secret: bytes
    address: str = "127.0.0.1"
    auth_port: int = 1812
    acct_port: int = 1813
    coa_port: int = 0
    nas_id: int = 0
    server: str = "127.0.0.1"
    timeout_seconds: float = 2.0
    resends: int = 2
    coa: Behaviour = field(default_factory=Behaviour)
    disconnect: Behaviour = field(default_factory=Behaviour)
    answer_secret: bytes | None = None
    """Set to answer CoA and Disconnect as somebody without the secret would."""
    sends_gigawords: bool = True
    """Without, its counters wrap at 2^32 octets."""
    sessions: dict[str, NasSession] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._dictionary = Dictionary(str(_DICTIONARY))
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._listener.bind((self.address, self.coa_port))
        self._listener.settimeout(_LISTEN_POLL_SECONDS)
        self.coa_port = int(self._listener.getsockname()[1])
        self._stopping = threading.Event()
        self._arrived = threading.Condition()
        self._thread = threading.Thread(target=self._listen, name="nas-coa", daemon=True)
        self._identifiers = count(secrets.randbelow(256))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._thread.join()
        self._listener.close()

    def login(
        self,
        username: str,
        password: str,
        *,
        method: Method = "pap",
        calling_station: str = "02-00-00-00-00-01",
        extra: Mapping[str, object] | None = None,
        proof: tuple[bytes, bytes] | None = None,
    ) -> LoginOutcome:
        """One Access-Request, answered or not. `proof`: CHAP-Challenge and CHAP-Password, which a
        device has answered to already (RFC 2865 5.3)."""
        request = packet.AuthPacket(
            code=packet.AccessRequest,
            id=self._identifier(),
            secret=self.secret,
            authenticator=packet.Packet.CreateAuthenticator(),
            dict=self._dictionary,
        )
        self._name(request, username, calling_station)
        for name, value in (extra or {}).items():
            request[name] = value
        if proof is None:
            self._add_password(request, username, password, method)
        else:
            request["CHAP-Challenge"], request["CHAP-Password"] = proof
        request.add_message_authenticator()
        reply = self._exchange(request, self.auth_port)
        if reply is None:
            return LoginOutcome("silence", {})
        return LoginOutcome(_CODES.get(reply.code, str(reply.code)), _attributes(reply))

    def start(
        self,
        username: str,
        *,
        calling_station: str = "02-00-00-00-00-01",
        framed_ip: str | None = "10.20.0.1",
        session_class: object = None,
        acct_session_id: str | None = None,
    ) -> NasSession:
        """Begin a session and send its Start. Raises TimeoutError when it is not acknowledged."""
        session = NasSession(
            username=username,
            acct_session_id=acct_session_id or secrets.token_hex(8),
            calling_station=calling_station,
            framed_ip=framed_ip,
            session_class=session_class if isinstance(session_class, bytes) else None,
        )
        self.sessions[session.acct_session_id] = session
        if not self.account(session, "Start"):
            raise TimeoutError("the Start was not acknowledged")
        return session

    def begin(
        self, username: str, password: str, *, calling_station: str = "02-00-00-00-00-01"
    ) -> NasSession:
        """Log in and start. Raises PermissionError with the Reply-Message when it is refused."""
        outcome = self.login(username, password, calling_station=calling_station)
        if outcome.result != "accept":
            raise PermissionError(f"{outcome.result}: {outcome.message}")
        return self.start(
            username, calling_station=calling_station, session_class=outcome.first("Class")
        )

    def interim(
        self, session: NasSession, *, seconds: int, input_octets: int, output_octets: int
    ) -> bool:
        """Set the session's totals and send an Interim-Update; whether it was acknowledged."""
        session.seconds = seconds
        session.input_octets, session.output_octets = input_octets, output_octets
        return self.account(session, "Interim-Update")

    def stop(self, session: NasSession, *, cause: str = "User-Request") -> bool:
        """End a session with its last totals; whether the Stop was acknowledged."""
        session.open = False
        return self.account(session, "Stop", cause=cause)

    def account(
        self,
        session: NasSession,
        status: StatusType,
        *,
        cause: str | None = None,
        resends: int | None = None,
        delay_seconds: int | None = None,
        extra: Mapping[str, object] | None = None,
    ) -> bool:
        """Send one Accounting-Request; True when the response came and is genuine."""
        request = packet.AcctPacket(
            code=packet.AccountingRequest,
            id=self._identifier(),
            secret=self.secret,
            dict=self._dictionary,
        )
        self._name(request, session.username, session.calling_station)
        request["Acct-Status-Type"] = status
        request["Acct-Session-Id"] = session.acct_session_id
        request["Event-Timestamp"] = int(time.time())
        if session.framed_ip is not None:
            request["Framed-IP-Address"] = session.framed_ip
        if session.session_class is not None:
            request["Class"] = session.session_class
        if status != "Start":
            _add_counters(request, session, wide=self.sends_gigawords)
        if cause is not None:
            request["Acct-Terminate-Cause"] = cause
        if delay_seconds is not None:
            request["Acct-Delay-Time"] = delay_seconds
        for name, value in (extra or {}).items():
            request[name] = value
        return self._exchange(request, self.acct_port, resends) is not None

    def announce(self, status: Literal["Accounting-On", "Accounting-Off"]) -> bool:
        """Tell that this NAS starts or ends all of its service (rule U7); whether it was heard."""
        request = packet.AcctPacket(
            code=packet.AccountingRequest,
            id=self._identifier(),
            secret=self.secret,
            dict=self._dictionary,
        )
        request["Acct-Status-Type"] = status
        request["NAS-IP-Address"] = self.address
        request["Event-Timestamp"] = int(time.time())
        return self._exchange(request, self.acct_port) is not None

    def wait_for_orders(self, number: int, timeout_seconds: float = 10.0) -> list[Order]:
        """The first `number` orders; raises TimeoutError when fewer arrive in time."""
        with self._arrived:
            if not self._arrived.wait_for(lambda: len(self.orders) >= number, timeout_seconds):
                raise TimeoutError(f"{len(self.orders)} of {number} CoA or Disconnect arrived")
            return list(self.orders[:number])

    def _identifier(self) -> int:
        return next(self._identifiers) % 256

    def _name(self, request: packet.Packet, username: str, calling_station: str) -> None:
        request["User-Name"] = username
        request["NAS-IP-Address"] = self.address
        request["Calling-Station-Id"] = calling_station
        request["Service-Type"] = "Framed-User"

    def _add_password(
        self, request: packet.AuthPacket, username: str, password: str, method: Method
    ) -> None:
        if method == "pap":
            request["User-Password"] = request.PwCrypt(password)
        elif method == "chap":
            identifier, challenge = b"\x07", secrets.token_bytes(16)
            digest = md5(identifier + password.encode() + challenge).digest()  # noqa: S324
            request["CHAP-Challenge"] = challenge
            request["CHAP-Password"] = identifier + digest
        else:
            challenge, response = challenge_response(username, password)
            request["MS-CHAP-Challenge"] = challenge
            request["MS-CHAP2-Response"] = response

    def _exchange(
        self, request: packet.Packet, port: int, resends: int | None = None
    ) -> packet.Packet | None:
        """Send, resend unchanged, and wait for the genuine reply; None when there is none."""
        datagram = request.RequestPacket()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
            wire.bind((self.address, 0))
            wire.connect((self.server, port))
            for _ in range(1 + (self.resends if resends is None else resends)):
                deadline = time.monotonic() + self.timeout_seconds
                wire.send(datagram)
                while (rest := deadline - time.monotonic()) > 0:
                    wire.settimeout(rest)
                    try:
                        raw = wire.recv(4096)
                    except (TimeoutError, ConnectionRefusedError):
                        time.sleep(0.02)
                        continue
                    reply = request.CreateReply(packet=raw)
                    if request.VerifyReply(reply, raw):
                        return reply
        return None

    def _listen(self) -> None:
        while not self._stopping.is_set():
            try:
                raw, source = self._listener.recvfrom(4096)
            except TimeoutError:
                continue
            self._receive(raw, source)

    def _receive(self, raw: bytes, source: tuple[str, int]) -> None:
        request = packet.CoAPacket(secret=self.secret, dict=self._dictionary, packet=raw)
        genuine = request.VerifyCoARequest() and bool(
            request.message_authenticator and request.verify_message_authenticator()
        )
        kind = _REQUESTS.get(request.code, str(request.code))
        order = Order(kind, _attributes(request), datetime.now(UTC), source[1], genuine)
        behaviour = self.disconnect if request.code == packet.DisconnectRequest else self.coa
        with self._arrived:
            self.orders.append(order)
            self._arrived.notify_all()
        if not genuine or behaviour.answer == "silent":
            return
        found = behaviour.finds(order.attributes)
        cause = behaviour.error_cause if found else _SESSION_NOT_FOUND
        acked = found and behaviour.answer == "ack"
        reply = request.CreateReply()
        reply.secret = self.answer_secret or self.secret
        if not acked:
            reply.code += 1  # each NAK follows its ACK
            if cause is not None:
                reply["Error-Cause"] = cause
        for _ in range(behaviour.copies):
            self._listener.sendto(reply.ReplyPacket(), source)
        if acked and behaviour.obedient and kind == "Disconnect-Request":
            self._end_session(order)

    def _end_session(self, order: Order) -> None:
        named = order.attributes.get("Acct-Session-Id")
        session = self.sessions.get(str(named[0])) if named else None
        if session is not None and session.open:
            # Not in this thread: while the Stop waits for its answer, other orders come.
            thread = threading.Thread(
                target=self.stop, args=(session,), kwargs={"cause": "Admin-Reset"}, daemon=True
            )
            thread.start()


def _attributes(received: packet.Packet) -> dict[str, list[object]]:
    return {str(name): list(received[name]) for name in received.keys()}  # noqa: SIM118 (names)


def _add_counters(request: packet.AcctPacket, session: NasSession, *, wide: bool) -> None:
    request["Acct-Session-Time"] = session.seconds
    for direction, octets in (("Input", session.input_octets), ("Output", session.output_octets)):
        gigawords, low = divmod(octets, _GIGAWORD_OCTETS)
        request[f"Acct-{direction}-Octets"] = low
        if wide:
            request[f"Acct-{direction}-Gigawords"] = gigawords
