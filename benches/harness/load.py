"""One run of wrk."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import BenchError

SCRIPT = Path(__file__).with_name("report.lua")
MARK = "REPORT "
# Beyond it wrk counts a request as timed out, which fails the window.
TIMEOUT = "10s"


@dataclass(frozen=True)
class Load:
    """What wrk saw, and what it cost."""

    requests: int
    seconds: float
    bytes_read: int
    p50_us: float
    p99_us: float
    errors: dict[str, int]
    cpu_ns: int

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds


def run(
    argv_prefix: list[str],
    wrk: str,
    connections: int,
    seconds: int,
    target: tuple[str, Sequence[str]],
) -> Load:
    """Loads a server, which is told by its URL and the header lines that it wants, from one thread;
    returns when wrk has ended."""
    url, headers = target
    argv = [*argv_prefix, wrk, "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"]
    for line in headers:
        argv += ["-H", line]
    argv += ["--timeout", TIMEOUT, "-s", str(SCRIPT), url]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        assert process.stdout is not None
        output = process.stdout.read().decode(errors="replace")
        # Instead of wait(): it also says what the process used.
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert process.stdout is not None
        process.stdout.close()
    return _parsed(output, int((used.ru_utime + used.ru_stime) * 1e9))


def _parsed(output: str, cpu_ns: int) -> Load:
    line = next((line for line in output.splitlines() if line.startswith(MARK)), None)
    if line is None:
        raise BenchError(f"wrk reported nothing:\n{output}")
    report = json.loads(line.removeprefix(MARK))
    return Load(
        requests=report["requests"],
        seconds=report["duration_us"] / 1e6,
        bytes_read=report["bytes"],
        p50_us=report["p50_us"],
        p99_us=report["p99_us"],
        errors={kind: count for kind, count in report["errors"].items() if count},
        cpu_ns=cpu_ns,
    )
