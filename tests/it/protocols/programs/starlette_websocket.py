"""A WebSocket function of Starlette: what it does with a connection is its path's last part."""

import os

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocketDisconnect

REFUSALS = {"refuse": (403, "not you\n"), "plain": (200, "plain\n"), "required": (426, "another\n")}


def record(line):
    with open(os.environ["RECORD"], "a") as pipe:
        pipe.write(line + "\n")


async def echo(socket):
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message["code"], message["reason"])
        del message["type"]
        await socket.send({"type": "websocket.send", **message})


async def handle(socket):
    what = socket.url.path.split("/")[-1]
    if what in REFUSALS:
        status, text = REFUSALS[what]
        await socket.send_denial_response(PlainTextResponse(text, status))
        return
    await socket.accept()
    record("open " + what)
    if what == "fail":
        raise RuntimeError("as the test wants it")
    if what == "close":
        await socket.close(4001, "as asked")
        return
    if what == "ping":
        await socket.send_text("you are")
    try:
        await echo(socket)
    except WebSocketDisconnect as end:
        record(f"closed {what} {end.code} {end.reason}")


handler = Starlette(routes=[WebSocketRoute("/{rest:path}", handle)])
