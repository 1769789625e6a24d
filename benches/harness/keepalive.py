"""An exact number of requests over kept connections. Slow: for counting, not for timing."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from types import TracebackType

from .errors import BenchError

TIMEOUT_SECONDS = 60.0


class Callers:
    """Some connections that all send, then all wait for their answer."""

    def __init__(self, port: int, path: str, connections: int, headers: Sequence[str] = ()) -> None:
        lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", *headers, "", ""]
        self.request = "\r\n".join(lines).encode()
        self.sockets = [
            socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS) for _ in range(connections)
        ]

    def __enter__(self) -> Callers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for connection in self.sockets:
            connection.close()

    def send(self, requests: int) -> None:
        """This many requests in all, as many at once as there are connections."""
        try:
            for first in range(0, requests, len(self.sockets)):
                busy = self.sockets[: requests - first]
                for connection in busy:
                    connection.sendall(self.request)
                for connection in busy:
                    _receive(connection)
        except OSError as error:
            raise BenchError(f"a connection failed: {error}") from error


def _receive(connection: socket.socket) -> None:
    """One answer; the upstream's has a length, and proxies keep it."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    status, *fields = head.split(b"\r\n")
    if status.split(b" ")[1:2] != [b"200"]:
        raise BenchError(f"answered {status.decode(errors='replace')}")
    lengths = [field for field in fields if field.lower().startswith(b"content-length:")]
    if len(lengths) != 1:
        raise BenchError("the answer has no length")
    missing = int(lengths[0].partition(b":")[2]) - len(body)
    while missing > 0:
        missing -= len(_more(connection))


def _more(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise BenchError("the server closed a kept connection")
    return data
