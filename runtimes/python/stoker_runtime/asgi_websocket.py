"""ASGI's WebSockets on an exchange: the handshake, messages both ways, the end."""

import asyncio
from collections import deque

from . import websocket
from .answer import Answer
from .errors import BrokenAnswer, Disconnected, log_exception
from .websocket import BINARY, CLOSE, PING, PONG, TEXT, Violation, frame

# Messages that came and were not received by the application: then no more is read, and the caller
# is held up. A single message may be longer.
MOST_WAITING = 64
MOST_WAITING_BYTES = 256 * 1024
# For the caller to close in return, and to take what is unsent.
CLOSE_SECONDS = 5.0


class WebSocket:
    """One request that asks for a WebSocket, and what comes of it."""

    def __init__(self, exchange, most_bytes):
        """`most_bytes` bounds a message from the caller."""
        self.exchange = exchange
        self.connection = exchange.connection
        self.reader = websocket.Reader(most_bytes)
        self.accept = b""
        self.connect_told = False
        self.accepted = False
        # The application refused: by a close, or by an answer of its own.
        self.refused = False
        self.inbox = Inbox()
        # A close frame was sent, after which nothing may be.
        self.closing = False
        # `(code, reason)` once it is known how the connection ended.
        self.ended = None
        self.timer = None
        self.task = None

    async def run(self, application, scope):
        """Lets the application speak until both sides have ended."""
        head = self.exchange.head
        if not websocket.is_known(head):
            self.exchange.start(400, [
                (b"sec-websocket-version", websocket.VERSION),
                (b"content-type", b"text/plain; charset=utf-8")])
            await self.exchange.end(b"the only version of WebSocket known is 13\n")
            return
        self.accept = websocket.accept_key(head)
        try:
            await application(scope, self.receive, self.send)
        except BaseException as error:
            if not self.accepted:
                raise
            if not isinstance(error, Disconnected):
                log_exception(error)
            self._close(websocket.FAILURE, "the function failed")
            if isinstance(error, asyncio.CancelledError):
                raise
        else:
            self._check_end()
        finally:
            self.connection.going = None
        if self.task is not None:
            self._close(websocket.NORMAL, "")
            self.inbox.open()
            await self.task

    async def receive(self):
        """The next event for the application."""
        if not self.connect_told:
            self.connect_told = True
            return {"type": "websocket.connect"}
        if not self.accepted:
            while not self.exchange.ended and not self.accepted and await self.connection.gone():
                pass
            if not self.accepted:
                return self._disconnect()
        message = await self.inbox.take()
        return self._disconnect() if message is None else message

    async def send(self, message):
        """Takes an event from the application."""
        kind = message.get("type")
        if self.accepted and kind == "websocket.send":
            await self._send_message(message)
        elif self.accepted and kind == "websocket.close":
            self._close_asked(message)
        elif self.accepted or self.exchange.ended:
            raise BrokenAnswer("%r was sent to a WebSocket that was accepted or refused" % (kind,))
        elif kind == "websocket.accept" and not self.refused:
            await self._accept(message)
        elif kind == "websocket.close" and not self.refused:
            self.refused = True
            self.exchange.start(403, [])
            await self._refuse(b"", False)
        elif kind == "websocket.http.response.start" and not self.refused:
            self.refused = True
            fields = [(bytes(name), bytes(value)) for name, value in message.get("headers", ())]
            self.exchange.start(message["status"], fields)
        elif kind == "websocket.http.response.body" and self.refused:
            await self._refuse(bytes(message.get("body", b"")), message.get("more_body", False))
        else:
            raise BrokenAnswer("%r was sent to a WebSocket out of turn" % (kind,))

    async def _accept(self, message):
        exchange, chosen = self.exchange, message.get("subprotocol")
        fields = [(bytes(name), bytes(value)) for name, value in message.get("headers") or ()]
        if chosen is not None:
            if chosen not in websocket.subprotocols(exchange.head):
                raise BrokenAnswer("the subprotocol %r is none that the caller asked for" % (chosen,))
            fields.append((b"sec-websocket-protocol", chosen.encode("latin-1")))
        # Checked like those of others; what begins with it is not sent.
        exchange.answer = answer = Answer(exchange.head, 200, fields)
        answer.keep_alive = False
        exchange.sent = exchange.ended = self.accepted = True
        self.connection.going = self.go_away
        self.task = asyncio.get_running_loop().create_task(self._read())
        await self.connection.send(
            b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
            b"sec-websocket-accept: " + self.accept + b"\r\n" + b"".join(answer.head[3:]) + b"\r\n")
        # Who waits for the caller's going waits for messages now.
        self.connection.wake_receiver()
        if exchange.stopping():
            self.go_away()

    async def _refuse(self, data, more):
        if more:
            await self.exchange.write(data)
            return
        await self.exchange.end(data)
        self.connection.wake_receiver()

    async def _send_message(self, message):
        data, text = message.get("bytes"), message.get("text")
        if (data is None) == (text is None):
            raise BrokenAnswer("websocket.send has both bytes and text, or neither")
        if self.closing and self.ended is None:
            raise BrokenAnswer("websocket.send came after websocket.close")
        if self.ended is not None or self.connection.lost:
            raise Disconnected("the WebSocket is closed")
        if text is not None:
            await self.connection.send(frame(TEXT, text.encode("utf-8")))
        else:
            await self.connection.send(frame(BINARY, bytes(data)))

    def _close_asked(self, message):
        """The application closes. If it was closed meanwhile, that is not the application's fault."""
        code = message.get("code", websocket.NORMAL)
        if not isinstance(code, int) or not websocket.can_be_sent(code):
            raise BrokenAnswer("the code of websocket.close is none that may be sent: %r" % (code,))
        if self.closing and self.ended is None:
            raise BrokenAnswer("websocket.close was sent twice")
        self._close(code, message.get("reason") or "")

    def go_away(self):
        """Tells both sides that the instance ends."""
        if not self.closing:
            self._close(websocket.RESTART, "the instance ends")
            self._end(websocket.RESTART, "the instance ends")

    def _close(self, code, reason):
        """Sends the close frame, once. The caller has a bounded time to answer it."""
        if self.closing or self.connection.lost:
            return
        self.closing = True
        self.connection.transport.write(websocket.close_frame(code, reason))
        # From here on its messages are of no use to anybody: nothing holds up its close frame.
        self.inbox.open()
        self.timer = self.connection.loop.call_later(
            CLOSE_SECONDS, self.connection.transport.abort)

    def _end(self, code, reason):
        """Remembers how it ended, if that was not known, for the application to receive."""
        if self.ended is None:
            self.ended = code, reason
            self.inbox.end()

    def _check_end(self):
        """Raises `BrokenAnswer` if the application returned with nothing said."""
        if not self.accepted and not self.exchange.ended:
            raise BrokenAnswer("the application returned and neither accepted nor refused")

    def _disconnect(self):
        code, reason = self.ended or (websocket.LOST, "")
        return {"type": "websocket.disconnect", "code": code, "reason": reason}

    async def _read(self):
        """Takes what comes until the connection ends."""
        try:
            await self._take_all()
        except Violation as violation:
            self._close(violation.code, violation.reason)
            self._end(violation.code, violation.reason)
            await self._discard()
        except Disconnected:
            pass
        self._end(websocket.LOST, "")
        if self.timer is not None:
            self.timer.cancel()
        transport = self.connection.transport
        transport.close()
        if transport.get_write_buffer_size():
            # What is unsent goes out first, but not for ever.
            self.connection.loop.call_later(CLOSE_SECONDS, transport.abort)

    async def _take_all(self):
        """Until the caller's close frame or the connection's end."""
        connection, more = self.connection, True
        while True:
            found = self.reader.take(connection.buffer)
            if found is None:
                if not more:
                    return
                # At the end too there may be something to read.
                more = await connection.more()
                continue
            kind, payload = found
            if kind == CLOSE:
                code, reason = websocket.close_payload(payload)
                self._close(code, "")
                self._end(code, reason)
                return
            if kind == PING and not (self.closing or connection.lost):
                await connection.send(frame(PONG, payload))
            elif kind == TEXT and not self.closing:
                await self.inbox.put({"type": "websocket.receive", "text": payload}, len(payload))
            elif kind == BINARY and not self.closing:
                await self.inbox.put({"type": "websocket.receive", "bytes": payload}, len(payload))

    async def _discard(self):
        """After a violation nothing that comes can be read. The caller is to see the close frame
        and not a reset, so all is taken until it leaves."""
        connection = self.connection
        if connection.transport.can_write_eof() and not connection.lost:
            connection.transport.write_eof()
        connection.buffer.clear()
        while await connection.more():
            connection.buffer.clear()


class Inbox:
    """Messages that wait for the application, within bounds, and then their end."""

    def __init__(self):
        self.messages = deque()
        self.bytes = 0
        self.ended = False
        self.bounded = True
        self.changed = None

    async def put(self, message, size):
        """Adds a message once there is room for it."""
        while self.bounded and self.messages and (
                len(self.messages) >= MOST_WAITING or self.bytes + size > MOST_WAITING_BYTES):
            await self._change()
        if self.bounded:
            self.messages.append((message, size))
            self.bytes += size
            self._tell()

    async def take(self):
        """The next message; `None` at the end."""
        while not self.messages:
            if self.ended:
                return None
            await self._change()
        message, size = self.messages.popleft()
        self.bytes -= size
        self._tell()
        return message

    def open(self):
        """From here on nothing is added and nobody waits to add."""
        self.bounded = False
        self._tell()

    def end(self):
        """No message follows those that are here."""
        self.ended = True
        self._tell()

    async def _change(self):
        if self.changed is None:
            self.changed = asyncio.get_running_loop().create_future()
        # Shielded, for the application may cancel what it waits for.
        await asyncio.shield(self.changed)

    def _tell(self):
        changed, self.changed = self.changed, None
        if changed is not None and not changed.done():
            changed.set_result(None)
