"""Medians of the windows that count, ratios within each round, and both as text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from windows import Window

BASE = "nginx"
Figure = Callable[[Window], float]


@dataclass(frozen=True)
class Column:
    """One figure: how it is called, taken and shown."""

    title: str
    figure: Figure
    decimals: int
    ratio: bool = True


COLUMNS = (
    Column("req/s", lambda w: w.rate, 0),
    Column("CPU µs/req", lambda w: w.cpu_us, 1),
    Column("of it user", lambda w: w.user_us, 1, ratio=False),
    Column("p50 µs", lambda w: w.p50_us, 0),
    Column("p99 µs", lambda w: w.p99_us, 0),
    Column("RSS MB", lambda w: w.rss_mb, 1, ratio=False),
    Column("core %", lambda w: 100 * w.core_share, 0, ratio=False),
)


def header() -> list[str]:
    """The titles of the table's columns."""
    titles = ["load", "server"]
    for column in COLUMNS:
        titles.append(column.title)
        if column.ratio:
            titles.append(f"×{BASE}")
    return [*titles, "windows"]


def rows(windows: Sequence[Window]) -> list[list[str]]:
    """One row for each load and server, in the order of the first round."""
    cells: dict[tuple[str, str], list[Window]] = {}
    for window in windows:
        cells.setdefault((window.scenario, window.server), []).append(window)
    order = list(dict.fromkeys(window.scenario for window in windows))
    ranked = sorted(cells, key=lambda cell: order.index(cell[0]))
    return [_row(cells[cell], cells.get((cell[0], BASE), [])) for cell in ranked]


def _row(all_windows: Sequence[Window], base: Sequence[Window]) -> list[str]:
    counted = [window for window in all_windows if window.counts]
    first = all_windows[0]
    row = [first.scenario, first.server]
    for column in COLUMNS:
        row.append(_number((column.figure(window) for window in counted), column.decimals))
        if column.ratio:
            row.append(_number(ratios(counted, base, column.figure), 2))
    return [*row, f"{len(counted)}/{len(all_windows)}"]


def ratios(windows: Iterable[Window], base: Iterable[Window], figure: Figure) -> list[float]:
    """Each window against the base's of the same round, where both count and there is a figure."""
    by_round = {window.round: figure(window) for window in base if window.counts}
    return [
        figure(window) / by_round[window.round]
        for window in windows
        if by_round.get(window.round)
    ]


def _number(values: Iterable[float], decimals: int) -> str:
    known = list(values)
    return f"{median(known):,.{decimals}f}" if known else "–"


def as_text(table: Sequence[Sequence[str]]) -> str:
    """The table for a terminal, its first row the titles."""
    widths = [max(len(cell) for cell in column) for column in zip(*table)]
    lines = []
    for number, row in enumerate(table):
        new_load = number > 0 and row[0] != table[number - 1][0]
        if new_load:
            lines.append("")
        left = [cell.ljust(width) for cell, width in zip(row[:2], widths)]
        right = [cell.rjust(width) for cell, width in zip(row[2:], widths[2:])]
        lines.append("  ".join(left + right).rstrip())
    return "\n".join(lines)


def as_markdown(table: Sequence[Sequence[str]]) -> str:
    """The table for a document."""
    titles, *body = table
    align = ["---", "---", *("---:" for _ in titles[2:])]
    return "\n".join("| " + " | ".join(row) + " |" for row in (titles, align, *body))


def left_out(windows: Sequence[Window]) -> list[str]:
    """Why windows do not count: each error, and the noisy ones together."""
    lines = [
        f"ERROR round {w.round}, {w.scenario}, {w.server}: {', '.join(w.faults)}"
        for w in windows
        if w.faults
    ]
    noisy = [window.foreign for window in windows if window.noisy]
    if noisy:
        lines.append(
            f"dropped {len(noisy)} of {len(windows)} windows, in which other programs"
            f" took {min(noisy):.0%} to {max(noisy):.0%} of a core"
        )
    if empty := unmeasured(windows):
        lines.append("no window that counts: " + "; ".join(empty))
    return lines


def unmeasured(windows: Iterable[Window]) -> list[str]:
    """The loads and servers for which there is no figure."""
    counted: dict[str, bool] = {}
    for window in windows:
        cell = f"{window.scenario}, {window.server}"
        counted[cell] = counted.get(cell, False) or window.counts
    return [cell for cell, counts in counted.items() if not counts]


def document(windows: Sequence[Window], facts: dict[str, str], method: str) -> str:
    """All of it in Markdown."""
    lines = ["# Side by side", "", method, ""]
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    lines += ["", as_markdown([header(), *rows(windows)])]
    if noted := left_out(windows):
        lines += ["", "Windows that do not count:", "", *(f"- {line}" for line in noted)]
    return "\n".join(lines) + "\n"
