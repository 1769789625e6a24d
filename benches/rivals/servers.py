"""What people use today to start programs on demand, each with its configuration in `configs`."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import http, tools
from harness.processes import Workspace
from harness.stoker import GATEWAY, Written, evict_path

HERE = Path(__file__).resolve().parent
READY_SECONDS = 30.0
# What the applications answer when their process was not asked before.
SAYS_COLD = "app-start=cold"
IDLE_SECONDS = 1

STATIC = "static program"
PYTHON = "Python, WSGI"
PHP = "PHP"
# Debian 12 names it by its version.
PHP_FPM = "php-fpm8.2"

STOKER_FUNCTION = """\
name = "{name}"
{program}
[scaling]
concurrency = 1
max-scale = 1
idle-timeout = "1h"
"""


@dataclass(frozen=True)
class Target:
    """A server that runs: where it is called, and how its next start is a cold one."""

    url: str
    # Of `stoker bench cold`.
    options: Sequence[str]


@dataclass(frozen=True)
class Rival:
    """One line of the table."""

    name: str
    kind: str
    start: Callable[[Workspace, Path], Target]


def configured(workspace: Workspace, directory: str, file: str, **values: object) -> Path:
    """A configuration with its places filled in."""
    text = (HERE / "configs" / file).read_text().format(directory=workspace.path / directory, **values)
    return workspace.write(f"{directory}/{file}", text)


def copied(workspace: Workspace, directory: str, app: str, name: str | None = None) -> Path:
    """An application, in a directory of its own."""
    return workspace.write(f"{directory}/{name or app}", (HERE / "apps" / app).read_text())


def start_systemd(workspace: Workspace, program: Path) -> Target:
    """A service manager of our own, for this machine may have been booted without systemd."""
    port = http.free_port()
    configured(workspace, "systemd", "hello.socket", port=port)
    units = configured(workspace, "systemd", "hello.service", program=program).parent
    runtime = workspace.path / "systemd-run"
    runtime.mkdir(mode=0o700)
    variables = [f"XDG_RUNTIME_DIR={runtime}", f"SYSTEMD_UNIT_PATH={units}:"]
    # It looks for this directory to tell that systemd runs the machine; nobody else sees it.
    script = (
        "mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system && "
        "exec /lib/systemd/systemd --user --log-target=console"
    )
    argv = ["env", *variables, "unshare", "--mount", "sh", "-c", script]
    child = workspace.start("systemd", argv)
    control = ["env", *variables, "systemctl", "--user", "--quiet"]
    ready = lambda: tools.succeeds([*control, "start", "hello.socket"])  # noqa: E731
    child.wait_until(ready, READY_SECONDS, "no service manager")
    stop = [*control, "stop", "hello.service"]
    return Target(f"http://127.0.0.1:{port}/", ["--cold-command", shlex.join(stop)])


def start_php(workspace: Workspace, _program: Path) -> Target:
    """php-fpm starts a worker when there is none; nginx is in front of it, as it needs."""
    port = http.free_port()
    directory = copied(workspace, "php", "index.php").parent
    root = os.geteuid() == 0
    user = "user = root\ngroup = root" if root else ""
    fpm = configured(workspace, "php", "php-fpm.conf", user=user)
    nginx = configured(workspace, "php", "nginx-php.conf", port=port, user="user root;" if root else "")
    argv = [tools.require(PHP_FPM)[PHP_FPM], *(["-R"] if root else []), "-n", "-y", fpm]
    child = workspace.start("php-fpm", argv)
    child.wait_until((directory / "php.sock").exists, READY_SECONDS, "no socket")
    argv = [tools.require("nginx")["nginx"], "-p", directory, "-e", directory / "nginx-start.log", "-c", nginx]
    _answering(workspace, "nginx-php", argv, port)
    return Target(f"http://127.0.0.1:{port}/", _after_idling())


def start_uwsgi(workspace: Workspace, _program: Path) -> Target:
    """Forks a worker from a master that has loaded the application."""
    port = http.free_port()
    copied(workspace, "uwsgi", "app.py")
    config = configured(workspace, "uwsgi", "uwsgi.ini", port=port)
    _answering(workspace, "uwsgi", [tools.require("uwsgi")["uwsgi"], "--ini", config], port)
    return Target(f"http://127.0.0.1:{port}/", _after_idling())


def start_passenger(workspace: Workspace, _program: Path) -> Target:
    """Starts a process that loads the application."""
    port = http.free_port()
    directory = copied(workspace, "passenger", "app.py", "passenger_wsgi.py").parent
    configured(workspace, "passenger", "Passengerfile.json", port=port)
    passenger = tools.require("passenger")["passenger"]
    _answering(workspace, "passenger", ["env", "-C", directory, passenger, "start"], port)
    return Target(f"http://127.0.0.1:{port}/", _after_idling())


def start_stoker(
    binary: Path, program: Callable[[Path], str], files: Sequence[str] = ()
) -> Callable[[Workspace, Path], Target]:
    """Stoker with one function."""

    def start(workspace: Workspace, static: Path) -> Target:
        name = "greet"
        place = workspace.path / f"s{len(workspace.children)}"
        text = STOKER_FUNCTION.format(name=name, program=program(static))
        function = Written(name, text, {file: (HERE / "apps" / file).read_text() for file in files})
        workspace.write(f"{place.name}/stoker-functions/{name}/function.toml", function.manifest())
        for file, content in function.files.items():
            workspace.write(f"{place.name}/stoker-functions/{name}/{file}", content)
        port = http.free_port()
        admin = place / "admin.sock"
        config = GATEWAY.format(port=port, directory=place, name="stoker", admin=admin)
        file = workspace.write(f"{place.name}/stoker.toml", config)
        path = f"/function/{name}/"
        _answering(workspace, f"stoker-{place.name}", [binary, "serve", file], port, path)
        evict = f"curl -fsS -o /dev/null -X POST --unix-socket {admin} http://localhost{evict_path(name)}"
        options = ["--cold-command", evict, "--cold-header", "stoker-start=cold"]
        return Target(f"http://127.0.0.1:{port}{path}", options)

    return start


def rivals(binary: Path) -> list[Rival]:
    """All of them, those that do the same beside each other."""
    inherits = lambda static: f'command = ["{static}"]\nlisten = "inherit"\n'  # noqa: E731
    wsgi = 'runtime = "python"\nhandler = "app:application"\n'
    return [
        Rival("systemd socket activation", STATIC, start_systemd),
        Rival("Stoker", STATIC, start_stoker(binary, inherits)),
        Rival("uWSGI, cheap, application loaded before", PYTHON, start_uwsgi),
        Rival("Passenger", PYTHON, start_passenger),
        Rival("Stoker, spare forked ahead", PYTHON, start_stoker(binary, lambda _: wsgi, ["app.py"])),
        Rival("php-fpm ondemand behind nginx", PHP, start_php),
    ]


def _after_idling() -> list[str]:
    """Waits until the idle time is over, and the sweep of idle processes behind it."""
    return ["--cold-after", f"{2 * IDLE_SECONDS + 1}s", "--cold-header", SAYS_COLD]


def _answering(workspace: Workspace, name: str, argv: Sequence[str | Path], port: int, path: str = "/") -> None:
    """Starts a server and waits for its first good answer."""
    child = workspace.start(name, argv)

    def answers() -> bool:
        answer = http.get(port, path)
        return answer is not None and answer.status == 200

    child.wait_until(answers, READY_SECONDS, f"no good answer to GET {path}")
