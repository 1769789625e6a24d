"""Who used how much of which core."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .processes import stat_fields

TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
# From the kernel's posix-timers.h: the exact one of a process's clocks.
CPUCLOCK_SCHED = 2
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Usage:
    """CPU time of some processes since they began, in nanoseconds."""

    total: int = 0
    user_ticks: int = 0
    all_ticks: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.total + other.total,
            self.user_ticks + other.user_ticks,
            self.all_ticks + other.all_ticks,
        )

    def since(self, before: Usage) -> Usage:
        """What was used between two readings."""
        return Usage(
            self.total - before.total,
            self.user_ticks - before.user_ticks,
            self.all_ticks - before.all_ticks,
        )

    @property
    def user_share(self) -> float:
        """The part that was spent in user space."""
        return self.user_ticks / self.all_ticks if self.all_ticks else 0.0


def usage(pids: Iterable[int]) -> Usage:
    """CPU time of whole processes: all threads, those that ended too, user and system together.

    The sum is the scheduler's, to the nanosecond; only the split between user and system is
    counted in ticks.
    """
    return sum((_usage_of(pid) for pid in pids), Usage())


def _usage_of(pid: int) -> Usage:
    fields = stat_fields(pid)
    if not fields:
        return Usage()
    user, system = int(fields[11]), int(fields[12])
    return Usage(_clock_of(pid) or (user + system) * TICK_NS, user, user + system)


def _clock_of(pid: int) -> int | None:
    """A process's CPU-time clock, as clock_getcpuclockid(3) makes it."""
    try:
        return time.clock_gettime_ns((~pid << 3) | CPUCLOCK_SCHED)
    except OSError:
        return None


def resident_bytes(pids: Iterable[int]) -> int:
    """Resident memory, pages shared between the processes counted for each."""
    total = 0
    for pid in pids:
        fields = stat_fields(pid)
        total += int(fields[21]) * PAGE_BYTES if fields else 0
    return total


def running(executable: Path) -> list[int]:
    """The processes that execute this very file."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            if os.path.samefile(f"/proc/{entry}/exe", executable):
                found.append(int(entry))
        except OSError:
            continue
    return found


@dataclass(frozen=True)
class Cores:
    """Busy nanoseconds of each core, also those that a hypervisor gave to others; and the time."""

    busy: dict[int, int]
    at: int

    @staticmethod
    def read() -> Cores:
        """The state of now."""
        busy = {}
        for line in Path("/proc/stat").read_text().splitlines():
            name, *ticks = line.split()
            if name.startswith("cpu") and name != "cpu":
                user, nice, system, _idle, _wait, irq, softirq, steal = map(int, ticks[:8])
                busy[int(name[3:])] = (user + nice + system + irq + softirq + steal) * TICK_NS
        return Cores(busy, time.monotonic_ns())

    def foreign(self, before: Cores, own: dict[int, int]) -> float:
        """The share of the most disturbed of these cores that went to others than `own`."""
        wall = self.at - before.at
        shares = (
            (self.busy[core] - before.busy[core] - used) / wall for core, used in own.items()
        )
        return max(0.0, *shares)
