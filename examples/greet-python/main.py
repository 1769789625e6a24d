"""Greets, in JSON."""

import os


def handler(request):
    """Takes a request and returns what is to be answered."""
    name = request.query.get("name", "world")
    return {"message": f"Hello, {name}!", "pid": os.getpid()}
