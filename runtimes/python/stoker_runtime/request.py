"""What a `handler(request)` gets and may return."""

from .errors import BadRequest
from .head import unquoted

# Of a body that is read as a whole; more is refused with 413. `stream` has no bound.
MAX_BODY_BYTES = 64 * 1024 * 1024


class Headers:
    """Header fields, whose names are the same in upper and lower case."""

    __slots__ = ("_pairs",)

    def __init__(self, fields):
        """From pairs of bytes, names in lower case."""
        self._pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in fields]

    def get(self, name, default=None):
        """The value of `name`; of a field that came more than once, all values with commas."""
        return ", ".join(self.get_all(name)) if name in self else default

    def get_all(self, name):
        """The values of `name`, in their order."""
        name = name.lower()
        return [value for key, value in self._pairs if key == name]

    def items(self):
        """All pairs of name and value, names in lower case."""
        return list(self._pairs)

    def __getitem__(self, name):
        if name not in self:
            raise KeyError(name)
        return self.get(name)

    def __contains__(self, name):
        name = name.lower()
        return any(key == name for key, _ in self._pairs)

    def __iter__(self):
        return iter(dict(self._pairs))

    def __len__(self):
        return len(dict(self._pairs))

    def __repr__(self):
        return "Headers(%r)" % self._pairs


class Query(dict):
    """The parameters of a query: the first value of each name; `get_all` has the others."""

    def __init__(self, raw):
        """From the bytes behind the question mark."""
        self._lists = lists = {}
        for part in raw.split(b"&"):
            if part:
                name, _, value = part.replace(b"+", b" ").partition(b"=")
                lists.setdefault(text(unquoted(name)), []).append(text(unquoted(value)))
        super().__init__((name, values[0]) for name, values in lists.items())

    def get_all(self, name):
        """All values of `name`, in their order."""
        return list(self._lists.get(name, ()))


class Request:
    """A request.

    `method`, `path` (decoded), `query`, `headers`, `scheme`, `client` (the address that the
    gateway saw) and `body`.
    """

    def __init__(self, exchange):
        head = exchange.head
        self._exchange = exchange
        self._body = None
        self._query = None
        self.method = head.method
        self.path = text(unquoted(head.path))
        self.raw_query = head.query.decode("latin-1")
        self.headers = Headers(head.fields)

    @property
    def query(self):
        """The parameters of the query."""
        if self._query is None:
            self._query = Query(self.raw_query.encode("latin-1"))
        return self._query

    @property
    def scheme(self):
        """"http" or "https", as the caller asked."""
        return self.headers.get("x-forwarded-proto", "http")

    @property
    def client(self):
        """The address of whoever connected to the gateway, "" if that is not known."""
        return self.headers.get("x-forwarded-for", "").rsplit(",", 1)[-1].strip()

    @property
    def body(self):
        """The whole body, at most `MAX_BODY_BYTES`."""
        if self._body is None:
            self._body = b"".join(self.stream(MAX_BODY_BYTES))
        return self._body

    def stream(self, most_bytes=None):
        """The body in pieces as they come, once, in place of `body`. Not in async handlers."""
        total = 0
        while True:
            piece = self._exchange.read(64 * 1024)
            if not piece:
                return
            total += len(piece)
            check_size(total, most_bytes)
            yield piece

    def text(self):
        """The body as text, decoded as its content type says, else as UTF-8."""
        _, _, charset = self.headers.get("content-type", "").lower().partition("charset=")
        name = charset.split(";")[0].strip(" \"") or "utf-8"
        try:
            return self.body.decode(name)
        except (LookupError, UnicodeDecodeError):
            raise BadRequest("the body is no text in %s" % name[:40]) from None

    def json(self):
        """The value that the body describes in JSON."""
        import json

        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise BadRequest("the body is no JSON") from None


class Response:
    """An answer: `body` is anything that a handler may return alone."""

    __slots__ = ("body", "status", "headers")

    def __init__(self, body=b"", status=200, headers=()):
        self.body = body
        self.status = status
        self.headers = headers


def check_size(total, most_bytes):
    """Refuses a body that grew beyond the bound."""
    if most_bytes is not None and total > most_bytes:
        raise BadRequest("the body is longer than %d bytes" % most_bytes, 413)


def text(raw):
    """`raw` as UTF-8; what is none becomes U+FFFD."""
    return raw.decode("utf-8", "replace")
