#!/usr/bin/env python3
"""The policy goal beside kpa with Knative's defaults, on recorded and made traces, by simulation.

For each trace and start time kpa is replayed first. Then `goal` is given two goals: a tenth of kpa's
p99 wait, and kpa's p99 wait itself. What is claimed is

  wait: p99 wait at most a tenth of kpa's, at no more instance-seconds; or
  cost: p99 wait at most kpa's, at no more than half the instance-seconds.

The column says which holds; the table has every cell, whether or not one does. `least` is what any policy
must cost, over kpa's cost, that has this goal and does not know which calls will come (`bound.py`), where
calls come at random and a start takes longer than the goal: above 1 nobody can have the first claim, above
0.5 nobody the second one.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import bound

KPA = "kpa"
ON_ARRIVAL = "on-arrival"
START_TIMES = {"20ms": 0.02, "1s": 1.0}
# Of calls whose duration is not known.
SERVICE = bound.Lognormal(0.1, 0.7)

# The least instance-seconds by start time and longest wait.
Model = Callable[[float, float], float]


def main() -> int:
    options = parse_arguments()
    traces = options.traces
    sample = traces / "azure2019-sample"
    minute = [str(sample / "invocations.csv"), "--durations", str(sample / "durations.csv"), "--within-minute"]
    busy = ["--functions", "5", "--length"]
    inputs = {
        "azure2021-sample": [str(traces / "azure2021-sample.csv")],
        "azure2019-sample, at equal distances": [*minute, "uniform"],
        "azure2019-sample, at the minute's beginning": [*minute, "start"],
        "azure2019-sample, Poisson": [*minute, "poisson"],
        "azure-llm-2023-code": [str(traces / "azure-llm-2023-code.csv")],
        "steady, 5 functions, 1000/s": ["--make", "steady", "--rate", "1000", *busy, "1h"],
        "steady, 20 functions, 5/s": ["--make", "steady", "--length", "6h"],
        "diurnal, 5 functions, 200/s": ["--make", "diurnal", "--rate", "200", *busy, "6h"],
        "diurnal, 20 functions, 5/s": ["--make", "diurnal"],
        "timers, 20 functions": ["--make", "timers"],
    }
    chosen = {name: argv for name, argv in inputs.items() if options.only in name}
    minutes = bound.of_minutes(bound.calls_per_minute(sample))
    models: dict[str, Model] = {
        "azure2019-sample, Poisson": partial(bound.least, minutes),
        "steady, 5 functions, 1000/s": partial(bound.least, bound.steady(5, 1000, 3_600, SERVICE)),
        "steady, 20 functions, 5/s": partial(bound.least, bound.steady(20, 5, 6 * 3_600, SERVICE)),
        "diurnal, 5 functions, 200/s": partial(bound.least, bound.diurnal(5, 200, 6 * 3_600, SERVICE)),
        "diurnal, 20 functions, 5/s": partial(bound.least, bound.diurnal(20, 5, 86_400, SERVICE)),
    }
    print("| trace | start | policy | p50 | p99 | p99.9 | instance-s | starts | p99 × kpa | cost × kpa | least × kpa | claim |")
    print("|---|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---|")
    for start, start_s in START_TIMES.items():
        for name, argv in chosen.items():
            least = partial(models[name], start_s) if name in models else None
            argv = [*argv, "--seed", str(options.seed), "--start-time", start]
            argv += ["--starts-at-once", str(options.starts_at_once)]
            cell(options.stoker, f"{name} | {start}", argv, (start_s, least))
    return 0


def cell(
    stoker: Path, title: str, argv: list[str], bounds: tuple[float, Callable[[float], float] | None]
) -> None:
    """Prints the rows of one trace and start time."""
    first = replay(stoker, argv, [KPA, ON_ARRIVAL])
    kpa = first[KPA]
    p99 = seconds(kpa, "p99")
    goals = {goal(p99 / 10): p99 / 10, goal(p99): p99}
    found = first | replay(stoker, argv, list(goals))
    start, model = bounds
    for name, report in found.items():
        wait, cost = seconds(report, "p99"), report["instance_seconds"]
        claims = claimed(wait, cost, p99, kpa["instance_seconds"]) if name in goals else ""
        known = model is not None and goals.get(name, start) < start
        least = f"{model(goals[name]) / kpa['instance_seconds']:.3f}" if known else ""
        waits = " | ".join(show(seconds(report, quantile)) for quantile in ("p50", "p99", "p999"))
        ratio = f"{wait / p99:.3f}" if p99 > 0 else ("0" if wait == 0 else "∞")
        print(
            f"| {title} | {name} | {waits} | {cost:,.0f} | {report['starts']:,} "
            f"| {ratio} | {cost / kpa['instance_seconds']:.3f} | {least} | {claims} |",
            flush=True,
        )


def goal(p99: float) -> str:
    """With a goal that the manifest can say: microseconds, rounded down."""
    return f"goal,wait-p99={int(p99 * 1e6)}us"


def claimed(wait: float, cost: float, kpa_wait: float, kpa_cost: float) -> str:
    """Which of the two claims hold."""
    claims = []
    if wait <= kpa_wait / 10 and cost <= kpa_cost:
        claims.append("wait")
    if wait <= kpa_wait and cost <= kpa_cost / 2:
        claims.append("cost")
    return ", ".join(claims)


def replay(stoker: Path, argv: list[str], policies: list[str]) -> dict[str, dict[str, Any]]:
    """The reports by policy."""
    command = [str(stoker), "simulate", *argv, "--json", "-", "--quiet"]
    for policy in policies:
        command += ["--policy", policy]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: {done.stderr.strip()}")
    outcome = json.loads(done.stdout)
    return {entry["policy"]: entry["report"] for entry in outcome["policies"]}


def seconds(report: dict[str, Any], quantile: str) -> float:
    """A quantile of the waits; without end if so many calls were refused."""
    wait = report["wait"][quantile]
    return float("inf") if wait is None else float(wait)


def show(wait: float) -> str:
    """Three digits with a unit."""
    return f"{wait:.3g} s" if wait >= 1 else f"{wait * 1000:.3g} ms"


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--stoker", type=Path, default=Path("target/release/stoker"))
    parser.add_argument("--traces", type=Path, required=True, help="the directory of the recorded traces")
    parser.add_argument("--seed", type=int, default=1, help="of the made traces and of all chances")
    parser.add_argument(
        "--starts-at-once",
        type=int,
        default=1_000_000,
        help="the gate of starts; by default a machine with room for all, as it has processors for all",
    )
    parser.add_argument("--only", default="", help="only traces with this in their name")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
