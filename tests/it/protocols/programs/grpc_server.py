"""A gRPC server: every kind of call, with plain bytes for messages.

It listens at $STOKER_SOCKET or $PORT, and tells $RECORD, a pipe, what happens to its calls.
"""

import os
import signal
import threading
from concurrent import futures

import grpc

steps = threading.Semaphore(0)
together = threading.Barrier(int(os.environ.get("TOGETHER", "1")))


def record(line):
    path = os.environ.get("RECORD")
    if path:
        with open(path, "a") as pipe:
            pipe.write(line + "\n")


def unary(request, context):
    sent = dict(context.invocation_metadata())
    context.send_initial_metadata((("initial", sent.get("asked", "nothing")),))
    trailing = (("trailing", "last"), ("trailing-bin", sent.get("asked-bin", b"")))
    context.set_trailing_metadata(trailing)
    return request


def server_stream(request, context):
    """A message for each step, so that none is there before it is asked for."""
    for index in range(int(request)):
        steps.acquire()
        yield b"message %d" % index


def step(request, context):
    steps.release()
    return b""


def client_stream(requests, context):
    total = 0
    for request in requests:
        total += len(request)
        record("received " + request.decode())
    return b"%d" % total


def both_stream(requests, context):
    for request in requests:
        yield b"re: " + request


def fail(request, context):
    context.set_trailing_metadata((("reason", "by wish"),))
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, "100 % refused: \u00fc")


def fail_late(request, context):
    yield b"one"
    context.abort(grpc.StatusCode.DATA_LOSS, "after one")


def never(request, context):
    over = threading.Event()
    context.add_callback(over.set)
    left = context.time_remaining()
    # Without a deadline it is a number beyond all reason.
    record("entered, with a deadline" if left and left < 3600 else "entered, without a deadline")
    over.wait()
    record("cancelled")
    return b""


def meet(request, context):
    """Answers once as many calls are here as are to be."""
    together.wait(30)
    return request


def handlers():
    unary_unary = grpc.unary_unary_rpc_method_handler
    unary_stream = grpc.unary_stream_rpc_method_handler
    return {
        "Unary": unary_unary(unary),
        "Step": unary_unary(step),
        "Fail": unary_unary(fail),
        "Never": unary_unary(never),
        "Meet": unary_unary(meet),
        "ServerStream": unary_stream(server_stream),
        "FailLate": unary_stream(fail_late),
        "ClientStream": grpc.stream_unary_rpc_method_handler(client_stream),
        "BothStream": grpc.stream_stream_rpc_method_handler(both_stream),
    }


def main():
    service = os.environ.get("SERVICE", "test.Echo")
    size = ("grpc.max_receive_message_length", 8 << 20)
    threads = futures.ThreadPoolExecutor(max_workers=256)
    server = grpc.server(threads, options=[size, ("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers()),))
    socket = os.environ.get("STOKER_SOCKET")
    server.add_insecure_port("unix:" + socket if socket else "127.0.0.1:" + os.environ["PORT"])
    server.start()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    stop.wait()
    server.stop(5).wait()


main()
