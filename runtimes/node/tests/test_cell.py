"""Booted runners, spoken to as the spawner does: in bytes, over the channel of Node."""

import unittest

from support_node import PATIENCE_SECONDS, NodeSite

WHO = """
    export default async (request) => Response.json({ pid: process.pid, directory: process.cwd(),
      environment: { ...process.env }, body: await request.text(), arguments: process.argv.length });
"""


class CellTests(NodeSite):
    """A cell and the instance that it becomes."""

    def test_a_cell_becomes_an_instance(self):
        self.module(WHO, "main.mjs")
        cell = self.cell(BOOTED="1", STOKER_FUNCTION="x")
        self.assertEqual(cell.said(), {"type": "spare", "pid": cell.process.pid})
        instance = cell.assign(handler="main.mjs", environment={"NEW": "n", "STOKER_HANDLER": "h"})
        told = instance.get("/", "", "POST", b"hello").json()
        self.assertEqual(told["pid"], cell.process.pid)
        self.assertEqual((told["directory"], told["body"]), (self.directory, "hello"))
        self.assertEqual(told["environment"], {"NEW": "n"})
        # What Node itself says of the socket that it got; then it closes.
        self.assertEqual(cell.said(), {"cmd": "NODE_HANDLE_ACK"})
        self.assertIsNone(cell.said())
        # The channel's end is not the instance's.
        self.assertEqual(instance.get("/", "", "POST", b"x").json()["body"], "x")
        self.assertEqual(instance.stop(), 0)

    def test_many_cells_serve_many_functions(self):
        cells = [self.cell() for _ in range(3)]
        for number, cell in enumerate(cells):
            self.module("exports.handler = (q, response) => response.end('%d')" % number,
                        "m%d.cjs" % number)
            # Before it says that it is ready.
            instance = cell.assign(handler="m%d.cjs" % number)
            self.assertEqual(instance.get().text, str(number))
            said = [cell.said(), cell.said()]
            self.assertIn({"cmd": "NODE_HANDLE_ACK"}, said)
            self.assertIn({"type": "spare", "pid": cell.process.pid}, said)

    def test_cells_go_when_nobody_needs_them(self):
        forgotten, stopped = self.cell(), self.cell()
        forgotten.said()
        stopped.said()
        forgotten.lines.close()
        forgotten.channel.close()
        self.assertEqual(forgotten.process.wait(PATIENCE_SECONDS), 0)
        stopped.process.terminate()
        self.assertEqual(stopped.process.wait(PATIENCE_SECONDS), 0)

    def test_a_function_that_cannot_be_loaded_ends_the_cell(self):
        self.module("import './nowhere.mjs'", "main.mjs")
        cell = self.cell()
        cell.said()
        cell.assign(handler="main.mjs")
        self.assertEqual(cell.process.wait(PATIENCE_SECONDS), 1)
        self.assertIn("stoker: main.mjs cannot be loaded\n", self.logged())
        self.assertIn("nowhere.mjs", self.logged())

    def test_a_message_that_is_no_assignment_ends_the_cell(self):
        cell = self.cell()
        cell.said()
        cell.channel.sendall(b'{"type":"unknown"}\n')
        self.assertEqual(cell.process.wait(PATIENCE_SECONDS), 1)
        self.assertIn("stoker: the spawner sent a message that is no assignment\n", self.logged())


if __name__ == "__main__":
    unittest.main()
