#!/usr/bin/env python3
"""Cold starts of Stoker and of what people use today, with the same tool: `stoker bench cold`."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import servers  # noqa: E402
from harness import tools  # noqa: E402
from harness.errors import BenchError, exit_code  # noqa: E402
from harness.processes import Workspace  # noqa: E402

# Of one sample, at most.
SAMPLE_SECONDS = 15


def main() -> int:
    options = parse_arguments()
    return exit_code(lambda: measure(options))


def measure(options: argparse.Namespace) -> int:
    """All servers run at the same time and are measured one after the other, again and again."""
    binary = tools.require_stoker(options.stoker)
    program = tools.build("upstream")
    facts = tools.fingerprint(binary)
    chosen = [rival for rival in servers.rivals(binary) if not options.only or options.only in rival.name]
    samples: dict[str, list[float]] = {rival.name: [] for rival in chosen}
    warm: dict[str, list[float]] = {rival.name: [] for rival in chosen}
    rejected = dict.fromkeys(samples, 0)
    with Workspace(options.keep) as workspace:
        targets = [(rival, rival.start(workspace, program)) for rival in chosen]
        for _ in range(options.rounds):
            for rival, target in targets:
                report = bench(binary, target, workspace.path / "report.json", options.count)
                samples[rival.name] += durations(report, "cold")
                warm[rival.name] += durations(report, "warm")
                rejected[rival.name] += discarded(report, "cold")
    rows = table(chosen, samples, warm, rejected)
    print("\n".join(f"{name}: {value}" for name, value in facts.items()) + "\n")
    print(rows)
    if options.markdown:
        options.markdown.write_text(rows + "\n")
    return 0


def bench(binary: Path, target: servers.Target, file: Path, count: int) -> dict:
    """One run of the tool."""
    argv = [binary, "bench", "cold", target.url, *target.options, "--count", str(count)]
    argv += ["--repetitions", "1", "--warm-up", "1", "--connection", "new", "--json", file, "--quiet"]
    try:
        done = subprocess.run(argv, capture_output=True, timeout=(count + 2) * SAMPLE_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"the measurement of {target.url} did not end") from error
    if done.returncode != 0:
        raise BenchError(f"cannot measure {target.url}: {done.stderr.decode(errors='replace')}")
    return json.loads(file.read_text())


def series(report: dict, name: str) -> list[dict]:
    """The repetitions of one series."""
    return [part for found in report["series"] if found["name"] == name for part in found["repetitions"]]


def durations(report: dict, name: str) -> list[float]:
    """The times to the first byte, in ms."""
    buckets = [bucket for part in series(report, name) for bucket in part["first_byte"]]
    return [nanoseconds / 1e6 for nanoseconds, count in buckets for _ in range(count)]


def discarded(report: dict, name: str) -> int:
    """Samples that do not count."""
    return sum(sum(part["discarded"].values()) + sum(part["failed"].values()) for part in series(report, name))


def table(
    chosen: list[servers.Rival],
    samples: dict[str, list[float]],
    warm: dict[str, list[float]],
    rejected: dict[str, int],
) -> str:
    """One line for each."""
    lines = ["| program | server | median ms | p90 ms | max ms | warm median ms | counted | rejected |"]
    lines.append("| --- | --- |" + " ---: |" * 6)
    for rival in chosen:
        cold = sorted(samples[rival.name])
        cells = ["–"] * 3
        if cold:
            cells = [f"{cold[int(share * (len(cold) - 1))]:.2f}" for share in (0.5, 0.9, 1.0)]
        after = sorted(warm[rival.name])
        cells.append(f"{after[len(after) // 2]:.2f}" if after else "–")
        counts = f"{len(cold)} | {rejected[rival.name]}"
        lines.append(f"| {rival.kind} | {rival.name} | {' | '.join(cells)} | {counts} |")
    return "\n".join(lines)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stoker", type=Path, default=tools.DEFAULT_STOKER, metavar="PATH",
                        help="Stoker's binary (default: target/release/stoker)")
    parser.add_argument("--count", type=tools.positive, default=10, help="of each server in a round (default: 10)")
    parser.add_argument("--rounds", type=tools.positive, default=3, help="(default: 3)")
    parser.add_argument("--only", metavar="NAME", help="servers with this in their name")
    parser.add_argument("--markdown", type=Path, metavar="FILE")
    parser.add_argument("--keep", action="store_true", help="keep the configuration and logs")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
