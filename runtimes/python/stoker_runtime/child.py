"""A forked process: a spare until it is assigned, then an instance."""

import ctypes
import json
import os
import signal
import socket
import time

from . import messages, seeds, threads, warm
from .errors import UnusableHandler, log_exception
from .load import load
from .serve import fail, run

# The kernel's buffer for what is sent is smaller (net.core.wmem_default).
ASSIGNMENT_BYTES = 512 * 1024
MSG_DONTWAIT = 0x40
PR_SET_PDEATHSIG = 1
# For the spawner to become the parent, if the process between was killed out of turn.
ADOPTION_SECONDS = 1.0


class Child:
    """A process that was forked from the parent."""

    def __init__(self, settings, handler, descriptor, adopted):
        """`descriptor` is its own control socket, `adopted` a pipe that ends when the process is
        the spawner's child."""
        self.settings = settings
        self.handler = handler
        self.adopted = adopted
        self.control = socket.socket(fileno=descriptor)

    def run(self):
        """Waits for an assignment, and serves; the exit status."""
        self._settle()
        seeds.reseed()
        try:
            self.control.send(b'{"type":"spare","pid":%d}' % os.getpid())
            try:
                assignment = messages.receive(self.control, ASSIGNMENT_BYTES, MSG_DONTWAIT)
            except BlockingIOError:
                # There is time: what the first request touches becomes our own memory now.
                warm.warm(self.handler, self.settings.concurrency)
                if self.settings.concurrency > 1 and not self.handler.is_async:
                    threads.Reserve.prepare()
                assignment = messages.receive(self.control, ASSIGNMENT_BYTES)
        except OSError:
            assignment = b"", []
        data, descriptors = assignment
        if not data:
            os._exit(0)
        try:
            return self._become(json.loads(data), descriptors)
        except UnusableHandler as error:
            return fail(str(error))
        except Exception as error:
            log_exception(error)
            return fail("the instance cannot serve: %s" % error)
        finally:
            threads.Reserve.dismiss()

    def _settle(self):
        """Becomes a process of its own, which ends with the spawner."""
        os.setpgid(0, 0)
        os.read(self.adopted, 1)
        os.close(self.adopted)
        spawner = self.settings.spawner_pid or os.getppid()
        deadline = time.monotonic() + ADOPTION_SECONDS
        while os.getppid() != spawner and time.monotonic() < deadline:
            time.sleep(0.001)
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
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
        environment = message.get("environment", {})
        os.environ.update(environment)
        for name in message.get("unset", ()):
            os.environ.pop(name, None)
        if "TZ" in environment or "TZ" in message.get("unset", ()):
            time.tzset()
        if message.get("directory"):
            os.chdir(message["directory"])
        settings, handler = self.settings, self.handler
        name = message.get("handler") or settings.handler
        if name != settings.handler:
            handler = load(name, message.get("interface") or settings.interface)
        concurrency = message.get("concurrency") or settings.concurrency
        return run(handler, socket.socket(fileno=listener), concurrency)


LIBC = ctypes.CDLL(None, use_errno=True)
