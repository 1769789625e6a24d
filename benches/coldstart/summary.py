"""What the samples of cold starts say."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from harness.stoker import COLD_MARK

MEANINGS = {
    "bare": "program alone",
    "fresh": "through Stoker, new connection",
    "kept": "through Stoker, kept connection",
    "warm": "through Stoker, warm, kept connection",
}
COLD = ("fresh", "kept")
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
        if self.kind in COLD and self.start != COLD_MARK:
            return "not marked cold"
        if self.kind == "warm" and self.start == COLD_MARK:
            return "marked cold"
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
    """Those that were measured, in the order of the table."""
    measured = {sample.kind for sample in samples}
    return [kind for kind in MEANINGS if kind in measured]


def markdown(samples: Sequence[Sample]) -> str:
    """All tables."""
    lines = ["| | median µs | p99 µs | min µs | median − bare | counted | rejected |"]
    lines.append("| --- |" + " ---: |" * 6)
    bare = median_of(samples, "bare")
    for kind in kinds(samples):
        lines.append(_row(samples, kind, bare))
    lines += _rejections(samples)
    lines += _phases(samples)
    return "\n".join(lines)


def times(samples: Sequence[Sample], kind: str) -> list[float]:
    """The times of one kind that count, in µs, in order."""
    return sorted(sample.ns / 1000 for sample in samples if sample.kind == kind and sample.counts)


def median_of(samples: Sequence[Sample], kind: str) -> float | None:
    known = times(samples, kind)
    return median(known) if known else None


def _row(samples: Sequence[Sample], kind: str, bare: float | None) -> str:
    known = times(samples, kind)
    rejected = sum(sample.kind == kind and not sample.counts for sample in samples)
    cells = [MEANINGS[kind], "–", "–", "–", "", str(len(known)), str(rejected)]
    if known:
        p99 = known[math.ceil(0.99 * len(known)) - 1]
        cells[1:4] = [f"{value:,.0f}" for value in (median(known), p99, known[0])]
        if kind in COLD and bare is not None:
            cells[4] = f"{median(known) - bare:+,.0f}"
    return "| " + " | ".join(cells) + " |"


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
        if kind != "bare"
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
