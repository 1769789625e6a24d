"""The spawner's part of the protocol, for tests."""

import ctypes
import json
import os
import signal
import socket

from support import PATIENCE_SECONDS, Instance, Site

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


class ParentSite(Site):
    """A test that has a parent."""

    def setUp(self):
        super().setUp()
        # Forked instances become this process's children.
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def parent(self, source, handler="main", **environment):
        """Starts a parent for a module."""
        self.module(source)
        ours, theirs = channel()
        self.addCleanup(ours.close)
        self.process = self.start("parent", theirs.fileno(), {
            "STOKER_HANDLER": handler, "STOKER_INTERFACE": "auto", "STOKER_CONCURRENCY": "1",
            "STOKER_CONTROL": "3", "STOKER_SPAWNER_PID": str(os.getpid()), "LISTEN_PID": "1",
            **environment})
        theirs.close()
        return Parent(self, ours)


class Parent:
    """The spawner's view of a parent."""

    def __init__(self, test, control):
        self.test = test
        self.control = control

    def said(self):
        """Its next message."""
        return json.loads(self.control.recv(65536))

    def fork(self):
        """Asks for an instance."""
        ours, theirs = channel()
        self.test.addCleanup(ours.close)
        message = json.dumps({"type": "fork", "number": 7}).encode()
        socket.send_fds(self.control, [message], [theirs.fileno()])
        theirs.close()
        return Spare(self.test, ours)


class Spare:
    """The spawner's view of a forked process."""

    def __init__(self, test, control):
        self.test = test
        self.control = control
        self.pid = None

    def said(self):
        """Its word that it is ready; it is this process's child then."""
        message = json.loads(self.control.recv(65536))
        assert message["type"] == "spare", message
        self.pid = message["pid"]
        self.test.addCleanup(self.kill)
        return message

    def assign(self, **message):
        """Makes an instance of it; how to reach that. Its output goes to files `out` and `err`."""
        listener, path = self.test.listen()
        files = [os.open(os.path.join(self.test.directory, name), os.O_CREAT | os.O_WRONLY, 0o600)
                 for name in ("out", "err")]
        whole = {"type": "assign", "environment": {}, "unset": [], **message}
        descriptors = [listener.fileno(), *files]
        socket.send_fds(self.control, [json.dumps(whole).encode()], descriptors)
        listener.close()
        for descriptor in files:
            os.close(descriptor)
        return Instance(self.test, None, path)

    def wait(self):
        """Its status as `waitpid` has it."""
        pid, self.pid = self.pid, None
        return os.waitpid(pid, 0)[1]

    def stop(self):
        """SIGTERM; its status."""
        os.kill(self.pid, signal.SIGTERM)
        return self.wait()

    def kill(self):
        """Ends it, if it has not ended."""
        if self.pid is not None:
            os.kill(self.pid, signal.SIGKILL)
            self.wait()


def channel():
    """A pair of sockets as the spawner makes them."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(PATIENCE_SECONDS)
    return ours, theirs
