"""HTTP servers of this machine alone, which stand for a provider's in the demo and in tests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

# How soon it sees that it is to end; what http.server takes costs half a second each time.
_POLL_SECONDS = 0.02


@contextmanager
def answering(server: HTTPServer) -> Iterator[None]:
    """Let it answer beside the caller, and close it at the end."""
    thread = threading.Thread(target=server.serve_forever, args=(_POLL_SECONDS,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Handler(BaseHTTPRequestHandler):
    """One call, answered by `get` or `post`; writes no log."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.get()

    def do_POST(self) -> None:
        self.post()

    def get(self) -> None:
        self.say(405, b"")

    def post(self) -> None:
        self.say(405, b"")

    def body(self) -> bytes:
        """What was sent."""
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def say(
        self, status: int, said: bytes, kind: str = "application/json", location: str = ""
    ) -> None:
        """Answer; nothing happens when the caller has gone."""
        try:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            if location:
                self.send_header("Location", location)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)
        except OSError:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Nothing: the servers keep what was called."""
