"""What is started: one function of each kind, and the bar that its start has to hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.stoker import Written

FUNCTIONS = Path(__file__).resolve().parent / "functions"

# What every manifest has.
COMMON = """\
[scaling]
concurrency = 1
max-scale = 1
idle-timeout = "1h"
"""

ISOLATION = """\

[isolation]
namespaces = ["mount", "pid", "ipc", "uts"]
seccomp = "default"

# It is process 1 of its namespace, so the kernel keeps from it what it does not handle.
[timeouts]
stop = "10ms"
"""

RESOURCES = """\

[resources]
memory = "256MiB"
processes = 64
"""


@dataclass(frozen=True)
class Bar:
    """What a kind of start has to hold, in words and as a test of its figures in µs."""

    words: str
    holds: Callable[[Figures, Figures | None, Figures | None], bool]


@dataclass(frozen=True)
class Figures:
    """The figures of one kind of samples, in µs."""

    median: float
    p99: float
    least: float
    counted: int


@dataclass(frozen=True)
class Case:
    """One function."""

    name: str
    meaning: str
    # Before the common part; `{program}` is the program that is also started bare.
    head: str
    # Further keys of the table `scaling`, which ends the common part.
    scaling: str = ""
    # Further tables.
    tail: str = ""
    # After the eviction: until spares are there again.
    settle_ms: int = 5
    evicts: bool = True
    start: str = "cold"
    bar: Bar | None = None
    # The case whose figures the bar takes for warm; its own next requests if none.
    beside: str | None = None
    # Copied beside the manifest.
    file: str | None = None

    def function(self, program: Path) -> Written:
        """What is registered with Stoker."""
        head = f'name = "{self.name}"\n' + self.head.replace("{program}", str(program))
        files = {self.file: (FUNCTIONS / self.file).read_text()} if self.file else {}
        return Written(self.name, head + "\n" + COMMON + self.scaling + self.tail, files)


def _static(figures: Figures, bare: Figures | None, _warm: Figures | None) -> bool:
    return bare is not None and figures.median <= 2 * bare.median and figures.p99 <= bare.p99 + 1000


def _isolated(figures: Figures, bare: Figures | None, _warm: Figures | None) -> bool:
    return bare is not None and figures.median <= bare.median + 600


def _thawed(figures: Figures, _bare: Figures | None, warm: Figures | None) -> bool:
    return warm is not None and figures.median <= warm.median + 200


def _below(median_ms: float, p99_ms: float = float("inf")) -> Bar:
    words = f"median ≤ {median_ms:g} ms"
    if p99_ms != float("inf"):
        words += f", p99 ≤ {p99_ms:g} ms"
    return Bar(words, lambda f, _bare, _warm: f.median <= median_ms * 1000 and f.p99 <= p99_ms * 1000)


STATIC = 'command = ["{program}"]\nlisten = "inherit"\n'
PYTHON = 'runtime = "python"\nhandler = "main:handler"\n'
NODE = 'runtime = "node"\nhandler = "main.mjs"\n'

CASES = (
    Case(
        "static",
        "static program, inherited socket",
        STATIC,
        bar=Bar("median ≤ 2 × bare, p99 ≤ bare + 1 ms", _static),
    ),
    Case(
        "isolated",
        "the same with namespaces, cgroup, seccomp",
        STATIC,
        tail=ISOLATION,
        settle_ms=25,
        bar=Bar("median ≤ bare + 600 µs", _isolated),
    ),
    Case(
        "limited",
        "the same with limits of memory and processes",
        STATIC,
        tail=ISOLATION + RESOURCES,
        settle_ms=25,
    ),
    Case(
        "python-spare",
        "Python handler, spare forked ahead",
        PYTHON,
        tail="\n[preload]\nat = \"start\"\nspares = 2\n",
        settle_ms=60,
        bar=_below(2, 10),
        file="main.py",
    ),
    Case(
        "python-fork",
        "Python handler, forked on demand",
        PYTHON,
        tail="\n[preload]\nat = \"start\"\nspares = 0\nspares-max = 0\n",
        bar=_below(5),
        file="main.py",
    ),
    Case(
        "python-plain",
        "Python handler, interpreter started on demand",
        PYTHON,
        tail="\n[preload]\nenabled = false\n",
        file="main.py",
    ),
    Case(
        "node-cell",
        "Node handler, booted runner",
        NODE,
        tail="\n[preload]\nat = \"start\"\nspares = 1\n",
        settle_ms=400,
        bar=_below(15),
        file="main.mjs",
    ),
    Case(
        "node-plain",
        "Node handler, runtime started on demand",
        NODE,
        tail="\n[preload]\nenabled = false\n",
        file="main.mjs",
    ),
    Case(
        "idle",
        "warm after a pause of 50 ms",
        STATIC,
        settle_ms=50,
        evicts=False,
        start="warm",
    ),
    Case(
        "frozen",
        "frozen, after the same pause",
        STATIC,
        'freeze-after = "10ms"\n',
        settle_ms=50,
        evicts=False,
        start="thawed",
        beside="idle",
        bar=Bar("median ≤ the one above + 200 µs", _thawed),
    ),
)


def chosen(names: list[str] | None) -> list[Case]:
    """The cases of these names, all of them if none is given."""
    return [case for case in CASES if not names or case.name in names]

