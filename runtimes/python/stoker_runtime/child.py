"""A forked process: a spare until it is assigned, then an instance."""

import ctypes
import os
import socket
import threading
import time
from _signal import SIGKILL
from _socket import AF_UNIX, SOCK_SEQPACKET, socket as Socket

from . import messages, seeds, warm
from .errors import UnusableHandler, log_exception
from .load import load
from .serve import fail, run
from .threads import Reserve

# The kernel's buffer for what is sent is smaller (net.core.wmem_default). Nothing is written to it
# in the parent, so that it takes no memory there.
BUFFER = bytearray(512 * 1024)
PR_SET_PDEATHSIG = 1
# For the spawner to become the parent: the process between has ended as good as now. There is no
# event of it.
ADOPTION_SECONDS = 1.0
LOOK_SECONDS = 0.0001
# Looked up before there is a process that has to copy what that changes.
prctl = ctypes.CDLL(None).prctl
# An assignment that changes nothing.
REHEARSED = (
    b'{"type":"assign","environment":{},"unset":["STOKER_REHEARSED"],"directory":"/",'
    b'"handler":"main:handler","interface":"auto","concurrency":1}'
)


class Child:
    """A process that was forked from the parent."""

    def __init__(self, settings, handler, descriptor):
        """`descriptor` is its own control socket."""
        self.settings = settings
        self.handler = handler
        # The class below `socket.socket` does the same with less Python.
        self.control = Socket(AF_UNIX, SOCK_SEQPACKET, 0, descriptor)
        # Whatever the module has set for all sockets (`socket.setdefaulttimeout`).
        self.control.setblocking(True)

    def run(self):
        """Waits for an assignment, and serves; the exit status."""
        os.setpgid(0, 0)
        seeds.reseed()
        # Last, as it may have to wait.
        self._settle()
        try:
            self.control.send(b'{"type":"spare","pid":%d}' % os.getpid())
            try:
                assignment = messages.receive(self.control, BUFFER, messages.MSG_DONTWAIT)
            except BlockingIOError:
                # There is time: what the first request touches becomes our own memory now.
                warm.warm(self.handler, self.settings.concurrency)
                if self.settings.concurrency > 1 and not self.handler.is_async:
                    Reserve.prepare()
                assignment = messages.receive(self.control, BUFFER)
        except OSError:
            assignment = b"", []
        data, descriptors = assignment
        if not data:
            os._exit(0)
        try:
            return self._become(messages.parsed(data), descriptors)
        except UnusableHandler as error:
            return fail(str(error))
        except Exception as error:
            log_exception(error)
            return fail("the instance cannot serve: %s" % error)
        finally:
            Reserve.dismiss()

    def _settle(self):
        """Becomes the spawner's child, which ends with it."""
        spawner = self.settings.spawner_pid
        if os.getppid() != spawner:
            # While another process is the parent, its end would be this one's.
            deadline = time.monotonic() + ADOPTION_SECONDS
            while os.getppid() != spawner and time.monotonic() < deadline:
                time.sleep(LOOK_SECONDS)
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
        if os.getppid() != spawner:
            # It ended meanwhile, and its death will not be told again.
            os._exit(0)

    def _become(self, message, descriptors):
        """Takes an assignment; the exit status of the instance."""
        if message.get("type") != "assign" or len(descriptors) != 3:
            return fail("the spawner sent a message that is no assignment")
        listener, out, err = descriptors
        os.dup2(out, 1)
        os.dup2(err, 2)
        os.close(out)
        os.close(err)
        self.control.close()
        self._change_environment(message.get("environment", {}), message.get("unset", ()))
        if message.get("directory"):
            os.chdir(message["directory"])
        settings, handler = self.settings, self.handler
        name = message.get("handler") or settings.handler
        if name != settings.handler:
            interface = message.get("interface") or settings.interface
            handler = load(name, interface, settings.websocket_bytes)
        concurrency = message.get("concurrency") or settings.concurrency
        return run(handler, listener, concurrency)

    def _change_environment(self, environment, unset):
        for name, value in environment.items():
            os.environ[name] = value
        for name in unset:
            if name in os.environ:
                del os.environ[name]
        if "TZ" in environment or "TZ" in unset:
            time.tzset()


def enter(descriptors, group):
    """Writes this process to the control groups whose files these are, but for the directory of
    `group`, into which it was born. Whether it is there the spawner sees for itself."""
    for descriptor in descriptors:
        if descriptor != group:
            try:
                # Of the one thread that writes it: to move itself takes no lock of the machine's.
                os.write(descriptor, b"0")
            except OSError:
                pass
        os.close(descriptor)


def rehearse():
    """Runs in the parent what can be run there of what a forked process does. The interpreter makes
    code faster that ran a few times, and each process would have to copy what is changed by that."""
    # Of Python's own hook.
    after_fork = getattr(threading, "_after_fork", None)
    if after_fork is not None:
        after_fork()
    seeds.reseed()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        one = Child(None, None, theirs.detach())
        socket.send_fds(ours, [REHEARSED], [ours.fileno()])
        data, descriptors = messages.receive(one.control, bytearray(4096), messages.MSG_DONTWAIT)
        message = messages.parsed(data)
        one._change_environment(message["environment"], message["unset"])
        for descriptor in descriptors:
            os.close(descriptor)
        one.control.close()
