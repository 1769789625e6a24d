"""Greets, and says whether this process was asked before: for uWSGI, Passenger and Stoker alike."""

asked = False


def application(environ, start_response):
    """A WSGI application."""
    global asked
    start = "warm" if asked else "cold"
    asked = True
    start_response("200 OK", [("Content-Type", "text/plain"), ("App-Start", start), ("Content-Length", "13")])
    return [b"hello, world\n"]
