"""Serving: a process that is an instance from its beginning."""

import os
import socket
import sys
import traceback

from .errors import UnusableHandler
from .load import load


def serve(settings, descriptor):
    """Imports the handler and serves it on an inherited listening socket; the exit status."""
    for name in ("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"):
        os.environ.pop(name, None)
    listener = socket.socket(fileno=descriptor)
    listener.set_inheritable(False)
    try:
        handler = load(settings.handler, settings.interface)
    except UnusableHandler as error:
        return fail(str(error))
    except BaseException:
        traceback.print_exc()
        return fail("%s cannot be imported" % settings.handler)
    return run(handler, listener, settings.concurrency)


def run(handler, listener, concurrency):
    """Serves until SIGTERM; the exit status."""
    try:
        handler.server(listener, concurrency).run()
    except UnusableHandler as error:
        return fail(str(error))
    sys.stdout.flush()
    return 0


def fail(detail):
    """Says in the log why there is no instance; the exit status."""
    sys.stderr.write("stoker: %s\n" % detail)
    sys.stderr.flush()
    return 1
