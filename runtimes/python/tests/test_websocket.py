"""WebSockets of ASGI applications, frame by frame; `tests/it` has real clients."""

import base64
import hashlib
import importlib.util
import json
import os
import select
import signal
import unittest

from support import Site

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10

ECHO = """
    import asyncio, json
    waiting = None

    async def app(scope, receive, send):
        assert scope["type"] == "websocket", scope["type"]
        path = scope["path"]
        assert await receive() == {"type": "websocket.connect"}
        if path == "/fail-early":
            raise RuntimeError("early")
        if path == "/nothing":
            return
        if path == "/refuse":
            await send({"type": "websocket.close", "code": 1000})
            print("then", await receive(), flush=True)
            return
        if path == "/deny":
            await send({"type": "websocket.http.response.start", "status": 402,
                        "headers": [(b"x-why", b"money")]})
            await send({"type": "websocket.http.response.body", "body": b"pay", "more_body": True})
            await send({"type": "websocket.http.response.body", "body": b" first"})
            return
        if path == "/never":
            message = await receive()
            print("left before", message, flush=True)
            return
        if path == "/protocol":
            await send({"type": "websocket.accept", "subprotocol": "none of yours"})
        if path == "/scope":
            await send({"type": "websocket.accept", "subprotocol": scope["subprotocols"][1],
                        "headers": [(b"x-one", b"1"), (b"connection", b"close")]})
            scope = {key: value for key, value in scope.items()
                     if key not in ("headers", "raw_path", "query_string", "asgi")}
            await send({"type": "websocket.send", "text": json.dumps(scope)})
            return await send({"type": "websocket.close", "code": 4321, "reason": "that is all"})
        await send({"type": "websocket.accept"})
        if path == "/fail":
            raise RuntimeError("late")
        if path == "/return":
            return
        if path == "/wrong":
            for message in ({"type": "websocket.send"}, {"type": "http.response.body"},
                            {"type": "websocket.send", "text": "a", "bytes": b"b"},
                            {"type": "websocket.close", "code": 1005}):
                try:
                    await send(message)
                except Exception as error:
                    await send({"type": "websocket.send", "text": str(error)})
            await send({"type": "websocket.close"})
            return await send({"type": "websocket.send", "text": "after the end"})
        if path == "/slow":
            # What comes is not received until another one says so.
            global waiting
            waiting = asyncio.Event()
            await waiting.wait()
        if path == "/go":
            waiting.set()
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                print("left", path, message["code"], repr(message["reason"]), flush=True)
                try:
                    await send({"type": "websocket.send", "text": "late"})
                except OSError:
                    print("cannot send any more", flush=True)
                return
            del message["type"]
            await send({"type": "websocket.send", **message})
"""


