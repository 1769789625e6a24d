"""Serves a Python handler over HTTP/1.1, as an instance of a function.

Handlers may import `Request` and `Response` from here; they need not.
"""

from .request import Headers, Request, Response

__all__ = ["Headers", "Request", "Response"]
