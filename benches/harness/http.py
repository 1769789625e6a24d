"""Requests to loopback and to Unix sockets, one at a time."""

from __future__ import annotations

import http.client
import socket
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


def get(port: int, path: str, timeout: float = 10.0) -> Answer | None:
    """The answer of a server on loopback; `None` if there is none."""
    return _exchange(http.client.HTTPConnection("127.0.0.1", port, timeout=timeout), "GET", path)


def ask(socket_path: Path, method: str, path: str, timeout: float = 10.0) -> Answer | None:
    """The answer of a server on a Unix socket; `None` if there is none."""
    return _exchange(UnixConnection(socket_path, timeout), method, path)


def _exchange(connection: http.client.HTTPConnection, method: str, path: str) -> Answer | None:
    with closing(connection):
        try:
            connection.request(method, path)
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
