"""Forks a process that is the spawner's child: nothing is to be its parent and end with it, or to
reap it in the spawner's place.

A process whose parent has ended becomes a child of the nearest subreaper, so there is one between,
which forks and ends at once. That one need not have memory of its own: where there is machine code
for it, it is made by vfork, and the memory of the interpreter is copied once in place of twice.
Python alone cannot do so, for whoever returns from the call that made it would undo the stack of
the parent that waits. Everything else is as in `os.fork`: the C library's handlers are called by
its own `fork`, Python's by the functions that are there for those who fork by themselves.

The process between may be born into a control group, where its child then is too: that costs next to
nothing, while to be moved there takes milliseconds (7.6 here), for the kernel waits until nobody on
the whole machine forks or ends.
"""

import ctypes
import mmap
import os
import platform
import sys

PROT_READ, PROT_EXEC = 1, 4

# clone(2): `struct clone_args` is eleven numbers since CLONE_INTO_CGROUP.
CLONE_VM, CLONE_VFORK, CLONE_INTO_CGROUP = 0x100, 0x4000, 0x200000000
SIGCHLD = 17

# int (*)(int (*fork)(void), int call, ...): 0 in the new process, else what the system call `call`
# returned, which is vfork or clone3 and has the rest as its arguments.
CODE = {
    "x86_64": (
        "53"            # push   rbx               which is kept, and aligns the stack
        "48 89 fb"      # mov    rbx, rdi
        "89 f0"         # mov    eax, esi
        "48 89 d7"      # mov    rdi, rdx
        "48 89 ce"      # mov    rsi, rcx
        "0f 05"         # syscall
        "85 c0"         # test   eax, eax
        "75 14"         # jnz    1f                the parent, once the one between has ended
        "ff d3"         # call   rbx               fork, in the one between
        "85 c0"         # test   eax, eax
        "74 0e"         # jz     1f                the new process, on a stack of its own
        "89 c7"         # mov    edi, eax
        "c1 ef 1f"      # shr    edi, 31           status 1 if nothing was forked
        "b8 e7 00 00 00"  # mov  eax, 231          exit_group
        "0f 05"         # syscall
        "0f 0b"         # ud2
        "5b"            # 1: pop rbx
        "c3"            # ret
    ),
}
# vfork and clone3.
CALLS = {"x86_64": (58, 435)}


class Forker:
    """Forks; made ahead, for it looks for what it can use."""

    def __init__(self):
        self._between = None
        self._fork = None
        try:
            self._prepare()
        except Exception:
            # Another interpreter, or memory must not be executed: it works without.
            self._between = None

    def _prepare(self):
        code = CODE.get(platform_name())
        if code is None:
            return
        # Never given back: `self._memory` lives as long as this.
        self._memory = mmap.mmap(-1, mmap.PAGESIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._memory.write(bytes.fromhex(code))
        address = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        libc = ctypes.CDLL(None, use_errno=True)
        protect = libc.mprotect
        protect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        if protect(address, mmap.PAGESIZE, PROT_READ | PROT_EXEC) != 0:
            return
        # As `ctypes.pythonapi`, of which everybody has the same functions.
        python = ctypes.PyDLL(None)
        self._before = python.PyOS_BeforeFork
        self._after_in_parent = python.PyOS_AfterFork_Parent
        self._after_in_child = python.PyOS_AfterFork_Child
        for hook in (self._before, self._after_in_parent, self._after_in_child):
            hook.restype = None
        self._fork = ctypes.cast(libc.fork, ctypes.c_void_p)
        # The lock of the interpreter is held, as `PyOS_BeforeFork` wants it.
        kind = ctypes.PYFUNCTYPE(
            ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t)
        self._vfork, self._clone3 = CALLS[platform_name()]
        self._arguments = (ctypes.c_uint64 * 11)()
        self._arguments[0] = CLONE_VM | CLONE_VFORK | CLONE_INTO_CGROUP
        self._arguments[4] = SIGCHLD
        self._between = kind(address)

    @property
    def is_direct(self):
        """Whether memory is copied once."""
        return self._between is not None

    def fork(self, group=None):
        """0 in the new process; else the pid of the one between, to be reaped, whose status says
        whether there is a new process. That is in the control group of v2 whose directory is
        `group`, if that can be. Raises `OSError`."""
        if self._between is None:
            return fork_twice()
        sys.audit("os.fork")
        self._before()
        result = -1
        if group is not None:
            arguments = self._arguments
            arguments[10] = group
            result = self._between(self._fork, self._clone3, arguments, ctypes.sizeof(arguments))
        if result < 0:
            # Or the kernel, or a filter, does not let it.
            result = self._between(self._fork, self._vfork, None, 0)
        if result == 0:
            self._after_in_child()
            return 0
        self._after_in_parent()
        if result < 0:
            raise OSError(-result, os.strerror(-result))
        return result


def fork_twice():
    """The same without machine code."""
    between = os.fork()
    if between != 0:
        return between
    try:
        if os.fork() == 0:
            return 0
    except OSError:
        os._exit(1)
    os._exit(0)


def platform_name():
    """What the machine code depends on; `None` if it is not this interpreter's."""
    is_wide = sys.maxsize > 2**32
    return platform.machine() if is_wide and sys.implementation.name == "cpython" else None
