"""Requests to loopback and to Unix sockets, one at a time."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Answer:
    """A response, read whole."""

    status: int
    headers: dict[str, str]
    body: bytes


class UnixConnection(http.client.HTTPConnection):
    """An HTTP connection over a Unix socket."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


def get(
    port: int, path: str, timeout: float = 10.0, headers: Sequence[str] = ()
) -> Answer | None:
    """The answer of a server on loopback; `None` if there is none."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    fields = dict(line.split(": ", 1) for line in headers)
    return _exchange(connection, "GET", path, None, fields)


def ask(
    socket_path: Path, method: str, path: str, timeout: float = 10.0, body: str | None = None
) -> Answer | None:
    """The answer of a server on a Unix socket, to JSON if there is a body; `None` if there is none."""
    fields = {"content-type": "application/json"} if body is not None else {}
    return _exchange(UnixConnection(socket_path, timeout), method, path, body, fields)


def _exchange(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: str | None,
    headers: dict[str, str],
) -> Answer | None:
    with closing(connection):
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, headers, response.read())
        except (OSError, http.client.HTTPException):
            return None


def free_port() -> int:
    """A TCP port of loopback that was free a moment ago."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
