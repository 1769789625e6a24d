"""WebSocket through the gateway: websocket_client.py URL WHAT; says what it saw, line by line."""

import asyncio
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

URL = sys.argv[1]


def say(*words):
    print(*words, flush=True)


async def told():
    """The next line that the test sends."""
    return await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


def open_to(what, **options):
    settings = {"proxy": None, "max_size": 4 << 20, "open_timeout": 30, "ping_interval": None}
    return connect(f"{URL}/{what}", **(settings | options))


async def closed(connection):
    try:
        await connection.recv()
    except ConnectionClosed:
        pass
    else:
        raise AssertionError("a message came")
    return connection.close_code, connection.close_reason


async def messages():
    for compression in (None, "deflate"):
        async with open_to("echo", compression=compression) as connection:
            for message in ("text \u00fc", b"\x00\xff", "", b"", b"x" * (1 << 20), "y" * (1 << 20)):
                await connection.send(message)
                assert await connection.recv() == message
            # Fragments are one message.
            await connection.send(["one ", "two ", "three"])
            assert await connection.recv() == "one two three"
            await (await connection.ping(b"are you there"))
    async with open_to("ping") as connection:
        assert await connection.recv() == "you are"
    say("all came back")


async def codes():
    async with open_to("close") as connection:
        say(*await closed(connection))
    async with open_to("echo") as connection:
        await connection.close(4002, "enough")
    say("closed")


async def many():
    """Each is open before the first one says a word."""
    connections = await asyncio.gather(*(open_to("echo") for _ in range(50)))
    for index, connection in enumerate(connections):
        await connection.send(str(index))
    for index, connection in enumerate(connections):
        assert await connection.recv() == str(index)
    await asyncio.gather(*(connection.close() for connection in connections))
    say("all")


async def one():
    """Echoes what it is told until it is told nothing or the connection is closed."""
    async with open_to("echo") as connection:
        say("open")
        while True:
            line = asyncio.ensure_future(told())
            message = asyncio.ensure_future(connection.recv())
            await asyncio.wait([line, message], return_when=asyncio.FIRST_COMPLETED)
            if line.done():
                message.cancel()
                await asyncio.wait([message])
                text = line.result().strip()
                if text in ("", "close"):
                    break
                await connection.send(text)
                say("echo", await connection.recv())
                continue
            say("closed", *await closed(connection))
            return
    say("left")


async def until_closed():
    async with open_to(sys.argv[3]) as connection:
        say("open")
        if sys.argv[3] == "end":
            await connection.send("end")
        code, _ = await closed(connection)
        say("closed", code)


async def long():
    """One message of so many bytes."""
    async with open_to("echo", compression=None) as connection:
        message = b"x" * int(sys.argv[3])
        try:
            await connection.send(message)
            assert await connection.recv() == message
            say("it came back")
        except ConnectionClosed:
            say(connection.close_code, connection.close_reason)


async def refused():
    for what in ("refuse", "plain", "required"):
        try:
            async with open_to(what):
                raise AssertionError("it was opened")
        except InvalidStatus as error:
            say(error.response.status_code, error.response.body.decode().strip())


asyncio.run(globals()[sys.argv[2]]())
