"""The one way in which a bench fails on purpose."""

from __future__ import annotations


class BenchError(Exception):
    """Says in one sentence what is wrong and, if possible, what to do about it."""
