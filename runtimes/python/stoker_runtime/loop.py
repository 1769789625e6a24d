"""The server for applications that are coroutines: one thread with asyncio."""

import asyncio
import signal
import socket

from .answer import CONTINUE, plain
from .errors import BadRequest, Disconnected, log_exception
from .exchange import Exchange
from .head import Head, find_head

# Of one connection that the application has not read: then no more is taken from the socket.
HIGH_BYTES = 128 * 1024
BACKLOG = 4096
# Of a body that the application left: so much is read, so that the connection can be kept.
MOST_LEFT_BYTES = 64 * 1024


class LoopServer:
    """Serves `interface`, a coroutine function of an `AsyncExchange`, on the descriptor `listener`.

    It may have `startup` and `shutdown`, coroutine functions for before and after.
    """

    def __init__(self, listener, interface, concurrency):
        self.listener = socket.socket(fileno=listener)
        self.interface = interface
        self.connections = set()
        self.stopped = None

    def run(self):
        """Serves until SIGTERM, then finishes what is in flight. The exit status."""
        return asyncio.run(self._run())

    def stopping(self):
        """Whether no further request is wanted."""
        return self.stopped.is_set()

    async def _run(self):
        loop = asyncio.get_running_loop()
        self.stopped = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stopped.set)
        startup = getattr(self.interface, "startup", None)
        if startup is not None:
            await startup()
        self.listener.setblocking(False)
        server = await loop.create_server(
            lambda: HttpConnection(self), sock=self.listener, backlog=BACKLOG)
        await self.stopped.wait()
        # What waits to be accepted was asked before the end; each turn of the loop takes some.
        while await accept_rest(loop, self):
            pass
        server.close()
        # Requests that arrived together with the signal.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        for connection in list(self.connections):
            connection.end_if_idle()
        while self.connections:
            await asyncio.wait([connection.closed for connection in self.connections])
        if startup is not None:
            await self.interface.shutdown()
        return 0


async def accept_rest(loop, server):
    """Accepts one connection if any waits, and lets it read; false if none does."""
    try:
        accepted, _ = server.listener.accept()
    except OSError:
        return False
    accepted.setblocking(False)
    await loop.connect_accepted_socket(lambda: HttpConnection(server), accepted)
    return True


