"""Connections that speak HTTP/2, and gRPC, to do harm."""

import contextlib
import struct
import threading
import time

import http2 as h2
from case import Scenario
from cases.connections import answers, is_closed, sockets
from pod import check, until

#: Frames that a client sends before it looks whether it is still welcome.
FLOOD = 50_000


def received(stream, seconds=5.0, enough=lambda _: False):
    """What comes within so many seconds, or until it is enough, or the connection ends."""
    data, deadline = b"", time.monotonic() + seconds
    with contextlib.suppress(OSError):
        while time.monotonic() < deadline and not enough(data):
            stream.settimeout(max(0.01, deadline - time.monotonic()))
            chunk = stream.recv(1 << 16)
            if not chunk:
                break
            data += chunk
    return data


def flood(begin, piece, ends, count=FLOOD):
    """So many pieces on one connection, others are answered meanwhile. `ends`: whether the connection has to end."""

    def do(pod):
        with pod.connect() as stream:
            sender = threading.Thread(target=send, args=(stream, begin, piece, count), daemon=True)
            sender.start()
            while sender.is_alive():
                received(stream, 0.05)
                answers(pod)
            if ends:
                until(lambda: is_closed(stream), "the connection to end", 20)
        answers(pod)

    return do


def send(stream, begin, piece, count):
    with contextlib.suppress(OSError):
        stream.sendall(begin)
        for number in range(0, count, 100):
            stream.sendall(b"".join(piece(number + each) for each in range(100)))


def rapid_reset(number):
    stream = 2 * number + 1
    return h2.get(stream) + h2.reset(stream)


def prefaces(pod):
    with sockets(pod, 1000, h2.settings()):
        for _ in range(10):
            answers(pod)
    answers(pod)


def stalled(connections, request, window=0, within=20.0):
    """Answers that wait in windows of no bytes: others are answered, memory is bounded, and the connections end."""

    def do(pod):
        begin = h2.settings(window=window) + b"".join(request(2 * number + 1) for number in range(64))
        with sockets(pod, connections, begin) as streams:
            for _ in range(10):
                answers(pod)
            until(lambda: all(is_closed(stream) for stream in streams), "the stalled connections to end", within)
        answers(pod)

    return do


def refused_heads(data):
    """A head that is too large is answered 431, or ends its stream or the connection; the next client is answered."""

    def do(pod):
        with pod.connect() as stream:
            send(stream, h2.settings() + data, lambda _: b"", 0)
            got = list(h2.frames(received(stream, 5, lambda data: any(
                kind in (h2.HEADERS, h2.RST_STREAM, h2.GOAWAY) for kind, *_ in h2.frames(data)))))
            check(any(kind in (h2.HEADERS, h2.RST_STREAM, h2.GOAWAY) for kind, *_ in got), f"expected a refusal, got {got}")
            check(not any(kind == h2.DATA and payload.startswith(b'{"verdicts"') for kind, _, _, payload in got), "it was answered")
        answers(pod)

    return do


def compressed_bomb():
    """One header of 4,000 bytes in the table, and 15,000 times a byte that stands for it."""
    entry = b"\x40" + h2.text(b"bomb") + h2.text(b"x" * 3900)
    return h2.frame(h2.HEADERS, h2.END_STREAM | h2.END_HEADERS, 1, h2.head() + entry + b"\xbe" * 12_000)


def bodies(pod):
    """64 batches at once on each of four connections: each gets an answer."""
    body = b'{"instances":[' + b",".join([b"[0.5]"] * 20_000) + b"]}"

    def ask():
        begin = h2.settings(window=1 << 20) + h2.frame(h2.WINDOW_UPDATE, payload=struct.pack(">I", 1 << 28))
        with pod.connect() as stream:
            sender = threading.Thread(target=send_paced, args=(stream, begin, body), daemon=True)
            sender.start()
            ended.append(len(ends(received(stream, 60, lambda data: len(ends(data)) == 64))))

    def send_paced(stream, begin, body):
        # Windows are not looked at: the server has to end what does not keep them.
        send(stream, begin, lambda number: h2.post(2 * number + 1, body[:8000]) if number < 64 else b"", 100)

    ended = []
    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        answers(pod)
        time.sleep(0.05)
    answers(pod)


