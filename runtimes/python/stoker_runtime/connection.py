"""One connection that a thread reads and writes, and one request on it with its answer."""

from .answer import CONTINUE, plain
from .errors import BadRequest, Disconnected, log_exception
from .exchange import Exchange
from .head import Head, find_head

PIECE_BYTES = 64 * 1024
# Of a body that the application left: so much is read, so that the connection can be kept.
MOST_LEFT_BYTES = 64 * 1024
# MSG_DONTWAIT.
DONTWAIT = 0x40


class Connection:
    """A connection from the gateway."""

    __slots__ = ("socket", "buffer")

    def __init__(self, socket):
        self.socket = socket
        self.buffer = bytearray()

    def fill(self, flags=0):
        """Reads more; false at the connection's end. Raises `BlockingIOError` for `DONTWAIT`."""
        try:
            data = self.socket.recv(PIECE_BYTES, flags)
        except BlockingIOError:
            raise
        except OSError:
            return False
        self.buffer += data
        return bool(data)

    def send(self, data):
        """Writes all of `data`. Raises `Disconnected`."""
        try:
            self.socket.sendall(data)
        except OSError:
            raise Disconnected("the caller went away") from None

    def close(self):
        """Closes it."""
        self.socket.close()

    def serve(self, interface, stopping):
        """Serves the requests that were read, at least one; true if the connection stays.

        `interface` takes a `BlockingExchange`; `stopping` tells whether no further request is
        wanted.
        """
        while True:
            try:
                head = self._head()
            except BadRequest as error:
                self._refuse(error)
                return False
            if head is None:
                return False
            if not BlockingExchange(self, head, stopping).run(interface):
                return False
            self._skip_empty_lines()
            if not self.buffer:
                return True

    def _head(self):
        """The next head; `None` if the connection ends before."""
        buffer = self.buffer
        while True:
            self._skip_empty_lines()
            end = find_head(buffer)
            if end >= 0:
                head = Head(bytes(buffer[:end]))
                del buffer[:end + 4]
                return head
            if not self.fill():
                return None

    def _skip_empty_lines(self):
        """As some send between requests (RFC 9112 section 2.2)."""
        while self.buffer[:2] == b"\r\n":
            del self.buffer[:2]

    def _refuse(self, error):
        try:
            self.send(plain(None, error.status, str(error)))
        except Disconnected:
            pass


class BlockingExchange(Exchange):
    """One request and its answer, in a thread that may block."""

    def __init__(self, connection, head, stopping):
        super().__init__(head, stopping)
        self.connection = connection

    def run(self, interface):
        """Lets the application answer; true if the connection may serve another request."""
        try:
            interface(self)
            self.end()
        except Disconnected:
            return False
        except BadRequest as error:
            return self._fail(error.status, str(error))
        except BaseException as error:  # `sys.exit` in a handler ends its request, not its neighbours'.
            log_exception(error)
            return self._fail(500, "the function failed")
        return self.answer.keep_alive and self._discard()

    def read(self, most):
        """Up to `most` bytes of the request's body, b"" at its end.

        Raises `Disconnected` and `BadRequest`.
        """
        body, connection = self.body, self.connection
        while not body.done:
            piece = body.take(connection.buffer, most)
            if piece or body.done:
                return piece
            if self.expected and self.continues():
                connection.send(CONTINUE)
            if not connection.fill():
                raise Disconnected("the caller went away before the request's end")
        return b""

    def write(self, data):
        """Sends a piece of the answer's body, or only its head."""
        piece = self.encode(data)
        if piece:
            self.connection.send(piece)

    def end(self, last=b""):
        """Sends `last` and what ends the answer; nothing if it has ended."""
        piece = self.encode_end(last)
        if piece:
            self.connection.send(piece)

    def _fail(self, status, text):
        """Answers with a failure if nothing was sent; the connection is of no more use."""
        if not self.sent:
            self.head.keep_alive = False
            self.sent = True
            try:
                self.connection.send(plain(self.head, status, text))
            except Disconnected:
                pass
        return False

    def _discard(self):
        """Reads what the application left of the body; false if that is too much."""
        body, left = self.body, MOST_LEFT_BYTES
        if body.chunk_free and body.left > left:
            return False
        try:
            while not body.done:
                piece = body.take(self.connection.buffer, PIECE_BYTES)
                left -= len(piece)
                if not piece and not body.done and (left <= 0 or not self._more()):
                    return False
        except (BadRequest, BlockingIOError):
            return False
        return True

    def _more(self):
        """Waits for a small rest of known length; of others takes what is there."""
        return self.connection.fill(0 if self.body.chunk_free else DONTWAIT)
