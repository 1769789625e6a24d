#!/usr/bin/env python3
"""Instructions per request, by callgrind: a figure that no neighbour on the machine can disturb.

User-space instructions only: what the kernel does for a request is not in it, and valgrind runs
threads one after another. A server is warmed up, its counters are dumped, then it serves N1 and
then N2 requests, with a dump after each; the difference of the two counts, by N2 - N1, is what one
request costs without what goes on anyway. Children that a server executes are not counted.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from harness import proxies, stoker, tools  # noqa: E402
from harness.errors import BenchError, exit_code  # noqa: E402
from harness.keepalive import Callers  # noqa: E402
from harness.processes import Child, Workspace  # noqa: E402
from harness.proxies import Server, Surroundings  # noqa: E402

SERVERS = ("nginx", "haproxy", "stoker", "stoker-full")
CONNECTIONS = (1, 32)
WARMUP = 1000
# Under valgrind everything takes about fifty times as long, reading the manifests too.
READY_SECONDS = 300.0
DUMP_SECONDS = 60.0


@dataclass(frozen=True)
class Count:
    """What one request costs a server."""

    server: str
    connections: int
    instructions: float


def main() -> int:
    options = parse_arguments()
    if tools.find("valgrind") is None or tools.find("vgdb") is None:
        print("valgrind is not installed (Debian: valgrind): instructions are not counted")
        return 0
    return exit_code(lambda: count_all(options))


def count_all(options: argparse.Namespace) -> int:
    """One server after the other; 1 if one of them could not be counted."""
    binary = tools.require_stoker(options.stoker) if stoker.among(options.servers) else None
    tools.require(*({"nginx", "haproxy"} & set(options.servers)))
    upstream = tools.build("upstream")
    counts: list[Count] = []
    failures: list[str] = []
    for name in options.servers:
        try:
            with Workspace(options.keep) as workspace:
                counts += count(workspace, name, upstream, binary, options)
        except BenchError as error:
            failures.append(f"{name}: {error}")
    publish(counts, failures, binary, options)
    return 1 if failures else 0


def count(
    workspace: Workspace, name: str, upstream: Path, binary: Path | None, options: argparse.Namespace
) -> list[Count]:
    """What a request costs one server, over one connection and over several."""
    print(f"{name}: starting under valgrind", flush=True)
    server = start(workspace, name, upstream, binary, options.functions)
    counted = []
    for connections in CONNECTIONS:
        each = per_request(workspace, server, connections, options.requests)
        print(f"{name}: {each:,.0f} instructions per request, {connections} connections", flush=True)
        counted.append(Count(name, connections, each))
    return counted


def start(
    workspace: Workspace, name: str, upstream: Path, binary: Path | None, functions: int
) -> Server:
    """One server under callgrind, and the upstream beside it."""
    shared = proxies.start_upstream(workspace, [], upstream)
    around = Surroundings(
        workspace=workspace,
        prefix=[
            tools.require("valgrind")["valgrind"],
            "--tool=callgrind",
            "--trace-children=no",
            f"--callgrind-out-file={workspace.path}/callgrind.%p",
            f"--vgdb-prefix={workspace.path}/vgdb",
        ],
        upstream=shared,
        single=True,
        ready_seconds=READY_SECONDS,
    )

    def start_stoker(full: bool) -> Server:
        assert binary is not None
        function = stoker.bench_function(upstream, [], guarded=full)
        return stoker.start(around, binary, [function], functions - 1).server

    starters: dict[str, Callable[[], Server]] = {
        "nginx": lambda: proxies.start_nginx(around),
        "haproxy": lambda: proxies.start_haproxy(around),
        "stoker": lambda: start_stoker(full=False),
        "stoker-full": lambda: start_stoker(full=True),
    }
    return starters[name]()


def per_request(workspace: Workspace, server: Server, connections: int, requests: int) -> float:
    """The difference between many requests and few, by the difference of their numbers."""
    few, many = requests, 3 * requests
    with Callers(server.port, proxies.PATH, connections, server.headers) as callers:
        callers.send(WARMUP)
        dump(workspace, server.child)
        callers.send(few)
        base = dump(workspace, server.child)
        callers.send(many)
        full = dump(workspace, server.child)
    return (full - base) / (many - few)


def dump(workspace: Workspace, child: Child) -> int:
    """The instructions since the last dump; starts at zero again."""
    pattern = f"callgrind.{child.pid}.*"
    before = set(workspace.path.glob(pattern))
    vgdb = tools.require("vgdb")["vgdb"]
    argv = [vgdb, f"--vgdb-prefix={workspace.path}/vgdb", f"--pid={child.pid}", "dump"]
    try:
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=DUMP_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise BenchError("callgrind did not answer when asked for its counters") from error
    made = sorted(set(workspace.path.glob(pattern)) - before)
    if len(made) != 1:
        raise BenchError(f"callgrind made no dump: {done.stdout.decode(errors='replace').strip()}")
    totals = re.search(r"^totals: (\d+)", made[0].read_text(errors="replace"), re.MULTILINE)
    if totals is None:
        raise BenchError(f"callgrind's dump has no total: {made[0].name}")
    return int(totals.group(1))


def publish(
    counts: Sequence[Count], failures: Sequence[str], binary: Path | None, options: argparse.Namespace
) -> None:
    """A table on the terminal, and whatever else was asked for."""
    facts = tools.fingerprint(binary)
    lines = [f"| user-space instructions per request | {' | '.join(map(label, CONNECTIONS))} |"]
    lines.append("| --- |" + " ---: |" * len(CONNECTIONS))
    for server in dict.fromkeys(entry.server for entry in counts):
        cells = [f"{entry.instructions:,.0f}" for entry in counts if entry.server == server]
        lines.append(f"| {server} | {' | '.join(cells)} |")
    lines += [f"\nnot counted: {failure}" for failure in failures]
    print("\n" + "\n".join(lines))
    if options.markdown:
        notes = "\n".join(f"- {name}: {value}" for name, value in facts.items())
        title = "# Instructions per request\n\nUser space only, counted by callgrind."
        options.markdown.write_text(f"{title}\n\n{notes}\n\n" + "\n".join(lines) + "\n")
    if options.json:
        content = {"machine": facts, "counts": [vars(entry) for entry in counts], "failures": list(failures)}
        options.json.write_text(json.dumps(content, indent=1) + "\n")


def label(connections: int) -> str:
    return f"{connections} connection{'s' if connections > 1 else ''}"


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--stoker", type=Path, default=tools.DEFAULT_STOKER, metavar="PATH",
                        help="Stoker's binary (default: target/release/stoker)")
    parser.add_argument("--servers", type=tools.choices(SERVERS), default=list(SERVERS), metavar="LIST",
                        help=f"some of {','.join(SERVERS)} (default: all)")
    parser.add_argument("--requests", type=tools.positive, default=1000,
                        help="in the shorter run; the longer one has three times as many (default: 1000)")
    parser.add_argument("--functions", type=tools.positive, default=10_000,
                        help="registered with Stoker (default: 10000)")
    parser.add_argument("--markdown", type=Path, metavar="FILE")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--keep", action="store_true", help="keep the configurations and dumps")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
