"""The server for applications that block: threads that share one epoll instance.

Whichever thread is woken serves the request itself, so that none is handed from one thread to
another; idle connections hold no thread. The main thread is one of them.
"""

import os
import select
import threading
import time
from _signal import SIGINT, SIGTERM, signal
from _socket import socket as Socket

from .connection import DONTWAIT, Connection

# The gateway keeps one per slot; so many may be open at once.
MAX_CONNECTIONS = 4096
# Before the next attempt to accept, after one for which there was no descriptor.
PAUSE_SECONDS = 0.1
ONCE = select.EPOLLIN | select.EPOLLONESHOT


class ThreadServer:
    """Serves `interface` on the descriptor `listener` with up to `concurrency` threads.

    Of sockets and signals it uses what is below Python's modules, which turn every number into a
    member of an enumeration: in a process that was just forked each page that is touched so is
    copied first.
    """

    def __init__(self, listener, interface, concurrency):
        self.listener = Socket(fileno=listener)
        self.kind = self.listener.family, self.listener.type, self.listener.proto
        self.interface = interface
        self.concurrency = concurrency
        # Connections that wait for a request, by descriptor. Whoever takes one out owns it.
        self.idle = {}
        self.open = 0
        # No more is accepted until one of them ends.
        self.paused = False
        self.lock = threading.Lock()
        self.waiting_threads = 0
        self.threads = []
        self.stopped = False
        self.wake_read, self.wake_write = os.pipe()
        self.epoll = select.epoll()
        self.listener.setblocking(False)
        self.epoll.register(listener, ONCE)
        self.epoll.register(self.wake_read, select.EPOLLIN)

    def run(self):
        """Serves until SIGTERM, then finishes what is in flight."""
        signal(SIGTERM, self.stop)
        signal(SIGINT, self.stop)
        self._work()
        for thread in self.threads:
            thread.join()
        self.listener.close()
        self.epoll.close()
        os.close(self.wake_read)
        os.close(self.wake_write)

    def stop(self, *_):
        """Ends `run` once what is in flight is answered."""
        self.stopped = True
        os.write(self.wake_write, b"x")

    def stopping(self):
        """Whether no further request is wanted."""
        return self.stopped

    def _work(self):
        accepting = self.listener.fileno()
        while not self.stopped:
            with self.lock:
                self.waiting_threads += 1
            events = self.epoll.poll(-1, 1)
            with self.lock:
                self.waiting_threads -= 1
            for descriptor, _ in events:
                if descriptor == accepting:
                    self._accept()
                elif descriptor != self.wake_read:
                    connection = self.idle.pop(descriptor, None)
                    if connection is not None:
                        self._serve(connection)
        self._finish()

    def _accept(self):
        socket, lacking = None, False
        try:
            socket = self._accepted()
        except (BlockingIOError, ConnectionAbortedError):
            pass
        except OSError:
            # Descriptors or memory: until a connection ends, or for a moment if there is none.
            lacking = True
        with self.lock:
            self.open += socket is not None
            self.paused = self.open >= MAX_CONNECTIONS or lacking and self.open > 0
            paused = self.paused
        if not paused:
            if lacking:
                time.sleep(PAUSE_SECONDS)
            self.epoll.modify(self.listener.fileno(), ONCE)
        if socket is not None:
            socket.setblocking(True)
            # Most bring their request along.
            self._serve(Connection(socket), DONTWAIT)

    def _accepted(self):
        """The next connection's socket. Raises `OSError`."""
        descriptor, _ = self.listener._accept()
        return Socket(*self.kind, descriptor)

    def _serve(self, connection, flags=0):
        """Serves what the connection has, and waits for more from it."""
        try:
            stays = connection.fill(flags)
        except BlockingIOError:
            self._keep(connection, register=True)
            return
        if stays:
            self._reinforce()
            stays = connection.serve(self.interface, self.stopping) and not self.stopped
        if stays:
            self._keep(connection, register=bool(flags))
        else:
            self._close(connection)

    def _keep(self, connection, register):
        descriptor = connection.socket.fileno()
        self.idle[descriptor] = connection
        if self.stopped:
            # Perhaps nobody looks for it any more.
            if self.idle.pop(descriptor, None) is not None:
                self._serve_last(connection)
            return
        if register:
            self.epoll.register(descriptor, ONCE)
        else:
            self.epoll.modify(descriptor, ONCE)

    def _close(self, connection):
        connection.close()
        with self.lock:
            self.open -= 1
            again, self.paused = self.paused, False
        if again and not self.stopped:
            self.epoll.modify(self.listener.fileno(), ONCE)

    def _reinforce(self):
        """Starts another thread if nobody waits for the next request and there may be one."""
        with self.lock:
            if self.waiting_threads or self.stopped or len(self.threads) + 1 >= self.concurrency:
                return
            thread = Reserve.take(self._work)
            ahead = thread is not None
            if not ahead:
                name = "stoker-%d" % len(self.threads)
                thread = threading.Thread(target=self._work, name=name)
            self.threads.append(thread)
        if not ahead:
            thread.start()

    def _finish(self):
        """Answers what was asked before the end, and closes all that asks nothing. Every thread
        does so, for the main one may be busy."""
        while True:
            try:
                connection = self.idle.popitem()[1]
            except KeyError:
                break
            self._serve_last(connection)
        while True:
            try:
                socket = self._accepted()
            except OSError:
                break
            socket.setblocking(True)
            self._serve_last(Connection(socket))

    def _serve_last(self, connection):
        try:
            if connection.fill(DONTWAIT):
                connection.serve(self.interface, self.stopping)
        except BlockingIOError:
            pass
        connection.close()


class Reserve:
    """A thread that is started while nobody waits, for the first request to find: to start one takes
    until it runs."""

    _waiting = None

    def __init__(self):
        self.target = None
        self.gate = threading.Lock()
        self.gate.acquire()
        self.thread = threading.Thread(target=self._run, name="stoker-ahead")
        self.thread.start()

    def _run(self):
        with self.gate:
            target = self.target
        if target is not None:
            target()

    @classmethod
    def prepare(cls):
        """Starts it."""
        cls._waiting = cls()

    @classmethod
    def take(cls, target):
        """The thread, which runs `target` now; `None` if there is none."""
        reserve, cls._waiting = cls._waiting, None
        if reserve is None:
            return None
        reserve.target = target
        reserve.gate.release()
        return reserve.thread

    @classmethod
    def dismiss(cls):
        """Ends it, if it was not taken; the process could not end with it."""
        cls.take(None)
