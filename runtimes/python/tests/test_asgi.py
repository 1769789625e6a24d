"""ASGI 3."""

import importlib.util
import unittest

from support import Site


class AsgiTests(Site):
    """ASGI applications."""

    def test_scope_and_messages(self):
        instance = self.serve("""
            import json

            def plain(value):
                if isinstance(value, bytes):
                    return value.decode("latin-1")
                if isinstance(value, dict):
                    return {key: plain(one) for key, one in value.items()}
                return [plain(one) for one in value] if isinstance(value, (list, tuple)) else value

            async def app(scope, receive, send):
                if scope["type"] == "lifespan":
                    await receive()
                    scope["state"]["pool"] = "open"
                    await send({"type": "lifespan.startup.complete"})
                    await receive()
                    print("shut down", flush=True)
                    return await send({"type": "lifespan.shutdown.complete"})
                messages = [await receive()]
                while messages[-1]["more_body"]:
                    messages.append(await receive())
                scope["state"]["mine"] = scope["state"].get("mine", 0) + 1
                body = json.dumps({"scope": plain(scope), "messages": plain(messages)}).encode()
                await send({"type": "http.response.start", "status": 299,
                            "headers": [(b"X-Case", b"\\xe9")]})
                await send({"type": "http.response.body", "body": body})
        """, "main:app")
        for _ in range(2):
            answer = instance.get(
                "/a%20b/%C3%A9?q=1%20", "X-Two: 1\r\nx-two: 2\r\nX-Forwarded-Proto: https\r\n"
                "X-Forwarded-For: 203.0.113.9, 192.0.2.1\r\n", "POST", b"body")
            self.assertEqual((answer.status, answer.headers["x-case"]), (299, "\xe9"))
            told = answer.json()
            scope = told["scope"]
            headers = [pair for pair in scope.pop("headers") if pair[0] == "x-two"]
            self.assertEqual(headers, [["x-two", "1"], ["x-two", "2"]])
            self.assertEqual(scope, {
                "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"},
                "http_version": "1.1", "method": "POST", "scheme": "https", "path": "/a b/\xe9",
                "raw_path": "/a%20b/%C3%A9", "query_string": "q=1%20", "root_path": "",
                "client": ["192.0.2.1", 0], "server": ["example.org", 8080],
                "state": {"pool": "open", "mine": 1}})
            self.assertEqual(
                told["messages"], [{"type": "http.request", "body": "body", "more_body": False}])
        self.assertEqual(instance.stop(), 0)
        self.assertIn("shut down", self.logged())

    def test_both_ways_stream_at_once(self):
        instance = self.serve("""
            async def app(scope, receive, send):
                assert scope["type"] == "http"
                await send({"type": "http.response.start", "status": 200, "headers": []})
                more = True
                while more:
                    message = await receive()
                    more = message["more_body"]
                    await send({"type": "http.response.body", "body": message["body"],
                                "more_body": True})
                await send({"type": "http.response.body"})
                assert (await receive())["type"] == "http.disconnect"
                print("saw the end", flush=True)
        """, "main:app")
        caller = instance.connect()
        caller.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in range(5):
            caller.send(b"1\r\n%d\r\n" % number)
            if number == 0:
                self.assertEqual(caller.head()[0], 200)
            self.assertEqual(caller.chunk(), b"%d" % number)
        caller.send(b"0\r\n\r\n")
        self.assertEqual(caller.chunk(), b"")
        self.assertEqual(instance.stop(), 0)
        self.assertIn("saw the end", self.logged())

    def test_an_application_sees_its_caller_leave(self):
        instance = self.serve("""
            import asyncio
            gone = None

            async def app(scope, receive, send):
                global gone
                assert scope["type"] == "http"
                gone = gone or asyncio.Event()
                if scope["path"] == "/gone":
                    await gone.wait()
                    await send({"type": "http.response.start", "status": 200, "headers": []})
                    return await send({"type": "http.response.body", "body": b"seen"})
                await send({"type": "http.response.start", "status": 200, "headers": []})
                await send({"type": "http.response.body", "body": b"x", "more_body": True})
                assert (await receive())["type"] == "http.request"
                assert (await receive())["type"] == "http.disconnect"
                try:
                    while True:
                        await send({"type": "http.response.body", "body": b"x", "more_body": True})
                except OSError:
                    gone.set()
        """, "main:app")
        caller = instance.connect()
        caller.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual(caller.head()[0], 200)
        caller.close()
        self.assertEqual(instance.get("/gone").text, "seen")

    def test_messages_out_of_order_are_failures(self):
        instance = self.serve("""
            async def app(scope, receive, send):
                assert scope["type"] == "http"
                start = {"type": "http.response.start", "status": 200, "headers": []}
                body = {"type": "http.response.body", "body": b"x"}
                for message in {
                    "/body-first": [body],
                    "/start-twice": [start, start],
                    "/unknown": [{"type": "http.response.trailers"}],
                    "/nothing": [],
                    "/only-start": [start],
                    "/text": [start, {"type": "http.response.body", "body": "x"}],
                    "/status": [{"type": "http.response.start", "status": "200"}],
                    "/after-end": [start, body, body],
                }[scope["path"]]:
                    await send(message)
        """, "main:app")
        for path in ("/body-first", "/start-twice", "/unknown", "/nothing", "/only-start", "/text",
                     "/status"):
            with self.subTest(path=path):
                self.assertEqual(instance.get(path).status, 500)
        self.assertEqual(instance.get("/after-end").text, "x")
        # What comes behind an answer may be logged behind it.
        self.assertEqual(instance.stop(), 0)
        for words in ("came before http.response.start", "was sent twice", "before its answer was",
                      "no bytes but str", "after the end of the answer"):
            self.assertIn(words, self.logged())

    def test_a_startup_that_fails_ends_the_instance(self):
        instance = self.serve("""
            async def app(scope, receive, send):
                await receive()
                await send({"type": "lifespan.startup.failed", "message": "no database"})
        """, "main:app")
        self.assertEqual(instance.process.wait(60), 1)
        self.assertIn("stoker: the application's startup failed: no database\n", self.logged())

    def test_requests_run_at_once(self):
        instance = self.serve("""
            import asyncio
            seen, all_here = 0, None

            async def handler(request):
                global seen, all_here
                # Not at import: before Python 3.10 it belongs to the loop of that moment.
                all_here = all_here or asyncio.Event()
                seen += 1
                if seen == 20:
                    all_here.set()
                await all_here.wait()
                return str(seen)
        """, concurrency=20)
        callers = [instance.connect() for _ in range(20)]
        for caller in callers:
            caller.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual({caller.answer().text for caller in callers}, {"20"})

    @unittest.skipUnless(importlib.util.find_spec("starlette"), "scripts/setup-tests installs it")
    def test_starlette(self):
        instance = self.serve("""
            import contextlib
            from starlette.applications import Starlette
            from starlette.background import BackgroundTask
            from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
            from starlette.routing import Route

            @contextlib.asynccontextmanager
            async def lifespan(app):
                yield {"pool": "open"}
                print("closed the pool", flush=True)

            async def add(request):
                value = await request.json()
                return JSONResponse({"sum": value["a"] + 1, "url": str(request.url),
                                     "pool": request.state.pool})

            async def pieces():
                for number in range(5):
                    yield b"%d," % number

            async def stream(request):
                return StreamingResponse(pieces(), background=BackgroundTask(print, "background"))

            def blocking(request):
                return PlainTextResponse(request.query_params["a"])

            app = Starlette(lifespan=lifespan, routes=[
                Route("/add", add, methods=["POST"]), Route("/stream", stream),
                Route("/blocking", blocking)])
        """, "main:app", concurrency=4)
        self.assertEqual(
            instance.get("/add", "", "POST", b'{"a": 2}').json(),
            {"sum": 3, "url": "http://example.org:8080/add", "pool": "open"})
        self.assertEqual(instance.get("/stream").text, "0,1,2,3,4,")
        self.assertEqual(instance.get("/blocking?a=b").text, "b")
        self.assertEqual(instance.get("/nowhere").status, 404)
        self.assertEqual(instance.stop(), 0)
        self.assertIn("closed the pool", self.logged())
        self.assertIn("background", self.logged())


if __name__ == "__main__":
    unittest.main()
