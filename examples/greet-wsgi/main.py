"""Greets, as a WSGI application."""

from urllib.parse import parse_qs


def app(environ, start_response):
    """PEP 3333."""
    name = parse_qs(environ["QUERY_STRING"]).get("name", ["world"])[0]
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    return [f"Hello, {name}!\n".encode()]
