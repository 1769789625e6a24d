"""`handler(request)`, and how interfaces are told apart."""

import functools
import sys
import unittest
from os.path import abspath, dirname

from support import Site

sys.path.append(dirname(dirname(abspath(__file__))))

from stoker_runtime.errors import UnusableHandler  # noqa: E402
from stoker_runtime.load import detect  # noqa: E402


ANSWERS = """
    from stoker_runtime import Response

    def stream():
        yield b"one "
        yield "two"

    async def later():
        yield b"late"

    ANSWERS = {
        "/str": "caf\\u00e9", "/bytes": b"\\x00", "/dict": {"a": [1]}, "/list": [1, "\\u00e9"],
        "/status": ("gone", 410), "/empty": ("", 204),
        "/headers": ("<p>", 200, {"Content-Type": "text/html", "Set-Cookie": ["a=1", "b=2"]}),
        "/pairs": (b"", 302, [("Location", "/x"), (b"X", b"y")]),
        "/response": Response({"a": 1}, 201, {"X-A": 5}),
        "/none": None, "/number": 5, "/three": (1, 2, 3, 4), "/code": ("", "200"),
        "/inject": ("", 200, {"X": "a\\r\\nB: c"}), "/informal": ("", 100),
    }

    def handler(request):
        if request.path == "/stream":
            return stream(), 200, {"content-type": "text/plain"}
        if request.path == "/later":
            return later()
        return ANSWERS[request.path]

    async def ahandler(request):
        return handler(request)

    async def astream(request):
        yield "a"
        yield b"b"
"""


class HandlerTests(Site):
    """What a handler gets and returns."""

    def test_what_a_handler_may_return(self):
        instance = self.serve(ANSWERS, "main:handler")
        other = self.serve(ANSWERS, "main:ahandler")
        for each in (instance, other):
            for path, status, text, kind in (
                ("/str", 200, "caf\xe9", "text/plain; charset=utf-8"),
                ("/bytes", 200, "\x00", "application/octet-stream"),
                ("/dict", 200, "{\"a\": [1]}", "application/json"),
                ("/list", 200, "[1, \"\\u00e9\"]", "application/json"),
                ("/status", 410, "gone", "text/plain; charset=utf-8"),
                ("/empty", 204, "", "text/plain; charset=utf-8"),
                ("/headers", 200, "<p>", "text/html"),
                ("/pairs", 302, "", None),
                ("/response", 201, "{\"a\": 1}", "application/json"),
                ("/stream", 200, "one two", "text/plain"),
            ):
                with self.subTest(path=path):
                    answer = each.get(path)
                    self.assertEqual((answer.status, answer.text), (status, text))
                    self.assertEqual(answer.headers.get("content-type"), kind)
            cookies = [pair for pair in each.get("/headers").fields if pair[0] == "set-cookie"]
            self.assertEqual(cookies, [("set-cookie", "a=1"), ("set-cookie", "b=2")])
            self.assertEqual(each.get("/response").headers["x-a"], "5")
            for path in ("/none", "/number", "/three", "/code", "/inject", "/informal"):
                with self.subTest(path=path):
                    self.assertEqual(each.get(path).status, 500)
        self.assertEqual(instance.get("/later").status, 500)
        self.assertEqual(other.get("/later").text, "late")
        self.assertIn("the handler returned NoneType; it may return str, bytes", self.logged())
        third = self.serve(ANSWERS, "main:astream")
        self.assertEqual(third.get().text, "ab")

    def test_what_a_request_says(self):
        instance = self.serve("""
            def handler(request):
                if request.path == "/json":
                    return {"value": request.json(), "text": request.text()}
                return {
                    "method": request.method, "path": request.path, "query": request.query,
                    "all": request.query.get_all("a"), "none": request.query.get("none"),
                    "header": request.headers["X-THING"], "has": "x-thing" in request.headers,
                    "things": request.headers.get_all("X-Thing"), "names": list(request.headers),
                    "missing": request.headers.get("missing", "-"), "body": len(request.body),
                    "client": request.client, "scheme": request.scheme,
                }
        """)
        told = instance.get(
            "/caf%C3%A9%2F?a=1&b=%26+&a=2&&c", "X-Thing: 1\r\nx-thing: 2\r\n"
            "X-Forwarded-For: 203.0.113.9, 192.0.2.1\r\nX-Forwarded-Proto: https\r\n").json()
        self.assertEqual(told, {
            "method": "GET", "path": "/caf\xe9/", "query": {"a": "1", "b": "& ", "c": ""},
            "all": ["1", "2"], "none": None, "header": "1, 2", "has": True, "things": ["1", "2"],
            "names": ["host", "x-thing", "x-forwarded-for", "x-forwarded-proto"], "missing": "-",
            "body": 0, "client": "192.0.2.1", "scheme": "https"})
        told = instance.get("/json", "Content-Type: text/plain; Charset=\"latin-1\"\r\n", "POST",
                            b'{"a": "\xc3\xa9"}').json()
        self.assertEqual(told, {"value": {"a": "\xe9"}, "text": '{"a": "\xc3\xa9"}'})
        self.assertEqual(instance.get("/json", "", "POST", b"{").status, 400)
        self.assertEqual(
            instance.get("/json", "Content-Type: a; charset=none\r\n", "POST", b"{}").status, 400)
        for target, path in (("http://a/x?y", "/x"), ("http://a", "/"), ("/%zz%4", "/%zz%4")):
            self.assertEqual(
                instance.get(target, "X-Thing: 1\r\n").json()["path"], path)

    def test_a_body_beyond_the_bound_is_refused(self):
        for definition in ("def", "async def"):
            with self.subTest(definition=definition):
                instance = self.serve("""
                    import stoker_runtime.request, stoker_runtime.handler
                    stoker_runtime.request.MAX_BODY_BYTES = 10
                    stoker_runtime.handler.MAX_BODY_BYTES = 10

                    %s handler(request):
                        return request.body
                """ % definition)
                self.assertEqual(instance.get("/", "", "POST", b"x" * 10).text, "x" * 10)
                self.assertEqual(instance.get("/", "", "POST", b"x" * 11).status, 413)


