"""Chromium without a window, spoken to by the DevTools protocol."""

import asyncio
import base64
import itertools
import json
import os
import pathlib
import urllib.request

import websockets

# How long anything may take that must happen at all.
PATIENCE = float(os.environ.get("PATIENCE", 100))

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-extensions",
    "--disable-background-networking", "--no-first-run", "--remote-debugging-port=0",
]


class Browser:
    """One page of one browser, and everything it complained of or asked for."""

    def __init__(self, socket, process):
        self.socket = socket
        self.process = process
        self.ids = itertools.count(1)
        self.answers = {}
        self.complaints = []
        self.requests = []
        self.received = {}
        self.names = {}

    @classmethod
    async def start(cls, profile: pathlib.Path):
        """Starts it with a profile of its own."""
        process = await asyncio.create_subprocess_exec(
            "chromium", *FLAGS, f"--user-data-dir={profile}", "about:blank",
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL)
        port_file = profile / "DevToolsActivePort"
        async with asyncio.timeout(PATIENCE):
            # The file has two lines once it is whole.
            while not port_file.exists() or len(port_file.read_text().splitlines()) < 2:
                await asyncio.sleep(0.05)
        port = port_file.read_text().split()[0]
        pages = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=PATIENCE))
        address = next(page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page")
        socket = await websockets.connect(address, max_size=None, proxy=None)
        browser = cls(socket, process)
        asyncio.get_running_loop().create_task(browser.listen())
        for domain in ("Page", "Runtime", "Log", "Network"):
            await browser.do(f"{domain}.enable")
        return browser

    async def stop(self):
        """Ends it."""
        await self.socket.close()
        self.process.terminate()
        await self.process.wait()

    async def listen(self):
        """Takes what the browser says."""
        async for message in self.socket:
            message = json.loads(message)
            if "id" in message:
                self.answers.pop(message["id"]).set_result(message)
            else:
                self.note(message["method"], message["params"])

    def note(self, method, params):
        """Remembers what matters of an event."""
        match method:
            case "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(params["exceptionDetails"])[:800])
            case "Runtime.consoleAPICalled" if params["type"] in ("error", "warning", "assert"):
                self.complaints.append(json.dumps(params["args"])[:800])
            case "Log.entryAdded" if params["entry"]["level"] in ("error", "warning"):
                entry = params["entry"]
                self.complaints.append(f"{entry['source']}: {entry['text']} {entry.get('url', '')}")
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])
                self.names[params["requestId"]] = params["request"]["url"]
            case "Network.loadingFinished":
                url = self.names.get(params["requestId"], "")
                self.received[url] = max(self.received.get(url, 0), params["encodedDataLength"])

    async def do(self, method, **params):
        """A command and its result."""
        number = next(self.ids)
        answer = self.answers[number] = asyncio.get_running_loop().create_future()
        await self.socket.send(json.dumps({"id": number, "method": method, "params": params}))
        message = await asyncio.wait_for(answer, PATIENCE)
        if "error" in message:
            raise RuntimeError(f"{method}: {message['error']}")
        return message["result"]

    async def js(self, expression):
        """What an expression comes to."""
        result = await self.do("Runtime.evaluate", expression=expression, awaitPromise=True,
                               returnByValue=True, userGesture=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{expression}: {json.dumps(result['exceptionDetails'])[:800]}")
        return result["result"].get("value")

    async def until(self, what, expression):
        """Waits until an expression is true in the page; what it comes to."""
        # A page that is being replaced cannot answer, and is asked again.
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    try:
                        if found := await self.js(expression):
                            return found
                    except RuntimeError as error:
                        last = error
                        del last
                    await asyncio.sleep(0.03)
        except TimeoutError:
            text = await self.js("document.body.innerText")
            raise AssertionError(f"did not happen: {what}; the page says:\n{text[:3000]}\n{self.complaints}") from None

    async def text(self, wanted, inside="main"):
        """Waits until the page shows a text."""
        where = f"document.querySelector({json.dumps(inside)})?.innerText.includes({json.dumps(wanted)})"
        await self.until(f"{inside} shows {wanted!r}", where)

    async def point(self, selector, label=None):
        """Where the middle of an element is, by its selector and the text that it begins with."""
        find = (f"[...document.querySelectorAll({json.dumps(selector)})].find((it) => it.checkVisibility()"
                f" && !it.disabled && it.innerText.startsWith({json.dumps(label or '')}))")
        there = f"(() => {{ const it = {find}; if (!it) return null; it.scrollIntoView({{ block: 'center' }});" \
                "const at = it.getBoundingClientRect(); return [at.x + at.width / 2, at.y + at.height / 2]; })()"
        return await self.until(f"there is {selector} {label or ''}", there)

    async def click(self, selector, label=None):
        """Clicks an element as a mouse does."""
        x, y = await self.point(selector, label)
        for kind in ("mousePressed", "mouseReleased"):
            await self.do("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    async def type(self, selector, text):
        """Puts a text in the place of what stands in a field."""
        await self.click(selector)
        await self.js(f"document.querySelector({json.dumps(selector)}).select?.()")
        await self.do("Input.insertText", text=text)

    async def key(self, key):
        """Presses a key."""
        code = {"Escape": 27, "Enter": 13}.get(key)
        params = {"key": key, "windowsVirtualKeyCode": code} if code else {"key": key, "text": key}
        if key == "Enter":
            params["text"] = "\r"
        await self.do("Input.dispatchKeyEvent", type="keyDown", **params)
        await self.do("Input.dispatchKeyEvent", type="keyUp", key=key)

    async def drop(self, *paths):
        """Drops files or folders in the middle of the page."""
        data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            await self.do("Input.dispatchDragEvent", type=kind, x=300, y=300, data=data)

    async def size(self, width, height):
        """The window's size."""
        await self.do("Emulation.setDeviceMetricsOverride", width=width, height=height,
                      deviceScaleFactor=1, mobile=width < 500)

    async def scheme(self, value):
        """Light or dark."""
        await self.do("Emulation.setEmulatedMedia",
                      features=[{"name": "prefers-color-scheme", "value": value}])

    async def shot(self, path: pathlib.Path):
        """A picture of what is to be seen."""
        result = await self.do("Page.captureScreenshot", format="png")
        os.makedirs(path.parent, exist_ok=True)
        path.write_bytes(base64.b64decode(result["data"]))
