"""What goes wrong, in words for whoever reads the log or the answer."""


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
