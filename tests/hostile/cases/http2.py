"""Harmful connections of HTTP/2 and gRPC."""

import contextlib
import gzip
import socket
import struct
import threading
import time

import http2 as h2
from case import Request, Scenario
from cases.connections import answers, is_closed, sockets
from pod import check, until
from protobuf import message

#: The number of frames that a client sends before it checks whether the connection has ended.
FLOOD = 50_000
BATCH = b'{"instances":[' + b",".join([b"[0.5]"] * 20_000) + b"]}"


def prefaces(pod):
    """Connections without a request: other clients are answered, and the connections are closed."""
    with sockets(pod, 1000, h2.settings()) as streams:
        for _ in range(10):
            answers(pod)
        until(lambda: all(is_closed(stream) for stream in streams), "the connections without a request to end", 20)
    answers(pod)


class Flood(threading.Thread):
    """Sends `count` pieces on a connection, in a thread of its own. `is_cut`: the server closed the
    connection before the last piece."""

    def __init__(self, stream, piece, count):
        super().__init__(daemon=True)
        self.stream, self.piece, self.count, self.is_cut = stream, piece, count, False
        self.start()

    def run(self):
        try:
            for number in range(0, self.count, 100):
                self.stream.sendall(b"".join(self.piece(number + each) for each in range(100)))
        except OSError:
            self.is_cut = True


@contextlib.contextmanager
def flooded(pod, begin, piece, count):
    """A client whose connection was flooded. Other clients are answered during the flood, and after the
    client has gone."""
    with pod.connect() as connection:
        client = h2.Client(connection)
        client.write(begin)
        flood = Flood(connection.dup(), piece, count)
        while flood.is_alive():
            client.read(0.05)
            answers(pod)
        yield client
    answers(pod)


def fatal(begin, piece, count=FLOOD):
    """A flood after which the server must end the connection; other clients are answered meanwhile."""

    def do(pod):
        with flooded(pod, begin, piece, count) as client:
            client.read(20, lambda: client.is_closed)
            check(client.is_closed, f"the connection has not ended, with {len(client.headers)} answers")

    return do


def tolerated(begin, piece, then, stream=1, count=FLOOD):
    """A flood that a server may tolerate: `then` is answered 200 on the same connection. Or the server ends
    it with GOAWAY."""

    def do(pod):
        with flooded(pod, begin, piece, count) as client:
            client.write(then)
            client.read(20, lambda: client.is_over(stream))
            check(client.status(stream) == "200" or client.goaway, f"expected 200 or an end, got {client.headers}")

    return do


def answers_not_read(piece, count=20 * FLOOD):
    """A flood of frames that need an answer, from a client that reads none: the server must end the
    connection."""

    def do(pod):
        with socket.socket() as stream:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stream.settimeout(40)
            stream.connect(("127.0.0.1", pod.predict))
            stream.sendall(h2.settings())
            flood = Flood(stream, piece, count)
            end = time.monotonic() + 30
            while flood.is_alive() and time.monotonic() < end:
                answers(pod)
                time.sleep(0.05)
            check(flood.is_cut, "the connection has not ended")
        answers(pod)

    return do


def rapid_reset(number):
    stream = 2 * number + 1
    return h2.get(stream) + h2.reset(stream)


def streams(pod, count=10_000):
    """Requests that never send their bodies: at most 64 are accepted at once, the others are refused."""
    with pod.connect() as stream:
        client = h2.Client(stream)
        flood = Flood(stream.dup(), lambda number: h2.post(2 * number + 1), count)
        refused = lambda: sum(code == h2.REFUSED_STREAM for code in client.resets.values())  # noqa: E731
        while flood.is_alive():
            client.read(0.05)
            answers(pod)
        client.read(20, lambda: client.is_closed or refused() >= count - 64)
        check(client.goaway or client.is_closed or refused() >= count - 64, f"only {refused()} of {count} were refused")
        check(not any(client.status(number) == "200" for number in client.headers), "one without a body was answered 200")
    answers(pod)


def stalled(connections, request, window=0, within=20.0):
    """Answers to clients whose windows have no room: others are answered, memory is bounded, and the
    connections end."""

    def do(pod):
        begin = h2.settings(window=window) + b"".join(request(2 * number + 1) for number in range(64))
        with sockets(pod, connections, begin) as streams:
            for _ in range(10):
                answers(pod)
            until(lambda: all(is_closed(stream) for stream in streams), "the stalled connections to end", within)
        answers(pod)

    return do


