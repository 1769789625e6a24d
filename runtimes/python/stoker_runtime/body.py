"""Bodies of requests: from the bytes of a connection to the bytes of a body, without any I/O."""

from .errors import BadRequest
from .head import HEX

# A chunk's line: its size, and extensions that nobody reads.
MAX_CHUNK_LINE_BYTES = 4096
# Of all trailers, which are read and dropped.
MAX_TRAILER_BYTES = 64 * 1024

SIZE, DATA, BREAK, TRAILERS, DONE = range(5)


class Body:
    """Takes a body out of the buffer of a connection (a `bytearray`, which it shortens)."""

    __slots__ = ("left", "state", "chunk_free", "trailer_bytes")

    def __init__(self, length):
        """A body of `length` bytes, `None` for chunks."""
        self.trailer_bytes = 0
        self.chunk_free = length is not None
        if length is None:
            self.left, self.state = 0, SIZE
        else:
            self.left, self.state = length, (DATA if length else DONE)

    @property
    def done(self):
        """Whether all of it was taken."""
        return self.state == DONE

    def take(self, buffer, most):
        """Up to `most` bytes of the body; b"" if the buffer has none (or all is done).

        Raises `BadRequest`.
        """
        while True:
            if self.state == DATA:
                piece = bytes(buffer[:min(self.left, most)])
                del buffer[:len(piece)]
                self.left -= len(piece)
                if not self.left:
                    self.state = DONE if self.chunk_free else BREAK
                if self.state == BREAK:
                    # So that the end is seen with the last bytes, if it is there.
                    self._structure(buffer)
                return piece
            if self.state == DONE or not self._structure(buffer):
                return b""

    def _structure(self, buffer):
        """Takes sizes, breaks and trailers until data or the end; false if more must be read."""
        while self.state in (SIZE, BREAK, TRAILERS):
            if self.state == BREAK:
                if len(buffer) < 2:
                    return False
                if buffer[:2] != b"\r\n":
                    raise BadRequest("a chunk is longer than its size says")
                del buffer[:2]
                self.state = SIZE
                continue
            end = buffer.find(b"\n")
            if end < 0:
                if len(buffer) > MAX_CHUNK_LINE_BYTES:
                    raise BadRequest("a line of a chunked body is too long")
                return False
            line = bytes(buffer[:end + 1])
            del buffer[:end + 1]
            if line[-2:] != b"\r\n":
                raise BadRequest("a line of a chunked body has no proper end")
            if self.state == SIZE:
                self._size(line[:-2])
            else:
                self._trailer(line[:-2])
        return True

    def _size(self, line):
        digits, semicolon, extension = line.partition(b";")
        if semicolon:
            digits = digits.rstrip(b" \t")
        if not digits or len(digits) > 15 or digits.translate(None, HEX):
            raise BadRequest("the size of a chunk is no hexadecimal number")
        if b"\r" in extension:
            raise BadRequest("a line of a chunked body has no proper end")
        self.left = int(digits, 16)
        self.state = DATA if self.left else TRAILERS

    def _trailer(self, line):
        if not line:
            self.state = DONE
            return
        self.trailer_bytes += len(line)
        if self.trailer_bytes > MAX_TRAILER_BYTES:
            raise BadRequest("the trailers of the request are too long", 431)
