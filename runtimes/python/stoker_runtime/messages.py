"""Messages with descriptors over a SOCK_SEQPACKET socket."""

import array
import json
from _socket import CMSG_SPACE, SCM_RIGHTS, SOL_SOCKET

MOST_DESCRIPTORS = 8
ROOM = CMSG_SPACE(MOST_DESCRIPTORS * array.array("i").itemsize)
# Linux: close what comes in messages when something is executed.
MSG_CMSG_CLOEXEC = 0x40000000
MSG_DONTWAIT = 0x40

# Without the search for the encoding and for spaces of `json.loads`: what runs in a forked process
# makes copies of the pages that it touches.
_scan = json.JSONDecoder().scan_once


def parsed(data):
    """The value in a message. Raises `ValueError`."""
    try:
        return _scan(data.decode(), 0)[0]
    except StopIteration:
        raise ValueError("a message is no JSON") from None


def formatted(value):
    """A message with this value."""
    return json.dumps(value).encode()


def receive(control, buffer, flags=0):
    """The next message's bytes, b"" at the end, and its descriptors. It has room in `buffer`.

    Not `socket.recv_fds`, which forgets its flags in some versions of Python. Raises `OSError`,
    `BlockingIOError` for `MSG_DONTWAIT`.
    """
    length, ancillary, _, _ = control.recvmsg_into((buffer,), ROOM, flags | MSG_CMSG_CLOEXEC)
    descriptors = array.array("i")
    for level, kind, content in ancillary:
        if level == SOL_SOCKET and kind == SCM_RIGHTS:
            whole = len(content) - len(content) % descriptors.itemsize
            descriptors.frombytes(content[:whole])
    return bytes(memoryview(buffer)[:length]), list(descriptors)
