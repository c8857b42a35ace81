"""Where a NAS hears Disconnect-Requests: noted with their instant, and acknowledged."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path

from pyrad import packet
from pyrad.dictionary import Dictionary

from . import workload

_DICTIONARY = Path(__file__).resolve().parents[2] / "radius_plugin" / "dictionary" / "radius"
_RECEIVE_OCTETS = 4096
_BUFFER_OCTETS = 1 << 20


class CoaListener:
    """A UDP socket at the NAS's address. `ended` is told each session at its first order."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_OCTETS)
        self.socket.bind((str(workload.NAS_ADDRESS), 0))
        self.port = int(self.socket.getsockname()[1])
        self.arrived_at: dict[str, float] = {}
        """Unix seconds of the first Disconnect-Request, by Acct-Session-Id."""
        self.repeated = self.forged = self.other = 0
        self.ended: Callable[[str], None] = lambda session_id: None
        self._dictionary = Dictionary(str(_DICTIONARY))

    def read(self) -> None:
        """Take what has arrived."""
        while True:
            try:
                raw, source = self.socket.recvfrom(_RECEIVE_OCTETS)
            except BlockingIOError:
                return
            # Before anything is read of it: what is measured is the packet on the wire.
            now = time.time()
            self._answer(raw, source, now)

    def close(self) -> None:
        """Listen no more."""
        self.socket.close()

    def _answer(self, raw: bytes, source: tuple[str, int], now: float) -> None:
        request = packet.CoAPacket(secret=workload.SECRET, dict=self._dictionary, packet=raw)
        if not request.VerifyCoARequest():
            self.forged += 1
            return
        if request.code != packet.DisconnectRequest:
            self.other += 1
            return
        session_id = str(request["Acct-Session-Id"][0])
        self.socket.sendto(request.CreateReply().ReplyPacket(), source)
        if session_id in self.arrived_at:
            self.repeated += 1
            return
        self.arrived_at[session_id] = now
        self.ended(session_id)
