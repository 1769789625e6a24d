"""The WebSocket protocol of a server (RFC 6455), without any I/O and without extensions: the
handshake, frames as bytes, and bytes as messages."""

import binascii
import codecs

from .errors import BadRequest

try:
    # `hashlib` would load OpenSSL, which takes longer than all else here.
    from _sha1 import sha1
except ImportError:
    from hashlib import sha1

VERSION = b"13"
# RFC 6455 section 1.3.
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
CONTROLS = (CLOSE, PING, PONG)
MAX_CONTROL_BYTES = 125
# Sections 7.4.1 and 11.7; 1005, 1006 and 1015 are never sent.
NORMAL, PROTOCOL_ERROR, NO_CODE, LOST, INVALID_DATA, TOO_BIG, FAILURE, RESTART = (
    1000, 1002, 1005, 1006, 1007, 1009, 1011, 1012)
SENDABLE = frozenset((1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014))


class Violation(Exception):
    """The caller broke the protocol or a bound; `code` is what it is told."""

    def __init__(self, code, reason):
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Reader:
    """Takes messages and control frames out of the buffer of a connection (a `bytearray`, which it
    shortens). No message is longer than `most_bytes`."""

    __slots__ = ("most_bytes", "message", "kind", "decoder", "opcode", "final", "left", "mask",
                 "control", "fragmented")

    def __init__(self, most_bytes):
        self.most_bytes = most_bytes
        # Of the message: its bytes so far, and `TEXT`, `BINARY` or `None` between messages.
        self.message = bytearray()
        self.kind = None
        self.fragmented = False
        # Of a text in fragments, so that it is refused where it is wrong and not at its end.
        self.decoder = None
        # Of the frame: `opcode` is `None` between frames, `left` is what of it is yet to come.
        self.opcode = None
        self.final = False
        self.left = 0
        self.mask = b""
        self.control = bytearray()

    def take(self, buffer):
        """The next of what is in the buffer: `(TEXT, str)`, `(BINARY, bytes)`, or an opcode of
        `CONTROLS` and its payload; `None` if more must be read.

        Raises `Violation`.
        """
        while True:
            if self.opcode is None and not self._begin(buffer):
                return None
            while self.left:
                if not self._payload(buffer):
                    return None
            opcode, self.opcode = self.opcode, None
            if opcode in CONTROLS:
                payload = bytes(self.control)
                self.control.clear()
                return opcode, payload
            if self.final:
                return self._whole()

    def _begin(self, buffer):
        """Takes the head of a frame (section 5.2); false if it is not whole."""
        if len(buffer) < 2:
            return False
        first, second = buffer[0], buffer[1]
        opcode, length = first & 0x0F, second & 0x7F
        extended = {126: 2, 127: 8}.get(length, 0)
        self._check(opcode, first, second)
        if len(buffer) < 6 + extended:
            return False
        if extended:
            length = int.from_bytes(buffer[2:2 + extended], "big")
            # Section 5.2: the shortest form, and no more than 63 bits.
            if length < (126 if extended == 2 else 1 << 16) or length >> 63:
                raise Violation(PROTOCOL_ERROR, "the length of a frame is not in its shortest form")
        if opcode not in CONTROLS and len(self.message) + length > self.most_bytes:
            raise Violation(TOO_BIG, "a message is longer than %d bytes" % self.most_bytes)
        self.mask = bytes(buffer[2 + extended:6 + extended])
        del buffer[:6 + extended]
        self.opcode, self.left, self.final = opcode, length, bool(first & 0x80)
        if opcode in (TEXT, BINARY):
            self.kind, self.fragmented = opcode, not self.final
            if self.fragmented and opcode == TEXT:
                self.decoder = codecs.getincrementaldecoder("utf-8")()
        return True

    def _check(self, opcode, first, second):
        """What can be wrong with a frame's first two bytes."""
        if first & 0x70:
            raise Violation(PROTOCOL_ERROR, "a reserved bit is set")
        if not second & 0x80:
            raise Violation(PROTOCOL_ERROR, "a frame is not masked")
        if opcode in CONTROLS:
            if not first & 0x80 or second & 0x7F > MAX_CONTROL_BYTES:
                raise Violation(PROTOCOL_ERROR, "a control frame is fragmented or too long")
        elif opcode not in (CONTINUATION, TEXT, BINARY):
            raise Violation(PROTOCOL_ERROR, "an opcode is not known")
        elif (opcode == CONTINUATION) != (self.kind is not None):
            raise Violation(PROTOCOL_ERROR, "a message begins or goes on out of turn")

    def _payload(self, buffer):
        """Takes what is there of the frame's payload; false if nothing is."""
        piece = bytes(buffer[:self.left])
        if not piece:
            return False
        del buffer[:len(piece)]
        self.left -= len(piece)
        data = masked(piece, self.mask)
        turn = len(piece) % 4
        self.mask = self.mask[turn:] + self.mask[:turn]
        if self.opcode in CONTROLS:
            self.control += data
            return True
        self.message += data
        if self.fragmented and self.kind == TEXT:
            self._validate(data, False)
        return True

    def _validate(self, data, final):
        try:
            self.decoder.decode(data, final)
        except UnicodeDecodeError:
            raise Violation(INVALID_DATA, "a text is no UTF-8") from None

    def _whole(self):
        """The message, of which all fragments are here."""
        kind, self.kind = self.kind, None
        data, self.message = self.message, bytearray()
        if kind == BINARY:
            return kind, bytes(data)
        try:
            return kind, data.decode("utf-8")
        except UnicodeDecodeError:
            raise Violation(INVALID_DATA, "a text is no UTF-8") from None


