"""What every interface has in common: HTTP/1.1 on the connection, for threads and for coroutines."""

import unittest

from support import Site

ECHO = '''
    import hashlib, os

    def handler(request):
        if request.path == "/length":
            return str(sum(len(piece) for piece in request.stream()))
        if request.path == "/ignore":
            return "ignored"
        if request.path == "/big":
            return (b"x" * 65536 for _ in range(800))
        if request.path == "/fail":
            raise RuntimeError("a secret")
        if request.path == "/break":
            return broken()
        return {"method": request.method, "path": request.path, "query": request.query,
                "body": request.text(), "pid": os.getpid()}

    def broken():
        yield b"a part"
        raise RuntimeError("half way")

    async def ahandler(request):
        return handler(request)

    async def asgi(scope, receive, send):
        if scope["type"] == "lifespan":
            raise NotImplementedError
        start = {"type": "http.response.start", "status": 200, "headers": []}
        if scope["path"] == "/ignore":
            await send(start)
            return await send({"type": "http.response.body", "body": b"ignored"})
        if scope["path"] == "/big":
            await send(start)
            for _ in range(800):
                await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
            return await send({"type": "http.response.body"})
        if scope["path"] == "/fail":
            raise RuntimeError("a secret")
        if scope["path"] == "/break":
            await send(start)
            await send({"type": "http.response.body", "body": b"a part", "more_body": True})
            raise RuntimeError("half way")
        more, length = True, 0
        body = b""
        while more:
            message = await receive()
            length += len(message["body"])
            if scope["path"] != "/length":
                body += message["body"]
            more = message["more_body"]
        if scope["path"] == "/length":
            answer = str(length).encode()
        else:
            import json
            answer = json.dumps({"method": scope["method"], "path": scope["path"],
                "body": body.decode(), "query": {}, "pid": os.getpid()}).encode()
        await send(start)
        await send({"type": "http.response.body", "body": answer})
'''

