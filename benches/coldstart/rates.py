#!/usr/bin/env python3
"""Many cold starts: how many a second, and a thousand requests at once to a function at zero."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from harness import stoker, tools  # noqa: E402
from harness.errors import BenchError, exit_code  # noqa: E402
from harness.processes import Workspace  # noqa: E402
from harness.proxies import Surroundings  # noqa: E402

READY_SECONDS = 60.0
RUN_SECONDS = 300
FUNCTIONS = 200
AT_ONCE = 20
STARTS_BAR = 1000.0
BURST_BAR = 1.3

BURST = """\
name = "burst"
command = ["{program}"]
listen = "inherit"

[scaling]
concurrency = 1
max-scale = 50
idle-timeout = "1h"
"""


def main() -> int:
    options = parse_arguments()
    return exit_code(lambda: measure(options))


def measure(options: argparse.Namespace) -> int:
    """Both figures, and whether their bars were held."""
    binary = tools.require_stoker(options.stoker)
    program = tools.build("upstream")
    with Workspace(options.keep) as workspace:
        around = Surroundings(workspace, [], workspace.path / "none", ready_seconds=READY_SECONDS)
        many = [stoker.Function(f"f{n:03}", [program], concurrency=1, min_scale=0) for n in range(FUNCTIONS)]
        burst = stoker.Written("burst", BURST.format(program=program))
        running = stoker.start(around, binary, [burst, *many], 0)
        common = ["--admin", str(running.admin), "--quiet"]
        names = f"f{{000..{FUNCTIONS - 1}}}"
        starts = bench(
            workspace,
            [binary, "bench", "cold", names, *common, "--concurrent", str(AT_ONCE), "--no-warm"],
            ["--count", str(FUNCTIONS), "--repetitions", str(options.repetitions)],
        )
        crowd = bench(
            workspace,
            [binary, "bench", "burst", "1000", "burst", *common, "--path", "20ms"],
            ["--work", "20ms", "--instances", "50", "--repetitions", str(options.repetitions)],
        )
    return publish(starts, crowd)


def bench(workspace: Workspace, argv: list[str | Path], more: list[str]) -> dict:
    """One run of the tool."""
    file = workspace.path / "report.json"
    argv = [*argv, *more, "--json", file]
    try:
        done = subprocess.run(argv, capture_output=True, timeout=RUN_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"{argv[2]} did not end") from error
    if done.returncode != 0:
        raise BenchError(f"{argv[2]}: {done.stderr.decode(errors='replace')}")
    return json.loads(file.read_text())


def publish(starts: dict, crowd: dict) -> int:
    """The figures on the terminal; 1 if a bar was not held."""
    cold = repetitions(starts, "cold")
    rates = sorted(part["answered"] / part["elapsed_s"] for part in cold)
    rejected = sum(sum(part["discarded"].values()) + sum(part["failed"].values()) for part in cold)
    bursts = repetitions(crowd, "burst")
    ratios = sorted(part["figures"]["ratio"] for part in bursts)
    failed = sum(sum(part["failed"].values()) for found in crowd["series"] for part in found["repetitions"])
    rate, ratio = rates[len(rates) // 2], ratios[len(ratios) // 2]
    print("| | median | least | most | rejected | bar | held |")
    print("| --- | ---: | ---: | ---: | ---: | --- | --- |")
    held = rate >= STARTS_BAR and rejected == 0
    row = f"{rate:,.0f} | {rates[0]:,.0f} | {rates[-1]:,.0f} | {rejected}"
    print(f"| cold starts per second | {row} | ≥ {STARTS_BAR:,.0f} | {'yes' if held else '**no**'} |")
    fair = ratio <= BURST_BAR and failed == 0
    row = f"{ratio:.2f} | {ratios[0]:.2f} | {ratios[-1]:.2f} | {failed}"
    print(f"| 1,000 at once, × the ideal | {row} | ≤ {BURST_BAR} | {'yes' if fair else '**no**'} |")
    for note in dict.fromkeys([*starts["notes"], *crowd["notes"]]):
        print(f"- {note}")
    return 0 if held and fair else 1


def repetitions(report: dict, name: str) -> list[dict]:
    """Of one series."""
    return [part for found in report["series"] if found["name"] == name for part in found["repetitions"]]


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stoker", type=Path, default=tools.DEFAULT_STOKER, metavar="PATH",
                        help="Stoker's binary (default: target/release/stoker)")
    parser.add_argument("--repetitions", type=tools.positive, default=10, help="(default: 10)")
    parser.add_argument("--keep", action="store_true", help="keep the configuration and logs")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
