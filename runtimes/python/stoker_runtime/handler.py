"""`handler(request)`: from what it returns to an answer."""

import json

from .errors import BrokenAnswer
from .request import MAX_BODY_BYTES, Request, Response, check_size

MAY_RETURN = (
    "str, bytes, dict, list, (body, status), (body, status, headers), a Response or a generator"
)
TEXT = b"text/plain; charset=utf-8"
JSON = b"application/json"
BYTES = b"application/octet-stream"


class HandlerInterface:
    """Calls a handler that blocks."""

    def __init__(self, handler, concurrency):
        self.handler = handler

    def __call__(self, exchange):
        status, fields, body = described(self.handler(Request(exchange)))
        if isinstance(body, bytes):
            exchange.start(status, fields)
            exchange.end(body)
            return
        if not hasattr(body, "__next__"):
            raise BrokenAnswer("a handler that is not async returned an async generator")
        exchange.start(status, fields)
        try:
            for piece in body:
                piece = octets(piece)
                if piece:
                    exchange.write(piece)
        finally:
            close = getattr(body, "close", None)
            if close is not None:
                close()


class AsyncHandlerInterface:
    """Calls a handler that is a coroutine function or an async generator function."""

    def __init__(self, handler, concurrency):
        self.handler = handler

    async def __call__(self, exchange):
        request = Request(exchange)
        request._body = await whole_body(exchange)
        result = self.handler(request)
        if hasattr(result, "__await__"):
            result = await result
        status, fields, body = described(result)
        if isinstance(body, bytes):
            exchange.start(status, fields)
            await exchange.end(body)
            return
        exchange.start(status, fields)
        if hasattr(body, "__anext__"):
            try:
                async for piece in body:
                    await exchange.write(octets(piece))
            finally:
                await body.aclose()
        else:
            for piece in body:
                await exchange.write(octets(piece))


async def whole_body(exchange):
    """The body of a request, at most `MAX_BODY_BYTES`."""
    pieces, total = [], 0
    while True:
        piece = await exchange.read(64 * 1024)
        if not piece:
            return b"".join(pieces)
        total += len(piece)
        check_size(total, MAX_BODY_BYTES)
        pieces.append(piece)


def described(result):
    """Status, fields and body (bytes, or an iterator) of what a handler returned."""
    status, headers = 200, ()
    if isinstance(result, Response):
        result, status, headers = result.body, result.status, result.headers
    elif isinstance(result, tuple):
        if len(result) == 2:
            result, status = result
        elif len(result) == 3:
            result, status, headers = result
        else:
            raise BrokenAnswer("the handler returned %d values; it may return %s" % (
                len(result), MAY_RETURN))
    if not isinstance(status, int) or isinstance(status, bool):
        raise BrokenAnswer("the status of the answer is no int: %r" % (status,))
    body, kind = encoded(result)
    fields = list(pairs(headers))
    if not any(name.lower() == b"content-type" for name, _ in fields):
        if body != b"" or kind is not BYTES:
            fields.append((b"content-type", kind))
    return int(status), fields, body


def encoded(body):
    """The bytes or the iterator of a body, and its type if nobody says another."""
    if isinstance(body, str):
        return body.encode(), TEXT
    if isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body), BYTES
    if isinstance(body, (dict, list)):
        return json.dumps(body).encode(), JSON
    if hasattr(body, "__next__") or hasattr(body, "__anext__"):
        return body, BYTES
    raise BrokenAnswer("the handler returned %s; it may return %s" % (
        type(body).__name__, MAY_RETURN))


def pairs(headers):
    """The fields of an answer from a mapping or pairs; a list as a value is several fields."""
    for name, value in headers.items() if hasattr(headers, "items") else headers:
        for one in value if isinstance(value, (list, tuple)) else (value,):
            yield field_bytes(name), field_bytes(one)


def field_bytes(value):
    """The bytes of a field's name or value."""
    if isinstance(value, bytes):
        return value
    try:
        return str(value).encode("latin-1")
    except UnicodeEncodeError:
        raise BrokenAnswer("a header of the answer is not latin-1: %r" % (value,)) from None


def octets(piece):
    """A piece of a streamed body as bytes."""
    if isinstance(piece, str):
        return piece.encode()
    if not isinstance(piece, (bytes, bytearray, memoryview)):
        raise BrokenAnswer("a streamed answer is made of bytes, not of %s" % type(piece).__name__)
    return bytes(piece)