def refused(data, *statuses):
    """`data` is answered with one of the statuses, or its stream or connection ends with an error; the next
    client is answered."""

    def do(pod):
        with pod.connect() as stream:
            client = h2.Client(stream)
            client.write(data)
            client.read(10, lambda: client.is_over(1) or client.goaway)
            got = client.status(1)
            check(got in statuses or got is None and (client.resets.get(1) or client.goaway or client.is_closed),
                  f"expected a refusal, got {client.headers} {client.resets} {client.goaway}")
        answers(pod)

    return do


def large_head():
    yield h2.frame(h2.HEADERS, h2.END_STREAM, 1, h2.head())
    for number in range(3):
        yield h2.frame(h2.CONTINUATION, 0, 1, h2.block((b"a%d" % number, b"b" * 16_000)))
    yield h2.frame(h2.CONTINUATION, h2.END_HEADERS, 1, h2.block((b"z", b"b" * 16_000)))


def compressed_bomb():
    """A header of 3,900 bytes that enters HPACK's table, and 12,000 references to it of one byte each."""
    entry = b"\x40" + h2.text(b"bomb") + h2.text(b"x" * 3900)
    return h2.frame(h2.HEADERS, h2.END_STREAM | h2.END_HEADERS, 1, h2.head() + entry + b"\xbe" * 12_000)


def batches(pod):
    """64 batches at once on each of four connections: each is answered 200, or 503 for lack of room, and some
    are 200."""
    statuses, numbers = [], [2 * number + 1 for number in range(64)]

    def ask():
        with pod.connect() as stream:
            client = h2.Client(stream)
            client.write(b"".join(map(h2.post, numbers)))
            client.bodies = {number: (BATCH, True) for number in numbers}
            client.push()
            client.read(60, lambda: all(map(client.is_over, numbers)))
            statuses.extend(map(client.status, numbers))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        answers(pod)
        time.sleep(0.05)
    seen = {status: statuses.count(status) for status in set(statuses)}
    check(set(seen) <= {"200", "503"} and seen.get("200"), f"expected 200 and 503 alone, got {seen}")


def beyond_windows(pod):
    """A client that ignores the windows: data beyond them ends the stream or the connection, and is not kept
    in memory."""
    with pod.connect() as stream:
        client = h2.Client(stream)
        body = bytes(h2.PIECE)
        Flood(stream.dup(), lambda number: h2.post(1) if number == 0 else h2.frame(h2.DATA, 0, 1, body), 4000).join(30)
        client.read(20, lambda: client.is_over(1) or client.goaway)
        check(client.status(1) != "200" and (client.is_over(1) or client.goaway), f"expected an end, got {client.headers}")
    answers(pod)


def slow_body(pod):
    """A body that trickles is answered 408 after 30 s at most, and others meanwhile."""
    with pod.connect() as stream:
        client, end = h2.Client(stream), time.monotonic() + 45
        client.write(h2.post(1))
        while not client.is_over(1) and time.monotonic() < end:
            client.body(1, b" ", ends=False)
            client.read(0.5, lambda: client.is_over(1))
            answers(pod)
        check(client.status(1) == "408", f"expected 408, got {client.headers}")


def grpc(whole, *codes, encoding=None):
    """A call of ModelInfer with the body `whole`. Its gRPC status must be one of `codes`."""
    kind = [(b"content-type", b"application/grpc"), (b"te", b"trailers")]
    kind += [(b"grpc-encoding", encoding)] if encoding else []

    def do(pod):
        body = whole() if callable(whole) else whole
        with pod.connect() as stream:
            client = h2.Client(stream)
            client.write(h2.post(1, b"/inference.GRPCInferenceService/ModelInfer", *kind))
            client.body(1, body)
            client.read(20, lambda: client.is_over(1))
            got = client.headers.get(1, {}).get("grpc-status")
            check(got in map(str, codes), f"expected the status {codes}, got {client.headers.get(1)} {client.resets}")
        answers(pod)

    return do


def framed(content, length=None, flag=0):
    return bytes([flag]) + struct.pack(">I", len(content) if length is None else length) + content


MODEL = message(1, b"hostile")
TENSOR = message(1, b"input") + message(2, b"FP64")
TEXTS = message(1, b"input") + message(2, b"BYTES") + message(3, b"\xc0\x84\x3d\x01") + message(5, b"\x42\0" * 1_000_000)
ONE = MODEL + message(5, TENSOR + message(3, b"\x01\x01") + message(5, message(7, struct.pack("<d", 0.5))))

