"""Stoker: its gateway file, its manifests, its administration. What changes there changes here only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from . import http
from .errors import BenchError
from .proxies import BODY_BYTES, Server, Surroundings, answering

EVICT_SECONDS = 30.0
COLD_HEADER = "stoker-start"
COLD_MARK = "cold"

GATEWAY = """\
listen = ["127.0.0.1:{port}"]
threads = 1
functions = ["{directory}/functions"]
state-dir = "{directory}/state"

[admin]
socket = "{admin}"

[adoption]
enabled = false
"""

FUNCTION = """\
name = "{name}"
command = [{command}]
listen = "{listen}"

[scaling]
concurrency = {concurrency}
min-scale = {min_scale}
max-scale = 1
idle-timeout = "1h"
"""


@dataclass(frozen=True)
class Function:
    """One function to register."""

    name: str
    command: Sequence[str | Path]
    concurrency: int
    min_scale: int
    listen: str = "inherit"

    def manifest(self) -> str:
        """Its `function.toml`."""
        return FUNCTION.format(
            name=self.name,
            command=", ".join(f'"{word}"' for word in self.command),
            listen=self.listen,
            concurrency=self.concurrency,
            min_scale=self.min_scale,
        )


@dataclass(frozen=True)
class Stoker:
    """A gateway that runs, and its administrators' socket."""

    server: Server
    admin: Path

    def evict(self, name: str) -> None:
        """Stops all instances of a function; returns when they are gone."""
        path = evict_path(name)
        answer = http.ask(self.admin, "POST", path, EVICT_SECONDS)
        if answer is None or answer.status // 100 != 2:
            said = f"{answer.status} {answer.body[:200]!r}" if answer else "no answer"
            raise BenchError(f"POST {path} on the admin socket: {said}")


def evict_path(name: str) -> str:
    """Where the eviction of a function is asked for."""
    return f"/v1/functions/{name}/evict"


def bench_function(upstream: Path, prefix: Sequence[str]) -> Function:
    """The function under load: one instance, always there, that no request waits for."""
    return Function("bench", [*prefix, upstream], concurrency=1000, min_scale=1)


def start(
    around: Surroundings,
    binary: Path,
    functions: Sequence[Function],
    others: int,
    body_bytes: int | None = BODY_BYTES,
) -> Stoker:
    """The gateway with these functions, and `others` more that are never called.

    It is ready when the first function answers, with a body of this length unless any will do.
    """
    _register(around, functions, others)
    port = http.free_port()
    directory = around.workspace.path
    # Short, see Workspace.
    admin = directory / "admin.sock"
    text = GATEWAY.format(port=port, directory=directory, admin=admin)
    config = around.workspace.write("gateway.toml", text)
    child = around.workspace.start("stoker", [*around.prefix, binary, "serve", config])
    # The gateway alone: not the spawner, not the functions.
    server = Server("stoker", port, child, lambda: [child.pid])
    path = f"/function/{functions[0].name}/"
    return Stoker(answering(server, around.ready_seconds, path, body_bytes), admin)


def _register(around: Surroundings, functions: Sequence[Function], others: int) -> None:
    idle = (Function(f"other-{n:05}", ["/bin/true"], 1, 0) for n in range(others))
    for function in (*functions, *idle):
        around.workspace.write(f"functions/{function.name}/function.toml", function.manifest())
