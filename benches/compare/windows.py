"""One window of load on one server, and whether it counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from harness import cpu, load
from harness.proxies import BODY_BYTES, Server


@dataclass(frozen=True)
class Scenario:
    """What is asked for, over how many connections."""

    name: str
    connections: int
    path: str
    body_bytes: int


SCENARIOS = (
    Scenario("1 connection", 1, "", BODY_BYTES),
    Scenario("32 connections", 32, "", BODY_BYTES),
    Scenario("256 connections", 256, "", BODY_BYTES),
    Scenario("64 KiB, 32 connections", 32, "64k", 64 * 1024),
)


@dataclass(frozen=True)
class Bench:
    """What all windows have in common."""

    wrk: str
    upstream: Path
    proxy_core: int
    load_core: int
    seconds: int
    warmup: int
    max_foreign: float


@dataclass
class Window:
    """The figures of one window."""

    round: int
    scenario: str
    server: str
    rate: float
    p50_us: float
    p99_us: float
    cpu_us: float
    user_us: float
    rss_mb: float
    # How busy the server kept its core; near 1 means that the server is what limits the rate.
    core_share: float
    foreign: float
    # Why it does not count.
    faults: list[str] = field(default_factory=list)
    noisy: bool = False

    @property
    def counts(self) -> bool:
        """Whether the figures may be used."""
        return not self.faults and not self.noisy


def measure(bench: Bench, number: int, scenario: Scenario, server: Server) -> Window:
    """Warms the server up, loads it, and reads its CPU time before and after."""
    url = server.url + scenario.path
    pinned = ["taskset", "-c", str(bench.load_core)]

    def burden(seconds: int) -> load.Load:
        return load.run(pinned, bench.wrk, scenario.connections, seconds, (url, server.headers))

    if bench.warmup:
        burden(bench.warmup)
    server.child.check()
    return _between(bench, number, scenario, server, lambda: burden(bench.seconds))


def _between(
    bench: Bench, number: int, scenario: Scenario, server: Server, burden: Callable[[], load.Load]
) -> Window:
    pids = server.measured()
    upstreams = [pid for pid in cpu.running(bench.upstream) if pid not in pids]
    cores = cpu.Cores.read()
    before, below = cpu.usage(pids), cpu.usage(upstreams)
    seen = burden()
    used = cpu.usage(pids).since(before)
    below = cpu.usage(upstreams).since(below)
    now = cpu.Cores.read()
    own = {bench.proxy_core: used.total, bench.load_core: seen.cpu_ns + below.total}
    if server.name == "direct":
        own = {bench.load_core: seen.cpu_ns + below.total + used.total}
    foreign = now.foreign(cores, own)
    each = used.total / 1000 / max(seen.requests, 1)
    return Window(
        round=number,
        scenario=scenario.name,
        server=server.name,
        rate=seen.rate,
        p50_us=seen.p50_us,
        p99_us=seen.p99_us,
        cpu_us=each,
        user_us=each * used.user_share,
        rss_mb=cpu.resident_bytes(pids) / 1e6,
        core_share=used.total / (now.at - cores.at),
        foreign=foreign,
        faults=_faults(scenario, seen, set(pids) == set(server.measured())),
        noisy=foreign > bench.max_foreign,
    )


def _faults(scenario: Scenario, seen: load.Load, same_processes: bool) -> list[str]:
    faults = [f"{count} {kind} errors" for kind, count in seen.errors.items()]
    if seen.requests == 0:
        faults.append("no request was answered")
    # wrk does not count a redirection as an error, and no other answer is as long as the right one.
    elif seen.bytes_read < seen.requests * scenario.body_bytes:
        faults.append("answers shorter than the upstream's")
    if not same_processes:
        faults.append("the server's processes changed")
    return faults
