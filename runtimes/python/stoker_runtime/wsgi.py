"""WSGI (PEP 3333) on an exchange."""

import io
import sys

from .errors import BadRequest, BrokenAnswer
from .head import unquoted

SOFTWARE = "stoker"


class WsgiInterface:
    """Calls a WSGI application."""

    def __init__(self, application, concurrency):
        self.application = application
        self.base = {
            "SCRIPT_NAME": "",
            "SERVER_SOFTWARE": SOFTWARE,
            "wsgi.version": (1, 0),
            "wsgi.multithread": concurrency > 1,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
            "wsgi.file_wrapper": FileWrapper,
            # A body that comes in chunks has no CONTENT_LENGTH but an end.
            "wsgi.input_terminated": True,
        }

    def __call__(self, exchange):
        environ = dict(self.base)
        fill_environ(environ, exchange.head)
        environ["wsgi.input"] = io.BufferedReader(RawInput(exchange), 16 * 1024)
        environ["wsgi.errors"] = sys.stderr
        response = StartResponse(exchange)
        result = self.application(environ, response)
        try:
            response.send(result)
        finally:
            close = getattr(result, "close", None)
            if close is not None:
                close()


class StartResponse:
    """The `start_response` of one request."""

    def __init__(self, exchange):
        self.exchange = exchange
        self.started = None

    def __call__(self, status, headers, exc_info=None):
        if exc_info is not None:
            try:
                if self.exchange.sent:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif self.started is not None:
            raise BrokenAnswer("start_response was called twice without exc_info")
        if type(status) is not str:
            raise BrokenAnswer("the status of the answer is no str: %r" % (status,))
        fields = []
        for name, value in headers:
            if type(name) is not str or type(value) is not str:
                raise BrokenAnswer("a header of the answer is no pair of str: %r" % (name,))
            fields.append((latin(name), latin(value)))
        self.started = (latin(status), fields)
        # Now, so that what is wrong shows where it was said.
        self.exchange.start(*self.started)
        return self._write

    def send(self, result):
        """Sends the application's iterable."""
        exchange = self.exchange
        if type(result) in (list, tuple) and not exchange.sent:
            data = b"".join([octets(piece) for piece in result])
            if self.started is None:
                raise BrokenAnswer("the application did not call start_response")
            exchange.end(data)
            return
        for data in result:
            if octets(data):
                exchange.write(data)
        if self.started is None:
            raise BrokenAnswer("the application did not call start_response")
        exchange.end()

    def _write(self, data):
        self.exchange.write(octets(data))


class RawInput(io.RawIOBase):
    """The body of a request as a file."""

    def __init__(self, exchange):
        self.exchange = exchange

    def readable(self):
        """It can be read."""
        return True

    def readinto(self, buffer):
        """Reads into `buffer`; raises `OSError` if the caller goes away."""
        data = self.exchange.read(len(buffer))
        buffer[:len(data)] = data
        return len(data)


class FileWrapper:
    """`wsgi.file_wrapper`: a file in pieces."""

    def __init__(self, file, block_bytes=64 * 1024):
        self.file = file
        self.block_bytes = block_bytes
        if hasattr(file, "close"):
            self.close = file.close

    def __iter__(self):
        return self

    def __next__(self):
        data = self.file.read(self.block_bytes)
        if not data:
            raise StopIteration
        return data


def fill_environ(environ, head):
    """Adds what a request says. Raises `BadRequest`."""
    environ["REQUEST_METHOD"] = head.method
    environ["PATH_INFO"] = unquoted(head.path).decode("latin-1")
    environ["QUERY_STRING"] = head.query.decode("latin-1")
    environ["SERVER_PROTOCOL"] = "HTTP/1.%d" % head.minor
    for name, value in head.fields:
        # With an underscore it would pass for another, perhaps one that the gateway vouches for.
        if b"_" in name:
            continue
        key = name.decode("ascii").replace("-", "_").upper()
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = "HTTP_" + key
        value = value.decode("latin-1")
        before = environ.get(key)
        if before is not None:
            if key == "CONTENT_TYPE":
                raise BadRequest("the request has more than one content-type")
            value = before + ("; " if key == "HTTP_COOKIE" else ",") + value
        environ[key] = value
    scheme = environ.get("HTTP_X_FORWARDED_PROTO", "http").rsplit(",", 1)[-1].strip()
    environ["wsgi.url_scheme"] = scheme = "https" if scheme == "https" else "http"
    host = environ.get("HTTP_HOST", "")
    name, port = split_host(host)
    environ["SERVER_NAME"] = name or "localhost"
    environ["SERVER_PORT"] = port or ("443" if scheme == "https" else "80")
    # The last one is what the gateway saw; those before it are what others claim.
    environ["REMOTE_ADDR"] = environ.get("HTTP_X_FORWARDED_FOR", "").rsplit(",", 1)[-1].strip()


def split_host(host):
    """The name and the port of a host, "" for what it lacks."""
    name, colon, port = host.rpartition(":")
    if colon and port.isdigit():
        return name, port
    return host, ""


def latin(text):
    """The bytes of a native string (PEP 3333)."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        raise BrokenAnswer("a header of the answer is not latin-1: %r" % text) from None


def octets(data):
    """`data` if it is what an application may send."""
    if not isinstance(data, (bytes, bytearray)):
        raise BrokenAnswer("the body of the answer is no bytes but %s" % type(data).__name__)
    return data