class WebSocketTests(Site):
    """WebSockets of ASGI."""

    def echo(self, **settings):
        """The application above."""
        return self.serve(ECHO, "main:app", concurrency=4, **settings)

    def test_scope_and_handshake(self):
        socket = Client(self.echo(), "/scope?a=b", (
            "Sec-WebSocket-Protocol: one, two\r\nSec-WebSocket-Protocol: three\r\n"
            "X-Forwarded-Proto: https\r\nX-Forwarded-For: 192.0.2.1\r\n"))
        self.assertEqual(socket.fields["sec-websocket-protocol"], "two")
        self.assertEqual(socket.fields["x-one"], "1")
        self.assertEqual(socket.fields["connection"], "Upgrade")
        opcode, data = socket.read()
        self.assertEqual(opcode, TEXT)
        self.assertEqual(json.loads(data), {
            "type": "websocket", "http_version": "1.1", "scheme": "wss", "path": "/scope",
            "root_path": "", "client": ["192.0.2.1", 0], "server": ["example.org", 8080],
            "subprotocols": ["one", "two", "three"], "state": {},
            "extensions": {"websocket.http.response": {}}})
        self.assertEqual(socket.closed(), (4321, "that is all"))

    def test_messages_of_all_lengths(self):
        socket = Client(self.echo())
        for count in (0, 1, 2, 3, 4, 5, 125, 126, 127, 65535, 65536, 300_001):
            data = os.urandom(count)
            socket.frame(BINARY, data)
            self.assertEqual(socket.read(), (BINARY, data))
            text = "\xe9" * count
            socket.frame(TEXT, text.encode())
            self.assertEqual(socket.read(), (TEXT, text.encode()))

    def test_frames_byte_by_byte(self):
        socket = Client(self.echo())
        frames = (framed(TEXT, b"a\xc3", final=False) + framed(PING, b"p") + framed(0, b"\xa9b")
                  + framed(BINARY, bytes(range(256))))
        for index in range(len(frames)):
            socket.caller.send(frames[index:index + 1])
        self.assertEqual(socket.read(), (PONG, b"p"))
        self.assertEqual(socket.read(), (TEXT, "a\xe9b".encode()))
        self.assertEqual(socket.read(), (BINARY, bytes(range(256))))

    def test_fragments_are_one_message(self):
        socket = Client(self.echo())
        socket.frame(BINARY, b"", final=False)
        for byte in b"abc":
            socket.frame(0, bytes((byte,)), final=False)
            socket.frame(0, b"", final=False)
            socket.frame(PING, b"between")
            self.assertEqual(socket.read(), (PONG, b"between"))
        socket.frame(0, b"")
        self.assertEqual(socket.read(), (BINARY, b"abc"))

    def test_what_comes_with_the_handshake(self):
        instance = self.echo()
        caller = instance.connect()
        caller.send(request("/") + framed(TEXT, b"early"))
        self.assertEqual(caller.head()[0], 101)
        self.assertEqual(read_frame(caller), (TEXT, b"early"))

    def test_pings_are_answered_while_the_application_waits(self):
        instance = self.echo()
        slow = Client(instance, "/slow")
        slow.frame(TEXT, b"later")
        slow.frame(PING, b"there")
        self.assertEqual(slow.read(), (PONG, b"there"))
        Client(instance, "/go")
        self.assertEqual(slow.read(), (TEXT, b"later"))

    def test_a_caller_who_sends_too_much_is_held_up(self):
        instance = self.echo()
        slow = Client(instance, "/slow")
        piece, sent = framed(BINARY, bytes(65536)), 0
        slow.caller.socket.setblocking(False)
        rest = piece
        # Until nothing is taken any more, for so long that it will not be.
        while sent < 64 << 20 and can_be_written(slow.caller.socket):
            count = slow.caller.socket.send(rest)
            sent += count
            rest = rest[count:] or piece
        self.assertLess(sent, 4 << 20)
        slow.caller.socket.settimeout(60)
        Client(instance, "/go")
        whole = sent // len(piece)
        for _ in range(whole):
            self.assertEqual(len(slow.read()[1]), 65536)

    def test_hostile_frames(self):
        instance = self.echo(environment={"STOKER_WEBSOCKET_BYTES": "70000"})
        mask = b"\0\0\0\0"
        for what, frames, code in (
            ("reserved bit 1", b"\xc1\x80" + mask, 1002),
            ("reserved bit 2", b"\xa1\x80" + mask, 1002),
            ("reserved bit 3", b"\x91\x80" + mask, 1002),
            ("reserved bit of a control frame", b"\xc9\x80" + mask, 1002),
            ("opcode 3", b"\x83\x80" + mask, 1002),
            ("opcode 7", b"\x87\x80" + mask, 1002),
            ("opcode 11", b"\x8b\x80" + mask, 1002),
            ("opcode 15", b"\x8f\x80" + mask, 1002),
            ("unmasked", b"\x81\x01a", 1002),
            ("unmasked ping", b"\x89\x00", 1002),
            ("long ping", framed(PING, bytes(126)), 1002),
            ("long close", framed(CLOSE, b"\x03\xe8" + bytes(124)), 1002),
            ("fragmented ping", framed(PING, b"", final=False), 1002),
            ("continuation of nothing", framed(0, b"a"), 1002),
            ("a message in a message", framed(TEXT, b"a", final=False) + framed(TEXT, b"b"), 1002),
            ("a length that is not the shortest", b"\x82\xfe\x00\x01" + mask + b"a", 1002),
            ("the same in eight bytes", b"\x82\xff" + (1000).to_bytes(8, "big") + mask, 1002),
            ("a length of 64 bits", b"\x82\xff" + b"\xff" * 8 + mask, 1002),
            ("too long", b"\x82\xff" + (70001).to_bytes(8, "big") + mask, 1009),
            ("too long in all", framed(TEXT, bytes(70000), final=False) + framed(0, b"a"), 1009),
            ("no UTF-8", framed(TEXT, b"\xff"), 1007),
            ("an overlong form", framed(TEXT, b"\xc0\xaf"), 1007),
            ("a surrogate", framed(TEXT, b"\xed\xa0\x80"), 1007),
            ("beyond Unicode", framed(TEXT, b"\xf4\x90\x80\x80"), 1007),
            ("half a character", framed(TEXT, b"a\xc3"), 1007),
            ("no UTF-8 before the end", framed(TEXT, b"a\xff", final=False), 1007),
            ("half a character at the end of fragments",
             framed(TEXT, b"a", final=False) + framed(0, b"\xc3"), 1007),
            ("a close of one byte", framed(CLOSE, b"\x03"), 1002),
            ("the close code 1005", framed(CLOSE, b"\x03\xed"), 1002),
            ("the close code 999", framed(CLOSE, b"\x03\xe7"), 1002),
            ("the close code 2999", framed(CLOSE, b"\x0b\xb7"), 1002),
            ("the close code 5000", framed(CLOSE, b"\x13\x88"), 1002),
            ("a reason that is no UTF-8", framed(CLOSE, b"\x03\xe8\xff"), 1007),
        ):
            with self.subTest(what=what):
                socket = Client(instance)
                socket.frame(TEXT, b"before")
                self.assertEqual(socket.read(), (TEXT, b"before"))
                socket.caller.send(frames + framed(TEXT, b"behind"))
                self.assertEqual(socket.closed()[0], code)
        # It goes on for others.
        socket = Client(instance)
        socket.frame(BINARY, bytes(70000))
        self.assertEqual(socket.read(), (BINARY, bytes(70000)))
        socket.caller.close()
        self.assertEqual(instance.stop(), 0)
        self.assertEqual(self.logged().count("cannot send any more"), 34)
        self.assertNotIn("Traceback", self.logged())

    def test_close_codes_reach_the_application(self):
        instance = self.echo()
        for payload, answer, told in (
            (b"\x03\xe8", 1000, "1000 ''"), (b"\x0f\xa2enough", 4002, "4002 'enough'"),
            (b"", None, "1005 ''"),
        ):
            socket = Client(instance)
            socket.frame(CLOSE, payload)
            self.assertEqual(socket.closed()[0], answer)
            Client(instance, "/refuse", status=403)
        socket = Client(instance)
        socket.frame(TEXT, b"a")
        self.assertEqual(socket.read(), (TEXT, b"a"))
        socket.caller.close()
        # What was sent just before the end is read.
        gone = Client(instance)
        gone.caller.send(framed(CLOSE, b"\x0f\xa3"))
        gone.caller.close()
        self.assertEqual(instance.stop(), 0)
        for words in ("left / 1000 ''", "left / 4002 'enough'", "left / 1005 ''", "left / 1006 ''",
                      "left / 4003 ''", "then {'type': 'websocket.disconnect', 'code': 1006"):
            self.assertIn(words, self.logged())

    def test_refusals(self):
        instance = self.echo()
        Client(instance, "/refuse", status=403)
        denied = Client(instance, "/deny", status=402)
        self.assertEqual(denied.answer.headers["x-why"], "money")
        self.assertEqual(denied.answer.text, "pay first")
        for path in ("/fail-early", "/nothing", "/protocol"):
            Client(instance, path, status=500)
        never = instance.connect()
        never.send(request("/never"))
        never.close()
        self.assertEqual(instance.stop(), 0)
        self.assertIn("neither accepted nor refused", self.logged())
        self.assertIn("is none that the caller asked for", self.logged())

    def test_handshakes_that_are_none(self):
        instance = self.echo()
        key = "dGhlIHNhbXBsZSBub25jZQ=="
        upgrade = "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
        for what, method, headers, status in (
            ("no key", "GET", upgrade + "Sec-WebSocket-Version: 13\r\n", 400),
            ("a short key", "GET", upgrade + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: YQ==\r\n", 400),
            ("two keys", "GET", upgrade + "Sec-WebSocket-Version: 13\r\n"
             + ("Sec-WebSocket-Key: %s\r\n" % key) * 2, 400),
            ("another version", "GET", upgrade + "Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: %s\r\n" % key, 400),
            ("another method", "PUT", upgrade + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n" % key, 400),
            # An ordinary request, which this application does not know.
            ("no option of the connection", "GET", "Upgrade: websocket\r\n", 500),
            ("another protocol", "GET", "Connection: upgrade\r\nUpgrade: other\r\n", 500),
        ):
            with self.subTest(what=what):
                answer = instance.get("/", headers, method)
                self.assertEqual(answer.status, status)
                if what == "another version":
                    self.assertEqual(answer.headers["sec-websocket-version"], "13")

    def test_the_applications_end(self):
        instance = self.echo()
        for path, code in (("/return", 1000), ("/fail", 1011)):
            socket = Client(instance, path)
            self.assertEqual(socket.closed()[0], code)
        wrong = Client(instance, "/wrong")
        for words in ("both bytes and text, or neither", "out of turn", "both bytes and text, or neither",
                      "none that may be sent"):
            data = wrong.read()[1].decode()
            if words == "out of turn":
                words = "accepted or refused"
            self.assertIn(words, data)
        self.assertEqual(wrong.closed()[0], 1000)
        self.assertEqual(instance.stop(), 0)
        self.assertIn("RuntimeError: late", self.logged())
        self.assertIn("came after websocket.close", self.logged())

    def test_the_end_of_the_instance(self):
        instance = self.echo()
        open_ones = [Client(instance), Client(instance, "/slow")]
        instance.process.send_signal(signal.SIGTERM)
        for one in open_ones[:1]:
            self.assertEqual(one.read_close(), (1012, "the instance ends"))
            one.frame(CLOSE, b"\x03\xf4")
            self.assertTrue(one.caller.ended())
        # One that does not answer is cut off, one whose application does not end holds it up.
        self.assertEqual(open_ones[1].read_close(), (1012, "the instance ends"))
        self.assertTrue(open_ones[1].caller.ended())
        self.assertIsNone(instance.process.poll())
        self.assertIn("left / 1012 'the instance ends'", self.logged())

    @unittest.skipUnless(importlib.util.find_spec("starlette"), "scripts/setup-tests installs it")
    def test_starlette(self):
        instance = self.serve("""
            from starlette.applications import Starlette
            from starlette.responses import PlainTextResponse
            from starlette.routing import WebSocketRoute
            from starlette.websockets import WebSocketDisconnect

            async def talk(socket):
                if "token" not in socket.query_params:
                    return await socket.send_denial_response(PlainTextResponse("who", 401))
                await socket.accept(subprotocol="chat")
                try:
                    while True:
                        await socket.send_json({"got": await socket.receive_json()})
                except WebSocketDisconnect as end:
                    print("left", end.code, end.reason, flush=True)

            app = Starlette(routes=[WebSocketRoute("/talk", talk)])
        """, "main:app", concurrency=4)
        socket = Client(instance, "/talk?token=1", "Sec-WebSocket-Protocol: chat\r\n")
        socket.frame(TEXT, b'{"a":1}')
        self.assertEqual(socket.read(), (TEXT, b'{"got":{"a":1}}'))
        socket.frame(CLOSE, b"\x0f\xa0bye")
        self.assertEqual(socket.closed()[0], 4000)
        self.assertEqual(Client(instance, "/talk", status=401).answer.text, "who")
        Client(instance, "/nowhere", status=403)
        self.assertEqual(instance.stop(), 0)
        self.assertIn("left 4000 bye", self.logged())


class Client:
    """The caller's side of a WebSocket, which sends any frame."""

    def __init__(self, instance, target="/", headers="", status=101):
        self.caller = instance.connect()
        key = base64.b64encode(os.urandom(16))
        self.caller.send(request(target, headers, key))
        if status != 101:
            self.answer = self.caller.answer()
            assert self.answer.status == status, (self.answer.status, self.answer.text)
            return
        found, fields = self.caller.head()
        assert found == 101, found
        self.fields = dict(fields)
        wanted = base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()
        assert self.fields["sec-websocket-accept"] == wanted

    def frame(self, opcode, payload, final=True):
        """Sends a frame."""
        self.caller.send(framed(opcode, payload, final))

    def read(self):
        """The next frame's opcode and payload."""
        return read_frame(self.caller)

    def read_close(self):
        """The close frame that comes next: its code and reason."""
        opcode, payload = self.read()
        assert opcode == CLOSE, (opcode, payload)
        return int.from_bytes(payload[:2], "big") if payload else None, payload[2:].decode()

    def closed(self):
        """The same, and it is answered."""
        code, reason = self.read_close()
        try:
            self.frame(CLOSE, code.to_bytes(2, "big") if code else b"")
        except OSError:
            pass
        assert self.caller.ended()
        self.caller.close()
        return code, reason


def request(target, headers="", key=b"dGhlIHNhbXBsZSBub25jZQ=="):
    """A handshake."""
    return (
        "GET %s HTTP/1.1\r\nHost: example.org:8080\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n%s\r\n"
        % (target, key.decode(), headers)).encode()


def framed(opcode, payload, final=True):
    """A frame of a client."""
    count = len(payload)
    head = bytes((opcode | (0x80 if final else 0),))
    if count < 126:
        head += bytes((0x80 | count,))
    elif count < 1 << 16:
        head += b"\xfe" + count.to_bytes(2, "big")
    else:
        head += b"\xff" + count.to_bytes(8, "big")
    mask = os.urandom(4)
    return head + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


def read_frame(caller):
    """A frame of the server: whole, unmasked, in its shortest form."""
    first, second = caller.exactly(2)
    assert first & 0xF0 == 0x80, first
    count = second
    if second == 126:
        count = int.from_bytes(caller.exactly(2), "big")
        assert count > 125
    elif second == 127:
        count = int.from_bytes(caller.exactly(8), "big")
        assert count > 65535
    return first & 0x0F, caller.exactly(count)


def can_be_written(one):
    """Whether a socket takes bytes, or does within a second: the time is the subject."""
    return bool(select.select((), (one,), (), 1.0)[1])


if __name__ == "__main__":
    unittest.main()
