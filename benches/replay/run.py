#!/usr/bin/env python3
"""Does a replay tell what really happened?

Starts a gateway with one function, sends a seeded open load of bursts and pauses, and holds what was
recorded against a replay of the same requests under the same policy (`stoker record export`, `stoker
simulate`, and beside it the replay of `stoker explain --counterfactual`), several rounds. Prints starts and
p99 waits of both, and how far they are apart.

    cargo build --release && cargo build --release -p stoker-fixture
    benches/replay/run.py --rounds 5
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

GATEWAY = """\
listen = ["127.0.0.1:{port}"]
state-dir = "{directory}/state"
functions = ["{directory}/functions"]
"""

MANIFEST = """\
command = ["{fixture}"]
listen = "port"
environment = {{ FIXTURE_START_MS = "{start_ms}" }}

[scaling]
{scaling}
"""

# Starts may differ by this part, and waits by that.
STARTS_PART = 0.05
WAIT_PART = 0.15


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=Path, default=ROOT / "target/release", help="where stoker is")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=30.0, help="of load in a round")
    parser.add_argument("--rate", type=float, default=40.0, help="requests per second in a burst")
    parser.add_argument("--start-ms", type=int, default=200)
    parser.add_argument("--at-once", type=int, help="[starts] of the gateway (default: the gateway's own)")
    parser.add_argument("--service-ms", type=float, default=60.0, help="mean, exponential")
    parser.add_argument("--policy", default="on-arrival", help="of the function")
    parser.add_argument("--scaling", default='idle-timeout = "1s"\nmax-scale = 12', help="further lines")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--port", type=int, default=18471)
    return parser.parse_args()


def schedule(chosen: argparse.Namespace, seed: int) -> list[tuple[float, float]]:
    """When requests are due and how long they take, in seconds: bursts of 2 s, pauses of 3 s."""
    chance = random.Random(seed)
    due, at = [], 0.0
    while at < chosen.seconds:
        at += chance.expovariate(chosen.rate)
        if at % 5.0 < 2.0:
            due.append((at, chance.expovariate(1000.0 / chosen.service_ms)))
    return due


def call(port: int, seconds: float, failures: list[str]) -> None:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", f"/function/f/work?ms={round(seconds * 1000)}")
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            failures.append(f"status {answer.status}")
        connection.close()
    except OSError as error:
        failures.append(str(error))


def load(port: int, due: list[tuple[float, float]]) -> list[str]:
    """Sends each request when it is due, whatever becomes of the others."""
    failures: list[str] = []
    threads = []
    begun = time.monotonic()
    for at, seconds in due:
        time.sleep(max(0.0, begun + at - time.monotonic()))
        thread = threading.Thread(target=call, args=(port, seconds, failures))
        thread.start()
        threads.append(thread)
    for thread in threads:
        thread.join()
    return failures


class Stoker:
    """A gateway with one function, and its commands."""

    def __init__(self, chosen: argparse.Namespace, directory: Path) -> None:
        self.binary = chosen.bin / "stoker"
        self.directory = directory
        functions = directory / "functions/f"
        functions.mkdir(parents=True)
        self.gateway = directory / "stoker.toml"
        gateway = GATEWAY.format(port=chosen.port, directory=directory)
        if chosen.at_once is not None:
            gateway += f"\n[starts]\nat-once = {chosen.at_once}\n"
        self.gateway.write_text(gateway)
        scaling = f'policy = "{chosen.policy}"\n{chosen.scaling}'
        fixture = chosen.bin / "stoker-fixture"
        (functions / "function.toml").write_text(
            MANIFEST.format(fixture=fixture, start_ms=chosen.start_ms, scaling=scaling)
        )

    def __enter__(self) -> Stoker:
        command = [self.binary, "serve", self.gateway]
        log = (self.directory / "log").open("w")
        self.process = subprocess.Popen(command, stdout=log, stderr=log)
        for _ in range(200):
            if self.ask(["ls"]).returncode == 0:
                return self
            time.sleep(0.05)
        raise SystemExit(f"stoker does not serve: {(self.directory / 'log').read_text()}")

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(timeout=60)

    def ask(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        command = [self.binary, *words, "--admin", self.directory / "state/admin.sock"]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    def explain(self, changes: str) -> dict:
        answer = self.ask(["explain", "f", "--json", "--counterfactual", changes])
        if answer.returncode != 0:
            raise SystemExit(answer.stderr)
        return json.loads(answer.stdout)["counterfactual"]

    def simulate(self, trace: Path) -> dict:
        """What `stoker simulate` finds under the gateway's file and the function's own manifest."""
        found = self.directory / "found.json"
        command = [self.binary, "simulate", trace, "--gateway", self.gateway, "--tail", "0s"]
        answer = subprocess.run(
            [*command, "--json", found], capture_output=True, text=True, timeout=120, check=False
        )
        if answer.returncode != 0:
            raise SystemExit(answer.stderr)
        return json.loads(found.read_text())["policies"][0]["report"]


def part(one: float, other: float) -> float:
    return abs(one - other) / other if other else float(one != other)


def main() -> int:
    chosen = arguments()
    good = True
    print("round  requests  starts: recorded  replayed   apart  p99 wait: recorded  replayed   apart  explain")
    for number in range(chosen.rounds):
        with tempfile.TemporaryDirectory(prefix="stoker-replay-") as name:
            directory = Path(name)
            with Stoker(chosen, directory) as stoker:
                failures = load(chosen.port, schedule(chosen, chosen.seed + number))
                if failures:
                    raise SystemExit(f"{len(failures)} requests failed, first: {failures[0]}")
                # Nothing is changed by saying what holds already.
                told = stoker.explain(f"policy={chosen.policy}")
                trace = directory / "trace.csv"
                trace.write_text(stoker.ask(["record", "export", "f"]).stdout)
                report = stoker.simulate(trace)
        recorded, actual = told["recorded"], told["actual"]
        wait_ms = report["wait"]["p99"] * 1000
        starts = part(report["starts"], recorded["starts"])
        waits = part(wait_ms, recorded["wait_p99_ms"])
        good &= starts <= STARTS_PART and waits <= WAIT_PART
        print(
            f"{number + 1:5}  {recorded['requests']:8}  {recorded['starts']:16}  {report['starts']:8}  "
            f"{starts:6.1%}  {recorded['wait_p99_ms']:16.1f}ms {wait_ms:7.1f}ms  {waits:6.1%}  "
            f"{actual['starts']} starts, {actual['wait_p99_ms']:.1f}ms",
            flush=True,
        )
    verdict = "within" if good else "NOT within"
    print(f"{verdict} {STARTS_PART:.0%} of the starts and {WAIT_PART:.0%} of the p99 wait in every round")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
