"""What the samples of cold starts say."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from cases import Case, Figures

METHOD = (
    "Time to the first byte of the answer. Bare: from before the listening socket is made; the request"
    " is in the socket before the program is executed with it (clone with CLONE_VM and CLONE_VFORK)."
    " Through Stoker: the function has no instance when the request is sent; a new connection's"
    " handshake is within the time. The kinds are measured in turn, nothing is pinned to a core."
)


@dataclass(frozen=True)
class Sample:
    """One line of the client."""

    round: int
    kind: str
    ns: int
    status: int
    # What its `Stoker-Start` has to say, and says.
    expected: str
    start: str
    timing: str
    error: str

    @property
    def rejection(self) -> str | None:
        """Why it does not count."""
        if self.error:
            return self.error
        if self.status != 200:
            return f"status {self.status}"
        if self.start != self.expected:
            return f"marked {self.start or 'not at all'} in place of {self.expected}"
        return None

    @property
    def counts(self) -> bool:
        """Whether the time may be used."""
        return self.rejection is None

    def phases(self) -> dict[str, float]:
        """The gateway's own account, in µs by name."""
        found = {}
        for entry in self.timing.split(","):
            name, *parameters = (part.strip() for part in entry.split(";"))
            for parameter in parameters:
                if given := re.fullmatch(r'dur="?([\d.]+)"?', parameter):
                    found[name] = float(given.group(1)) * 1000
        return found


def kinds(samples: Sequence[Sample]) -> list[str]:
    """Those that were measured, in the order in which they were first."""
    return list(dict.fromkeys(sample.kind for sample in sorted(samples, key=lambda s: s.round)))


def markdown(samples: Sequence[Sample], cases: Sequence[Case]) -> str:
    """All tables."""
    head = ("connection", "median µs", "p99 µs", "min µs", "median − bare", "median ÷ bare", "warm µs")
    lines = [f"| | {' | '.join(head)} | counted | rejected | bar | held |"]
    lines.append("| --- | --- |" + " ---: |" * 8 + " --- | --- |")
    bare = figures(samples, "bare")
    lines.append(_row("program alone", "–", bare, _rejected(samples, "bare")))
    for case in cases:
        warm = figures(samples, f"{case.name}-warm")
        for connection in ("kept", "new"):
            kind = f"{case.name}-{connection}"
            known = figures(samples, kind)
            # The bars are about the request, so about a connection that is there.
            bar = case.bar if connection == "kept" else None
            cells = _row(case.meaning, connection, known, _rejected(samples, kind), bare, warm)
            beside = figures(samples, f"{case.beside}-{connection}") if case.beside else warm
            held = "" if bar is None or known is None else ("yes" if bar.holds(known, bare, beside) else "**no**")
            lines.append(f"{cells[:-6]} {bar.words if bar else ''} | {held} |")
    lines += _rejections(samples)
    lines += _phases(samples)
    return "\n".join(lines)


def figures(samples: Sequence[Sample], kind: str) -> Figures | None:
    """Of one kind; nothing if no sample counts."""
    known = times(samples, kind)
    if not known:
        return None
    return Figures(median(known), known[math.ceil(0.99 * len(known)) - 1], known[0], len(known))


def times(samples: Sequence[Sample], kind: str) -> list[float]:
    """The times of one kind that count, in µs, in order."""
    return sorted(sample.ns / 1000 for sample in samples if sample.kind == kind and sample.counts)


def _rejected(samples: Sequence[Sample], kind: str) -> int:
    return sum(sample.kind == kind and not sample.counts for sample in samples)


def _row(
    meaning: str,
    connection: str,
    known: Figures | None,
    rejected: int,
    bare: Figures | None = None,
    warm: Figures | None = None,
) -> str:
    """One line, with room for the bar and whether it was held at its end."""
    cells = ["–"] * 3 + [""] * 3
    if known:
        cells[:3] = [f"{value:,.0f}" for value in (known.median, known.p99, known.least)]
        if bare:
            cells[3] = f"{known.median - bare.median:+,.0f}"
            cells[4] = f"{known.median / bare.median:.2f}"
        if warm:
            cells[5] = f"{warm.median:,.0f}"
    counted = known.counted if known else 0
    return f"| {meaning} | {connection} | {' | '.join(cells)} | {counted} | {rejected} |  |  |"


def _rejections(samples: Sequence[Sample]) -> list[str]:
    reasons: dict[str, int] = {}
    for sample in samples:
        if reason := sample.rejection:
            key = f"{sample.kind}: {reason}"
            reasons[key] = reasons.get(key, 0) + 1
    if not reasons:
        return []
    return ["", "Rejected:", "", *(f"- {count} × {reason}" for reason, count in sorted(reasons.items()))]


def _phases(samples: Sequence[Sample]) -> list[str]:
    by_kind = {
        kind: [sample.phases() for sample in samples if sample.kind == kind and sample.counts]
        for kind in kinds(samples)
        if kind != "bare" and not kind.endswith("-warm")
    }
    names = dict.fromkeys(name for found in by_kind.values() for phases in found for name in phases)
    if not names:
        return []
    titles = [f"{kind} µs" for kind in by_kind]
    lines = ["", f"| `Server-Timing`, medians | {' | '.join(titles)} |"]
    lines.append("| --- |" + " ---: |" * len(by_kind))
    for name in names:
        cells = []
        for found in by_kind.values():
            known = [phases[name] for phases in found if name in phases]
            cells.append(f"{median(known):,.0f}" if known else "–")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines
