"""Does in the portal what a person would: publishes a function by dropping a zip, calls it, reads its
log, publishes a second revision as a folder, rolls it back, changes its policy.

usage: portal.py URL TOKEN DIRECTORY_FOR_PICTURES

Says "done" at the end. Whatever the page complains of is a failure, and so is any request to anybody
but the gateway.
"""

import asyncio
import json
import pathlib
import shutil
import sys
import tempfile
import zipfile

from browser import PATIENCE, Browser

MANIFEST = """\
name = "greeter"
runtime = "python"
handler = "main:handler"
listen = "inherit"
contract = "http"

[scaling]
concurrency = 1
max-scale = 4
"""

HANDLER = """\
import os

def handler(request):
    print("greeted <b>somebody</b> from VERSION", flush=True)
    return "hello from VERSION"
"""

# Together, as they are sent.
PORTAL_BYTES = 100_000


def package(directory: pathlib.Path, version: str) -> pathlib.Path:
    """A folder with a function."""
    folder = directory / version / "greeter"
    (folder / "data").mkdir(parents=True)
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("not for the package")
    (folder / "function.toml").write_text(MANIFEST)
    (folder / "main.py").write_text(HANDLER.replace("VERSION", version))
    (folder / "data" / "grüße.txt").write_text("ä" * 5000)
    # What `stoker publish` leaves behind stays behind here too.
    (folder / ".stokerignore").write_text("*.log\n/data/*\n!grüße.txt\n")
    (folder / "debug.log").write_text("not for the package")
    (folder / "data" / "notes").write_text("not for the package")
    return folder


def zipped(folder: pathlib.Path) -> pathlib.Path:
    """A zip of the folder, as other programs make it."""
    path = folder.parent / "greeter.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("function.toml", "main.py", "data/grüße.txt"):
            archive.write(folder / name, name)
    return path


async def tab(page, name):
    """Opens one part of the function's page, by its name."""
    await page.click("[role=tab]", name)
    await page.until(f"the tab {name} is open",
                     f"document.querySelector('[role=tab][aria-selected=true]').innerText === {json.dumps(name)}")


async def log_in(page, url, token):
    """A wrong token is refused, the right one opens."""
    await page.do("Page.navigate", url=url)
    await page.type("input[name=token]", "not-the-right-token")
    await page.click("form.login button")
    await page.text("not a token of this gateway")
    # That is what the browser says of every 401.
    refused = [it for it in page.complaints if "401" in it]
    assert len(refused) == len(page.complaints) == 1, page.complaints
    page.complaints.clear()
    await page.type("input[name=token]", token)
    await page.click("form.login button")
    await page.until("the functions are listed", "document.querySelector('[role=grid]') !== null")
    await page.until("it is connected", "document.getElementById('standing').textContent === 'live'")


async def publish(page, what, message):
    """Drops something and publishes it."""
    await page.drop(what)
    await page.until("the dialog has read it", "!!document.querySelector('dialog.publish .primary:not(:disabled)')")
    name = await page.js("document.querySelector('dialog.publish input[name=name]').value")
    assert name == "greeter", name
    shown = await page.js("document.querySelector('dialog.publish .source').textContent")
    assert "main.py" in shown and "grüße.txt" in shown, shown
    for name in (".git", ".stokerignore", "debug.log", "notes"):
        assert name not in shown.replace(".stokerignore leaves out", ""), (name, shown)
    await page.type("dialog.publish input[name=message]", message)
    await page.click("dialog.publish .primary", "Publish")
    await page.until("it is published", "!document.querySelector('dialog.publish')")
    await page.until("its page is open", "document.querySelector('h1')?.innerText === 'greeter'")


async def call(page, wanted):
    """Calls the function and waits for what it says."""
    await tab(page, "Test")
    await page.click(".console .primary", "Send")
    await page.text(wanted, ".answers > li:first-child")
    status = await page.js("document.querySelector('.answers .status').innerText")
    assert status == "200", status


async def cold_and_warm(page):
    """The phases of both are shown."""
    await tab(page, "Test")
    await page.click(".console button", "Cold, then warm")
    await page.until("there are two answers", "document.querySelectorAll('.answers > li .track').length >= 3")
    words = await page.js("[...document.querySelectorAll('.answers > li')].slice(0, 2).map((it) => it.innerText)")
    warm, cold = words
    assert "warm" in warm and "first-byte" in warm, warm
    assert "cold" in cold and "prepare" in cold, cold


async def ignore(page):
    """The rules of ignore files are those of the command, which has the same cases."""
    cases = json.loads((pathlib.Path(__file__).parent / "ignore.json").read_text())
    wrong = await page.js("""(async (cases) => {
      const { packed } = await import("/portal/ignore.js");
      const node = (name, it) => typeof it === "string" ? { name, file: async () => new Blob([it]) }
        : { name, children: async () => [...it].map(([name, it]) => node(name, it)) };
      const wrong = [];
      for (const { name, files, kept } of cases) {
        const root = new Map();
        for (const [path, text] of Object.entries(files)) {
          const parts = path.split("/");
          const folder = parts.slice(0, -1).reduce((at, part) => at.set(part, at.get(part) ?? new Map()).get(part), root);
          folder.set(parts.at(-1), text);
        }
        const found = await packed(node("", root), 100).then((it) => it.files.map((file) => file.path).sort(), () => null);
        if (JSON.stringify(found) !== JSON.stringify(kept && kept.toSorted())) wrong.push([name, found, kept]);
      }
      return wrong;
    })(CASES)""".replace("CASES", json.dumps(cases)))
    assert wrong == [], wrong


async def past(page):
    """What was before the page was opened is drawn too."""
    await tab(page, "Overview")
    drawn = "document.querySelector('.tile.rate .spark:not(.flat) .line')?.getAttribute('d')"
    await page.until("the calls are drawn", drawn)
    await page.do("Page.reload")
    await page.until("they are drawn again", drawn)


async def canary(page):
    """Begins, and is ended."""
    await tab(page, "Revisions")
    await page.click("main form button", "Begin")
    await page.text("The next step is due")
    await page.text("A canary divides the traffic")
    await page.click("main button", "Stop it")
    await page.text("aborted")


async def budget(page):
    """One that is used up shows everywhere, until it is taken away."""
    await tab(page, "Usage")
    # Above the budget, which it moves down.
    await page.text("Invocations by")
    await page.type("main input[name=invocations]", "1")
    await page.click("main form button", "Save")
    await page.text("of 1 invocations")
    await page.until("the function is marked", "document.querySelector('.title .badge')?.innerText === 'over budget'")
    await page.click("main form button", "As the manifest says")
    await page.text("Nothing is limited")
    await page.until("the mark is gone", "document.querySelector('.title .badge')?.hidden")


async def roll_back(page):
    """Back to the first revision."""
    await tab(page, "Revisions")
    await page.text("second")
    await page.click("main tbody tr:last-child button", "r1")
    await page.text("grüße.txt", "dialog")
    await page.key("Escape")
    await page.click("main form button", "Show what differs")
    await page.text("main.py (other content)")
    await page.click("main tbody tr:last-child button", "Roll back to this")
    await page.click("dialog footer button", "Roll back")
    await page.until("revision 1 serves", "[...document.querySelectorAll('tr.live')].some((it) => it.innerText.startsWith('r1') && it.innerText.includes('serves'))")


async def change_policy(page):
    """It is tried before it can be applied."""
    await tab(page, "Scaling")
    await page.type("input[name=idle-timeout]", "5m")
    assert await page.js("[...document.querySelectorAll('main form button')].find((it) => it.innerText === 'Apply').disabled")
    await page.click("main form button", "Try on the last hour")
    await page.text("With the change")
    await page.click("main form button", "Apply")
    await page.text("idle-timeout")
    await page.until("the settings are a version of the policy", "document.querySelectorAll('main .panel:last-child tbody tr').length >= 2")
    await tab(page, "Overview")
    await tab(page, "Scaling")
    await page.until("the field has it", "document.querySelector('input[name=idle-timeout]')?.value === '5m'")


