"""Greets: the function of the Python cases."""


def handler(request):
    """Answers anything."""
    return "hello, world\n"
