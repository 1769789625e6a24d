"""What an import leaves behind that forked processes should not share."""

import os
import socket
import stat
import threading


def thread_names():
    """The names of Python's threads besides the main one."""
    return [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]


def descriptors():
    """The descriptors that are open."""
    found = [int(name) for name in os.listdir("/proc/self/fd")]
    # Without the one through which the list was read.
    return {descriptor for descriptor in found if os.path.exists("/proc/self/fd/%d" % descriptor)}


def warnings(module, before):
    """Sentences about what was found, for the log. `before` had been open before the import."""
    found = []
    tasks = len(os.listdir("/proc/self/task"))
    if tasks > 1:
        # Such as OpenBLAS's, which end before a fork and are started again when they are needed.
        found.append(
            "the module %s starts %d threads outside of Python when it is imported, which forked "
            "instances lack; if they hang, set preload.enabled = false" % (module, tasks - 1))
    for descriptor in sorted(descriptors() - before):
        what = shared(descriptor)
        if what is not None:
            found.append(
                "the module %s opens %s when it is imported, which all instances share; open it "
                "when the first request comes, or set preload.enabled = false" % (module, what))
    return found


def shared(descriptor):
    """What is behind a descriptor, if it is nothing to be shared."""
    try:
        mode = os.fstat(descriptor).st_mode
        name = os.readlink("/proc/self/fd/%d" % descriptor)
    except OSError:
        # The directory of descriptors itself, which is closed by now.
        return None
    if stat.S_ISSOCK(mode):
        return described_socket(descriptor)
    if stat.S_ISFIFO(mode):
        return "a pipe"
    if stat.S_ISREG(mode):
        return None if appends(descriptor) else "the file %s" % name
    if name.startswith("anon_inode:"):
        return "an object of the kernel (%s)" % name
    return None


def described_socket(descriptor):
    """A socket in words."""
    with socket.socket(fileno=os.dup(descriptor)) as one:
        for words, ask in (("a connection to %s", one.getpeername), ("a socket at %s", one.getsockname)):
            try:
                address = ask()
            except OSError:
                continue
            if isinstance(address, tuple):
                address = "%s:%s" % address[:2]
            if address:
                return words % (address if isinstance(address, str) else repr(address))
    return "a socket"


def appends(descriptor):
    """Whether a file is written at its end, as logs are: that may be shared."""
    with open("/proc/self/fdinfo/%d" % descriptor) as info:
        for line in info:
            if line.startswith("flags:"):
                return bool(int(line.split()[1], 8) & os.O_APPEND)
    return False