async def keyboard(page):
    """Without a mouse."""
    await page.js("document.activeElement.blur()")
    await page.key("Escape")
    await page.until("the list is there", "document.querySelector('[role=grid]') !== null")
    await page.key("?")
    await page.until("the keys are told", "document.querySelector('dialog .keyhelp') !== null")
    await page.key("Escape")
    await page.until("they are put away", "!document.querySelector('dialog')")
    await page.key("/")
    await page.do("Input.insertText", text="greet")
    await page.until("one is found", "document.querySelectorAll('.rows .row').length === 1")
    await page.key("Enter")
    await page.until("it is open", "document.querySelector('h1')?.innerText === 'greeter'")
    await page.key("Escape")
    await page.until("the list is back", "document.querySelector('[role=grid]') !== null")
    await page.key("Escape")
    await page.key("j")
    await page.until("one is chosen", "document.querySelectorAll('.row[aria-selected=true]').length === 1")


async def look(page, pictures):
    """Every part in light, dark and narrow; none is wider than the window, all buttons have names."""
    views = {"functions": "#/", "usage": "#/usage", "audit": "#/audit"}
    for part in ("overview", "revisions", "test", "log", "scaling", "settings", "usage"):
        views[f"function-{part}"] = f"#/f/greeter/{part}"
    for kind, scheme, width, height in (("light", "light", 1280, 860), ("dark", "dark", 1280, 860), ("narrow", "light", 360, 740)):
        await page.scheme(scheme)
        await page.size(width, height)
        for name, address in views.items():
            await page.js(f"location.hash = {json.dumps(address)}")
            await page.until("it is drawn", "!document.querySelector('main').innerText.includes('Loading')")
            await page.js("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
            wide = await page.js("document.documentElement.scrollWidth")
            assert wide <= width, f"{name} is {wide} wide in {width}"
            nameless = await page.js("[...document.querySelectorAll('button, a, input, select, textarea')].filter((it) => !(it.innerText || it.ariaLabel || it.labels?.length || it.getAttribute('aria-labelledby'))).map((it) => it.outerHTML)")
            assert not nameless, f"{name}: {nameless}"
            if kind == "narrow":
                cut = await page.js("[...document.querySelectorAll('.wide')].filter((it) => it.scrollWidth > it.clientWidth).map((it) => it.ariaLabel)")
                assert not cut, f"{name}: what is in {cut} is wider than a phone"
            await page.shot(pictures / f"{name}-{kind}.png")


def clean(page, url):
    """Nothing was complained of, and nobody else was asked."""
    # Browsers report what the page asks for and says is not there: a canary where none was ever begun.
    told = lambda it: "404" in it and it.endswith("/canary")
    complaints = [it for it in page.complaints if not told(it)]
    assert not complaints, complaints
    strangers = [it for it in page.requests if not it.startswith((url, f"blob:{url}")) and it != "about:blank"]
    assert not strangers, strangers
    files = {it: size for it, size in page.received.items() if it == f"{url}/" or "/portal/" in it}
    assert len(files) > 10 and sum(files.values()) < PORTAL_BYTES, files
    print(f"the page has {len(files)} files of {sum(files.values()):.0f} bytes as sent")


async def remove(directory):
    """Removes it, once the browser's other processes, which end after it, write there no more."""
    async with asyncio.timeout(PATIENCE):
        while directory.exists():
            shutil.rmtree(directory, ignore_errors=True)
            await asyncio.sleep(0.05)


async def main(url, token, pictures):
    scratch = pathlib.Path(tempfile.mkdtemp())
    try:
        page = await Browser.start(scratch / "profile")
        try:
            await page.size(1280, 860)
            await log_in(page, url, token)
            await publish(page, zipped(package(scratch, "one")), "first")
            await call(page, "hello from one")
            await tab(page, "Log")
            # As text: what a function writes never becomes markup.
            await page.text("greeted <b>somebody</b> from one", ".log")
            await cold_and_warm(page)
            await past(page)
            await ignore(page)
            await publish(page, package(scratch, "two"), "second")
            await call(page, "hello from two")
            await roll_back(page)
            await call(page, "hello from one")
            await change_policy(page)
            await canary(page)
            await budget(page)
            await keyboard(page)
            await look(page, pictures)
            clean(page, url)
        finally:
            await page.stop()
    finally:
        await remove(scratch)
    print("done")


asyncio.run(main(sys.argv[1].rstrip("/"), sys.argv[2], pathlib.Path(sys.argv[3])))
