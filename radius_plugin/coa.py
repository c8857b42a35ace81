"""Orders → CoA and Disconnect on the wire → recorded outcome (rules C1–C4, RFC 5176).

One thread, no waiting for anybody: it sends what is due, hears answers, and sleeps until
something is due, answered or announced. A NAS that is down has a bounded number of requests in
flight and holds up nobody else.
"""

from __future__ import annotations

import logging
import selectors
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from pyrad.dictionary import Dictionary  # type: ignore[import-untyped]
from pyrad.packet import (  # type: ignore[import-untyped]
    CoAACK,
    CoANAK,
    CoAPacket,
    CoARequest,
    DisconnectACK,
    DisconnectNAK,
    DisconnectRequest,
    PacketError,
)

from billing.clock import utc_now
from billing.errors import Unavailable
from billing.model.decision import Limits, Service
from billing.model.enforcement import (
    LIMITS_ALONE,
    Goal,
    OrderResult,
    Outcome,
    PacketKind,
    SessionOrder,
)
from billing.services import orders
from billing.services.context import Context
from radius_plugin import vendors
from radius_plugin.own_reply import told_again
from radius_plugin.vendors import Attributes, Codec, Part, Used
from radius_plugin.wire import Flight, Slot, Wire

log = logging.getLogger(__name__)

ANSWER_SECONDS = 5.0
"""How long an answer is waited for; the order may be sent again before."""
BATCH_ORDERS = 256
NAS_WINDOW = 256
"""Requests in flight to one NAS from which on it gets no new ones."""
SETTLE_SECONDS = 1.0
POLL_SECONDS = 2.0
"""Orders are announced; this is how late they are seen if an announcement was lost."""
_STOP_SECONDS = 0.25
_SHORTEST_SECONDS = 0.02
_NOTHING_GIVEN_SECONDS = 0.1
_DATABASE_BACKOFF_SECONDS = (0.25, 0.5, 1.0, 2.0, 5.0)

_DICTIONARY = Dictionary(str(Path(__file__).resolve().parent / "dictionary" / "radius"))
_CODES = {PacketKind.COA: CoARequest, PacketKind.DISCONNECT: DisconnectRequest}
_ACKS = {PacketKind.COA: CoAACK, PacketKind.DISCONNECT: DisconnectACK}
_NAKS = {PacketKind.COA: CoANAK, PacketKind.DISCONNECT: DisconnectNAK}
_LIMITS = (Part.TIMEOUT, Part.QUOTA)
_ANY_SPEED = Service(speed_up_kbps=1, speed_down_kbps=1)
_NUMERIC_TYPES = frozenset({"integer", "date", "short", "byte", "signed"})


def packet_for(order: SessionOrder) -> tuple[PacketKind, Attributes]:
    """Which packet carries out an order, and its attributes (rules C3, C4).

    A CoA where the vendor's can change everything that is to change and that the NAS enforces;
    what it can't, the next login brings, so the session is disconnected. No CoA changes a pool or
    an address: into and out of the suspended pool by CoA only where the NAS fences in by policy,
    and out only who was fenced in by CoA (who logged in suspended has the pool's address).

    Raises ValueError when the service holds what can't be sent.
    """
    codec = vendors.for_nas(order.vendor, order.link)
    namings = codec.identify(order.identity)
    names = namings[order.unknown_answers % len(namings)]
    disconnect = (PacketKind.DISCONNECT, names)
    service = None if order.service is None else codec.tellable(order.service)
    if order.goal is Goal.TARIFF:
        return _at_a_switch(codec, order, names, service)
    if order.goal is Goal.DISCONNECT or order.escalated or service is None:
        return disconnect
    if order.goal is Goal.SUSPEND:
        if not codec.capabilities.fence:
            return disconnect
        return PacketKind.COA, names + codec.fence(service)
    if order.goal is Goal.RESTORE:
        if not (codec.capabilities.fence and order.fenced):
            return disconnect
        return PacketKind.COA, names + told_again(
            codec.let_out(service), service.own_reply, codec.resets
        )
    parts = _parts(order.goal, codec, service)
    if not parts:
        return PacketKind.NONE, ()
    if not codec.capabilities.covers(parts):
        return disconnect
    used = Used(order.used_seconds, order.used_octets, order.used_input_octets)
    changes = told_again(codec.change(service, used, parts), service.own_reply, codec.resets)
    return PacketKind.COA, names + changes


def _at_a_switch(
    codec: Codec, order: SessionOrder, names: Attributes, service: Service | None
) -> tuple[PacketKind, Attributes]:
    """New limits of time and octets, as far as a CoA can tell them (rule Q3)."""
    if service is None:
        return PacketKind.NONE, ()
    parts = {part for part in (Part.TIMEOUT, Part.QUOTA) if codec.capabilities.covers({part})}
    if service.limits.session_seconds is None:
        parts.discard(Part.TIMEOUT)
    if not parts:
        return PacketKind.NONE, ()
    changes = codec.change(service, Used(order.used_seconds, order.used_octets), parts)
    return PacketKind.COA, names + told_again(changes, service.own_reply, codec.resets)