# What no server may read in one way while a proxy before it reads it in another (RFC 9112).
AMBIGUOUS = (
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1_0\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \xb2\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n", 501),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", 501),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 501),
    (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\nb: c\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX\xa0: a\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\n: a\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nX: a\r\n\r\n", 400),
    (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    (b"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    (b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400),
    (b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nExpect: something\r\n\r\n", 417),
    (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 2000 + b"\r\n", 431),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 1_200_000, 431),
)
BAD_CHUNKS = (
    b"x\r\n", b"1 \r\n", b"-1\r\n", b"0x1\r\n", b" 1\r\n", b"\r\n", b"1\n", b"1;a\rb\r\n", b"1\r\naab",
    b"fffffffffffffffff\r\n", b"1;" + b"e" * 5000, b"1\r\na\r\n0\r\n" + b"t: v\r\n" * 20000,
)


class Common:
    """The tests; `handler` names what is served."""

    handler = None

    def echo(self, **how):
        return self.serve(ECHO, "main:" + self.handler, **how)

    def test_requests_follow_each_other_on_a_connection(self):
        caller = self.echo().connect()
        for number in range(5):
            body = b"b" * number
            caller.send(b"PUT /%d HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n%b" % (
                number, number, body))
            answer = caller.answer()
            self.assertEqual((answer.status, answer.json()["path"]), (200, "/%d" % number))
            self.assertEqual(answer.json()["body"], body.decode())

    def test_pipelined_requests_are_answered_in_order(self):
        caller = self.echo(concurrency=4).connect()
        one = b"POST /%d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n%d\r\n0\r\n\r\n"
        caller.send(b"".join(one % (number, number) for number in range(9)))
        for number in range(9):
            answer = caller.answer().json()
            self.assertEqual((answer["path"], answer["body"]), ("/%d" % number, str(number)))

    def test_a_request_may_come_byte_by_byte(self):
        caller = self.echo().connect()
        for byte in (b"\r\nPOST /slow HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                     b"3;x=y\r\nabc\r\n2\r\nde\r\n0\r\ntrailer: t\r\n\r\n"):
            caller.send(bytes((byte,)))
        self.assertEqual(caller.answer().json()["body"], "abcde")
        caller.send(b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual(caller.answer().json()["path"], "/next")

    def test_ambiguous_requests_are_refused(self):
        instance = self.echo()
        for request, status in AMBIGUOUS:
            with self.subTest(request=request[:100]):
                caller = instance.connect()
                try:
                    caller.send(request)
                except BrokenPipeError:
                    pass
                self.assertEqual(caller.answer().status, status)
                self.assertTrue(caller.ended())
        for chunks in BAD_CHUNKS:
            with self.subTest(chunks=chunks[:50]):
                caller = instance.connect()
                head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                try:
                    caller.send(head + chunks)
                except BrokenPipeError:
                    pass
                self.assertIn(caller.answer().status, (400, 431))
                self.assertTrue(caller.ended())
        self.assertEqual(instance.get("/fine").status, 200)

    def test_connections_close_when_they_are_asked_to(self):
        instance = self.echo()
        for request, stays in (
            (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", False),
            (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: x, CLOSE\r\n\r\n", False),
            (b"GET / HTTP/1.0\r\n\r\n", False),
            (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", True),
        ):
            with self.subTest(request=request):
                caller = instance.connect()
                caller.send(request)
                answer = caller.answer()
                self.assertEqual(answer.status, 200)
                self.assertEqual("close" != answer.headers.get("connection"), stays)
                if not stays:
                    self.assertTrue(caller.ended())

    def test_head_has_the_length_and_no_body(self):
        caller = self.echo().connect()
        caller.send(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\nGET /after HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual(caller.answer("HEAD").status, 200)
        self.assertEqual(caller.answer().json()["path"], "/after")

    def test_a_caller_who_expects_is_told_to_go_on(self):
        caller = self.echo().connect()
        caller.send(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n")
        self.assertEqual(caller.line(), b"HTTP/1.1 100 Continue")
        self.assertEqual(caller.line(), b"")
        caller.send(b"hi")
        self.assertEqual(caller.answer().json()["body"], "hi")

    def test_a_big_body_passes_in_constant_memory(self):
        instance = self.echo()
        pid = instance.get("/").json()["pid"]
        before = peak_bytes(pid)
        caller = instance.connect()
        caller.send(b"POST /length HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        piece = b"100000\r\n" + b"x" * 1048576 + b"\r\n"
        for _ in range(50):
            caller.send(piece)
        caller.send(b"0\r\n\r\n")
        self.assertEqual(caller.answer().text, str(50 * 1048576))
        caller.send(b"POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 52428800\r\n\r\n")
        for _ in range(50):
            caller.send(piece[8:-2])
        self.assertEqual(caller.answer().text, str(50 * 1048576))
        self.assertLess(peak_bytes(pid) - before, 8 * 1048576)

    def test_a_slow_reader_holds_up_the_answer_not_the_memory(self):
        instance = self.echo(concurrency=2)
        pid = instance.get("/").json()["pid"]
        before = peak_bytes(pid)
        slow = instance.connect()
        slow.send(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual(slow.head()[0], 200)
        # Meanwhile others are served.
        self.assertEqual(instance.get("/other").json()["path"], "/other")
        self.assertEqual(slow.count_chunked(), 800 * 65536)
        self.assertLess(peak_bytes(pid) - before, 8 * 1048576)

    def test_a_body_that_nobody_read_does_not_disturb(self):
        instance = self.echo()
        caller = instance.connect()
        caller.send(b"POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nGET /GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual(caller.answer().text, "ignored")
        self.assertEqual(caller.answer().json()["path"], "/")

    def test_failures_are_told_without_leaking(self):
        instance = self.echo()
        answer = instance.get("/fail")
        self.assertEqual((answer.status, answer.text), (500, "the function failed\n"))
        self.assertIn("RuntimeError: a secret", self.logged())
        self.assertNotIn("connection.py", self.logged())
        caller = instance.connect()
        caller.send(b"GET /break HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual(caller.head()[0], 200)
        self.assertEqual(caller.chunk(), b"a part")
        # Without the last chunk: nobody may take it for a whole answer.
        self.assertTrue(caller.ended())
        self.assertEqual(instance.get("/fine").status, 200)

    def test_a_caller_who_leaves_does_no_harm(self):
        instance = self.echo()
        for request in (b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n", b"GET / HT",
                        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc"):
            caller = instance.connect()
            caller.send(request)
            caller.close()
        self.assertEqual(instance.get("/fine").status, 200)
        self.assertEqual(instance.stop(), 0)

    def test_what_was_asked_before_the_end_is_answered(self):
        instance = self.echo(concurrency=3)
        idle = instance.connect()
        idle.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        idle.answer()
        busy = instance.connect()
        busy.send(b"POST /late HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        # The handler reads the body now.
        self.assertEqual(busy.line(), b"HTTP/1.1 100 Continue")
        busy.line()
        instance.process.terminate()
        self.assertTrue(idle.ended())
        busy.send(b"late")
        answer = busy.answer()
        self.assertEqual(answer.json()["body"], "late")
        self.assertEqual(answer.headers["connection"], "close")
        self.assertEqual(instance.process.wait(60), 0)

    def test_the_environment_has_nothing_of_ours(self):
        self.module("""
            import os
            SEEN = sorted(name for name in os.environ if name.startswith(("STOKER", "LISTEN")))
        """, "seen.py")
        instance = self.serve("""
            import seen
            def handler(request):
                return seen.SEEN
        """)
        self.assertEqual(instance.get().json(), [])


class ThreadTests(Common, Site):
    """A handler in threads."""

    handler = "handler"

    def test_as_many_requests_as_slots_at_once(self):
        instance = self.serve("""
            import threading
            meet = threading.Barrier(4)
            def handler(request):
                meet.wait(60)
                return threading.current_thread().name
        """, concurrency=4)
        callers = [instance.connect() for _ in range(4)]
        for _ in range(3):
            for caller in callers:
                caller.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            names = {caller.answer().text for caller in callers}
            self.assertEqual(len(names), 4)


class AsyncHandlerTests(Common, Site):
    """A handler that is a coroutine function."""

    handler = "ahandler"
    # Its body is read for it.
    test_a_big_body_passes_in_constant_memory = None


class AsgiTests(Common, Site):
    """An ASGI application."""

    handler = "asgi"


def peak_bytes(pid):
    """The most memory that a process had."""
    with open("/proc/%d/status" % pid) as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024


if __name__ == "__main__":
    unittest.main()
