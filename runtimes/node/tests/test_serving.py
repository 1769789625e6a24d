"""Handlers in Node, served from the beginning."""

import unittest

from support_node import PATIENCE_SECONDS, NodeSite

ECHO_LISTENER = """
    export default (request, response) => {
      if (request.url === "/big") {
        let left = 800;
        const more = () => {
          while (left > 0) {
            left -= 1;
            if (!response.write(Buffer.alloc(65536, "x"))) return response.once("drain", more);
          }
          response.end();
        };
        return more();
      }
      if (request.url === "/throw") throw new Error("a secret");
      if (request.url === "/reject") return Promise.reject(new Error("a secret"));
      if (request.url === "/break") {
        response.write("a part");
        return new Promise((_, reject) => setImmediate(reject, new Error("half way")));
      }
      if (request.url === "/ignore") return response.end("ignored");
      let length = 0;
      const pieces = [];
      request.on("data", (piece) => {
        length += piece.length;
        if (request.url !== "/length") pieces.push(piece);
      });
      request.on("end", () => {
        if (request.url === "/length") return response.end(String(length));
        response.setHeader("content-type", "application/json");
        response.end(JSON.stringify({ method: request.method, path: request.url,
          body: Buffer.concat(pieces).toString(), pid: process.pid }));
      });
    };
"""
ECHO_FETCH = """
    async function* big() {
      for (let left = 800; left > 0; left -= 1) yield new Uint8Array(65536);
    }
    async function* broken() {
      yield new TextEncoder().encode("a part");
      await new Promise((resolve) => setTimeout(resolve, 20));
      throw new Error("half way");
    }
    export default {
      async fetch(request) {
        const path = new URL(request.url).pathname;
        if (path === "/big") return new Response(ReadableStream.from(big()));
        if (path === "/throw" || path === "/reject") throw new Error("a secret");
        if (path === "/break") return new Response(ReadableStream.from(broken()));
        if (path === "/ignore") return new Response("ignored");
        if (path === "/length") {
          let length = 0;
          for await (const piece of request.body) length += piece.byteLength;
          return new Response(String(length));
        }
        const body = await request.text();
        return Response.json({ method: request.method, path, body, pid: process.pid });
      },
    };
"""
AMBIGUOUS = (
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
    b"GET / HTTP/1.1\r\nX: a\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
)


