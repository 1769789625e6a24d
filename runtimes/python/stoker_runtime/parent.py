"""The parent of preloaded instances: the interpreter with the handler imported, which forks.

It speaks JSON messages over a SOCK_SEQPACKET socket with the spawner; `runtimes/PROTOCOL.md` says
which.
"""

import gc
import os
import select
import signal
import sys
from _socket import AF_UNIX, SOCK_SEQPACKET, socket as Socket

from . import child, hygiene, messages, seeds, warm
from .errors import UnusableHandler, log_exception
from .forking import Forker
from .load import load
from .serve import fail

BUFFER = bytearray(64 * 1024)
# After so many the interpreter has made code as fast as it can (8 in 3.11), with some to spare.
REHEARSALS = 16
# Before each of them, so that it is in the way of no order that comes at once.
PAUSE_SECONDS = 0.005


class Parent:
    """Imports the handler and forks instances of it on demand."""

    def __init__(self, settings, descriptor):
        self.settings = settings
        # This process is the spawner's child itself.
        settings.spawner_pid = settings.spawner_pid or os.getppid()
        os.set_inheritable(descriptor, False)
        self.control = Socket(AF_UNIX, SOCK_SEQPACKET, 0, descriptor)
        self.handler = None
        self.on_child_end = None
        self.forker = Forker()
        self.rehearsals = 0

    def run(self):
        """The exit status: the parent's own, or in a forked process the instance's."""
        detail = self._prepare()
        if detail is not None:
            self._send({"type": "failed", "detail": detail})
            return fail(detail)
        if not self._send({"type": "ready"}):
            leave()
        return self._serve()

    def _prepare(self):
        """Gets ready to fork; if that cannot be, one sentence that says why."""
        name = self.settings.handler
        before = hygiene.descriptors()
        try:
            with seeds.watching():
                self.handler = load(
                    name, self.settings.interface, self.settings.websocket_bytes)
        except UnusableHandler as error:
            return str(error)
        except BaseException as error:  # Among them SystemExit, for an import may say anything.
            log_exception(error)
            return "%s cannot be imported: %s: %s" % (name, type(error).__name__, error)
        module = name.partition(":")[0]
        threads = hygiene.thread_names()
        if threads:
            return (
                "the module %s starts threads when it is imported (%s): a parent with threads "
                "cannot be forked; set preload.enabled = false" % (module, ", ".join(threads)))
        for warning in hygiene.warnings(module, before):
            sys.stderr.write("stoker: %s\n" % warning)
        # After the import, which may have set its own.
        signal.signal(signal.SIGTERM, leave)
        # For `waitpid`, which an ignored SIGCHLD would make wait for the module's children too.
        self.on_child_end = signal.getsignal(signal.SIGCHLD)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        seeds.note_numpy()
        try:
            warm.warm(self.handler)
        except Exception as error:  # The module may have replaced parts of the standard library.
            log_exception(error)
            return "the runner cannot serve once %s is imported: %s: %s" % (
                module, type(error).__name__, error)
        # What is here already is never looked through by the collector again, so that its pages
        # stay shared.
        gc.collect()
        gc.freeze()
        return None

    def _serve(self):
        """Forks until the spawner goes; returns only in forked processes."""
        while True:
            try:
                data, descriptors = self._next()
            except OSError:
                leave()
            if not data:
                leave()
            message = messages.parsed(data)
            if message.get("type") != "fork" or not descriptors:
                close_all(descriptors)
                continue
            forked = self._fork(message, descriptors)
            if forked is not None:
                return forked.run()

    def _next(self):
        """The next message and its descriptors. While nobody asks for anything, what comes after a
        fork is rehearsed. Raises `OSError`."""
        while self.rehearsals < REHEARSALS and not self._is_asked():
            self.rehearsals += 1
            child.rehearse()
            warm.warm(self.handler)
            gc.freeze()
        return messages.receive(self.control, BUFFER)

    def _is_asked(self):
        """Whether a message comes soon."""
        return bool(select.select([self.control], (), (), PAUSE_SECONDS)[0])

    def _fork(self, message, descriptors):
        """Forks an instance that is the spawner's child. In it, a `Child`; here, `None`."""
        group = descriptors[1] if message.get("grouped") and len(descriptors) > 1 else None
        sys.stdout.flush()
        sys.stderr.flush()
        forked, failure = self._try_fork(group)
        if failure is not None and group is not None:
            # Such as where a group has room for one process, and not for the one between.
            forked, failure = self._try_fork(None)
        if forked:
            self.control.close()
            if self.on_child_end not in (None, signal.SIG_DFL):
                signal.signal(signal.SIGCHLD, self.on_child_end)
            child.enter(descriptors[1:], group)
            return child.Child(self.settings, self.handler, descriptors[0])
        close_all(descriptors)
        if failure is not None:
            detail = "the parent cannot fork: %s" % failure
            self._send({"type": "fork-failed", "number": message.get("number"), "detail": detail})
        return None

    def _try_fork(self, group):
        """Whether this is the new process, and what went wrong, if anything."""
        try:
            between = self.forker.fork(group)
        except OSError as error:
            return False, str(error)
        if between == 0:
            return True, None
        has_failed = os.waitpid(between, 0)[1] != 0
        return False, "the second fork failed" if has_failed else None

    def _send(self, message):
        """Sends a message; false if nobody is there."""
        try:
            self.control.send(messages.formatted(message))
        except OSError:
            return False
        return True


def close_all(descriptors):
    """Closes descriptors."""
    for descriptor in descriptors:
        os.close(descriptor)


def leave(*_):
    """Ends a process that never was an instance: what the handler registered for an instance's
    end is not run."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