def ends(data):
    """The streams that are over."""
    return {
        stream
        for kind, flags, stream, _ in h2.frames(data)
        if kind == h2.RST_STREAM or kind in (h2.DATA, h2.HEADERS) and flags & h2.END_STREAM
    }


def slow_body(pod):
    """A body that trickles is answered 408 after 30 s at most, and others meanwhile."""
    with pod.connect() as stream:
        stream.sendall(h2.settings() + h2.frame(h2.HEADERS, h2.END_HEADERS, 1, h2.head(b"POST", b"/predict")))
        began, data = time.monotonic(), b""
        while not ends(data) and time.monotonic() - began < 45:
            with contextlib.suppress(OSError):
                stream.sendall(h2.frame(h2.DATA, 0, 1, b" "))
            data += received(stream, 0.5)
            answers(pod)
        check(b"408" in data or b"has not arrived in time" in data, f"expected 408, got {data[-200:]!r}")


def field(number, payload):
    length, rest = b"", len(payload)
    while rest >= 128:
        length += bytes([rest % 128 + 128])
        rest //= 128
    return bytes([number << 3 | 2]) + length + bytes([rest]) + payload


def grpc(message, code, says=b"", length=None):
    """A call of ModelInfer, and its status."""
    kind = ((b"content-type", b"application/grpc"), (b"te", b"trailers"))
    path = b"/inference.GRPCInferenceService/ModelInfer"

    def do(pod):
        whole = b"\0" + struct.pack(">I", len(message) if length is None else length) + message
        with pod.connect() as stream:
            stream.sendall(h2.settings() + h2.frame(h2.HEADERS, h2.END_HEADERS, 1, h2.head(b"POST", path, *kind)))
            # As the server gives windows: 64 KiB, and as much again whenever it has read that.
            window, sent, data = 65535, 0, b""
            while sent < len(whole) and not ends(data):
                piece = whole[sent : sent + min(16384, window)]
                if piece:
                    with contextlib.suppress(OSError):
                        stream.sendall(h2.frame(h2.DATA, h2.END_STREAM if sent + len(piece) == len(whole) else 0, 1, piece))
                    sent, window = sent + len(piece), window - len(piece)
                    continue
                more = received(stream, 10, lambda data: any(kind == h2.WINDOW_UPDATE for kind, *_ in h2.frames(data)) or ends(data))
                check(more, "the server gives no window")
                data += more
                updates = [p for kind, _, stream_id, p in h2.frames(more) if kind == h2.WINDOW_UPDATE and stream_id == 0]
                window += sum(int.from_bytes(update, "big") for update in updates)
            data += received(stream, 20, ends)
        # The table of HPACK has no grpc-status: it stands in the block as it is, or in Huffman's code.
        status = huffman(code)
        check(any(each in data for each in status), f"expected the status {code}, got {data[-300:]!r}")
        answers(pod)

    return do


