"""The servers that are compared: how each is configured, started and asked whether it is ready."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import http, tools
from .processes import Child, Workspace, descendants

# All are asked for the same path; nginx and haproxy pass it on as it is, which is their cheapest.
PATH = "/function/bench/"
BODY_BYTES = 13
READY_SECONDS = 20.0

NGINX = """\
daemon off;
master_process {master};
worker_processes 1;
worker_rlimit_nofile 16384;
{user}
pid {directory}/nginx.pid;
error_log {directory}/nginx-error.log error;
events {{
    worker_connections 8192;
}}
http {{
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 300s;
    client_body_temp_path {directory}/nginx-body;
    proxy_temp_path {directory}/nginx-proxy;
    fastcgi_temp_path {directory}/nginx-fastcgi;
    scgi_temp_path {directory}/nginx-scgi;
    uwsgi_temp_path {directory}/nginx-uwsgi;
    # A response of 64 KiB fits: nginx must not spill it into a file.
    proxy_buffers 8 16k;
    proxy_max_temp_file_size 0;
    upstream bench {{
        server unix:{upstream};
        keepalive 256;
        keepalive_requests 1000000000;
        keepalive_timeout 300s;
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://bench;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-Host $http_host;
            proxy_set_header X-Request-Id $request_id;
        }}
    }}
}}
"""

HAPROXY = """\
global
    nbthread 1
    maxconn 8192
defaults
    mode http
    http-reuse always
    option http-keep-alive
    timeout connect 5s
    timeout client 300s
    timeout server 300s
    timeout http-keep-alive 300s
frontend bench
    bind 127.0.0.1:{port}
    option forwardfor
    unique-id-format %[uuid()]
    unique-id-header X-Request-Id
    http-request set-header X-Forwarded-Proto http
    http-request set-header X-Forwarded-Host %[req.hdr(host)]
    default_backend upstream
backend upstream
    server upstream unix@{upstream}
"""


@dataclass
class Server:
    """A server that runs and answers on loopback."""

    name: str
    port: int
    child: Child
    # Whose CPU time and memory count as the server's.
    measured: Callable[[], list[int]]
    # Header lines that a request must have.
    headers: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{PATH}"


@dataclass(frozen=True)
class Surroundings:
    """What every server is started with."""

    workspace: Workspace
    # Before its command: taskset, or valgrind.
    prefix: Sequence[str]
    # The socket of the upstream that nginx and haproxy share.
    upstream: Path
    # One process in place of nginx's master and worker, for callgrind.
    single: bool = False
    ready_seconds: float = READY_SECONDS


def start_upstream(workspace: Workspace, prefix: Sequence[str], binary: Path) -> Path:
    """Starts the shared upstream; returns its socket."""
    path = workspace.path / "upstream.sock"
    child = workspace.start("upstream", [*prefix, binary, path])
    child.wait_until(path.exists, READY_SECONDS, "no socket")
    return path


def start_direct(around: Surroundings, binary: Path) -> Server:
    """The upstream itself on TCP: what is left when the proxy costs nothing."""
    port = http.free_port()
    argv = [*around.prefix, binary, f"tcp:127.0.0.1:{port}"]
    child = around.workspace.start("direct", argv)
    return answering(Server("direct", port, child, lambda: [child.pid]), around.ready_seconds)


def start_nginx(around: Surroundings) -> Server:
    """nginx, one worker."""
    port = http.free_port()
    directory = around.workspace.path
    user = f"user {pwd.getpwuid(0).pw_name};" if os.geteuid() == 0 else ""
    master = "off" if around.single else "on"
    text = NGINX.format(
        directory=directory, upstream=around.upstream, port=port, user=user, master=master
    )
    config = around.workspace.write("nginx.conf", text)
    nginx = tools.require("nginx")["nginx"]
    argv = [*around.prefix, nginx, "-p", directory, "-e", directory / "nginx-start.log", "-c", config]
    child = around.workspace.start("nginx", argv)
    server = Server("nginx", port, child, lambda: [child.pid, *descendants(child.pid)])
    return answering(server, around.ready_seconds)


def start_haproxy(around: Surroundings) -> Server:
    """haproxy, one thread, in the foreground and without a master."""
    port = http.free_port()
    text = HAPROXY.format(upstream=around.upstream, port=port)
    config = around.workspace.write("haproxy.cfg", text)
    haproxy = tools.require("haproxy")["haproxy"]
    child = around.workspace.start("haproxy", [*around.prefix, haproxy, "-db", "-f", config])
    return answering(Server("haproxy", port, child, lambda: [child.pid]), around.ready_seconds)


def answering(
    server: Server, seconds: float, path: str = PATH, body_bytes: int | None = BODY_BYTES
) -> Server:
    """Waits until the server passes the upstream's answer on."""

    def answers() -> bool:
        answer = http.get(server.port, path, headers=server.headers)
        if answer is None or answer.status != 200:
            return False
        return body_bytes is None or len(answer.body) == body_bytes

    server.child.wait_until(answers, seconds, f"no good answer to GET {path}")
    return server
