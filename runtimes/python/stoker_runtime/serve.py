"""Serving: a process that is an instance from its beginning."""

import os
import sys

from .errors import UnusableHandler, log_exception
from .load import load


def serve(settings, descriptor):
    """Imports the handler and serves it on an inherited listening socket; the exit status."""
    os.set_inheritable(descriptor, False)
    try:
        handler = load(settings.handler, settings.interface, settings.websocket_bytes)
    except UnusableHandler as error:
        return fail(str(error))
    except BaseException as error:  # Among them SystemExit, for an import may say anything.
        log_exception(error)
        return fail("%s cannot be imported" % settings.handler)
    return run(handler, descriptor, settings.concurrency)


def run(handler, listener, concurrency):
    """Serves on a descriptor until SIGTERM; the exit status."""
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
