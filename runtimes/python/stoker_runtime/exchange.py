"""One request and its answer: the part that does no I/O."""

from .answer import Answer
from .body import Body
from .errors import BrokenAnswer


class Exchange:
    """One request and its answer. What reads and writes is built on it.

    `stopping` tells whether no further request is wanted.
    """

    def __init__(self, head, stopping):
        self.head = head
        self.body = Body(head.length)
        self.answer = None
        self.stopping = stopping
        # The caller waits for a word before it sends the body.
        self.expected = head.expects_continue
        self.sent = False
        self.ended = False

    def start(self, status, fields):
        """Sets what the answer begins with; it goes out with the first piece.

        Raises `BrokenAnswer`.
        """
        if self.sent:
            raise BrokenAnswer("the head of the answer was sent already")
        self.answer = Answer(self.head, status, fields)

    def encode(self, data):
        """The bytes that carry `data`, the head before them if it was not sent."""
        if self.answer is None:
            raise BrokenAnswer("the answer has a body but no status")
        if self.ended:
            raise BrokenAnswer("the answer has ended already")
        return self._framed(data, False)

    def encode_end(self, last=b""):
        """The bytes that carry `last` and what ends the answer."""
        if self.answer is None:
            raise BrokenAnswer("the application ended without an answer")
        if self.ended:
            return b""
        if not self.sent and self.answer.left is None and not self.answer.bodiless:
            # All of it is here.
            self.answer.left = len(last)
        piece = self._framed(last, True)
        self.ended = True
        return piece

    def continues(self):
        """Whether the caller is to be told now to send the body."""
        told = self.expected and not self.sent
        # Behind the head of an answer it would be taken for its body.
        self.expected = self.expected and self.sent
        return told

    def _framed(self, data, is_last):
        sent = self.sent
        try:
            out = b"" if sent else self._begin()
            if data:
                out += self.answer.piece(data)
            return out + self.answer.end() if is_last else out
        except BrokenAnswer:
            # Nothing of it went out, so a failure may be told in its place.
            self.sent = sent
            raise

    def _begin(self):
        self.sent = True
        if self.expected or self.stopping():
            # The caller may send the body or leave it out now.
            self.answer.keep_alive = False
        return self.answer.begin()
