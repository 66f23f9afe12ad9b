"""A client of HTTP/2 that sends single frames, also such as no library would send (RFC 9113), and collects
the answers, whose headers the library `hpack` decodes. Header blocks are sent as HPACK literals without
indexing (RFC 7541, section 6.2.2)."""

import contextlib
import struct
import time

from hpack import Decoder

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, END_HEADERS, ACK = 1, 4, 1
INITIAL_WINDOW_SIZE = 4
REFUSED_STREAM = 7
#: The most bytes of payload in a frame, by default.
PIECE = 16384


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def settings(**values):
    """A client's first bytes. `window`: the initial window of its streams."""
    payload = struct.pack(">HI", INITIAL_WINDOW_SIZE, values["window"]) if "window" in values else b""
    return PREFACE + frame(SETTINGS, payload=payload)


def text(value):
    """A string literal of HPACK."""
    if len(value) < 127:
        return bytes([len(value)]) + value
    length, rest = b"\x7f", len(value) - 127
    while rest >= 128:
        length += bytes([rest % 128 + 128])
        rest //= 128
    return length + bytes([rest]) + value


def block(*headers):
    return b"".join(b"\x00" + text(name) + text(value) for name, value in headers)


def head(method=b"GET", path=b"/verdicts", *more):
    return block((b":method", method), (b":scheme", b"http"), (b":path", path), (b":authority", b"x"), *more)


def get(stream, path=b"/verdicts", *more):
    return frame(HEADERS, END_STREAM | END_HEADERS, stream, head(b"GET", path, *more))


def post(stream, path=b"/predict", *more):
    """A request whose body follows."""
    return frame(HEADERS, END_HEADERS, stream, head(b"POST", path, *more))


def reset(stream):
    return frame(RST_STREAM, 0, stream, struct.pack(">I", 8))


class Client:
    """A connection that respects the server's windows, and what it has received so far.

    `headers`: stream -> the last of its headers, trailers included; `ended`: the streams whose answer is over; `resets`:
    stream -> the code of its reset; `goaway`: the code of the connection's end; `is_closed`.
    """

    def __init__(self, stream, **values):
        self.stream, self.buffer, self.decoder, self.fragment = stream, b"", Decoder(), b""
        self.headers, self.ended, self.resets, self.data = {}, set(), {}, {}
        self.kinds, self.goaway, self.is_closed = [], None, False
        self.window, self.first, self.windows, self.bodies = 65535, 65535, {}, {}
        self.write(settings(**values))

    def write(self, data):
        """Send bytes as they are. Errors are ignored, because the server may have closed the connection."""
        with contextlib.suppress(OSError):
            self.stream.settimeout(20)
            self.stream.sendall(data)

    def body(self, number, whole, ends=True):
        """Send a body as far as the windows allow; the rest follows whenever there is more room."""
        self.bodies[number] = (whole, ends)
        self.push()

    def push(self):
        """Send a frame of each body in turn, as long as the windows have room."""
        moved = True
        while moved:
            moved = False
            for number, (rest, ends) in list(self.bodies.items()):
                if number in self.ended or number in self.resets:
                    del self.bodies[number]
                    continue
                room = min(PIECE, self.window, self.windows.get(number, self.first))
                if rest and room <= 0:
                    continue
                piece, rest = rest[:room], rest[room:]
                self.write(frame(DATA, END_STREAM if ends and not rest else 0, number, piece))
                self.window -= len(piece)
                self.windows[number] = self.windows.get(number, self.first) - len(piece)
                self.bodies[number] = (rest, ends)
                if not rest:
                    del self.bodies[number]
                moved = True

    def read(self, seconds, enough=lambda: False):
        """Read, and send waiting bodies, until `enough()`, the end of the connection, or `seconds`. Returns
        `enough()`."""
        deadline = time.monotonic() + seconds
        while not enough() and not self.is_closed and (left := deadline - time.monotonic()) > 0:
            self.stream.settimeout(max(0.001, left))
            try:
                data = self.stream.recv(1 << 16)
            except TimeoutError:
                break
            except OSError:
                data = b""
            self.is_closed = not data
            self.buffer += data
            for each in self.frames():
                self.take(*each)
            self.push()
        return enough()

    def frames(self):
        while len(self.buffer) >= 9 and len(self.buffer) >= (end := 9 + int.from_bytes(self.buffer[:3], "big")):
            whole, self.buffer = self.buffer[:end], self.buffer[end:]
            yield whole[3], whole[4], int.from_bytes(whole[5:9], "big"), whole[9:]

    def take(self, kind, flags, number, payload):
        self.kinds.append(kind)
        if kind == SETTINGS and not flags & ACK:
            for at in range(0, len(payload), 6):
                name, value = struct.unpack(">HI", payload[at : at + 6])
                if name == INITIAL_WINDOW_SIZE:
                    self.windows = {each: left + value - self.first for each, left in self.windows.items()}
                    self.first = value
            self.write(frame(SETTINGS, ACK))
        elif kind == WINDOW_UPDATE and number == 0:
            self.window += int.from_bytes(payload, "big")
        elif kind == WINDOW_UPDATE:
            self.windows[number] = self.windows.get(number, self.first) + int.from_bytes(payload, "big")
        elif kind in (HEADERS, CONTINUATION):
            self.fragment += payload
            if flags & END_HEADERS:
                self.headers.setdefault(number, {}).update(self.decoder.decode(self.fragment))
                self.fragment = b""
        elif kind == DATA:
            self.data[number] = self.data.get(number, b"") + payload
            if payload:
                update = struct.pack(">I", len(payload))
                self.write(frame(WINDOW_UPDATE, 0, 0, update) + frame(WINDOW_UPDATE, 0, number, update))
        elif kind == RST_STREAM:
            self.resets[number] = int.from_bytes(payload, "big")
        elif kind == GOAWAY:
            self.goaway = int.from_bytes(payload[4:8], "big")
        if kind in (DATA, HEADERS) and flags & END_STREAM:
            self.ended.add(number)

    def is_over(self, number):
        """Whether nothing more comes for a stream."""
        return number in self.ended or number in self.resets or self.is_closed

    def status(self, number):
        """The status of an answer; None where there is none."""
        return self.headers.get(number, {}).get(":status")
