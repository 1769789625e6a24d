"""The one way in which a bench fails on purpose, and what a script makes of it."""

from __future__ import annotations

import sys
from collections.abc import Callable


class BenchError(Exception):
    """Says in one sentence what is wrong and, if possible, what to do about it."""


def exit_code(bench: Callable[[], int]) -> int:
    """That of a bench that is run, told why where it fails on purpose or is interrupted."""
    try:
        return bench()
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: everything is stopped", file=sys.stderr)
        return 130