CASES = [
    Scenario(name="1000 connections that begin HTTP/2 and ask nothing", do=prefaces),
    Scenario(name="HTTP/2: requests that are taken back at once", do=fatal(b"", rapid_reset), cpu_s=10.0),
    Scenario(
        name="HTTP/2: a head without an end",
        do=fatal(h2.frame(h2.HEADERS, 0, 1, h2.head()), lambda _: h2.frame(h2.CONTINUATION, 0, 1, h2.block((b"a", b"b" * 100)))),
    ),
    Scenario(
        name="HTTP/2: a head without an end, in empty frames",
        do=fatal(h2.frame(h2.HEADERS, 0, 1, h2.head()), lambda _: h2.frame(h2.CONTINUATION, 0, 1)),
    ),
    Scenario(name="HTTP/2: settings over and over", do=tolerated(b"", lambda _: h2.frame(h2.SETTINGS), h2.get(1))),
    Scenario(name="HTTP/2: settings over and over, and no look at the answers", do=answers_not_read(lambda _: h2.frame(h2.SETTINGS)), cpu_s=10.0),
    Scenario(name="HTTP/2: pings over and over", do=tolerated(b"", lambda _: h2.frame(h2.PING, payload=b"8 bytes!"), h2.get(1))),
    Scenario(name="HTTP/2: pings over and over, and no look at the answers", do=answers_not_read(lambda _: h2.frame(h2.PING, payload=b"8 bytes!")), cpu_s=10.0),
    Scenario(
        name="HTTP/2: empty parts of a body over and over",
        do=tolerated(h2.post(1), lambda _: h2.frame(h2.DATA, 0, 1), h2.frame(h2.DATA, h2.END_STREAM, 1, b'{"value":0.5}')),
    ),
    Scenario(name="HTTP/2: 10000 requests that wait for their bodies", do=streams),
    Scenario(name="HTTP/2: a head of 64 KiB", do=refused(b"".join(large_head()), "431")),
    Scenario(name="HTTP/2: a head that HPACK makes 48 MB", do=refused(compressed_bomb(), "431")),
    Scenario(name="HTTP/2: a window that overflows", do=refused(h2.post(1) + h2.frame(h2.WINDOW_UPDATE, 0, 1, struct.pack(">I", 0x7FFFFFFF)))),
    Scenario(name="HTTP/2: no frames after the beginning", do=refused(b"GET / HTTP/1.1\r\n\r\n" * 20)),
    Scenario(name="HTTP/2: 50 x 64 short answers that nobody takes", do=stalled(50, lambda stream: h2.get(stream, b"/v2")), slow=True, cpu_s=15.0),
    Scenario(name="HTTP/2: 50 x 64 long answers that nobody takes", do=stalled(50, lambda stream: h2.get(stream, b"/openapi.json")), slow=True, cpu_s=15.0),
    Scenario(name="HTTP/2: 4 x 64 batches at once", do=batches, cpu_s=20.0),
    Scenario(name="HTTP/2: a body beyond the windows", do=beyond_windows),
    Scenario(name="HTTP/2: a body that trickles", do=slow_body, slow=True, cpu_s=15.0),
    Scenario(name="gRPC: a row", do=grpc(framed(ONE), 0)),
    Scenario(name="gRPC: a message of 3 MiB", do=grpc(framed(MODEL + message(7, bytes(3 << 20))), 8)),
    Scenario(name="gRPC: a message that is said to have 4 GiB", do=grpc(framed(ONE, length=0xFFFFFFFF), 3)),
    Scenario(name="gRPC: a message that is longer than it says", do=grpc(framed(ONE, length=3), 3)),
    Scenario(name="gRPC: two messages", do=grpc(framed(ONE) * 2, 3)),
    Scenario(name="gRPC: no message", do=grpc(b"", 3)),
    Scenario(name="gRPC: compressed, and not said how", do=grpc(framed(ONE, flag=1), 3)),
    Scenario(name="gRPC: compressed as nobody does", do=grpc(framed(ONE, flag=1), 12, encoding=b"snappy9")),
    Scenario(name="gRPC: said to be gzip, and not", do=grpc(framed(ONE, flag=1), 3, encoding=b"gzip")),
    Scenario(name="gRPC: a gzip bomb", do=grpc(lambda: framed(gzip.compress(bytes(256 << 20)), flag=1), 8, encoding=b"gzip")),
    Scenario(name="gRPC: a million empty tensors", do=grpc(framed(MODEL + message(5, TENSOR) * 5000 + b"\x2a\0" * 900_000), 3)),
    Scenario(name="gRPC: a million empty texts", do=grpc(framed(MODEL + message(5, TEXTS)), 8)),
    Scenario(name="gRPC: noise", do=grpc(framed(bytes(range(256)) * 4000), 3)),
    Request(
        name="gRPC: by HTTP/1.1", path="/inference.GRPCInferenceService/ModelInfer", headers={"Content-Type": "application/grpc"},
        body=framed(ONE), expect=415,
    ),
]
