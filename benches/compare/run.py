#!/usr/bin/env python3
"""nginx, haproxy and Stoker side by side: one core, one worker, the same upstream on a Unix socket."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import report  # noqa: E402
from harness import proxies, stoker, tools  # noqa: E402
from harness.errors import BenchError, exit_code  # noqa: E402
from harness.processes import Workspace  # noqa: E402
from harness.proxies import Server, Surroundings  # noqa: E402
from windows import SCENARIOS, Bench, Scenario, Window, measure  # noqa: E402

SERVERS = ("direct", "nginx", "haproxy", "stoker", "stoker-full")
# 10,000 manifests are read before Stoker answers.
READY_SECONDS = 60.0


def main() -> int:
    options = parse_arguments()
    return exit_code(lambda: compare(options))


def compare(options: argparse.Namespace) -> int:
    """Runs everything; 1 if a window failed, or a figure is missing."""
    check_cores(options)
    binary = tools.require_stoker(options.stoker) if stoker.among(options.servers) else None
    found = tools.require("wrk", "taskset", *({"nginx", "haproxy"} & set(options.servers)))
    upstream = tools.build("upstream")
    facts = tools.fingerprint(binary)
    bench = Bench(
        wrk=found["wrk"],
        upstream=upstream,
        proxy_core=options.proxy_core,
        load_core=options.load_core,
        seconds=options.seconds,
        warmup=options.warmup,
        max_foreign=options.max_foreign / 100,
    )
    with Workspace(options.keep) as workspace:
        servers = start(workspace, bench, binary, options)
        windows = rounds(bench, servers, options)
    publish(windows, facts, options)
    failed = any(window.faults for window in windows) or report.unmeasured(windows)
    return 1 if failed else 0


def start(
    workspace: Workspace, bench: Bench, binary: Path | None, options: argparse.Namespace
) -> list[Server]:
    """All servers at once; those not under load sleep."""
    on_load_core = ["taskset", "-c", str(bench.load_core)]
    shared = proxies.start_upstream(workspace, on_load_core, bench.upstream)
    around = Surroundings(
        workspace=workspace,
        prefix=["taskset", "-c", str(bench.proxy_core)],
        upstream=shared,
        ready_seconds=READY_SECONDS,
    )

    def start_stoker(full: bool) -> Server:
        assert binary is not None
        function = stoker.bench_function(bench.upstream, on_load_core, guarded=full)
        return stoker.start(around, binary, [function], options.functions - 1).server

    beside = dataclasses.replace(around, prefix=on_load_core)
    starters: dict[str, Callable[[], Server]] = {
        "direct": lambda: proxies.start_direct(beside, bench.upstream),
        "nginx": lambda: proxies.start_nginx(around),
        "haproxy": lambda: proxies.start_haproxy(around),
        "stoker": lambda: start_stoker(full=False),
        "stoker-full": lambda: start_stoker(full=True),
    }
    servers = []
    for name in options.servers:
        print(f"starting {name}", flush=True)
        servers.append(starters[name]())
    return servers


def rounds(bench: Bench, servers: Sequence[Server], options: argparse.Namespace) -> list[Window]:
    """Every server under every load in each round, the first one another each time."""
    windows = []
    for number in range(1, options.rounds + 1):
        for place, scenario in enumerate(options.scenarios):
            turn = (number + place) % len(servers)
            for server in [*servers[turn:], *servers[:turn]]:
                for _attempt in range(1 + options.retries):
                    window = measure(bench, number, scenario, server)
                    windows.append(window)
                    print(progress(window, options.rounds), flush=True)
                    if not window.noisy:
                        break
    return windows


def progress(window: Window, count: int) -> str:
    """One line on one window."""
    verdict = ", ".join(window.faults) or ("dropped" if window.noisy else "")
    return (
        f"round {window.round}/{count}  {window.scenario:<22}  {window.server:<7}"
        f"  {window.rate:>8.0f}/s  {window.cpu_us:>6.1f} µs CPU"
        f"  p50 {window.p50_us:>6.0f}  p99 {window.p99_us:>6.0f} µs"
        f"  foreign {window.foreign:>4.0%}  {verdict}"
    ).rstrip()


def publish(windows: list[Window], facts: dict[str, str], options: argparse.Namespace) -> None:
    """The table on the terminal, and whatever else was asked for."""
    windows.sort(key=lambda w: (w.round, SERVERS.index(w.server)))
    print("\n" + "\n".join(f"{name}: {value}" for name, value in facts.items()))
    print("\n" + report.as_text([report.header(), *report.rows(windows)]) + "\n")
    for line in report.left_out(windows):
        print(line)
    if options.markdown:
        options.markdown.write_text(report.document(windows, facts, method(options)))
    if options.json:
        settings = {"rounds": options.rounds, "seconds": options.seconds, "functions": options.functions}
        content = {
            "machine": facts,
            "settings": settings,
            "windows": [{**dataclasses.asdict(w), "counts": w.counts} for w in windows],
        }
        options.json.write_text(json.dumps(content, indent=1) + "\n")


def method(options: argparse.Namespace) -> str:
    """How the figures came about."""
    return (
        f"wrk and the upstream share core {options.load_core}; the proxy has core"
        f" {options.proxy_core} to itself, with one worker or thread. The client side is TCP on"
        " loopback, the upstream side a Unix socket, keep-alive on both. Stoker routes among"
        f" {options.functions:,} functions; its spawner and the function's own process are not"
        f" counted as its CPU time. Medians of {options.rounds} interleaved rounds with windows of"
        f" {options.seconds} s; ratios are taken within each round, and their median is given."
        f" Windows with more than {options.max_foreign:.0f} % of a core used by other programs are"
        " dropped. `direct` is the upstream alone, without a proxy, in the same place: where a rate"
        " comes near it, or `core %` stays well below 100, core"
        f" {options.load_core} is the limit, and CPU time is the figure to read."
    )


def check_cores(options: argparse.Namespace) -> None:
    """Two different cores that this process may use."""
    wanted = {options.proxy_core, options.load_core}
    allowed = os.sched_getaffinity(0)
    if len(wanted) < 2 or not wanted <= allowed:
        raise BenchError(
            f"two different cores are needed, of {sorted(allowed)}: use --proxy-core and --load-core"
        )


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stoker", type=Path, default=tools.DEFAULT_STOKER, metavar="PATH",
                        help="Stoker's binary (default: target/release/stoker)")
    parser.add_argument("--servers", type=tools.choices(SERVERS), default=list(SERVERS), metavar="LIST",
                        help=f"some of {','.join(SERVERS)} (default: all)")
    parser.add_argument("--scenarios", type=some_scenarios, default=list(SCENARIOS), metavar="LIST",
                        help="numbers of: " + "; ".join(f"{n} {s.name}" for n, s in enumerate(SCENARIOS, 1)))
    parser.add_argument("--rounds", type=tools.positive, default=5)
    parser.add_argument("--seconds", type=tools.positive, default=5, help="of one window (default: 5)")
    parser.add_argument("--warmup", type=int, default=1, help="seconds before each window (default: 1)")
    parser.add_argument("--functions", type=tools.positive, default=10_000,
                        help="registered with Stoker (default: 10000)")
    parser.add_argument("--max-foreign", type=float, default=35.0, metavar="PERCENT",
                        help="of a core, beyond which a window is dropped (default: 35)")
    parser.add_argument("--retries", type=int, default=1,
                        help="of a window that was dropped, at once (default: 1)")
    parser.add_argument("--proxy-core", type=int, default=0)
    parser.add_argument("--load-core", type=int, default=1)
    parser.add_argument("--markdown", type=Path, metavar="FILE")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--keep", action="store_true", help="keep the configurations and logs")
    return parser.parse_args()


def some_scenarios(text: str) -> list[Scenario]:
    numbers = tools.choices([str(n) for n, _ in enumerate(SCENARIOS, 1)])(text)
    return [SCENARIOS[int(number) - 1] for number in numbers]


if __name__ == "__main__":
    sys.exit(main())
