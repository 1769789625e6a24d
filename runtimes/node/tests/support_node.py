"""Runs the real Node runner; the rest is what the Python runner's tests have."""

import json
import os
import socket
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(HERE, "..", "..", "python", "tests"))

from support import PATIENCE_SECONDS, Instance, Site  # noqa: E402

MAIN = os.path.join(HERE, "..", "main.mjs")


class NodeSite(Site):
    """A test with a directory for a function in Node."""

    command = ("node", MAIN)

    def serve(self, source, handler="main.mjs", interface="auto", concurrency=1, name="main.mjs"):
        """Serves a module; returns how to reach it."""
        return super().serve(source, handler, interface, concurrency, name)

    def cell(self, **environment):
        """Boots a runner."""
        ours, theirs = socket.socketpair()
        ours.settimeout(PATIENCE_SECONDS)
        self.addCleanup(ours.close)
        process = self.start("cell", theirs.fileno(), {
            "NODE_CHANNEL_FD": "3", "NODE_CHANNEL_SERIALIZATION_MODE": "json", **environment})
        theirs.close()
        return Cell(self, process, ours)


class Cell:
    """The spawner's view of a booted runner."""

    def __init__(self, test, process, channel):
        self.test = test
        self.process = process
        self.channel = channel
        self.lines = channel.makefile("rb")
        test.addCleanup(self.lines.close)

    def said(self):
        """Its next message, `None` at the end."""
        line = self.lines.readline()
        return json.loads(line) if line else None

    def assign(self, **message):
        """Makes an instance of it; how to reach that."""
        listener, path = self.test.listen()
        whole = {"cmd": "NODE_HANDLE", "type": "net.Native", "msg": {
            "type": "assign", "environment": {}, "unset": [], "directory": self.test.directory,
            "interface": "auto", "concurrency": 1, **message}}
        socket.send_fds(self.channel, [json.dumps(whole).encode() + b"\n"], [listener.fileno()])
        listener.close()
        return Instance(self.test, self.process, path)
