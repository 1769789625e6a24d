"""A WebSocket function: what it does with a connection is its path's last part."""

import asyncio
import http
import os
import signal

from websockets.asyncio.server import serve, unix_serve
from websockets.exceptions import ConnectionClosed


def record(line):
    path = os.environ.get("RECORD")
    if path:
        with open(path, "a") as pipe:
            pipe.write(line + "\n")


async def echo(connection):
    async for message in connection:
        await connection.send(message)


async def handle(connection):
    what = connection.request.path.split("/")[-1]
    record("open " + what)
    try:
        if what == "echo":
            await echo(connection)
        elif what == "close":
            await connection.close(4001, "as asked")
        elif what == "end":
            await connection.recv()
            os._exit(7)
        elif what == "ping":
            await (await connection.ping(b"are you there"))
            await connection.send("you are")
            await connection.wait_closed()
    except ConnectionClosed:
        pass
    await connection.wait_closed()
    record(f"closed {what} {connection.close_code} {connection.close_reason}")


def process(connection, request):
    if request.path.endswith("/refuse"):
        return connection.respond(http.HTTPStatus.FORBIDDEN, "not you\n")
    if request.path.endswith("/plain"):
        return connection.respond(http.HTTPStatus.OK, "plain\n")
    if request.path.endswith("/required"):
        response = connection.respond(http.HTTPStatus.UPGRADE_REQUIRED, "another\n")
        response.headers["Upgrade"] = "websocket"
        return response
    return None


async def main():
    stop = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set_result, None)
    options = {"process_request": process, "max_size": 4 << 20, "ping_interval": None}
    socket = os.environ.get("STOKER_SOCKET")
    if socket:
        server = unix_serve(handle, socket, **options)
    else:
        server = serve(handle, "127.0.0.1", int(os.environ["PORT"]), **options)
    async with server:
        await stop


asyncio.run(main())