def _parts(goal: Goal, codec: Codec, service: Service) -> set[Part]:
    """What a CoA with this goal is to change of what the NAS enforces."""
    if goal is Goal.SPEED:
        return _speed_part(codec)
    enforced = _enforced(codec, service)
    if goal is Goal.RESTRICT:
        return enforced | _speed_part(codec)
    if goal in LIMITS_ALONE:
        able = {part for part in _LIMITS if codec.capabilities.covers([part])}
        return enforced & able
    return enforced


def _enforced(codec: Codec, service: Service) -> set[Part]:
    """What the NAS itself enforces of a service: seen by what its Accept would carry."""
    whole = codec.encode(service)
    limits = service.limits
    without = {
        Part.SPEED: replace(service, speed_up_kbps=None, speed_down_kbps=None),
        Part.TIMEOUT: replace(service, limits=Limits(total_octets=limits.total_octets)),
        Part.QUOTA: replace(service, limits=Limits(session_seconds=limits.session_seconds)),
    }
    return {part for part, less in without.items() if codec.encode(less) != whole}


def _speed_part(codec: Codec) -> set[Part]:
    """Speed, where the NAS enforces one at all: also when a limit is lifted."""
    return _enforced(codec, _ANY_SPEED)


@dataclass(frozen=True, slots=True)
class _Sent:
    order: SessionOrder
    kind: PacketKind
    request: CoAPacket
    sent_at: datetime


