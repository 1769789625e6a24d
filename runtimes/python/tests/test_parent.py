"""Parents and the processes that they fork."""

import json
import os
import select
import subprocess
import sys
import unittest

from spawner import ParentSite
from support import MAIN, PATIENCE_SECONDS

WHO = """
    import os, sys
    print("imported", flush=True)

    def handler(request):
        print("to stdout")
        print("to stderr", file=sys.stderr)
        return {"pid": os.getpid(), "parent": os.getppid(), "group": os.getpgid(0),
                "directory": os.getcwd(), "environment": dict(os.environ),
                "descriptors": len(os.listdir("/proc/self/fd"))}
"""


class ParentTests(ParentSite):
    """A parent, its spares and its instances."""

    def test_a_spare_becomes_an_instance(self):
        parent = self.parent(WHO, FROM_PARENT="1", ALSO="2")
        self.assertEqual(parent.said(), {"type": "ready"})
        spare = parent.fork()
        spare.said()
        instance = spare.assign(
            environment={"NEW": "n", "ALSO": "3", "STOKER_INSTANCE": "i"}, unset=["FROM_PARENT"],
            directory="/", handler="main", interface="auto", concurrency=2)
        told = instance.get().json()
        self.assertEqual(
            (told["pid"], told["parent"], told["group"]), (spare.pid, os.getpid(), spare.pid))
        self.assertEqual(told["directory"], "/")
        environment = told["environment"]
        self.assertEqual((environment["NEW"], environment["ALSO"]), ("n", "3"))
        self.assertEqual(
            [name for name in environment if name.startswith(("STOKER", "LISTEN", "FROM"))],
            ["STOKER_INSTANCE"])
        # Nobody writes into a socket that is closed.
        self.assertEqual(spare.control.recv(100), b"")
        self.assertEqual(os.waitstatus_to_exitcode(spare.stop()), 0)
        for name, words in (("out", "to stdout\n"), ("err", "to stderr\n"), ("log", "imported\n")):
            with open(os.path.join(self.directory, name)) as file:
                self.assertEqual(file.read(), words)

    def test_an_assignment_may_come_before_the_spare_is_ready(self):
        parent = self.parent(WHO)
        spares = [parent.fork() for _ in range(8)]
        instances = [spare.assign() for spare in spares]
        self.assertEqual(parent.said()["type"], "ready")
        pids = {instance.get().json()["pid"] for instance in instances}
        self.assertEqual(pids, {spare.said()["pid"] for spare in spares})
        # The parent goes; its instances stay.
        parent.control.close()
        self.assertEqual(self.process.wait(PATIENCE_SECONDS), 0)
        self.assertEqual(instances[0].get().status, 200)
        for spare in spares:
            self.assertEqual(spare.stop(), 0)

    def test_spares_and_parents_go_when_nobody_needs_them(self):
        parent = self.parent("""
            import atexit
            atexit.register(print, "an instance ended", flush=True)
            handler = lambda request: "x"
        """)
        parent.said()
        forgotten, stopped = parent.fork(), parent.fork()
        forgotten.said()
        stopped.said()
        forgotten.control.close()
        self.assertEqual(forgotten.wait(), 0)
        self.assertEqual(stopped.stop(), 0)
        self.process.terminate()
        self.assertEqual(self.process.wait(PATIENCE_SECONDS), 0)
        self.assertEqual(self.logged(), "")

    def test_what_an_instance_registered_for_its_end_is_run(self):
        parent = self.parent("""
            import atexit
            atexit.register(print, "an instance ended")
            handler = lambda request: "x"
        """)
        spare = parent.fork()
        spare.said()
        self.assertEqual(spare.assign().get().text, "x")
        self.assertEqual(spare.stop(), 0)
        with open(os.path.join(self.directory, "out")) as file:
            self.assertEqual(file.read(), "an instance ended\n")

    def test_imports_that_fail_are_explained(self):
        for source, handler, detail in (
            ("import nowhere", "main",
             "main cannot be imported: ModuleNotFoundError: No module named 'nowhere'"),
            ("raise SystemExit(0)", "main", "main cannot be imported: SystemExit: 0"),
            ("def run(request): pass", "main:app", "the module main has no \"app\"; it has run"),
            ("def run(request): pass", "main",
             "the module main has none of handler, app, application; it has run"),
            ("app = 3", "main", "main is int and cannot be called"),
            ("def app(*args): pass", "main",
             "main is callable with arguments that cannot be told, which is neither "
             "handler(request) nor WSGI's (environ, start_response) nor async ASGI's (scope, "
             "receive, send); if it is one of them, say which with the setting interface"),
            ("", "../main:app", "the handler \"../main:app\" is not of the form module:attribute"),
        ):
            with self.subTest(handler=handler, source=source):
                parent = self.parent(source, handler)
                self.assertEqual(parent.said(), {"type": "failed", "detail": detail})
                self.assertEqual(self.process.wait(PATIENCE_SECONDS), 1)
                self.assertIn(detail, self.logged())
        self.assertIn("line 1, in <module>\n    import nowhere", self.logged())

    def test_threads_at_import_cannot_be_forked(self):
        parent = self.parent("""
            import threading
            stop = threading.Event()
            threading.Thread(target=stop.wait, name="refresher", daemon=True).start()
            def handler(request): pass
        """)
        self.assertEqual(parent.said(), {"type": "failed", "detail": (
            "the module main starts threads when it is imported (refresher): a parent with threads "
            "cannot be forked; set preload.enabled = false")})
        self.assertEqual(self.process.wait(PATIENCE_SECONDS), 1)

    def test_what_would_be_shared_is_warned_of(self):
        parent = self.parent("""
            import os, select, socket
            listener = socket.create_server(("127.0.0.1", 0))
            connection = socket.create_connection(listener.getsockname())
            epoll = select.epoll()
            pipe = os.pipe()
            database = open("data.db", "w+b")
            log = open("some.log", "a")
            def handler(request): pass
        """)
        self.assertEqual(parent.said()["type"], "ready")
        log = self.logged()
        for words in ("opens a socket at 127.0.0.1:", "opens a connection to 127.0.0.1:",
                      "opens an object of the kernel (anon_inode:[eventpoll])", "opens a pipe",
                      "data.db when it is imported, which all instances share"):
            self.assertIn(words, log)
        self.assertNotIn("some.log", log)

    def test_random_numbers_are_not_shared(self):
        parent = self.parent("""
            import json, random, secrets, ssl, sys, tempfile, types, uuid
            own, chosen = random.Random(), random.Random(7)
            random.random(), own.random(), uuid.uuid1()
            # As numpy has it: one generator for all, of whose forking Python knows nothing.
            numpy = sys.modules["numpy.random"] = types.ModuleType("numpy.random")
            stream = random.Random(7)
            numpy.seed, numpy.rand = stream.seed, stream.random

            def handler(request):
                return {"random": random.random(), "own": own.random(), "chosen": chosen.random(),
                        "uuid1": str(uuid.uuid1()), "uuid4": str(uuid.uuid4()),
                        "secrets": secrets.token_hex(), "ssl": ssl.RAND_bytes(8).hex(),
                        "tempfile": next(tempfile._get_candidate_names()),
                        "numpy": numpy.rand()}
        """)
        told = []
        for _ in range(4):
            told.append(parent.fork().assign().get().json())
        for name in told[0]:
            values = {one[name] for one in told}
            self.assertEqual(len(values), 1 if name == "chosen" else 4, (name, values))

    def test_the_first_request_imports_nothing(self):
        for handler in ("handler", "ahandler", "wsgi", "asgi"):
            with self.subTest(handler=handler):
                parent = self.parent("""
                    import json, os, sys
                    before = set()

                    def forked():
                        before.clear()
                        before.update(sys.modules)

                    os.register_at_fork(after_in_child=forked)

                    def imported():
                        return sorted(set(sys.modules) - before)

                    def handler(request):
                        return {"body": request.json(), "imported": imported()}

                    async def ahandler(request):
                        return {"body": request.json(), "imported": imported()}

                    def wsgi(environ, start_response):
                        environ["wsgi.input"].read()
                        start_response("200 OK", [])
                        return [json.dumps({"imported": imported()}).encode()]

                    async def asgi(scope, receive, send):
                        if scope["type"] == "lifespan":
                            raise NotImplementedError
                        await receive()
                        body = json.dumps({"imported": imported()}).encode()
                        await send({"type": "http.response.start", "status": 200, "headers": []})
                        await send({"type": "http.response.body", "body": body})
                """, "main:" + handler)
                spare = parent.fork()
                instance = spare.assign(concurrency=4)
                caller = instance.connect()
                caller.send(b"POST /a%20b?c=d%20 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked"
                            b"\r\n\r\n2\r\n{}\r\n0\r\n\r\n")
                self.assertEqual(caller.answer().json()["imported"], [])
                spare.said()
                self.assertEqual(spare.stop(), 0)

    def test_a_spare_that_waits_has_served_a_request_to_itself(self):
        fifo = os.path.join(self.directory, "fifo")
        os.mkfifo(fifo)
        parent = self.parent("""
            import os
            from stoker_runtime import warm
            own, parent = warm.warm, os.getpid()

            def told(handler, concurrency=1):
                own(handler, concurrency)
                if os.getpid() != parent:
                    with open("fifo", "w") as fifo:
                        fifo.write("warm")

            warm.warm = told
            requests = 0

            def handler(request):
                global requests
                requests += 1
                return str(requests)
        """, STOKER_CONCURRENCY="3")
        spare = parent.fork()
        with open(fifo) as told:
            self.assertEqual(told.read(), "warm")
        instance = spare.assign(concurrency=3)
        # Without any code of the module.
        self.assertEqual(instance.get().text, "1")
        spare.said()
        # Its signals are as if nothing had been.
        self.assertEqual(spare.stop(), 0)
        idle = parent.fork()
        idle.said()
        with open(fifo) as told:
            told.read()
        self.assertEqual(idle.stop(), 0)

    def test_signals_that_the_module_set_do_not_disturb(self):
        parent = self.parent("""
            import os, signal, subprocess
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            sleeper = subprocess.Popen(["sleep", "60"])

            def handler(request):
                if request.path == "/end":
                    os.kill(sleeper.pid, signal.SIGKILL)
                return signal.getsignal(signal.SIGCHLD).name
        """)
        spare = parent.fork()
        instance = spare.assign()
        self.assertEqual(instance.get().text, "SIG_IGN")
        spare.said()
        instance.get("/end")
        self.assertEqual(spare.stop(), 0)
        self.process.terminate()
        self.assertEqual(self.process.wait(PATIENCE_SECONDS), 0)

    def test_a_default_timeout_of_sockets_does_not_disturb(self):
        fifo = os.path.join(self.directory, "fifo")
        os.mkfifo(fifo)
        parent = self.parent("""
            import socket
            socket.setdefaulttimeout(1e-6)

            from stoker_runtime import threads
            prepare = threads.Reserve.prepare

            def prepared():
                # The last thing before the assignment is waited for.
                with open("fifo", "w") as fifo:
                    fifo.write("waits")
                prepare()

            threads.Reserve.prepare = prepared
            handler = lambda request: "x"
        """, STOKER_CONCURRENCY="2")
        spare = parent.fork()
        spare.said()
        with open(fifo) as told:
            self.assertEqual(told.read(), "waits")
        self.assertEqual(select.select([spare.control], [], [], 0.01)[0], [])
        self.assertEqual(spare.assign(concurrency=2).get().text, "x")
        self.assertEqual(spare.stop(), 0)

    def test_nothing_outlives_the_spawner(self):
        self.module(WHO)
        script = os.path.join(os.path.dirname(__file__), "doomed_spawner.py")
        doomed = subprocess.Popen([sys.executable, script, MAIN], cwd=self.directory,
                                  stdout=subprocess.PIPE)
        self.addCleanup(doomed.stdout.close)
        pids = json.loads(doomed.stdout.readline())
        waits = [os.pidfd_open(pid) for pid in pids]
        doomed.kill()
        doomed.wait()
        for wait in waits:
            self.assertTrue(select.select([wait], [], [], PATIENCE_SECONDS)[0])
            os.close(wait)

    def test_what_cannot_be_done_ends_a_spare_and_not_its_parent(self):
        parent = self.parent(WHO, STOKER_CONCURRENCY="3")
        parent.said()
        parent.control.send(b'{"type":"unknown"}')
        parent.control.send(b'{"type":"fork","number":1}')
        for _ in range(2):
            spare = parent.fork()
            spare.said()
            spare.control.send(b'{"type":"unknown"}')
            self.assertEqual(os.waitstatus_to_exitcode(spare.wait()), 1)
            self.assertIn("a message that is no assignment", self.logged())
            lost = parent.fork()
            lost.said()
            lost.assign(directory="/nowhere")
            self.assertEqual(os.waitstatus_to_exitcode(lost.wait()), 1)
            with open(os.path.join(self.directory, "err")) as file:
                self.assertIn("No such file or directory: '/nowhere'", file.read())
        served = parent.fork()
        instance = served.assign(concurrency=3)
        self.assertEqual(instance.get().status, 200)
        served.said()
        self.assertEqual(served.stop(), 0)


class TwiceForkedTests(ParentTests):
    """The same where there is no machine code that forks."""

    command = (sys.executable, "-c", """
import os, runpy, sys
sys.path.insert(0, os.path.dirname(os.path.dirname(%r)))
from stoker_runtime import forking
forking.CODE.clear()
del sys.path[0]
runpy.run_path(%r, run_name="__main__")
""" % (os.path.realpath(MAIN), os.path.realpath(MAIN)))


if __name__ == "__main__":
    unittest.main()