class Common:
    """The tests of both interfaces; `source` is what is served."""

    source = None

    def test_requests_follow_each_other_on_a_connection(self):
        caller = self.serve(self.source).connect()
        one = b"PUT /%d HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\n%d"
        caller.send(b"".join(one % (number, number) for number in range(5)))
        for number in range(5):
            answer = caller.answer().json()
            self.assertEqual((answer["path"], answer["body"]), ("/%d" % number, str(number)))

    def test_ambiguous_requests_are_refused(self):
        instance = self.serve(self.source)
        for request in AMBIGUOUS:
            with self.subTest(request=request):
                caller = instance.connect()
                caller.send(request)
                try:
                    self.assertEqual(caller.answer().status, 400)
                    self.assertTrue(caller.ended())
                except EOFError:
                    # The handler of a fetch had begun to wait for the body.
                    pass
        self.assertEqual(instance.get("/fine").status, 200)

    def test_a_caller_who_expects_is_told_to_go_on(self):
        caller = self.serve(self.source).connect()
        caller.send(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        self.assertEqual(caller.line(), b"HTTP/1.1 100 Continue")
        caller.line()
        caller.send(b"hi")
        self.assertEqual(caller.answer().json()["body"], "hi")

    def test_big_bodies_pass_both_ways(self):
        instance = self.serve(self.source)
        caller = instance.connect()
        caller.send(b"POST /length HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(50):
            caller.send(b"100000\r\n" + b"x" * 1048576 + b"\r\n")
        caller.send(b"0\r\n\r\n")
        self.assertEqual(caller.answer().text, str(50 * 1048576))
        slow = instance.connect()
        slow.send(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual(slow.head()[0], 200)
        self.assertEqual(instance.get("/other").json()["path"], "/other")
        self.assertEqual(slow.count_chunked(), 800 * 65536)

    def test_failures_are_told_without_leaking(self):
        instance = self.serve(self.source)
        for path in ("/throw", "/reject"):
            answer = instance.get(path)
            self.assertEqual((answer.status, answer.text), (500, "the function failed\n"))
        caller = instance.connect()
        caller.send(b"GET /break HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual(caller.head()[0], 200)
        self.assertEqual(caller.chunk(), b"a part")
        self.assertTrue(caller.ended())
        self.assertEqual(instance.get("/fine").status, 200)
        self.assertEqual(instance.stop(), 0)
        self.assertIn("Error: a secret", self.logged())
        self.assertIn("Error: half way", self.logged())

    def test_what_was_asked_before_the_end_is_answered(self):
        instance = self.serve(self.source)
        idle, busy = instance.connect(), instance.connect()
        idle.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        idle.answer()
        busy.send(b"POST /late HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        self.assertEqual(busy.line(), b"HTTP/1.1 100 Continue")
        busy.line()
        instance.process.terminate()
        self.assertTrue(idle.ended())
        busy.send(b"late")
        self.assertEqual(busy.answer().json()["body"], "late")
        self.assertEqual(instance.process.wait(PATIENCE_SECONDS), 0)

    def test_a_body_that_nobody_read_does_not_disturb(self):
        instance = self.serve(self.source)
        caller = instance.connect()
        caller.send(b"POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nGET /"
                    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual(caller.answer().text, "ignored")
        self.assertEqual(caller.answer().json()["path"], "/")


class ListenerTests(Common, NodeSite):
    """`(request, response)`."""

    source = ECHO_LISTENER


class FetchTests(Common, NodeSite):
    """`fetch(request)`."""

    source = ECHO_FETCH

    def test_requests_and_responses_are_whole(self):
        instance = self.serve("""
            export async function fetch(request) {
              const told = { url: request.url, method: request.method,
                headers: [...request.headers], body: await request.text() };
              const headers = new Headers({ "X-Case": "1", Connection: "close" });
              headers.append("set-cookie", "a=1");
              headers.append("set-cookie", "b=2");
              if (told.url.endsWith("/empty")) return new Response(null, { status: 204, headers });
              return new Response(JSON.stringify(told), { status: 299, statusText: "Fine", headers });
            }
        """)
        answer = instance.get("/a%20b?q=1", "X-Two: 1\r\nx-two: 2\r\nX-Forwarded-Proto: https\r\n",
                              "DELETE", b"body")
        self.assertEqual(answer.status, 299)
        self.assertEqual(answer.headers["x-case"], "1")
        self.assertEqual([pair[1] for pair in answer.fields if pair[0] == "set-cookie"],
                         ["a=1", "b=2"])
        self.assertEqual(answer.headers["content-length"], str(len(answer.body)))
        told = answer.json()
        self.assertEqual(told["url"], "https://example.org:8080/a%20b?q=1")
        self.assertEqual((told["method"], told["body"]), ("DELETE", "body"))
        self.assertIn(["x-two", "1, 2"], told["headers"])
        self.assertEqual(instance.get("/empty").status, 204)
        self.assertEqual(instance.get("/", "", "HEAD").status, 299)
        self.assertEqual(instance.get("/", "", "TRACE").status, 405)

    def test_pieces_go_out_as_they_come_and_callers_who_leave_are_seen(self):
        instance = self.serve("""
            let seen;
            const gone = new Promise((resolve) => { seen = resolve; });
            export default async (request) => {
              if (request.url.endsWith("/gone")) return new Response(await gone);
              request.signal.addEventListener("abort", () => seen("aborted"));
              return new Response(request.body.pipeThrough(new TransformStream()));
            };
        """)
        caller = instance.connect()
        caller.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in range(5):
            caller.send(b"1\r\n%d\r\n" % number)
            if number == 0:
                self.assertEqual(caller.head()[0], 200)
            self.assertEqual(caller.chunk(), b"%d" % number)
        caller.close()
        self.assertEqual(instance.get("/gone").text, "aborted")


class LoadingTests(NodeSite):
    """What is found in a module, and what is said if nothing is."""

    def test_kinds_of_modules(self):
        listen = "(request, response) => response.end('listened')"
        fetch = "() => new Response('fetched')"
        for name, source, handler, interface, text in (
            ("a.mjs", "export default %s" % listen, "a.mjs", "auto", "listened"),
            ("b.cjs", "module.exports = %s" % listen, "b.cjs", "auto", "listened"),
            ("c.cjs", "exports.handler = %s" % listen, "c", "auto", "listened"),
            ("d.cjs", "exports.__esModule = true; exports.default = %s" % listen, "d.cjs", "auto",
             "listened"),
            ("e.mjs", "export const handler = %s" % fetch, "e", "auto", "fetched"),
            ("f.mjs", "export const other = %s" % fetch, "f.mjs#other", "auto", "fetched"),
            ("g.cjs", "exports.other = %s" % listen, "g.cjs#other", "auto", "listened"),
            ("h.mjs", "export function fetch(request, env, context) { return new Response('fetched') }",
             "h.mjs", "auto", "fetched"),
            ("i.mjs", "export default { text: 'fetched', fetch() { return new Response(this.text) } }",
             "i.mjs", "auto", "fetched"),
            ("j.mjs", "export default (...both) => both[1].end('listened')", "j.mjs", "listener",
             "listened"),
            ("k.mjs", "const text = await new Promise((done) => setTimeout(done, 20, 'fetched'));"
             "export default async (request) => new Response(text)", "k.mjs", "auto", "fetched"),
        ):
            with self.subTest(name=name):
                instance = self.serve(source, handler, interface, name=name)
                self.assertEqual(instance.get().text, text, self.logged())
                self.assertEqual(instance.stop(), 0)

    def test_what_cannot_be_loaded_is_explained(self):
        for source, handler, interface, words in (
            ("", "none.mjs", "auto", "none.mjs does not exist"),
            ("export const a = 1", "main.mjs", "auto", "it exports a (number)"),
            ("export const a = 1", "main.mjs#b", "auto", "main.mjs exports no \"b\"; it exports a"),
            ("export const a = 1", "main.mjs#a", "auto", "main.mjs#a is number and cannot be called"),
            ("export default 1", "main.mjs", "wsgi", "the interface \"wsgi\" is none of auto, listener"),
            ("throw new Error('at import')", "main.mjs", "auto", "Error: at import"),
            ("not javascript", "main.mjs", "auto", "SyntaxError"),
        ):
            with self.subTest(source=source, handler=handler):
                instance = self.serve(source, handler, interface)
                self.assertEqual(instance.process.wait(PATIENCE_SECONDS), 1)
                self.assertIn(words, self.logged())
                self.assertIn("stoker: ", self.logged())

    def test_an_answer_that_is_no_response_is_explained(self):
        instance = self.serve("export default (...both) => both.length")
        self.assertEqual(instance.get().status, 500)
        self.assertEqual(instance.stop(), 0)
        self.assertIn("the handler returned", self.logged())
        self.assertIn('interface = "listener"', self.logged())


if __name__ == "__main__":
    unittest.main()
