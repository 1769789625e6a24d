"""Greets, in JSON. Python's standard library only."""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class Handler(BaseHTTPRequestHandler):
    # Keeps connections open; every answer needs its Content-Length then.
    protocol_version = "HTTP/1.1"
    # One packet per answer: head and body in two would wait for each other.
    wbufsize = 64 * 1024

    def do_GET(self):
        query = parse_qs(urlsplit(self.path).query)
        name = query.get("name", ["world"])[0]
        self.answer(200, {"message": f"Hello, {name}!", "pid": os.getpid()})

    do_HEAD = do_GET

    def answer(self, status, value):
        body = json.dumps(value).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in self.headers:
            # Nobody reads the request's body, so the next request could not be found behind it.
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class Server(ThreadingHTTPServer):
    # Connections that may wait to be accepted; by default only 5.
    request_queue_size = 128


if __name__ == "__main__":
    Server(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
