"""Finds the handler and what interface it has.

Signatures are read from code objects: `inspect` takes longer to import than most handlers.
"""

import sys

from .errors import UnusableHandler
from .settings import INTERFACES, WEBSOCKET_BYTES

# Looked for in a module whose handler is named without an attribute, in this order.
NAMES = ("handler", "app", "application")
# Of code objects: CO_VARARGS, CO_COROUTINE and CO_ASYNC_GENERATOR.
VARIADIC, COROUTINE, ASYNC_GENERATOR = 0x04, 0x80, 0x200


class Handler:
    """A handler that was found: `target` is called as `interface` says; `is_async` tells whether
    an event loop does so. `websocket_bytes` bounds a message from a WebSocket."""

    __slots__ = ("target", "interface", "is_async", "websocket_bytes")

    def __init__(self, target, interface, is_async, websocket_bytes=WEBSOCKET_BYTES):
        self.target = target
        self.interface = interface
        self.is_async = is_async
        self.websocket_bytes = websocket_bytes

    def server(self, listener, concurrency):
        """The server that calls it, on the descriptor of a listening socket."""
        key = self.interface, self.is_async
        if key not in _classes:
            _classes[key] = classes_of(*key)
        server, interface = _classes[key]
        caller = interface(self.target, concurrency)
        if self.interface == "asgi":
            caller.websocket_bytes = self.websocket_bytes
        return server(listener, caller, concurrency)


# Of servers and interfaces that were imported.
_classes = {}


def classes_of(interface, is_async):
    """The server and the interface for a handler; only what is needed is imported."""
    if interface == "wsgi":
        from .wsgi import WsgiInterface as Interface
    elif interface == "asgi":
        from .asgi import AsgiInterface as Interface
    elif is_async:
        from .handler import AsyncHandlerInterface as Interface
    else:
        from .handler import HandlerInterface as Interface
    if is_async:
        from .loop import LoopServer as Server
    else:
        from .threads import ThreadServer as Server
    return Server, Interface


def load(name, interface, websocket_bytes=WEBSOCKET_BYTES):
    """Imports the handler `name`, "module" or "module:attribute"; an attribute that ends in "()"
    is a factory.

    Raises `UnusableHandler`, and whatever the module raises.
    """
    if interface not in INTERFACES:
        raise UnusableHandler("the interface \"%s\" is none of %s" % (
            interface, ", ".join(INTERFACES)))
    module_name, _, attribute = name.partition(":")
    if module_name.endswith(".py") and "/" not in module_name:
        module_name = module_name[:-3]
    if not module_name or not all(part.isidentifier() for part in module_name.split(".")):
        raise UnusableHandler("the handler \"%s\" is not of the form module:attribute" % name)
    __import__(module_name)
    module = sys.modules[module_name]
    target = attribute_of(module, module_name, attribute) if attribute else default(module)
    kind, is_async = detect(target, name) if interface == "auto" else (interface, None)
    if not callable(target):
        raise UnusableHandler("%s is %s and cannot be called" % (name, type(target).__name__))
    if is_async is None:
        is_async = kind == "asgi" or kind == "handler" and bool(
            flags_of(target) & (COROUTINE | ASYNC_GENERATOR))
    return Handler(target, kind, is_async, websocket_bytes)


def attribute_of(module, module_name, attribute):
    """What `attribute` (with dots, perhaps a factory) names in a module."""
    target = module
    factory = attribute.endswith("()")
    for part in (attribute[:-2] if factory else attribute).split("."):
        try:
            target = getattr(target, part)
        except AttributeError:
            raise UnusableHandler("the module %s has no \"%s\"; it has %s" % (
                module_name, attribute, callables(module))) from None
    if factory:
        target = target()
    return target


def default(module):
    """The handler of a module that is named alone."""
    for name in NAMES:
        if hasattr(module, name):
            return getattr(module, name)
    raise UnusableHandler("the module %s has none of %s; it has %s" % (
        module.__name__, ", ".join(NAMES), callables(module)))


def callables(module):
    """What of a module might be a handler, in words."""
    names = [name for name, value in vars(module).items()
             if not name.startswith("_") and callable(value)
             and getattr(value, "__module__", None) == module.__name__]
    return ", ".join(names[:10]) or "nothing that can be called"


def detect(target, name):
    """The interface of `target`, and whether it is a coroutine."""
    if not callable(target):
        raise UnusableHandler("%s is %s and cannot be called" % (name, type(target).__name__))
    arguments = arguments_of(target)
    is_async = bool(flags_of(target) & (COROUTINE | ASYNC_GENERATOR))
    if arguments is not None:
        required, most, names = arguments
        if required <= 3 <= most and (is_async or names[:3] == ("scope", "receive", "send")):
            return "asgi", True
        if required <= 2 <= most and not is_async and required != 1:
            return "wsgi", False
        if required <= 1 <= most:
            return "handler", is_async
    raise UnusableHandler(
        "%s is %s%s, which is neither handler(request) nor WSGI's (environ, start_response) nor "
        "async ASGI's (scope, receive, send); if it is one of them, say which with the setting "
        "interface" % (name, "async " if is_async else "", described(target, arguments)))


def described(target, arguments):
    """A callable in words."""
    kind = "a class" if isinstance(target, type) else "callable"
    if arguments is None:
        return "%s with arguments that cannot be told" % kind
    required, most, names = arguments
    return "%s with the arguments (%s)" % (kind, ", ".join(names))


def function_of(target):
    """The Python function behind a callable, how many arguments are bound already, and which are
    bound by name. `None` if there is no such function."""
    bound, named = 0, ()
    for _ in range(32):
        if hasattr(target, "__func__"):
            # Before the code, which methods seem to have too.
            bound += 1
            target = target.__func__
        elif hasattr(target, "__code__"):
            return target, bound, named
        elif hasattr(target, "func") and hasattr(target, "keywords"):
            # functools.partial
            bound += len(target.args)
            named += tuple(target.keywords)
            target = target.func
        elif isinstance(target, type):
            bound += 1
            target = target.__init__
        elif hasattr(target, "__wrapped__"):
            target = target.__wrapped__
        else:
            method = getattr(type(target), "__call__", None)
            if method is None or not hasattr(method, "__code__"):
                return None
            bound += 1
            target = method
    return None


def flags_of(target):
    """The flags of the code behind a callable, 0 if there is none."""
    if isinstance(target, type):
        return 0
    found = function_of(target)
    if found is None:
        return 0
    return found[0].__code__.co_flags


def arguments_of(target):
    """How many positional arguments a callable needs and takes, and their names; `None` if that
    cannot be told, as for a decorator's (*args, **kwargs)."""
    found = function_of(target)
    if found is None:
        return None
    function, bound, named = found
    for _ in range(32):
        # What functools.wraps wrapped: the wrapper's own arguments say nothing.
        if not function.__code__.co_flags & VARIADIC or not hasattr(function, "__wrapped__"):
            break
        inner = function_of(function.__wrapped__)
        if inner is None:
            return None
        function, bound = inner[0], bound + inner[1]
    code = function.__code__
    names = tuple(name for name in code.co_varnames[:code.co_argcount][bound:] if name not in named)
    if code.co_flags & VARIADIC:
        return None
    optional = len(function.__defaults__ or ())
    return max(len(names) - optional, 0), len(names), names
