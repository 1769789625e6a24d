"""One request to ourselves, with an application of our own in the handler's place.

It imports and touches what the first real request would, without running any code of the user.
"""

import socket

REQUEST = (
    b"POST /warm%20up?a=b HTTP/1.1\r\nhost: stoker\r\nx-forwarded-for: 127.0.0.1\r\n"
    b"x-forwarded-proto: http\r\ncontent-type: application/json\r\ncontent-length: 2\r\n"
    b"connection: close\r\n\r\n{}"
)


def warm(handler):
    """Serves one request as `handler` would be served."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(REQUEST)
        if handler.is_async:
            warm_loop(handler, ours, theirs)
        else:
            warm_thread(handler, ours)


def warm_thread(handler, ours):
    """For applications that block."""
    from . import threads as _
    from .connection import Connection
    from .handler import HandlerInterface
    from .wsgi import WsgiInterface

    wsgi = handler.interface == "wsgi"
    interface = WsgiInterface(wsgi_application, 1) if wsgi else HandlerInterface(answer, 1)
    connection = Connection(ours)
    connection.fill()
    connection.serve(interface, lambda: False)


def warm_loop(handler, ours, theirs):
    """For coroutines."""
    import asyncio

    from .asgi import AsgiInterface
    from .handler import AsyncHandlerInterface
    from .loop import HttpConnection

    asgi = handler.interface == "asgi"
    server = Served(AsgiInterface(asgi_application, 1) if asgi else AsyncHandlerInterface(
        async_answer, 1))

    async def serve():
        loop = asyncio.get_running_loop()
        ours.setblocking(False)
        theirs.setblocking(False)
        await loop.connect_accepted_socket(lambda: HttpConnection(server), ours)
        while await loop.sock_recv(theirs, 4096):
            pass

    asyncio.run(serve())


class Served:
    """As much of a server as one connection needs."""

    def __init__(self, interface):
        self.interface = interface
        self.connections = set()

    def stopping(self):
        """It never is."""
        return False


def answer(request):
    """A handler."""
    return request.json()


async def async_answer(request):
    """A handler that is a coroutine."""
    return request.json()


def wsgi_application(environ, start_response):
    """A WSGI application."""
    environ["wsgi.input"].read()
    start_response("200 OK", [("content-type", "text/plain")])
    return [b"warm"]


async def asgi_application(scope, receive, send):
    """An ASGI application."""
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"warm"})
