"""What goes wrong, in words for whoever reads the log or the answer."""

import os
import sys

PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep


class BadRequest(Exception):
    """A request that is refused; `status` is the answer's."""

    def __init__(self, detail, status=400):
        super().__init__(detail)
        self.status = status


class Disconnected(OSError):
    """The caller's connection ended in the middle of a request or an answer."""


class UnusableHandler(Exception):
    """The handler cannot be loaded or is nothing that can be called. One lower-case sentence."""


class BrokenAnswer(Exception):
    """The application broke the rules of its interface. One lower-case sentence."""


def log_exception(error):
    """Writes an exception to standard error, from the first line on that is not ours.

    The interpreter's own way: the module `traceback` takes longer to import than a request.
    """
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(PACKAGE):
        trace = trace.tb_next
    sys.stdout.flush()
    trace = trace or error.__traceback__
    sys.__excepthook__(type(error), error.with_traceback(trace), trace)
    sys.stderr.flush()
