"""ASGI 3 on an exchange: HTTP and lifespan; WebSockets are in `asgi_websocket`."""

import asyncio

from .errors import BrokenAnswer, UnusableHandler
from .head import unquoted
from .settings import WEBSOCKET_BYTES
from .wsgi import split_host

# From 2.4 on `send` raises OSError once the caller is gone.
VERSIONS = {"version": "3.0", "spec_version": "2.4"}
PIECE_BYTES = 64 * 1024


class AsgiInterface:
    """Calls an ASGI application."""

    def __init__(self, application, concurrency):
        self.application = application
        # Of one message.
        self.websocket_bytes = WEBSOCKET_BYTES
        self.state = {}
        self.lifespan = None

    async def startup(self):
        """Tells the application to begin. Raises `UnusableHandler` if it says that it cannot."""
        self.lifespan = Lifespan(self.application, self.state)
        await self.lifespan.startup()

    async def shutdown(self):
        """Tells the application that it ends."""
        await self.lifespan.shutdown()

    async def __call__(self, exchange):
        head = exchange.head
        if any(name == b"upgrade" for name, _ in head.fields):
            # Imported by the first one.
            from . import asgi_websocket, websocket

            if websocket.asks(head):
                scope = websocket_scope(http_scope(head, self.state), websocket.subprotocols(head))
                one = asgi_websocket.WebSocket(exchange, self.websocket_bytes)
                await one.run(self.application, scope)
                return
        messages = Messages(exchange)
        scope = http_scope(head, self.state)
        await self.application(scope, messages.receive, messages.send)
        messages.check_end()


class Messages:
    """`receive` and `send` of one request."""

    def __init__(self, exchange):
        self.exchange = exchange
        self.body_told = False

    async def receive(self):
        """The next piece of the request's body, then word of the caller's going."""
        exchange = self.exchange
        if not self.body_told:
            try:
                piece = await exchange.read(PIECE_BYTES)
            except OSError:
                return {"type": "http.disconnect"}
            self.body_told = exchange.body.done
            return {"type": "http.request", "body": piece, "more_body": not self.body_told}
        while not exchange.ended and await exchange.connection.gone():
            pass
        return {"type": "http.disconnect"}

    async def send(self, message):
        """Takes a part of the answer."""
        exchange, kind = self.exchange, message.get("type")
        if kind == "http.response.start":
            if exchange.answer is not None:
                raise BrokenAnswer("http.response.start was sent twice")
            status = message["status"]
            if not isinstance(status, int):
                raise BrokenAnswer("the status of the answer is no int: %r" % (status,))
            fields = [(bytes(name), bytes(value)) for name, value in message.get("headers", ())]
            exchange.start(int(status), fields)
        elif kind == "http.response.body":
            if exchange.answer is None:
                raise BrokenAnswer("http.response.body came before http.response.start")
            if exchange.ended:
                raise BrokenAnswer("http.response.body came after the end of the answer")
            data = message.get("body", b"")
            if not isinstance(data, (bytes, bytearray, memoryview)):
                raise BrokenAnswer("the body of the answer is no bytes but %s" % type(data).__name__)
            await self._body(bytes(data), message.get("more_body", False))
        else:
            raise BrokenAnswer("no answer has messages of the type %r" % (kind,))

    async def _body(self, data, more):
        exchange = self.exchange
        if more:
            # The head too, even without a byte behind it: the application means it to go out.
            await exchange.write(data)
            return
        await exchange.end(data)
        exchange.connection.wake_receiver()

    def check_end(self):
        """Raises `BrokenAnswer` if the application returned before its answer's end."""
        if not self.exchange.ended:
            raise BrokenAnswer("the application returned before its answer was complete")


class Lifespan:
    """The application's own coroutine for its beginning and end."""

    def __init__(self, application, state):
        self.application = application
        self.state = state
        self.inbox = asyncio.Queue()
        self.started = asyncio.get_running_loop().create_future()
        self.ended = asyncio.get_running_loop().create_future()
        self.task = None

    async def startup(self):
        """Raises `UnusableHandler`."""
        await self.inbox.put({"type": "lifespan.startup"})
        self.task = asyncio.create_task(self._run())
        await asyncio.wait([self.task, self.started], return_when=asyncio.FIRST_COMPLETED)
        if self.started.done() and self.started.result() is not None:
            raise UnusableHandler("the application's startup failed: %s" % self.started.result())
        # An application that raises or returns does not know lifespans (ASGI lifespan, "Scope").

    async def shutdown(self):
        """Waits until the application has ended."""
        if self.task.done():
            return
        await self.inbox.put({"type": "lifespan.shutdown"})
        await asyncio.wait([self.task, self.ended], return_when=asyncio.FIRST_COMPLETED)

    async def _run(self):
        scope = {"type": "lifespan", "asgi": dict(VERSIONS), "state": self.state}
        try:
            await self.application(scope, self.inbox.get, self._send)
        except Exception:
            if self.started.done():
                raise

    async def _send(self, message):
        kind = message.get("type")
        if kind == "lifespan.startup.complete":
            settle(self.started, None)
        elif kind == "lifespan.startup.failed":
            settle(self.started, message.get("message") or "it gave no reason")
        elif kind in ("lifespan.shutdown.complete", "lifespan.shutdown.failed"):
            settle(self.ended, None)
        else:
            raise BrokenAnswer("no lifespan has messages of the type %r" % (kind,))


def http_scope(head, state):
    """The scope of a request."""
    scheme, host, client = "http", b"", b""
    for name, value in head.fields:
        if name == b"x-forwarded-proto" and value.lower() == b"https":
            scheme = "https"
        elif name == b"x-forwarded-for":
            # The last one is what the gateway saw; those before it are what others claim.
            client = value.rpartition(b",")[2].strip()
        elif name == b"host":
            host = value
    name, port = split_host(host.decode("latin-1"))
    return {
        "type": "http",
        "asgi": dict(VERSIONS),
        "http_version": "1.%d" % head.minor,
        "method": head.method,
        "scheme": scheme,
        "path": unquoted(head.path).decode("utf-8", "replace"),
        "raw_path": head.path,
        "query_string": head.query,
        "root_path": "",
        "headers": list(head.fields),
        "client": (client.decode("latin-1"), 0) if client else None,
        "server": (name, int(port or (443 if scheme == "https" else 80))),
        "state": dict(state),
    }


def websocket_scope(scope, subprotocols):
    """The scope of a WebSocket, made of that of the request that asks for it."""
    del scope["method"]
    scope["type"] = "websocket"
    scope["scheme"] = "wss" if scope["scheme"] == "https" else "ws"
    scope["subprotocols"] = subprotocols
    # It may be refused with an answer of the application's own (ASGI, "Websocket Denial Response").
    scope["extensions"] = {"websocket.http.response": {}}
    return scope


def settle(future, result):
    """Gives a future its result, if it has none."""
    if not future.done():
        future.set_result(result)