class CoaSender:
    """Sends orders until told to stop. One a process; several processes share the work."""

    def __init__(
        self,
        context: Context,
        *,
        answer_seconds: float = ANSWER_SECONDS,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._context = context
        self._answer_seconds = answer_seconds
        self._clock = clock
        self._selector = selectors.DefaultSelector()
        self._wire: Wire[_Sent] = Wire(self._selector)
        self._results: list[OrderResult] = []
        self._nas_ids: dict[str, int] = {}
        self._silent: set[int] = set()
        self._back: set[int] = set()
        self._failures = 0
        self._claim_at = 0.0
        self._settle_at = 0.0

    def run(self, stop: threading.Event) -> None:
        """Serve until `stop` is set. Survives restarts of the database: what was answered
        meanwhile is recorded afterwards."""
        try:
            while not stop.is_set():
                try:
                    self._serve(stop)
                except Unavailable as error:
                    log.warning("orders wait for the database: %s", error)
                    self._wait_for_database(stop)
            self._give_up()
        finally:
            self._wire.close()
            self._selector.close()

    def _serve(self, stop: threading.Event) -> None:
        listener = orders.listen(self._context)
        self._selector.register(listener, selectors.EVENT_READ)
        self._claim_at = 0.0
        try:
            while not stop.is_set():
                self._work()
                self._failures = 0
                self._sleep()
                if listener.heard():
                    self._claim_at = 0.0
        finally:
            self._selector.unregister(listener)
            listener.close()

    def _work(self) -> None:
        """Record what came back, settle, send what is due."""
        self._record()
        monotonic = time.monotonic()
        if monotonic >= self._settle_at:
            orders.settle(self._context, self._clock())
            took = time.monotonic() - monotonic
            # With very many open orders a tenth of the time is enough for this.
            self._settle_at = time.monotonic() + max(SETTLE_SECONDS, 9 * took)
        if monotonic >= self._claim_at:
            self._claim()

    def _claim(self) -> None:
        busy = self._busy()
        now = self._clock()
        due = orders.claim_due(self._context, now, limit=BATCH_ORDERS, busy_nas_ids=busy)
        for order in due:
            self._send(order)
        if len(due) == BATCH_ORDERS:
            self._claim_at = 0.0
            return
        next_at = orders.next_attempt_at(self._context)
        wait = POLL_SECONDS if next_at is None else (next_at - self._clock()).total_seconds()
        # What is due but was not given waits for a NAS or to be settled, both soon.
        shortest = _SHORTEST_SECONDS if due else _NOTHING_GIVEN_SECONDS
        self._claim_at = time.monotonic() + min(max(wait, shortest), POLL_SECONDS)

    def _busy(self) -> list[int]:
        return [
            self._nas_ids[address]
            for address, number in self._wire.outstanding().items()
            if number >= NAS_WINDOW
        ]

    def _send(self, order: SessionOrder) -> None:
        now = self._clock()
        kind = PacketKind.NONE
        try:
            kind, attributes = packet_for(order)
            if kind is PacketKind.NONE:
                self._results.append(_result(order, kind, now, Outcome.ACK))
                return
            slot = self._wire.slot((order.nas.address, order.nas.coa_port))
            if slot is None:
                return  # every identifier for this NAS is in use; the back-off brings it again
            request = build(order, kind, attributes, slot, now)
            sent = _Sent(order, kind, request, now)
            self._nas_ids[order.nas.address] = order.nas_id
            expires = time.monotonic() + self._answer_seconds
            flight = Flight(sent, lambda raw: _reply(request, kind, raw) is not None, expires)
            self._wire.send(slot, request.RequestPacket(), flight)
        except (OSError, ValueError, TypeError, KeyError, PacketError) as error:
            log.error("order %d cannot be sent: %s", order.intent_id, error)
            # What no CoA can be made of, a Disconnect may still end.
            wanted = PacketKind.DISCONNECT if order.escalated else PacketKind.COA
            unsent = kind if kind is not PacketKind.NONE else wanted
            result = _result(order, unsent, now, Outcome.UNSENT)
            self._results.append(replace(result, error_cause=type(error).__name__))

    def _sleep(self) -> None:
        """Until something is heard, due or over; at most until `stop` must be looked at."""
        now = time.monotonic()
        until = min(self._claim_at, self._settle_at, now + _STOP_SECONDS)
        expiry = self._wire.next_expiry()
        if expiry is not None:
            until = min(until, expiry)
        if self._results:
            until = now
        self._hear(max(until - now, 0.0))

    def _wait_for_database(self, stop: threading.Event) -> None:
        """Back off, still hearing the NAS."""
        last = len(_DATABASE_BACKOFF_SECONDS) - 1
        wait = _DATABASE_BACKOFF_SECONDS[min(self._failures, last)]
        self._failures += 1
        until = time.monotonic() + wait
        while not stop.is_set() and (rest := until - time.monotonic()) > 0:
            self._hear(min(rest, _STOP_SECONDS))

    def _hear(self, timeout_seconds: float) -> None:
        for key, _ in self._selector.select(timeout_seconds):
            if isinstance(key.fileobj, socket.socket):
                for sent, raw in self._wire.answers(key.fileobj):
                    self._answered(sent, raw)
        for sent in self._wire.expired(time.monotonic()):
            self._silent.add(sent.order.nas_id)
            self._results.append(_result(sent.order, sent.kind, sent.sent_at, Outcome.TIMEOUT))

    def _answered(self, sent: _Sent, raw: bytes) -> None:
        reply = _reply(sent.request, sent.kind, raw)
        if reply is None:
            return
        if sent.order.nas_id in self._silent:
            self._silent.discard(sent.order.nas_id)
            self._back.add(sent.order.nas_id)
        acked = reply.code == _ACKS[sent.kind]
        result = _result(sent.order, sent.kind, sent.sent_at, Outcome.ACK if acked else Outcome.NAK)
        cause = reply["Error-Cause"][0] if "Error-Cause" in reply else None
        self._results.append(
            replace(
                result,
                answered_at=self._clock(),
                error_cause=None if cause is None else str(cause),
            )
        )

    def _record(self) -> None:
        if not self._results:
            return
        orders.record_results(self._context, self._results, self._clock())
        self._results = []
        if self._back:
            # What waits longer and longer for a NAS that was down need not wait any more.
            orders.hasten(self._context, self._back, self._clock())
            self._back = set()
        self._claim_at = 0.0

    def _give_up(self) -> None:
        """At the end: what is in flight has had no answer."""
        for sent in self._wire.expired(float("inf")):
            self._results.append(_result(sent.order, sent.kind, sent.sent_at, Outcome.TIMEOUT))
        try:
            self._record()
        except Unavailable as error:
            log.warning("%d outcomes could not be recorded: %s", len(self._results), error)


def build(
    order: SessionOrder,
    kind: PacketKind,
    attributes: Attributes,
    slot: Slot,
    now: datetime,
) -> CoAPacket:
    """The request with Event-Timestamp and Message-Authenticator (RFC 5176 3.3).

    Raises ValueError, TypeError or KeyError when an attribute cannot be sent.
    """
    request = CoAPacket(
        code=_CODES[kind], id=slot.identifier, secret=order.nas.secret, dict=_DICTIONARY
    )
    for name, value in attributes:
        numeric = _DICTIONARY[name.partition(":")[0]].type in _NUMERIC_TYPES
        request.AddAttribute(name, int(value) if numeric else value)
    request["Event-Timestamp"] = int(now.timestamp())
    request.add_message_authenticator()
    return request


def _reply(request: CoAPacket, kind: PacketKind, raw: bytes) -> CoAPacket | None:
    """The datagram as an answer to the request; None when it is not a genuine one."""
    try:
        reply = request.CreateReply(packet=raw)
        genuine = request.VerifyReply(reply, raw)
    except (PacketError, ValueError, IndexError, KeyError):
        return None
    return reply if genuine and reply.code in (_ACKS[kind], _NAKS[kind]) else None


def _result(
    order: SessionOrder, kind: PacketKind, sent_at: datetime, outcome: Outcome
) -> OrderResult:
    codec = vendors.for_nas(order.vendor, order.link)
    return OrderResult(
        order=order,
        packet=kind,
        sent_at=sent_at,
        outcome=outcome,
        namings=len(codec.identify(order.identity)),
    )
