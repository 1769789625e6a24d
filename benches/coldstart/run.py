#!/usr/bin/env python3
"""Cold starts: of the bare program, and of every kind through Stoker, in turn; to the first byte."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import cases  # noqa: E402
import summary  # noqa: E402
from harness import stoker, tools  # noqa: E402
from harness.errors import BenchError, exit_code  # noqa: E402
from harness.processes import Workspace  # noqa: E402
from harness.proxies import Surroundings  # noqa: E402
from summary import Sample  # noqa: E402

HELLO = tools.REPOSITORY / "examples" / "hello-rust" / "bin" / "hello"
READY_SECONDS = 60.0
# Of one turn of one kind, at most.
TURN_SECONDS = 30


def main() -> int:
    options = parse_arguments()
    return exit_code(lambda: measure(options))


def measure(options: argparse.Namespace) -> int:
    """Runs everything; 1 if a kind of sample has nothing that counts."""
    binary = None if options.bare else tools.require_stoker(options.stoker)
    program = chosen(options.program)
    client = tools.build("coldstart")
    wanted = cases.chosen(options.cases)
    facts = {"program": program.name, "samples of each kind": str(options.count)}
    facts |= tools.fingerprint(binary)
    with Workspace(options.keep) as workspace:
        argv = [str(client), "--program", str(program)]
        argv += ["--directory", str(workspace.path), "--count", str(options.count)]
        if binary:
            argv += start_gateway(workspace, binary, program, options)
        samples = collect(argv, options.count, len(wanted))
    publish(samples, wanted, facts, options)
    complete = all(any(s.kind == kind and s.counts for s in samples) for kind in summary.kinds(samples))
    return 0 if complete else 1


def chosen(program: Path | None) -> Path:
    """The program that is started: the one asked for, the example, or the upstream."""
    if program is None:
        return HELLO if HELLO.exists() else tools.build("upstream")
    if not program.is_file():
        raise BenchError(f"no program at {program}")
    return program.resolve()


def start_gateway(
    workspace: Workspace, binary: Path, program: Path, options: argparse.Namespace
) -> list[str]:
    """Stoker with a function of each case; how the client reaches them."""
    around = Surroundings(workspace, [], workspace.path / "none", ready_seconds=READY_SECONDS)
    wanted = cases.chosen(options.cases)
    functions = [case.function(program) for case in wanted]
    # Its first answer has any body; only the status is looked at.
    running = stoker.start(around, binary, functions, options.functions - 1, body_bytes=None)
    argv = ["--gateway", f"127.0.0.1:{running.server.port}", "--admin", str(running.admin)]
    for case in wanted:
        evict = stoker.evict_path(case.name) if case.evicts else ""
        fields = (case.name, f"/function/{case.name}/", evict, str(case.settle_ms), case.start)
        argv += ["--case", ",".join(fields)]
    return argv


def collect(argv: Sequence[str], count: int, kinds: int) -> list[Sample]:
    """What the client measured."""
    # Killed with this process if it is interrupted: subprocess.run sees to it.
    try:
        done = subprocess.run(argv, stdout=subprocess.PIPE, timeout=count * (kinds + 1) * TURN_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise BenchError("the client did not end") from error
    if done.returncode != 0:
        raise BenchError(f"the client ended with status {done.returncode}")
    return [Sample(**json.loads(line)) for line in done.stdout.splitlines()]


def publish(
    samples: Sequence[Sample],
    wanted: Sequence[cases.Case],
    facts: dict[str, str],
    options: argparse.Namespace,
) -> None:
    """The figures on the terminal, and whatever else was asked for."""
    print("\n".join(f"{name}: {value}" for name, value in facts.items()) + "\n")
    text = summary.markdown(samples, wanted)
    print(text)
    if options.markdown:
        notes = "\n".join(f"- {name}: {value}" for name, value in facts.items())
        options.markdown.write_text(f"# Cold starts\n\n{summary.METHOD}\n\n{notes}\n\n{text}\n")
    if options.json:
        content = {"machine": facts, "samples": [{**vars(s), "counts": s.counts} for s in samples]}
        options.json.write_text(json.dumps(content, indent=1) + "\n")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stoker", type=Path, default=tools.DEFAULT_STOKER, metavar="PATH",
                        help="Stoker's binary (default: target/release/stoker)")
    parser.add_argument("--bare", action="store_true", help="the program alone, without Stoker")
    parser.add_argument("--program", type=Path, metavar="PATH",
                        help="takes a listening socket as descriptor 3 and speaks HTTP/1.1"
                        " (default: examples/hello-rust, if built; else the upstream of the comparison)")
    parser.add_argument("--count", type=tools.positive, default=200, help="of each kind (default: 200)")
    parser.add_argument("--functions", type=tools.positive, default=1,
                        help="registered with Stoker (default: 1)")
    parser.add_argument("--cases", type=lambda text: text.split(","), metavar="NAME,...",
                        help=f"of {', '.join(case.name for case in cases.CASES)} (default: all)")
    parser.add_argument("--markdown", type=Path, metavar="FILE")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--keep", action="store_true", help="keep the configuration and logs")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
