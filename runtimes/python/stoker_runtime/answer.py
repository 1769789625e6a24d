"""Answers: their heads and how their bodies are framed, without any I/O."""

from .errors import BrokenAnswer
from .head import CONTROLS, DIGITS, TOKEN

REASONS = {
    200: b"OK", 201: b"Created", 202: b"Accepted", 204: b"No Content", 206: b"Partial Content",
    301: b"Moved Permanently", 302: b"Found", 303: b"See Other", 304: b"Not Modified",
    307: b"Temporary Redirect", 308: b"Permanent Redirect", 400: b"Bad Request",
    401: b"Unauthorized", 403: b"Forbidden", 404: b"Not Found", 405: b"Method Not Allowed",
    409: b"Conflict", 413: b"Content Too Large", 417: b"Expectation Failed",
    422: b"Unprocessable Content", 429: b"Too Many Requests",
    431: b"Request Header Fields Too Large", 500: b"Internal Server Error",
    501: b"Not Implemented", 503: b"Service Unavailable", 505: b"HTTP Version Not Supported",
}
# Of the connection, and so ours.
OURS = frozenset((b"connection", b"keep-alive", b"transfer-encoding", b"upgrade", b"proxy-connection"))
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"


class Answer:
    """How one answer goes out: its head once, then what frames its body.

    `left` is the length of the body that is still to come, in bytes, `None` if it is not known; it
    may be set until `begin`. `keep_alive` says from then on whether the connection may serve
    another request.
    """

    __slots__ = ("head", "code", "method", "minor", "chunked", "left", "bodiless", "keep_alive")

    def __init__(self, request, status, fields):
        """The answer to the head `request`: `status` is a number or the bytes "200 Fine", `fields`
        are pairs of bytes.

        Raises `BrokenAnswer`.
        """
        self.code, line = status_line(status)
        out = [b"HTTP/1.1 ", line, b"\r\n"]
        length = None
        for name, value in fields:
            lower = name.lower()
            if lower in OURS:
                continue
            if not name or name.translate(None, TOKEN):
                raise BrokenAnswer("the name of a header of the answer is no token: %r" % name)
            if len(value.translate(None, CONTROLS)) != len(value):
                raise BrokenAnswer("a header of the answer holds a control character: %r" % name)
            if lower == b"content-length":
                length = told_length(value)
                continue
            out += (name, b": ", value, b"\r\n")
        self.head = out
        self.method = request.method
        self.minor = request.minor
        self.keep_alive = request.keep_alive
        self.bodiless = self.method == "HEAD" or self.code in (204, 304)
        self.chunked = False
        self.left = length

    def begin(self):
        """The bytes of the head, to be asked for once, as late as possible."""
        out = self.head
        if self.code != 204:
            if self.left is not None:
                # To HEAD, and of 304, it says what a GET would have got.
                out.append(b"content-length: %d\r\n" % self.left)
            elif self.bodiless:
                pass
            elif self.minor == 1:
                self.chunked = True
                out.append(b"transfer-encoding: chunked\r\n")
            else:
                self.keep_alive = False
        if not self.keep_alive:
            out.append(b"connection: close\r\n")
        out.append(b"\r\n")
        return b"".join(out)

    def piece(self, data):
        """The bytes that carry `data`, which is not empty. b"" if the answer has no body.

        Raises `BrokenAnswer` if it is more than was announced.
        """
        if self.bodiless:
            return b""
        if self.chunked:
            return b"%x\r\n%b\r\n" % (len(data), data)
        if self.left is not None:
            if len(data) > self.left:
                raise BrokenAnswer("the body is longer than its content-length")
            self.left -= len(data)
        return data

    def end(self):
        """The bytes behind the last piece.

        Raises `BrokenAnswer` if less came than was announced.
        """
        if self.bodiless:
            return b""
        if self.chunked:
            return LAST_CHUNK
        if self.left:
            raise BrokenAnswer("the body is shorter than its content-length by %d bytes" % self.left)
        return b""


def status_line(status):
    """The code and the bytes of a status."""
    if isinstance(status, int):
        if not 200 <= status <= 999:
            raise BrokenAnswer("the status %r is none of 200 to 999" % status)
        return status, b"%d %b" % (status, REASONS.get(status, b""))
    if len(status) < 3 or status[:3].translate(None, DIGITS) or status[3:4] not in (b"", b" "):
        raise BrokenAnswer("the status %r does not begin with three digits and a space" % status)
    if len(status.translate(None, CONTROLS)) != len(status) or not 200 <= int(status[:3]) <= 999:
        raise BrokenAnswer("the status %r is none that can be sent" % status)
    return int(status[:3]), status if status[3:4] else status + b" "


def told_length(value):
    """The number in a content-length of the application."""
    if not value or len(value) > 18 or value.translate(None, DIGITS):
        raise BrokenAnswer("the content-length of the answer is no number: %r" % value)
    return int(value)


def plain(request, status, text):
    """All bytes of a short answer in plain text; `request` may be `None` for a broken one."""
    body = text.encode() + b"\n"
    head = b"HTTP/1.1 %b\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\n" % (
        status_line(status)[1], len(body))
    if request is None or not request.keep_alive:
        head += b"connection: close\r\n"
    return head + b"\r\n" + (body if request is None or request.method != "HEAD" else b"")
