"""The head of a request (RFC 9112), read strictly: what could be read in two ways is refused."""

from .errors import BadRequest

# More than the gateway lets through: its `header-bytes` is at most 1 MiB, to which it adds its own.
MAX_HEAD_BYTES = 1024 * 1024 + 64 * 1024
MAX_FIELDS = 1024

TOKEN = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
DIGITS = b"0123456789"
HEX = b"0123456789abcdefABCDEF"
# What no field value may hold: all controls but the tab (RFC 9110 section 5.5).
CONTROLS = bytes(byte for byte in range(32) if byte != 9) + b"\x7f"


class Head:
    """The head of one request.

    `fields` are pairs of bytes, names in lower case, in their order. `length` is the body's, `None`
    if it comes in chunks.
    """

    __slots__ = (
        "method", "target", "path", "query", "minor", "fields", "length", "keep_alive",
        "expects_continue",
    )

    def __init__(self, block):
        """Reads `block`: everything before the empty line.

        Raises `BadRequest`.
        """
        lines = block.split(b"\r\n")
        self._read_request_line(lines[0])
        if len(lines) - 1 > MAX_FIELDS:
            raise BadRequest("the request has too many header fields", 431)
        self.fields = fields = []
        for line in lines[1:]:
            name, colon, value = line.partition(b":")
            if not colon or not name or name.translate(None, TOKEN):
                raise BadRequest("a line of the request's head is no header field")
            value = value.strip(b" \t")
            if len(value.translate(None, CONTROLS)) != len(value):
                raise BadRequest("a header field holds a control character")
            fields.append((name.lower(), value))
        self._frame()

    def has_body(self):
        """Whether any byte of a body may follow."""
        return self.length != 0

    def _read_request_line(self, line):
        parts = line.split(b" ")
        if len(parts) != 3:
            raise BadRequest("the request line is not \"method target version\"")
        method, target, version = parts
        if not method or method.translate(None, TOKEN):
            raise BadRequest("the method is no token")
        if version == b"HTTP/1.1":
            self.minor = 1
        elif version == b"HTTP/1.0":
            self.minor = 0
        else:
            raise BadRequest("the version is neither HTTP/1.1 nor HTTP/1.0", 505)
        if not target or any(byte < 33 or byte == 127 for byte in target):
            raise BadRequest("the target holds a control character or nothing")
        self.method = method.decode("ascii")
        self.target = target
        if target[:1] != b"/":
            target = origin_form(target, self.method)
        self.path, _, self.query = target.partition(b"?")

    def _frame(self):
        """Finds the body's length and what the connection's fields ask for."""
        lengths, codings, hosts = [], [], 0
        keep_alive, close, expects = False, False, False
        for name, value in self.fields:
            if name == b"content-length":
                lengths.append(value)
            elif name == b"transfer-encoding":
                codings.append(value)
            elif name == b"host":
                hosts += 1
            elif name == b"connection":
                options = [option.strip() for option in value.lower().split(b",")]
                close = close or b"close" in options
                keep_alive = keep_alive or b"keep-alive" in options
            elif name == b"expect":
                expects = value.lower() == b"100-continue"
                if not expects:
                    raise BadRequest("only 100-continue can be expected", 417)
        if hosts > 1 or hosts == 0 and self.minor == 1:
            raise BadRequest("a request has exactly one host")
        self.length = body_length(lengths, codings, self.minor)
        self.keep_alive = not close and (self.minor == 1 or keep_alive)
        self.expects_continue = expects and self.minor == 1 and self.length != 0


def origin_form(target, method):
    """The path and query of a target that does not begin with a slash."""
    if target == b"*" and method == "OPTIONS":
        return target
    scheme, _, rest = target.partition(b"://")
    if scheme.lower() not in (b"http", b"https") or not rest:
        raise BadRequest("the target is neither a path nor an absolute URL")
    _, slash, path = rest.partition(b"/")
    return slash + path if slash else b"/"


def body_length(lengths, codings, minor):
    """The length of a body in bytes, `None` for chunks. Any ambiguity is refused."""
    if codings:
        if lengths:
            raise BadRequest("the request has both a content-length and a transfer-encoding")
        if minor == 0:
            raise BadRequest("HTTP/1.0 knows no transfer-encoding")
        if len(codings) != 1 or codings[0].lower() != b"chunked":
            raise BadRequest("the only transfer-encoding known is chunked", 501)
        return None
    if not lengths:
        return 0
    if len(lengths) != 1:
        raise BadRequest("the request has more than one content-length")
    digits = lengths[0]
    if not digits or len(digits) > 18 or digits.translate(None, DIGITS):
        raise BadRequest("the content-length is no number of bytes")
    return int(digits)


def find_head(buffer):
    """The end of the head's block in `buffer`, -1 if it is not all there.

    Raises `BadRequest` if it is longer than allowed.
    """
    end = buffer.find(b"\r\n\r\n")
    if end > MAX_HEAD_BYTES or end < 0 and len(buffer) > MAX_HEAD_BYTES:
        raise BadRequest("the request's head is too long", 431)
    return end


def unquoted(raw):
    """`raw` with its percent-escapes decoded; what is no escape stays."""
    if b"%" not in raw:
        return raw
    first, *others = raw.split(b"%")
    out = bytearray(first)
    for part in others:
        digits = part[:2]
        if len(digits) == 2 and not digits.translate(None, HEX):
            out.append(int(digits, 16))
            out += part[2:]
        else:
            out += b"%" + part
    return bytes(out)
