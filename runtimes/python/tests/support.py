"""Runs the real runner as the spawner would, with functions that are written for a test."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import unittest

MAIN = os.path.join(os.path.dirname(__file__), "..", "stoker_runtime", "__main__.py")
# For anything to happen: a bound on failures only.
PATIENCE_SECONDS = 60


class Site(unittest.TestCase):
    """A test with a directory for a function; what it starts ends with it."""

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="stoker-runtime-")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)

    def module(self, source, name="main.py"):
        """Writes a module of the function."""
        with open(os.path.join(self.directory, name), "w") as file:
            file.write(textwrap.dedent(source))

    def listen(self):
        """A listening socket and its path."""
        path = os.path.join(tempfile.mkdtemp(dir=self.directory), "s")
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(path)
        listener.listen(1024)
        return listener, path

    # The runner's command line, before the mode.
    command = (sys.executable, MAIN)

    def start(self, mode, descriptor, environment):
        """Starts the runner with `descriptor` as its third; standard error goes to `self.log`."""
        self.log = os.path.join(self.directory, "log")
        with open(self.log, "ab") as log:
            process = subprocess.Popen(
                [*self.command, mode],
                cwd=self.directory,
                env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", **environment},
                stdout=log, stderr=log, close_fds=False, start_new_session=True,
                preexec_fn=lambda: pass_on(descriptor),
            )
        self.addCleanup(end, process)
        return process

    def serve(self, source, handler="main", interface="auto", concurrency=1, name="main.py",
              environment=None):
        """Serves a module; returns how to reach it."""
        self.module(source, name)
        listener, path = self.listen()
        process = self.start("serve", listener.fileno(), {
            "STOKER_HANDLER": handler, "STOKER_INTERFACE": interface,
            "STOKER_CONCURRENCY": str(concurrency), **(environment or {})})
        listener.close()
        return Instance(self, process, path)

    def logged(self):
        """What the runner wrote so far."""
        with open(self.log) as log:
            return log.read()


class Instance:
    """A function that runs."""

    def __init__(self, test, process, path):
        self.test = test
        self.process = process
        self.path = path

    def connect(self):
        """A connection to it."""
        connection = Caller(self.path)
        self.test.addCleanup(connection.close)
        return connection

    def get(self, target="/", headers="", method="GET", body=b""):
        """One request on a connection of its own."""
        if body:
            headers += "Content-Length: %d\r\n" % len(body)
        caller = self.connect()
        caller.send(
            ("%s %s HTTP/1.1\r\nHost: example.org:8080\r\n%s\r\n" % (method, target, headers))
            .encode("latin-1") + body)
        return caller.answer(method)

    def stop(self):
        """SIGTERM; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_SECONDS)


class Caller:
    """A connection that sends any bytes and reads answers strictly."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE_SECONDS)
        self.socket.connect(path)
        self.buffer = b""

    def send(self, data):
        """Sends all of it."""
        self.socket.sendall(data)

    def close(self):
        """Closes it."""
        self.socket.close()

    def ended(self):
        """Whether the other side has closed, and sent nothing more."""
        try:
            return self.buffer == b"" and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def line(self):
        """The next line."""
        while b"\r\n" not in self.buffer:
            self._more()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def exactly(self, count):
        """So many bytes."""
        while len(self.buffer) < count:
            self._more()
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def chunk(self):
        """The next chunk of a body."""
        data = self.exactly(int(self.line(), 16))
        assert self.exactly(2) == b"\r\n"
        return data

    def count_chunked(self):
        """The bytes of a chunked body, which is read to its end."""
        return sum(len(piece) for piece in iter(self.chunk, b""))

    def head(self):
        """The status and the header fields of an answer."""
        version, status, _ = (self.line() + b" ").split(b" ", 2)
        assert version == b"HTTP/1.1", version
        fields = []
        while True:
            line = self.line()
            if not line:
                return int(status), fields
            name, _, value = line.partition(b": ")
            fields.append((name.decode().lower(), value.decode("latin-1")))

    def answer(self, method="GET"):
        """A whole answer."""
        status, fields = self.head()
        headers = dict(fields)
        if method == "HEAD" or status in (204, 304):
            body = b""
        elif "content-length" in headers:
            body = self.exactly(int(headers["content-length"]))
        elif headers.get("transfer-encoding") == "chunked":
            body = b""
            while True:
                piece = self.chunk()
                if not piece:
                    break
                body += piece
        else:
            body = self._rest()
        return Answered(status, fields, headers, body)

    def _rest(self):
        while True:
            data = self.socket.recv(65536)
            if not data:
                data, self.buffer = self.buffer, b""
                return data
            self.buffer += data

    def _more(self):
        data = self.socket.recv(65536)
        if not data:
            raise EOFError("the connection ended; read so far: %r" % self.buffer[:200])
        self.buffer += data


class Answered:
    """An answer that was read."""

    def __init__(self, status, fields, headers, body):
        self.status = status
        self.fields = fields
        self.headers = headers
        self.body = body
        self.text = body.decode("utf-8", "replace")

    def json(self):
        """The value in the body."""
        return json.loads(self.body)


def pass_on(descriptor):
    """In the new process: makes it the third."""
    if descriptor == 3:
        os.set_inheritable(3, True)
    else:
        os.dup2(descriptor, 3)


def end(process):
    """Ends a process, and reaps it."""
    if process.poll() is None:
        process.kill()
    process.wait()