class HttpConnection(asyncio.Protocol):
    """One connection from the gateway."""

    def __init__(self, server):
        self.server = server
        self.transport = None
        self.buffer = bytearray()
        self.task = None
        self.lost = False
        self.paused_reading = False
        # What tells the request under way that the server ends, if it does not end by itself.
        self.going = None
        # Futures: more was read (or the connection lost); more may be written; all is over.
        self.reader = None
        self.writer = None
        self.loop = asyncio.get_running_loop()
        self.closed = self.loop.create_future()

    def connection_made(self, transport):
        """Called by asyncio."""
        self.transport = transport
        self.server.connections.add(self)

    def data_received(self, data):
        """Called by asyncio."""
        self.buffer += data
        if len(self.buffer) > HIGH_BYTES and self.task is not None and not self.paused_reading:
            self.paused_reading = True
            self.transport.pause_reading()
        self.wake_receiver()
        if self.task is None:
            self._begin()

    def connection_lost(self, error):
        """Called by asyncio."""
        self.lost = True
        self.wake_receiver()
        wake(self.writer)
        if self.task is None:
            self._over()

    def pause_writing(self):
        """Called by asyncio."""
        self.writer = self.loop.create_future()

    def resume_writing(self):
        """Called by asyncio."""
        wake(self.writer)
        self.writer = None

    def end_if_idle(self):
        """Closes the connection if no request is under way; one that has no end is told to."""
        if self.task is None:
            self.transport.close()
        elif self.going is not None:
            self.going()

    async def more(self):
        """Waits for more bytes; false if the connection is lost."""
        if self.lost:
            return False
        if self.paused_reading:
            self.paused_reading = False
            self.transport.resume_reading()
        await self._happening()
        return not self.lost

    async def gone(self):
        """Waits until something happens; false if the connection is lost."""
        if not self.lost:
            await self._happening()
        return not self.lost

    def wake_receiver(self):
        """Tells those that wait for the caller to say or do something to look again."""
        wake(self.reader)
        self.reader = None

    async def send(self, data):
        """Writes `data`, and waits while too much is unsent. Raises `Disconnected`."""
        if self.lost:
            raise Disconnected("the caller went away")
        self.transport.write(data)
        if self.writer is not None:
            await asyncio.shield(self.writer)
            if self.lost:
                raise Disconnected("the caller went away")

    async def _happening(self):
        """Waits for more bytes, the answer's end or the connection's."""
        if self.reader is None:
            self.reader = self.loop.create_future()
        # Shielded, for several may wait and any of them may be cancelled.
        await asyncio.shield(self.reader)

    def _begin(self):
        """Serves what was read, once a head is whole."""
        while self.buffer[:2] == b"\r\n":
            del self.buffer[:2]
        try:
            whole = find_head(self.buffer) >= 0
        except BadRequest as error:
            self._refuse(error)
            return
        if whole:
            self.task = self.loop.create_task(self._serve())

    async def _serve(self):
        try:
            stays = True
            while stays and not self.lost:
                while self.buffer[:2] == b"\r\n":
                    del self.buffer[:2]
                end = find_head(self.buffer)
                if end < 0:
                    break
                head = Head(bytes(self.buffer[:end]))
                del self.buffer[:end + 4]
                stays = await AsyncExchange(self, head).run(self.server.interface)
        except BadRequest as error:
            self._refuse(error)
            stays = False
        finally:
            self.task = None
        if self.lost:
            self._over()
        elif not stays or self.server.stopping():
            self.transport.close()
        elif self.paused_reading:
            self.paused_reading = False
            self.transport.resume_reading()

    def _refuse(self, error):
        self.transport.write(plain(None, error.status, str(error)))
        self.transport.close()

    def _over(self):
        self.server.connections.discard(self)
        wake(self.closed)


class AsyncExchange(Exchange):
    """One request and its answer, in a coroutine."""

    def __init__(self, connection, head):
        super().__init__(head, connection.server.stopping)
        self.connection = connection

    async def run(self, interface):
        """Lets the application answer; true if the connection may serve another request."""
        try:
            await interface(self)
            await self.end()
        except Disconnected:
            return False
        except BadRequest as error:
            return await self._fail(error.status, str(error))
        except BaseException as error:
            log_exception(error)
            stays = await self._fail(500, "the function failed")
            if isinstance(error, asyncio.CancelledError):
                raise
            return stays
        return self.answer.keep_alive and await self._discard()

    async def read(self, most):
        """Up to `most` bytes of the request's body, b"" at its end.

        Raises `Disconnected` and `BadRequest`.
        """
        body, connection = self.body, self.connection
        while not body.done:
            piece = body.take(connection.buffer, most)
            if piece or body.done:
                return piece
            if self.expected and self.continues():
                await connection.send(CONTINUE)
            if not await connection.more():
                raise Disconnected("the caller went away before the request's end")
        return b""

    async def write(self, data):
        """Sends a piece of the answer's body, or only its head."""
        piece = self.encode(data)
        if piece:
            await self.connection.send(piece)

    async def end(self, last=b""):
        """Sends `last` and what ends the answer; nothing if it has ended."""
        piece = self.encode_end(last)
        if piece:
            await self.connection.send(piece)

    async def _fail(self, status, text):
        if not self.sent:
            self.head.keep_alive = False
            self.sent = True
            try:
                await self.connection.send(plain(self.head, status, text))
            except Disconnected:
                pass
        return False

    async def _discard(self):
        """Reads what the application left of the body; false if that is too much."""
        body, left = self.body, MOST_LEFT_BYTES
        if not body.done and (not body.chunk_free or body.left > left):
            # Of chunks, only what is there.
            while not body.done and body.take(self.connection.buffer, HIGH_BYTES):
                pass
            return body.done
        while not body.done:
            if not body.take(self.connection.buffer, left) and not await self.connection.more():
                return False
        return True


def wake(future):
    """Resolves a future that somebody may wait for."""
    if future is not None and not future.done():
        future.set_result(None)
