"""What a client of HTTP/2 sends, frame by frame, as no library would (RFC 9113); header blocks are HPACK without a table
(RFC 7541, section 6.2.2)."""

import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, END_HEADERS = 1, 4
INITIAL_WINDOW_SIZE = 4


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def settings(**values):
    """A client's first bytes. `window`: the initial window of its streams."""
    payload = struct.pack(">HI", INITIAL_WINDOW_SIZE, values["window"]) if "window" in values else b""
    return PREFACE + frame(SETTINGS, payload=payload)


def text(value):
    """A string literal."""
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


def post(stream, body, path=b"/predict", *more):
    """A request with its body, in frames of the usual size."""
    pieces = [body[at : at + 16384] for at in range(0, len(body), 16384)] or [b""]
    sent = frame(HEADERS, END_HEADERS, stream, head(b"POST", path, *more))
    for piece in pieces[:-1]:
        sent += frame(DATA, 0, stream, piece)
    return sent + frame(DATA, END_STREAM, stream, pieces[-1])


def reset(stream):
    return frame(RST_STREAM, 0, stream, struct.pack(">I", 8))


def frames(received):
    """(kind, flags, stream, payload) of each whole frame."""
    while len(received) >= 9:
        length = int.from_bytes(received[:3], "big")
        if len(received) < 9 + length:
            return
        yield received[3], received[4], int.from_bytes(received[5:9], "big"), received[9 : 9 + length]
        received = received[9 + length :]
