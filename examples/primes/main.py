"""Counts the primes below ?n=, slowly: something to keep a processor busy with."""

import json
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

LARGEST = 1_000_000


def count_primes(n):
    """The number of primes below n, by trial division."""
    primes = []
    for candidate in range(2, n):
        for prime in primes:
            if prime * prime > candidate:
                primes.append(candidate)
                break
            if candidate % prime == 0:
                break
        else:
            primes.append(candidate)
    return len(primes)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # One packet per answer: head and body in two would wait for each other.
    wbufsize = 64 * 1024

    def do_GET(self):
        query = parse_qs(urlsplit(self.path).query)
        try:
            n = int(query.get("n", ["100000"])[0])
        except ValueError:
            n = -1
        if not 0 <= n <= LARGEST:
            self.answer(400, {"error": f"n is a number from 0 to {LARGEST}"})
            return
        begun = time.perf_counter()
        count = count_primes(n)
        seconds = round(time.perf_counter() - begun, 3)
        self.answer(200, {"n": n, "primes": count, "seconds": seconds})

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
    # Threads although there is one request at a time: a connection that says nothing must not keep
    # another waiting.
    Server(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
