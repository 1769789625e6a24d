"""One request to ourselves, with an application of our own in the handler's place.

It goes the whole way of the first real request, so that all that imports and touches is there
then, without running any code of the user.
"""

import signal
import socket

from . import messages
from .load import Handler

REQUEST = (
    b"POST /warm%20up?a=b HTTP/1.1\r\nhost: stoker\r\nx-forwarded-for: 127.0.0.1\r\n"
    b"x-forwarded-proto: http\r\ncontent-type: application/json\r\ncontent-length: 2\r\n"
    b"connection: close\r\n\r\n{}"
)
SIGNALS = (signal.SIGTERM, signal.SIGINT)


def warm(handler, concurrency=1):
    """Serves one request as `handler` would be served. More than one of `concurrency` may start a
    thread, which ends."""
    # A signal that comes meanwhile is for those who handle it afterwards.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    handlers = [signal.getsignal(number) for number in SIGNALS]
    try:
        with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as caller:
            # A name of the kernel's choice, outside of the file system (unix(7), "Autobind").
            listener.bind("")
            listener.listen(1)
            caller.connect(listener.getsockname())
            caller.sendall(REQUEST)
            serve(handler, listener.detach(), min(concurrency, 2))
    except OSError:
        # Such as where sockets are forbidden: the first request pays for it then.
        pass
    finally:
        for number, one in zip(SIGNALS, handlers):
            signal.signal(number, one)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def serve(handler, listener, concurrency):
    """Serves on a descriptor until the first request was answered."""
    def end():
        if handler.is_async:
            server.stopped.set()
        else:
            server.stop()

    # As an assignment does.
    messages.parsed(b'{"environment":{},"unset":[],"concurrency":1}')
    target = APPLICATIONS[handler.interface, handler.is_async](end)
    server = Handler(target, handler.interface, handler.is_async).server(listener, concurrency)
    server.run()


def blocking_handler(end):
    """A handler."""
    def handler(request):
        end()
        return request.json()
    return handler


def async_handler(end):
    """A handler that is a coroutine."""
    async def handler(request):
        end()
        return request.json()
    return handler


def wsgi_application(end):
    """A WSGI application."""
    def application(environ, start_response):
        environ["wsgi.input"].read()
        start_response("200 OK", [("content-type", "text/plain")])
        end()
        return [b"warm"]
    return application


def asgi_application(end):
    """An ASGI application."""
    # What the first WebSocket imports.
    from . import asgi_websocket  # noqa: F401

    async def application(scope, receive, send):
        await receive()
        if scope["type"] == "lifespan":
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        end()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"warm"})
    return application


APPLICATIONS = {
    ("handler", False): blocking_handler, ("handler", True): async_handler,
    ("wsgi", False): wsgi_application, ("asgi", True): asgi_application,
}