def masked(data, mask):
    """`data` with the mask laid over it (section 5.3), which also takes it off."""
    count = len(data)
    repeated = (mask * (count // 4 + 1))[:count]
    # As two long numbers: byte by byte it would take a hundred times as long.
    return (int.from_bytes(data, "little") ^ int.from_bytes(repeated, "little")).to_bytes(
        count, "little")


def frame(opcode, payload):
    """The bytes of a whole frame, unmasked as those of servers are."""
    count = len(payload)
    if count < 126:
        head = bytes((0x80 | opcode, count))
    elif count < 1 << 16:
        head = bytes((0x80 | opcode, 126)) + count.to_bytes(2, "big")
    else:
        head = bytes((0x80 | opcode, 127)) + count.to_bytes(8, "big")
    return head + payload


def close_frame(code, reason):
    """The bytes of a close frame; the reason is cut where it is too long (section 5.5.1)."""
    if code in (NO_CODE, LOST):
        return frame(CLOSE, b"")
    text = reason.encode("utf-8", "replace")[:MAX_CONTROL_BYTES - 2]
    # Not within a character.
    text = text.decode("utf-8", "ignore").encode()
    return frame(CLOSE, code.to_bytes(2, "big") + text)


def can_be_sent(code):
    """Whether a close frame may hold the code (section 7.4.2)."""
    return code in SENDABLE or 3000 <= code <= 4999


def close_payload(payload):
    """The code and the reason in a close frame. Raises `Violation`."""
    if not payload:
        return NO_CODE, ""
    code = int.from_bytes(payload[:2], "big")
    if len(payload) == 1 or not can_be_sent(code):
        raise Violation(PROTOCOL_ERROR, "a close frame has a code that nobody may send")
    try:
        return code, payload[2:].decode("utf-8")
    except UnicodeDecodeError:
        raise Violation(INVALID_DATA, "the reason of a close frame is no UTF-8") from None


def asks(head):
    """Whether a request is to become a WebSocket; if it names another protocol, or its connection
    has no such option, it is an ordinary one (RFC 9110 section 7.8)."""
    upgrade = connection = False
    for name, value in head.fields:
        if name == b"upgrade":
            upgrade = upgrade or b"websocket" in options(value)
        elif name == b"connection":
            connection = connection or b"upgrade" in options(value)
    return upgrade and connection and head.minor == 1


def accept_key(head):
    """What answers the key of a request that `asks` (section 4.2). Raises `BadRequest`."""
    keys = [value for name, value in head.fields if name == b"sec-websocket-key"]
    if head.method != "GET" or head.has_body():
        raise BadRequest("a WebSocket begins with a GET without a body")
    try:
        whole = len(keys) == 1 and len(keys[0]) == 24 and len(binascii.a2b_base64(keys[0])) == 16
    except binascii.Error:
        whole = False
    if not whole:
        raise BadRequest("the key of the WebSocket is not 16 bytes in base64")
    return binascii.b2a_base64(sha1(keys[0] + GUID).digest(), newline=False)


def is_known(head):
    """Whether the request asks for the one version of the protocol that there is."""
    return [value for name, value in head.fields if name == b"sec-websocket-version"] == [VERSION]


def options(value):
    """The members of a list in a header field, in lower case."""
    return [option.strip(b" \t") for option in value.lower().split(b",")]


def subprotocols(head):
    """Those that the caller knows, in its order of preference."""
    found = []
    for name, value in head.fields:
        if name == b"sec-websocket-protocol":
            found += [one.strip(b" \t").decode("latin-1") for one in value.split(b",")]
    return [one for one in found if one]
