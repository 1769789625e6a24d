"""Stoker: its gateway file, its manifests, its administration. What changes there changes here only."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import http
from .errors import BenchError
from .proxies import BODY_BYTES, Server, Surroundings, answering

EVICT_SECONDS = 30.0

GATEWAY = """\
listen = ["127.0.0.1:{port}"]
threads = 1
functions = ["{directory}/{name}-functions"]
state-dir = "{directory}/{name}"

[admin]
socket = "{admin}"

[adoption]
enabled = false
"""

ACCESS_LOG = """
[access-log]
path = "{directory}/access.log"
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

GUARD = """
[access]
level = "function"
"""


@dataclass(frozen=True)
class Function:
    """One function to register."""

    name: str
    command: Sequence[str | Path]
    concurrency: int
    min_scale: int
    listen: str = "inherit"
    # Only who has its key may call it, and every request is logged.
    guarded: bool = False

    def manifest(self) -> str:
        """Its `function.toml`."""
        text = FUNCTION + GUARD if self.guarded else FUNCTION
        return text.format(
            name=self.name,
            command=", ".join(f'"{word}"' for word in self.command),
            listen=self.listen,
            concurrency=self.concurrency,
            min_scale=self.min_scale,
        )


@dataclass(frozen=True)
class Written:
    """A function whose manifest is written out, with the files beside it by name."""

    name: str
    text: str
    files: Mapping[str, str] = field(default_factory=dict)
    guarded: bool = False

    def manifest(self) -> str:
        """Its `function.toml`."""
        return self.text


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


def among(servers: Sequence[str]) -> bool:
    """Whether Stoker's binary is needed for these."""
    return any(name.startswith("stoker") for name in servers)


def bench_function(upstream: Path, prefix: Sequence[str], guarded: bool = False) -> Function:
    """The function under load: one instance, always there, that no request waits for."""
    return Function("bench", [*prefix, upstream], concurrency=1000, min_scale=1, guarded=guarded)


def start(
    around: Surroundings,
    binary: Path,
    functions: Sequence[Function | Written],
    others: int,
    body_bytes: int | None = BODY_BYTES,
) -> Stoker:
    """The gateway with these functions, and `others` more that are never called.

    It is ready when the first function answers, with a body of this length unless any will do. If
    that one is guarded the server is called `stoker-full` and comes with a key.
    """
    full = functions[0].guarded
    name = "stoker-full" if full else "stoker"
    _register(around, name, functions, others)
    port = http.free_port()
    directory = around.workspace.path
    # Short, see Workspace.
    admin = directory / ("full.sock" if full else "admin.sock")
    text = GATEWAY + ACCESS_LOG if full else GATEWAY
    text = text.format(port=port, directory=directory, name=name, admin=admin)
    config = around.workspace.write(f"{name}.toml", text)
    child = around.workspace.start(name, [*around.prefix, binary, "serve", config])
    # The gateway alone: not the spawner, not the functions.
    server = Server(name, port, child, lambda: [child.pid])
    if full:
        child.wait_until(lambda: _is_ready(admin), around.ready_seconds, "no administration")
        server.headers = (f"X-Functions-Key: {_key(admin, functions[0].name)}",)
    path = f"/function/{functions[0].name}/"
    return Stoker(answering(server, around.ready_seconds, path, body_bytes), admin)


def _is_ready(admin: Path) -> bool:
    answer = http.ask(admin, "GET", "/readyz")
    return answer is not None and answer.status == 200


def _key(admin: Path, function: str) -> str:
    """A new key that opens the function."""
    request = json.dumps({"scope": "function", "function": function})
    answer = http.ask(admin, "POST", "/v1/keys", body=request)
    if answer is None or answer.status // 100 != 2:
        said = f"{answer.status} {answer.body[:200]!r}" if answer else "no answer"
        raise BenchError(f"POST /v1/keys on the admin socket: {said}")
    return str(json.loads(answer.body)["key"])


def _register(
    around: Surroundings, name: str, functions: Sequence[Function | Written], others: int
) -> None:
    idle = (Function(f"other-{n:05}", ["/bin/true"], 1, 0) for n in range(others))
    for function in (*functions, *idle):
        place = f"{name}-functions/{function.name}"
        around.workspace.write(f"{place}/function.toml", function.manifest())
        if isinstance(function, Written):
            for file, text in function.files.items():
                around.workspace.write(f"{place}/{file}", text)