def huffman(digit):
    """How `grpc-status: DIGIT` may end: as a literal, or one digit or two in Huffman's code (RFC 7541, appendix B)."""
    codes = {"0": "00000", "1": "00001", "2": "00010", "3": "011001", "4": "011010", "5": "011011", "6": "011100", "7": "011101", "8": "011110", "9": "011111"}
    bits = "".join(codes[each] for each in str(digit))
    bits += "1" * (-len(bits) % 8)
    packed = int(bits, 2).to_bytes(len(bits) // 8, "big")
    return [h2.text(str(digit).encode()), bytes([0x80 | len(packed)]) + packed]


MODEL = field(1, b"hostile")
TENSOR = field(1, b"input") + field(2, b"FP64")

CASES = [
    Scenario(name="1000 connections that begin HTTP/2 and ask nothing", do=prefaces),
    Scenario(name="HTTP/2: requests that are taken back at once", do=flood(h2.settings(), rapid_reset, True), cpu_s=10.0),
    Scenario(
        name="HTTP/2: a head without an end",
        do=flood(
            h2.settings() + h2.frame(h2.HEADERS, 0, 1, h2.head()),
            lambda _: h2.frame(h2.CONTINUATION, 0, 1, h2.block((b"a", b"b" * 100))),
            True,
        ),
    ),
    Scenario(
        name="HTTP/2: a head without an end, in empty frames",
        do=flood(h2.settings() + h2.frame(h2.HEADERS, 0, 1, h2.head()), lambda _: h2.frame(h2.CONTINUATION, 0, 1), True),
    ),
    Scenario(name="HTTP/2: settings over and over", do=flood(h2.settings(), lambda _: h2.frame(h2.SETTINGS), False)),
    Scenario(name="HTTP/2: pings over and over", do=flood(h2.settings(), lambda _: h2.frame(h2.PING, payload=b"8 bytes!"), False)),
    Scenario(
        name="HTTP/2: empty parts of a body over and over",
        do=flood(h2.settings() + h2.frame(h2.HEADERS, h2.END_HEADERS, 1, h2.head(b"POST", b"/predict")), lambda _: h2.frame(h2.DATA, 0, 1), False),
    ),
    Scenario(name="HTTP/2: a head of 64 KiB", do=refused_heads(
        h2.frame(h2.HEADERS, h2.END_STREAM, 1, h2.head())
        + b"".join(h2.frame(h2.CONTINUATION, 0, 1, h2.block((b"a%d" % n, b"b" * 16_000))) for n in range(3))
        + h2.frame(h2.CONTINUATION, h2.END_HEADERS, 1, h2.block((b"z", b"b" * 16_000))))),
    Scenario(name="HTTP/2: a head that HPACK makes 48 MB", do=refused_heads(compressed_bomb())),
    Scenario(name="HTTP/2: a window that overflows", do=refused_heads(
        h2.frame(h2.HEADERS, h2.END_HEADERS, 1, h2.head(b"POST", b"/predict"))
        + h2.frame(h2.WINDOW_UPDATE, 0, 1, struct.pack(">I", 0x7FFFFFFF)))),
    Scenario(name="HTTP/2: no frames after the beginning", do=refused_heads(b"GET / HTTP/1.1\r\n\r\n" * 20)),
    Scenario(name="HTTP/2: 50 x 64 short answers that nobody takes", do=stalled(50, lambda stream: h2.get(stream, b"/v2")), slow=True, cpu_s=15.0),
    Scenario(name="HTTP/2: 50 x 64 long answers that nobody takes", do=stalled(50, lambda stream: h2.get(stream, b"/openapi.json")), slow=True, cpu_s=15.0),
    Scenario(name="HTTP/2: 4 x 64 batches beyond the windows", do=bodies, cpu_s=10.0),
    Scenario(name="HTTP/2: a body that trickles", do=slow_body, slow=True, cpu_s=15.0),
    Scenario(name="gRPC: a message of 3 MiB", do=grpc(MODEL + field(7, bytes(3 << 20)), 8)),
    Scenario(name="gRPC: a message that is said to have 4 GiB", do=grpc(MODEL, 3, length=0xFFFFFFFF)),
    Scenario(name="gRPC: a million empty tensors", do=grpc(MODEL + field(5, TENSOR) * 5000 + b"\x2a\0" * 900_000, 3)),
    Scenario(name="gRPC: a million empty texts", do=grpc(
        MODEL + field(5, field(1, b"input") + field(2, b"BYTES") + field(3, b"\x80\x80\x3c\x01") + field(5, b"\x42\0" * 1_000_000)), 8)),
    Scenario(name="gRPC: noise", do=grpc(bytes(range(256)) * 4000, 3)),
]
