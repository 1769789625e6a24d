"""What the spawner says in the environment."""

import os

INTERFACES = ("auto", "wsgi", "asgi", "handler")
OURS = ("STOKER_HANDLER", "STOKER_INTERFACE", "STOKER_CONCURRENCY", "STOKER_WEBSOCKET_BYTES",
        "STOKER_CONTROL", "STOKER_SPAWNER_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES")
# Of a message from a WebSocket, unless the spawner says otherwise.
WEBSOCKET_BYTES = 16 * 1024 * 1024


class Settings:
    """`handler` ("module:attribute"), `interface`, `concurrency`, `websocket_bytes` (of one message)
    and `spawner_pid` (0 if unknown).

    Taken out of the environment, so that what the handler starts does not see them.
    """

    __slots__ = ("handler", "interface", "concurrency", "websocket_bytes", "spawner_pid")

    def __init__(self):
        found = {name: os.environ.pop(name, "") for name in OURS}
        self.handler = found["STOKER_HANDLER"]
        self.interface = found["STOKER_INTERFACE"] or "auto"
        self.concurrency = whole(found["STOKER_CONCURRENCY"], 1)
        self.websocket_bytes = whole(found["STOKER_WEBSOCKET_BYTES"], WEBSOCKET_BYTES)
        self.spawner_pid = whole(found["STOKER_SPAWNER_PID"], 0)


def whole(text, default):
    """The whole number in `text`, or the default."""
    return int(text) if text.isdigit() else default
