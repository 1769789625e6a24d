"""Calls through the gateway: grpc_client.py ADDRESS WHAT; says what it saw, line by line."""

import queue
import sys

import grpc

SECONDS = 30


def channel(options=()):
    size = ("grpc.max_receive_message_length", 8 << 20)
    return grpc.insecure_channel(sys.argv[1], options=[size, *options])


def name(method):
    return f"/test.Echo/{method}"


def kinds(service):
    """All four, each so that it works only if no message is held back."""
    with channel() as open_channel:
        prefix = f"/{service}/"
        call = open_channel.unary_unary(prefix + "Unary")
        assert call(b"one", timeout=SECONDS) == b"one"
        assert call(b"", timeout=SECONDS) == b""

        step = open_channel.unary_unary(prefix + "Step")
        answers = open_channel.unary_stream(prefix + "ServerStream")(b"5", timeout=SECONDS)
        for index in range(5):
            step(b"", timeout=SECONDS)
            assert next(answers) == b"message %d" % index
        assert next(answers, None) is None and answers.code() == grpc.StatusCode.OK

        sum_up = open_channel.stream_unary(prefix + "ClientStream")
        total = sum_up(iter([b"ab", b"", b"cde"]), timeout=SECONDS)
        assert total == b"5", total

        # Each message is the answer's answer.
        to_send = queue.Queue()
        talk = open_channel.stream_stream(prefix + "BothStream")
        answers = talk(iter(to_send.get, None), timeout=SECONDS)
        for index in range(100):
            to_send.put(b"%d" % index)
            assert next(answers) == b"re: %d" % index
        to_send.put(None)
        assert next(answers, None) is None and answers.code() == grpc.StatusCode.OK
    print("all kinds of", service)


def client_stream():
    """Sends a message for each line that it is told."""
    with channel() as open_channel:
        lines = (line.strip().encode() for line in sys.stdin)
        print("sum", open_channel.stream_unary(name("ClientStream"))(lines, timeout=SECONDS).decode())


def metadata():
    with channel() as open_channel:
        sent = (("asked", "for this"), ("asked-bin", b"\x00\xfe\xff"))
        call = open_channel.unary_unary(name("Unary"))
        _, done = call.with_call(b"x", metadata=sent, timeout=SECONDS)
        first, last = dict(done.initial_metadata()), dict(done.trailing_metadata())
        assert first["initial"] == "for this", first
        assert first["stoker-origin"] == "function", first
        assert last["trailing"] == "last" and last["trailing-bin"] == b"\x00\xfe\xff", last
    print("metadata")


def failure(call):
    try:
        call()
    except grpc.RpcError as error:
        return error
    raise AssertionError("the call did not fail")


def statuses():
    with channel() as open_channel:
        fail = open_channel.unary_unary(name("Fail"))
        error = failure(lambda: fail(b"", timeout=SECONDS))
        assert error.code() == grpc.StatusCode.FAILED_PRECONDITION, error
        assert error.details() == "100 % refused: \u00fc", error
        assert dict(error.trailing_metadata())["reason"] == "by wish", error

        answers = open_channel.unary_stream(name("FailLate"))(b"", timeout=SECONDS)
        assert next(answers) == b"one"
        error = failure(lambda: next(answers))
        assert error.code() == grpc.StatusCode.DATA_LOSS, error
        assert error.details() == "after one", error

        missing = open_channel.unary_unary(name("Missing"))
        error = failure(lambda: missing(b"", timeout=SECONDS))
        assert error.code() == grpc.StatusCode.UNIMPLEMENTED, error
        print("of the function")

        nobody = open_channel.unary_unary("/no.Body/Unary")
        error = failure(lambda: nobody(b"", timeout=SECONDS))
        assert error.code() == grpc.StatusCode.UNIMPLEMENTED, error
        assert "no function has a route for /no.Body/Unary" in error.details(), error

        broken = open_channel.unary_unary("/test.Broken/Unary")
        error = failure(lambda: broken(b"", timeout=SECONDS))
        assert error.code() == grpc.StatusCode.UNAVAILABLE, error
        print("of the gateway:", error.details())


def deadline():
    with channel() as open_channel:
        # A start is not to eat the time up.
        assert open_channel.unary_unary(name("Unary"))(b"first", timeout=SECONDS) == b"first"
        never = open_channel.unary_unary(name("Never"))
        error = failure(lambda: never(b"", timeout=0.5))
        assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED, error
        # The only slot is free again.
        assert open_channel.unary_unary(name("Unary"))(b"next", timeout=SECONDS) == b"next"
    print("exceeded")


def cancel():
    with channel() as open_channel:
        call = open_channel.unary_unary(name("Never")).future(b"")
        sys.stdin.readline()
        call.cancel()
        assert open_channel.unary_unary(name("Unary"))(b"next", timeout=SECONDS) == b"next"
        print("cancelled", flush=True)
        answers = open_channel.unary_stream(name("ServerStream"))(b"2")
        open_channel.unary_unary(name("Step"))
        answers.cancel()
        assert open_channel.unary_unary(name("Unary"))(b"next", timeout=SECONDS) == b"next"
    print("cancelled a stream")


def large():
    message = bytes(range(256)) * (3 << 12)
    with channel() as open_channel:
        call = open_channel.unary_unary(name("Unary"))
        for _ in range(2):
            assert call(message, timeout=SECONDS) == message
        talk = open_channel.stream_stream(name("BothStream"))
        answers = list(talk(iter([message, message]), timeout=SECONDS))
        assert answers == [b"re: " + message] * 2
    print(len(message))


def many():
    """200 calls that are answered only once all are there, on four connections."""
    own = ("grpc.use_local_subchannel_pool", 1)
    channels = [channel([own]) for _ in range(4)]
    calls = []
    for index in range(200):
        call = channels[index % 4].unary_unary(name("Meet"))
        calls.append(call.future(b"%d" % index, timeout=SECONDS))
    for index, call in enumerate(calls):
        assert call.result() == b"%d" % index
    for one in channels:
        one.close()
    print("all")


def drain():
    """A stream that is open when the gateway ends, and one message more after that."""
    with channel() as open_channel:
        to_send = queue.Queue()
        answers = open_channel.stream_stream(name("BothStream"))(iter(to_send.get, None))
        to_send.put(b"before")
        print(next(answers).decode(), flush=True)
        sys.stdin.readline()
        to_send.put(b"after")
        print(next(answers).decode(), flush=True)
        to_send.put(None)
        assert next(answers, None) is None
        print(answers.code().name)


if sys.argv[2] == "kinds":
    kinds(sys.argv[3])
else:
    globals()[sys.argv[2]]()
