"""Child processes that never outlive the bench, and the directory they work in."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType, TracebackType

from .errors import BenchError

STOP_SECONDS = 15.0
POLL_SECONDS = 0.02
INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Child:
    """A server in the foreground, with its output in a file."""

    def __init__(self, name: str, argv: Sequence[str | Path], log: Path) -> None:
        self.name = name
        self.log = log
        with log.open("wb") as output:
            # A session of its own: Ctrl-C reaches the bench alone, which then stops its children in order.
            self.process = subprocess.Popen(
                [str(word) for word in argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def check(self) -> None:
        """Raises if the process has ended."""
        status = self.process.poll()
        if status is not None:
            raise BenchError(f"{self.name} ended with status {status}:\n{self.output()}")

    def output(self) -> str:
        """The last lines of what it wrote."""
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(f"    {line}" for line in lines[-15:]) or "    (no output)"

    def wait_until(self, ready: Callable[[], bool], seconds: float, what: str) -> None:
        """Waits for a condition, as long as the process lives."""
        deadline = time.monotonic() + seconds
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                raise BenchError(f"{self.name}: {what} not within {seconds:.0f} s:\n{self.output()}")
            time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """Ends the process and whatever it started and left behind."""
        family = [(pid, started(pid)) for pid in descendants(self.pid)]
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for pid, since in family:
            if since is not None and started(pid) == since:
                kill(pid)


class Workspace:
    """A temporary directory and the children at work in it; leaving it ends and removes them all."""

    def __init__(self, keep: bool = False) -> None:
        self.keep = keep
        # Short: a Unix socket's path has room for 107 bytes.
        self.path = Path(tempfile.mkdtemp(prefix="stoker-bench-"))
        self.path.chmod(0o755)
        self.children: list[Child] = []

    def __enter__(self) -> Workspace:
        signal.signal(signal.SIGTERM, _interrupt)
        signal.signal(signal.SIGHUP, _interrupt)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # A second Ctrl-C must not leave a server behind.
        former = [signal.signal(number, signal.SIG_IGN) for number in INTERRUPTS]
        for child in reversed(self.children):
            child.stop()
        if self.keep:
            print(f"kept: {self.path}")
        else:
            shutil.rmtree(self.path, ignore_errors=True)
        for number, handler in zip(INTERRUPTS, former):
            signal.signal(number, handler)

    def start(self, name: str, argv: Sequence[str | Path]) -> Child:
        """Starts a server that ends with the workspace."""
        child = Child(name, argv, self.path / f"{name}.log")
        self.children.append(child)
        return child

    def write(self, name: str, text: str) -> Path:
        """Writes a file into the directory."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path


def descendants(root: int) -> list[int]:
    """The children of a process, their children, and so on."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (fields := stat_fields(int(entry))):
            children.setdefault(int(fields[1]), []).append(int(entry))
    found: list[int] = []
    pending = [root]
    while pending:
        below = children.get(pending.pop(), [])
        found.extend(below)
        pending.extend(below)
    return found


def stat_fields(pid: int) -> list[str]:
    """/proc/PID/stat from the state on (proc(5)'s field 3), or nothing if the process is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text.rpartition(")")[2].split()


def started(pid: int) -> str | None:
    """When a process began: with its id, its identity."""
    fields = stat_fields(pid)
    return fields[19] if fields and fields[0] != "Z" else None


def kill(pid: int) -> None:
    """Kills one process; it may be gone already."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _interrupt(number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)