class DetectTests(unittest.TestCase):
    """What is taken for what."""

    def test_interfaces_are_told_by_signature(self):
        async def asgi(scope, receive, send):
            pass

        async def coroutine(request):
            pass

        async def pieces(request):
            yield b""

        def wrapped(function):
            @functools.wraps(function)
            def wrapper(*args, **kwargs):
                return function(*args, **kwargs)
            return wrapper

        class Wsgi:
            def __call__(self, environ, start_response):
                pass

        class Asgi:
            async def __call__(self, scope, receive, send):
                pass

            def method(self, request):
                pass

        class WsgiClass:
            def __init__(self, environ, start_response):
                pass

        def plain(request):
            pass

        def wsgi(environ, start_response):
            pass

        def old_asgi(scope, receive, send):
            pass

        for target, expected in (
            (asgi, ("asgi", True)), (coroutine, ("handler", True)), (pieces, ("handler", True)),
            (Wsgi(), ("wsgi", False)), (Asgi(), ("asgi", True)), (WsgiClass, ("wsgi", False)),
            (Asgi().method, ("handler", False)), (plain, ("handler", False)),
            (wsgi, ("wsgi", False)), (old_asgi, ("asgi", True)), (wrapped(wsgi), ("wsgi", False)),
            (wrapped(plain), ("handler", False)), (lambda request, retries=3: 0, ("handler", False)),
            (functools.partial(wsgi), ("wsgi", False)),
            (functools.partial(lambda database, request: 0, "db"), ("handler", False)),
        ):
            with self.subTest(target=target):
                self.assertEqual(detect(target, "main:x"), expected)
        for target in (lambda: 0, lambda a, b, c, d: 0, lambda *args: 0, 5, None, "x", print):
            with self.subTest(target=target), self.assertRaises(UnusableHandler):
                detect(target, "main:x")


if __name__ == "__main__":
    unittest.main()
