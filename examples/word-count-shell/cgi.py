"""cgi.py PROGRAM [ARGUMENT...]: an HTTP server that runs a program for each request, as CGI.

It takes the listening socket that it inherits (LISTEN_FDS), or binds $PORT. The program gets the
request as RFC 3875 says: variables in the environment, the body on standard input. It writes
headers, an empty line and a body; "Status: 404 Not Found" sets the status. Its standard error goes
to the log of the function.
"""

import http.client
import os
import socket
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

# Kept in memory until it is whole, because CGI wants the length first.
MAX_BODY = 10 * 1024 * 1024
# Between two parties only, or said in another way, or dangerous (HTTP_PROXY is a setting to many).
NOT_PASSED_ON = {
    "connection", "content-length", "content-type", "keep-alive", "proxy", "proxy-authorization",
    "te", "trailer", "transfer-encoding", "upgrade",
}


class BadRequest(Exception):
    """The request cannot be understood, or is too large."""

    def __init__(self, status, why):
        super().__init__(why)
        self.status = status


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # One packet per answer: head and body in two would wait for each other.
    wbufsize = 64 * 1024

    def handle_request(self):
        try:
            body = self.read_body()
        except BadRequest as error:
            # Where the next request begins is not known.
            self.close_connection = True
            self.send_text(error.status, str(error))
            return
        except (ConnectionError, EOFError):
            self.close_connection = True
            return
        try:
            done = subprocess.run(
                sys.argv[1:], input=body, stdout=subprocess.PIPE,
                env=self.variables(len(body)), check=False,
            )
        except OSError as error:
            self.log_error("cannot run %s: %s", sys.argv[1], error)
            self.send_text(500, "the function cannot be run")
            return
        if done.returncode != 0:
            self.log_error("%s ended with %s", sys.argv[1], done.returncode)
        self.send_output(done.stdout)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = handle_request

    def read_body(self):
        """The whole body of the request."""
        coding = self.headers.get("Transfer-Encoding", "").lower()
        if coding == "chunked":
            return b"".join(self.chunks())
        length = self.headers.get("Content-Length", "0")
        if coding or not (length.isascii() and length.isdigit()):
            raise BadRequest(400, "the body has no length")
        return self.read_exactly(int(length), MAX_BODY)

    def chunks(self):
        room = MAX_BODY
        while True:
            size = self.rfile.readline(1024).split(b";")[0].strip()
            if not size.isalnum():
                raise BadRequest(400, "a chunk has no size")
            try:
                size = int(size, 16)
            except ValueError:
                raise BadRequest(400, "a chunk has no size") from None
            if size == 0:
                # Trailers, up to an empty line.
                while self.rfile.readline(65536).strip():
                    pass
                return
            yield self.read_exactly(size, room)
            room -= size
            self.rfile.readline(1024)

    def read_exactly(self, length, room):
        if length > room:
            raise BadRequest(413, "the body is too large")
        data = self.rfile.read(length)
        if len(data) < length:
            raise EOFError
        return data

    def handle_expect_100(self):
        done = super().handle_expect_100()
        # The client sends its body only when it has this.
        self.wfile.flush()
        return done

    def variables(self, length):
        """The environment of the program."""
        url = urlsplit(self.path)
        host, _, port = self.headers.get("Host", "localhost").partition(":")
        forwarded = self.headers.get("X-Forwarded-For", "127.0.0.1")
        variables = {
            "GATEWAY_INTERFACE": "CGI/1.1",
            "PATH_INFO": unquote(url.path),
            "QUERY_STRING": url.query,
            "REMOTE_ADDR": forwarded.split(",")[0].strip(),
            "REQUEST_METHOD": self.command,
            # The gateway took its part of the path off; all that is left is PATH_INFO.
            "SCRIPT_NAME": "",
            "SERVER_NAME": host,
            "SERVER_PORT": port or "80",
            "SERVER_PROTOCOL": self.request_version,
            "SERVER_SOFTWARE": "cgi.py/1",
        }
        if length > 0:
            variables["CONTENT_LENGTH"] = str(length)
        if "Content-Type" in self.headers:
            variables["CONTENT_TYPE"] = self.headers["Content-Type"]
        for name in {name.lower() for name in self.headers} - NOT_PASSED_ON:
            # A name with an underscore could pass for the same with a dash.
            if "_" not in name:
                values = ", ".join(self.headers.get_all(name))
                variables["HTTP_" + name.upper().replace("-", "_")] = values
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("LISTEN_")}
        return inherited | variables

    def send_output(self, output):
        """Answers with what the program wrote."""
        head, separator, body = output.partition(b"\n\n")
        crlf_head, crlf_separator, crlf_body = output.partition(b"\r\n\r\n")
        if crlf_separator and len(crlf_head) < len(head):
            head, separator, body = crlf_head, crlf_separator, crlf_body
        headers = []
        for line in head.decode("latin-1").splitlines():
            name, colon, value = line.partition(":")
            if not colon or not name or name != name.strip():
                separator = b""
                break
            headers.append((name, value.strip()))
        names = {name.lower() for name, _ in headers}
        if not separator or not names & {"content-type", "location", "status"}:
            self.log_error("%s wrote no CGI headers", sys.argv[1])
            self.send_text(500, "the function gave no answer")
            return
        status, reason = self.status_of(dict((n.lower(), v) for n, v in headers))
        self.send_response(status, reason)
        for name, value in headers:
            if name.lower() not in {"status", "content-length", "connection", "transfer-encoding"}:
                self.send_header(name, value)
        self.send_body(status, body)

    @staticmethod
    def status_of(headers):
        if "status" in headers:
            code, _, reason = headers["status"].partition(" ")
            if code.isascii() and code.isdigit() and 200 <= int(code) <= 599:
                return int(code), reason or http.client.responses.get(int(code), "")
            return 500, "Internal Server Error"
        return (302, "Found") if "location" in headers else (200, "OK")

    def send_text(self, status, text):
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_body(status, text.encode() + b"\n")

    def send_body(self, status, body):
        if self.close_connection:
            self.send_header("Connection", "close")
        if status in (204, 304):
            body = b""
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def address_string(self):
        # A Unix socket has no addresses.
        return self.headers.get("X-Forwarded-For", "-") if hasattr(self, "headers") else "-"

    def log_request(self, code="-", size="-"):
        """The gateway has an access log."""


class Server(ThreadingHTTPServer):
    # Connections that may wait to be accepted; by default only 5.
    request_queue_size = 128

    def __init__(self):
        if "LISTEN_FDS" in os.environ:
            super().__init__(("", 0), Handler, bind_and_activate=False)
            self.socket.close()
            self.socket = socket.socket(fileno=3)
        else:
            super().__init__(("127.0.0.1", int(os.environ["PORT"])), Handler)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: cgi.py PROGRAM [ARGUMENT...]")
    Server().serve_forever()
