"""Forking processes that are the spawner's children."""

import ctypes
import json
import os
import platform
import sys
import unittest

from spawner import PR_SET_CHILD_SUBREAPER

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from stoker_runtime.forking import CODE, Forker  # noqa: E402

HANDLERS = []


def note(name):
    """A handler of the C library's for forks."""
    handler = ctypes.CFUNCTYPE(None)(lambda: HANDLERS.append(name))
    HOOKS.append(handler)
    return handler


HOOKS = []
libc = ctypes.CDLL(None)
libc.__register_atfork(note("C before"), note("C in parent"), note("C in child"), None)
os.register_at_fork(
    before=lambda: HANDLERS.append("before"),
    after_in_parent=lambda: HANDLERS.append("in parent"),
    after_in_child=lambda: HANDLERS.append("in child"))


class ForkingTests(unittest.TestCase):
    """With whatever is the best here."""

    def setUp(self):
        # Who has no parent becomes this process's child.
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        HANDLERS.clear()

    def forker(self):
        """What is tested."""
        return Forker()

    def told(self, forker):
        """What a forked process says, and the pid of the one between."""
        read, write = os.pipe()
        between = forker.fork()
        if between == 0:
            os.close(read)
            pid = os.getpid()
            # As `_exit` ends it, whatever goes wrong.
            try:
                os.write(write, json.dumps({"pid": pid, "handlers": HANDLERS}).encode())
            finally:
                os._exit(7)
        os.close(write)
        self.assertEqual(os.waitpid(between, 0)[1], 0)
        with os.fdopen(read, "rb") as pipe:
            return json.loads(pipe.read()), between

    def test_the_new_process_is_a_child_of_the_reaper(self):
        forker = self.forker()
        for _ in range(3):
            one, between = self.told(forker)
            self.assertNotIn(one["pid"], (os.getpid(), between))
            # It can be waited for, so it is a child.
            self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(one["pid"], 0)[1]), 7)

    def test_the_handlers_of_forks_are_called(self):
        one, _ = self.told(self.forker())
        os.waitpid(one["pid"], 0)
        for name in ("before", "in child", "C before", "C in child"):
            self.assertIn(name, one["handlers"])
        self.assertNotIn("in parent", one["handlers"])
        self.assertEqual(HANDLERS[0], "before")
        self.assertEqual(HANDLERS[-1], "in parent")
        self.assertNotIn("in child", HANDLERS)
        self.assertNotIn("C in child", HANDLERS)


class DirectTests(ForkingTests):
    """By machine code, where there is any."""

    def test_it_is_used(self):
        self.assertEqual(self.forker().is_direct, platform.machine() in CODE)

    def test_the_new_process_is_born_into_a_control_group(self):
        group = os.path.join(own_group(), "stoker-runtime-test-%d" % os.getpid())
        if not self.forker().is_direct:
            return
        try:
            os.mkdir(group)
        except OSError:
            # Not on a machine without rights for it.
            return
        self.addCleanup(os.rmdir, group)
        directory = os.open(group, os.O_RDONLY | os.O_DIRECTORY)
        self.addCleanup(os.close, directory)
        forker = self.forker()
        for _ in range(2):
            wait, release = os.pipe()
            between = forker.fork(directory)
            if between == 0:
                os.close(release)
                os.read(wait, 1)
                os._exit(0)
            os.close(wait)
            self.assertEqual(os.waitpid(between, 0)[1], 0)
            with open(os.path.join(group, "cgroup.procs")) as processes:
                born = processes.read().split()
            self.assertEqual(len(born), 1)
            os.close(release)
            os.waitpid(int(born[0]), 0)
        # What is no group is passed over.
        with open(os.devnull) as nothing:
            between = forker.fork(nothing.fileno())
            if between == 0:
                os._exit(0)
            self.assertEqual(os.waitpid(between, 0)[1], 0)
        os.waitpid(-1, 0)

    def test_a_fork_that_fails_is_told_by_the_status_of_the_process_between(self):
        forker = self.forker()
        if not forker.is_direct:
            return
        failing = ctypes.CFUNCTYPE(ctypes.c_int)(lambda: -1)
        forker._fork = ctypes.cast(failing, ctypes.c_void_p)
        between = forker.fork()
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(between, 0)[1]), 1)


class TwiceTests(ForkingTests):
    """By Python alone."""

    def forker(self):
        forker = Forker()
        forker._between = None
        return forker


def own_group():
    """The directory of this process's control group of v2."""
    with open("/proc/self/mountinfo") as mounts:
        mount = next((line.split()[4] for line in mounts if " - cgroup2 " in line), "/nowhere")
    with open("/proc/self/cgroup") as groups:
        path = next((line[3:].strip() for line in groups if line.startswith("0::")), "/")
    return mount + path


if __name__ == "__main__":
    unittest.main()
