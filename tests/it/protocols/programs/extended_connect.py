"""WebSocket over HTTP/2 (RFC 8441), by h2 and wsproto: extended_connect.py HOST PORT PATH."""

import socket
import sys

import h2.config
import h2.connection
import h2.events
import h2.settings
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage

HOST, PORT, PATH = sys.argv[1], int(sys.argv[2]), sys.argv[3]


class Http2:
    """One connection, and what came on it by stream."""

    def __init__(self):
        self.socket = socket.create_connection((HOST, PORT), timeout=30)
        config = h2.config.H2Configuration(client_side=True, header_encoding="utf-8")
        self.http2 = h2.connection.H2Connection(config)
        self.http2.initiate_connection()
        self.flush()
        self.status, self.fields, self.data = {}, {}, {}
        self.ended, self.reset, self.goaway = set(), {}, False
        self.settled = False
        self.received = b""

    def flush(self):
        self.socket.sendall(self.http2.data_to_send())

    def wait(self, until):
        while not until():
            data = self.socket.recv(65536)
            assert data, "the gateway closed the connection"
            self.received += data
            while frame := self.frame():
                for event in self.http2.receive_data(frame):
                    self.take(event)
                if self.goaway:
                    # h2 takes every GOAWAY for the end; this one lets streams finish.
                    machine = self.http2.state_machine
                    machine.state = h2.connection.ConnectionState.CLIENT_OPEN
            self.flush()

    def frame(self):
        """The next whole frame of what was received."""
        size = 9 + int.from_bytes(self.received[:3], "big")
        if len(self.received) < max(size, 9):
            return b""
        frame, self.received = self.received[:size], self.received[size:]
        return frame

    def take(self, event):
        stream = getattr(event, "stream_id", None)
        if isinstance(event, h2.events.RemoteSettingsChanged):
            self.settled = True
        elif isinstance(event, h2.events.ResponseReceived):
            self.fields[stream] = dict(event.headers)
            self.status[stream] = int(self.fields[stream][":status"])
        elif isinstance(event, h2.events.DataReceived):
            self.data[stream] = self.data.get(stream, b"") + event.data
            self.http2.acknowledge_received_data(event.flow_controlled_length, stream)
        elif isinstance(event, h2.events.StreamEnded):
            self.ended.add(stream)
        elif isinstance(event, h2.events.StreamReset):
            self.reset[stream] = event.error_code
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.goaway = True

    def ask(self, what, method="CONNECT", protocol="websocket"):
        stream = self.http2.get_next_available_stream_id()
        head = [(":method", method), (":scheme", "http"), (":path", f"{PATH}/{what}")]
        head.append((":authority", f"{HOST}:{PORT}"))
        if protocol:
            head += [(":protocol", protocol), ("sec-websocket-version", "13")]
        self.http2.send_headers(stream, head, end_stream=not protocol)
        self.flush()
        self.wait(lambda: stream in self.status or stream in self.reset)
        return stream

    def send(self, stream, data, end=False):
        while data:
            self.wait(lambda: self.http2.local_flow_control_window(stream) > 0)
            window = self.http2.local_flow_control_window(stream)
            size = min(window, self.http2.max_outbound_frame_size, len(data))
            self.http2.send_data(stream, data[:size])
            self.flush()
            data = data[size:]
        if end:
            self.http2.end_stream(stream)
            self.flush()

    def events(self, stream, websocket, count):
        """The next events of the WebSocket connection in a stream."""
        found = []
        while len(found) < count:
            self.wait(lambda: self.data.get(stream) or stream in self.ended)
            data = self.data.pop(stream, None)
            assert data, f"the stream ended after {found}"
            websocket.receive_data(data)
            found += websocket.events()
        return found


def message(websocket, connection, stream, size):
    """A message of so many bytes, and what came back."""
    connection.send(stream, websocket.send(BytesMessage(data=b"z" * size)))
    back = b""
    while True:
        for event in connection.events(stream, websocket, 1):
            back += event.data
            if event.message_finished:
                return back


def main():
    connection = Http2()
    connection.wait(lambda: connection.settled)
    enabled = connection.http2.remote_settings.get(h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL)
    assert enabled == 1, enabled

    stream = connection.ask("echo")
    assert connection.status[stream] == 200, connection.fields[stream]
    assert "sec-websocket-accept" not in connection.fields[stream], connection.fields[stream]
    assert connection.fields[stream]["stoker-origin"] == "function"
    websocket = Connection(ConnectionType.CLIENT)
    connection.send(stream, websocket.send(TextMessage(data="hello")))
    assert [event.data for event in connection.events(stream, websocket, 1)] == ["hello"]
    connection.send(stream, websocket.send(Ping(payload=b"p")))
    assert isinstance(connection.events(stream, websocket, 1)[0], Pong)
    assert message(websocket, connection, stream, 1 << 20) == b"z" * (1 << 20)
    print("echo", flush=True)

    # Others are served beside it, and it beside them.
    other = connection.ask("refuse")
    assert connection.status[other] == 403, connection.fields[other]
    connection.wait(lambda: other in connection.ended)
    assert connection.data[other] == b"not you\n", connection.data
    other = connection.ask("plain")
    assert connection.status[other] == 502, connection.fields[other]
    other = connection.ask("echo", protocol="another")
    assert connection.status[other] >= 400, connection.fields[other]
    print("refused", flush=True)

    # The close goes to the function and back, and then the streams end both ways.
    connection.send(stream, websocket.send(CloseConnection(code=4002, reason="enough")))
    (event,) = connection.events(stream, websocket, 1)
    assert isinstance(event, CloseConnection) and event.code == 4002, event
    connection.send(stream, b"", end=True)
    connection.wait(lambda: stream in connection.ended)
    print("closed", flush=True)

    stream = connection.ask("echo")
    websocket = Connection(ConnectionType.CLIENT)
    connection.send(stream, websocket.send(TextMessage(data="once more")))
    assert connection.events(stream, websocket, 1)[0].data == "once more"
    print("open", flush=True)
    (event,) = connection.events(stream, websocket, 1)
    assert isinstance(event, CloseConnection) and event.code == 1001, event
    connection.send(stream, websocket.send(event.response()), end=True)
    connection.wait(lambda: connection.goaway and stream in connection.ended)
    print("going away", flush=True)


main()
