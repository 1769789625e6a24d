"""Messages with descriptors over a SOCK_SEQPACKET socket."""

import array
import socket

MOST_DESCRIPTORS = 4
# Linux: close what comes in messages when something is executed.
MSG_CMSG_CLOEXEC = 0x40000000


def receive(control, most_bytes, flags=0):
    """The next message's bytes, b"" at the end, and its descriptors.

    Not `socket.recv_fds`, which forgets its flags in some versions of Python. Raises `OSError`,
    `BlockingIOError` for `MSG_DONTWAIT`.
    """
    room = socket.CMSG_SPACE(MOST_DESCRIPTORS * array.array("i").itemsize)
    data, ancillary, _, _ = control.recvmsg(most_bytes, room, flags | MSG_CMSG_CLOEXEC)
    descriptors = array.array("i")
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            whole = len(content) - len(content) % descriptors.itemsize
            descriptors.frombytes(content[:whole])
    return data, list(descriptors)
