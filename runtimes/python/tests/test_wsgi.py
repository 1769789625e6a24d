"""WSGI (PEP 3333)."""

import importlib.util
import unittest

from support import Site


class WsgiTests(Site):
    """WSGI applications."""

    def test_the_validator_is_content(self):
        instance = self.serve("""
            from wsgiref.validate import validator

            def application(environ, start_response):
                body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
                for line in iter(environ["wsgi.input"].readline, b""):
                    body += line
                environ["wsgi.errors"].write("a line\\n")
                write = start_response("201 Made", [("Content-Type", "text/plain")])
                if environ["PATH_INFO"] == "/write":
                    write(b"first ")
                return iter([body, b"!"])

            app = validator(application)
        """, "main:app", "wsgi", concurrency=2)
        for target in ("/", "/write?a=b", "/%C3%A9?x"):
            for method, body in (("GET", b""), ("POST", b"some\nlines\n"), ("HEAD", b"")):
                with self.subTest(target=target, method=method):
                    headers = "" if not body else "Content-Type: text/plain\r\n"
                    answer = instance.get(target, headers, method, body)
                    self.assertEqual(answer.status, 201, self.logged())
                    wanted = (b"first " if "write" in target else b"") + body + b"!"
                    self.assertEqual(answer.body, b"" if method == "HEAD" else wanted)
        self.assertNotIn("Error", self.logged())
        self.assertIn("a line", self.logged())

    def test_the_environ_says_what_the_gateway_says(self):
        instance = self.serve("""
            import json

            def app(environ, start_response):
                plain = {k: v for k, v in environ.items() if isinstance(v, (str, bool))}
                start_response("200 OK", [])
                return [json.dumps(plain).encode()]
        """, "main:app", concurrency=3)
        environ = instance.get(
            "/a%2Fb%20c?q=%20", "X-Forwarded-For: 203.0.113.9, 192.0.2.1\r\n"
            "X-Forwarded-Proto: https\r\nCookie: a=1\r\nCookie: b=2\r\nX-Two: 1\r\nx-two: 2\r\n"
            "X_Forwarded_For: 6.6.6.6\r\n").json()
        for name, value in {
            "REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": "/a/b c",
            "QUERY_STRING": "q=%20", "SERVER_NAME": "example.org", "SERVER_PORT": "8080",
            "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "192.0.2.1", "wsgi.url_scheme": "https",
            "HTTP_COOKIE": "a=1; b=2", "HTTP_X_TWO": "1,2", "wsgi.multithread": True,
            "HTTP_X_FORWARDED_FOR": "203.0.113.9, 192.0.2.1",
        }.items():
            self.assertEqual(environ.get(name), value, name)
        self.assertNotIn("CONTENT_LENGTH", environ)
        self.assertNotIn("HTTP_CONTENT_TYPE", environ)

    def test_pieces_go_out_as_they_come_and_close_is_called(self):
        instance = self.serve("""
            import sys, threading
            go = threading.Event()

            class Pieces:
                def __iter__(self):
                    yield b""
                    yield b"one"
                    go.wait(60)
                    yield b"two"
                def close(self):
                    print("was closed", file=sys.stderr)

            def app(environ, start_response):
                if environ["PATH_INFO"] == "/go":
                    go.set()
                    start_response("204 None", [])
                    return []
                if environ["PATH_INFO"] == "/file":
                    start_response("200 OK", [])
                    return environ["wsgi.file_wrapper"](open(__file__, "rb"), 100)
                start_response("200 OK", [("Connection", "keep-alive")])
                return Pieces()
        """, "main:app", concurrency=2)
        caller = instance.connect()
        caller.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual(caller.head()[0], 200)
        self.assertEqual(caller.chunk(), b"one")
        self.assertEqual(instance.get("/go").status, 204)
        self.assertEqual((caller.chunk(), caller.chunk()), (b"two", b""))
        self.assertIn(b"was closed", instance.get("/file").body)
        self.assertEqual(instance.stop(), 0)
        self.assertEqual(self.logged().count("was closed\n"), 1)

    def test_errors_after_start_response(self):
        instance = self.serve("""
            import sys

            def app(environ, start_response):
                path = environ["PATH_INFO"]
                if path == "/twice":
                    start_response("200 OK", [])
                    start_response("200 OK", [])
                if path == "/replace":
                    start_response("200 OK", [("X-Old", "1")])
                    try:
                        raise KeyError("x")
                    except KeyError:
                        start_response("503 Replaced", [("X-New", "1")], sys.exc_info())
                    return [b"replaced"]
                if path == "/late":
                    write = start_response("200 OK", [])
                    write(b"begun")
                    try:
                        raise KeyError("x")
                    except KeyError:
                        start_response("500 No", [], sys.exc_info())
                if path == "/long":
                    start_response("200 OK", [("Content-Length", "2")])
                    return [b"abc"]
                if path == "/short":
                    start_response("200 OK", [("Content-Length", "5")])
                    return iter([b"abc"])
                if path == "/brief":
                    start_response("200 OK", [("Content-Length", "5")])
                    return [b"abc"]
                if path == "/header":
                    start_response("200 OK", [("X", "a\\r\\nInjected: 1")])
                if path == "/status":
                    start_response("200", [])
                    return [b"fine"]
                if path == "/str":
                    start_response("200 OK", [])
                    return ["text"]
                return [b"never started"]
        """, "main:app")
        replaced = instance.get("/replace")
        self.assertEqual((replaced.status, replaced.text), (503, "replaced"))
        self.assertEqual(("x-new" in replaced.headers, "x-old" in replaced.headers), (True, False))
        self.assertEqual(instance.get("/status").text, "fine")
        for path in ("/twice", "/long", "/brief", "/header", "/str", "/none"):
            with self.subTest(path=path):
                answer = instance.get(path)
                self.assertEqual((answer.status, answer.text), (500, "the function failed\n"))
        for path, begun in (("/late", b"5\r\nbegun\r\n"), ("/short", b"abc")):
            with self.subTest(path=path):
                caller = instance.connect()
                caller.send(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % path.encode())
                self.assertEqual(caller.head()[0], 200)
                self.assertEqual(caller.exactly(len(begun)), begun)
                self.assertTrue(caller.ended())

    @unittest.skipUnless(importlib.util.find_spec("flask"), "scripts/setup-tests installs it")
    def test_flask(self):
        instance = self.serve("""
            from flask import Flask, request, jsonify, Response

            def create():
                app = Flask("main")

                @app.post("/sum/<int:a>")
                def add(a):
                    return jsonify(sum=a + request.get_json()["b"], url=request.url)

                @app.get("/stream")
                def stream():
                    return Response((b"%d," % n for n in range(5)), mimetype="text/plain")

                @app.post("/form")
                def form():
                    return request.form["name"]

                return app
        """, "main:create()", concurrency=4)
        answer = instance.get("/sum/2", "Content-Type: application/json\r\n", "POST", b'{"b": 3}')
        self.assertEqual(answer.json(), {"sum": 5, "url": "http://example.org:8080/sum/2"})
        self.assertEqual(instance.get("/stream").text, "0,1,2,3,4,")
        kind = "Content-Type: application/x-www-form-urlencoded\r\n"
        self.assertEqual(instance.get("/form", kind, "POST", b"name=Ada+L").text, "Ada L")
        chunked = instance.connect()
        chunked.send(b"POST /form HTTP/1.1\r\nHost: a\r\n" + kind.encode() +
                     b"Transfer-Encoding: chunked\r\n\r\n8\r\nname=Eve\r\n0\r\n\r\n")
        self.assertEqual(chunked.answer().text, "Eve")


if __name__ == "__main__":
    unittest.main()
