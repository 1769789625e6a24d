"""The programs that a bench needs: found, built, and their versions."""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from .errors import BenchError

BENCHES = Path(__file__).resolve().parent.parent
REPOSITORY = BENCHES.parent
DEFAULT_STOKER = REPOSITORY / "target" / "release" / "stoker"

# Debian's package for each tool.
PACKAGES = {
    "cargo": "cargo, or rustup from https://rustup.rs",
    "haproxy": "haproxy",
    "nginx": "nginx-light",
    "passenger": "passenger",
    "php-fpm8.2": "php-fpm",
    "systemctl": "systemd",
    "taskset": "util-linux",
    "uwsgi": "uwsgi-core",
    "valgrind": "valgrind",
    "vgdb": "valgrind",
    "wrk": "wrk",
}
# nginx and haproxy are there, and not always on a user's PATH.
EXTRA_PATH = "/usr/sbin:/usr/local/sbin:/sbin"


def find(name: str) -> str | None:
    """The path of a tool, if it is installed."""
    return shutil.which(name, path=os.environ.get("PATH", os.defpath) + ":" + EXTRA_PATH)


def require(*names: str) -> dict[str, str]:
    """The paths of all these tools; one error names all that are missing."""
    found = {name: find(name) for name in names}
    missing = [f"{name} (Debian: {PACKAGES[name]})" for name, path in found.items() if path is None]
    if missing:
        raise BenchError("not installed: " + ", ".join(missing))
    return {name: path for name, path in found.items() if path is not None}


def require_stoker(path: Path) -> Path:
    """Stoker's binary, absolute."""
    if not os.access(path, os.X_OK):
        raise BenchError(f"no Stoker at {path}: run `cargo build --release`, or use --stoker PATH")
    return path.resolve()


def build(package: str) -> Path:
    """Builds one of the small programs under benches/ and returns its binary."""
    cargo = require("cargo")["cargo"]
    directory = BENCHES / package
    # In its directory, for the sake of its .cargo/config.toml.
    built = subprocess.run(
        [cargo, "build", "--release", "--locked", "--quiet", "--target-dir", str(directory / "target")],
        cwd=directory,
    )
    if built.returncode != 0:
        raise BenchError(f"{directory} could not be built")
    return directory / "target" / "release" / f"stoker-bench-{package}"


def output_of(argv: list[str]) -> str:
    """What a command prints, on either stream; empty if it cannot be run."""
    try:
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace")


def succeeds(argv: list[str]) -> bool:
    """Whether a command can be run and ends with status 0."""
    try:
        done = subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def version(argv: list[str]) -> str:
    """The first version number that a command prints."""
    found = re.search(r"\d+\.\d+[\w.+~-]*", output_of(argv))
    return found.group() if found else "unknown"


def fingerprint(stoker: Path | None) -> dict[str, str]:
    """What a figure must be read with: the machine and the versions."""
    cpuinfo = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    hypervisor = re.search(r"^flags\s*:.*\bhypervisor\b", cpuinfo, re.MULTILINE)
    facts = {
        "CPU": model.group(1) if model else platform.machine(),
        "cores": str(os.cpu_count()),
        "virtual machine": "yes" if hypervisor else "no",
        "kernel": platform.release(),
    }
    for name, flag in (("nginx", "-v"), ("haproxy", "-v"), ("wrk", "-v"), ("valgrind", "--version")):
        path = find(name)
        facts[name] = version([path, flag]) if path else "not installed"
    facts["rustc"] = version(["rustc", "--version"])
    if stoker:
        facts["stoker"] = version([str(stoker), "--version"])
    facts["python"] = platform.python_version()
    return facts


def choices(known: Sequence[str]) -> Callable[[str], list[str]]:
    """The type of an option that names some of these, with commas between them."""

    def parse(text: str) -> list[str]:
        wanted = text.split(",")
        if unknown := [name for name in wanted if name not in known]:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(known)}")
        return [name for name in known if name in wanted]

    return parse


def positive(text: str) -> int:
    """The type of an option that counts something."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number
