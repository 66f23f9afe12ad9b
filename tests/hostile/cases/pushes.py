"""Pushed readings: JSON, Prometheus' remote write and OpenTelemetry's metrics; small on the wire, large once
decoded."""

import gzip
import struct
import zlib

from case import Request, Scenario
from pod import check
from protobuf import message, varint

MIB = 1 << 20
PROTOBUF = "application/x-protobuf"
REMOTE_WRITE_2 = PROTOBUF + ";proto=io.prometheus.write.v2.Request"


def literals(data):
    """The bytes as one block of Snappy that compresses nothing."""
    parts = [data[start:start + 65536] for start in range(0, len(data), 65536)]
    return varint(len(data)) + b"".join(b"\xf4" + struct.pack("<H", len(part) - 1) + part for part in parts)


def repeated(head, unit, times):
    """A block of Snappy of `head` and `times` copies of `unit`: a twentieth of its decoded size."""
    first = head + unit
    rest = len(unit) * (times - 1)
    copies, odd = divmod(rest, 64)
    body = b"\xf4" + struct.pack("<H", len(first) - 1) + first
    body += (b"\xfe" + struct.pack("<H", len(unit))) * copies
    if odd:
        body += bytes([(odd - 1) << 2 | 2]) + struct.pack("<H", len(unit))
    return varint(len(first) + rest) + body


def label(name, value):
    return message(1, message(1, name) + message(2, value))


NAMED = label(b"__name__", b"value")
SAMPLE = message(2, b"\x09" + struct.pack("<d", 0.5) + b"\x10" + varint(1_700_000_000_000))


def readings(name, body, expect, says="", headers=None, **more):
    return Request(name=f"readings: {name}", pod="pushed", path="/readings", body=body, expect=expect, says=says, headers=headers or {}, **more)


def remote_write(name, body, expect, says="", version=PROTOBUF, **more):
    headers = {"Content-Type": version, "Content-Encoding": "snappy"}
    return Request(name=f"remote write: {name}", pod="pushed", path="/api/v1/write", body=body, expect=expect, says=says, headers=headers, **more)


def otlp(name, body, expect, says="", kind="application/json", headers=None, **more):
    headers = {"Content-Type": kind} | (headers or {})
    return Request(name=f"OTLP: {name}", pod="pushed", path="/v1/metrics", body=body, expect=expect, says=says, headers=headers, **more)


def array(unit, size):
    """A JSON array of `size` bytes that repeats one element."""
    return lambda: b"[" + b",".join([unit] * ((size - 2) // (len(unit) + 1))) + b"]"


def around(before, inside, after):
    return lambda: before + inside() + after


READINGS = [
    readings("a value", b'{"value":0.5}', 204),
    readings("nothing", b"", 400, "expected JSON"),
    readings("no JSON", b"hello", 400, "expected JSON"),
    readings("a value of no number", b'{"value":"x"}', 400, "expected a number or null"),
    readings("a value twice", b'{"value":1,"value":2}', 400, "expected value once"),
    readings("a sensor twice", b'{"values":{"value":1,"value":2}}', 400, "expected each sensor once"),
    readings("1e400", b'{"value":1e400}', 400),
    readings("the year 292277", b'{"value":1,"time":9223372036854775807}', 400, "time"),
    readings("a time of 1e308", b'{"value":1,"time":1e308}', 400, "time"),
    readings("a time before all time", b'{"value":1,"time":-1e308}', 400, "time"),
    readings("a year ahead", b'{"value":1,"time":"2199-01-01T00:00:00Z"}', 400, "ahead of the clock"),
    readings("2 MiB of {}", array(b"{}", 2 * MIB), 400, "at most 200000 readings", copies=4),
    readings("500 KiB of {}", array(b"{}", MIB // 2), 400, "expected value, sensor and value, or values"),
    readings("2 MiB of 0", array(b"0", 2 * MIB), 400, "at most 200000 readings"),
    readings("300 KiB of 0", array(b"0", MIB // 3), 400, "expected an object, got 0"),
    readings('2 MiB of {"":0}', array(b'{"":0}', 2 * MIB), 400, "at most 200000 readings"),
    readings('1 MiB of {"":0}', array(b'{"":0}', MIB), 400, "unknown field"),
    readings("2 MiB of [[", lambda: b"[" * (2 * MIB), 400),
    readings("nested 300,000 deep", lambda: b'{"value":' + b"[" * 300_000 + b"]" * 300_000 + b"}", 400, "expected a number"),
    readings("200,000 sensors of one item", lambda: b'{"values":{' + b",".join(b'"%d":0' % n for n in range(200_000)) + b"}}", 400, "no such sensor"),
    readings("a key of two million letters", lambda: b'{"' + b"k" * (2 * MIB - 20) + b'":1}', 400, "…"),
    readings("a sensor of two million letters", lambda: b'{"value":1,"sensor":"' + b"k" * (2 * MIB - 40) + b'"}', 400, "…"),
    readings("a value of two million letters", lambda: b'{"value":"' + b"k" * (2 * MIB - 20) + b'"}', 400, "…"),
    readings("a value of two million digits", lambda: b'{"value":' + b"1" * (2 * MIB - 20) + b"}", 400),
    readings("150,000 lines", lambda: b'{"value":0.5}\n' * 149_000, (204, 429)),
    readings("300,000 lines that are none", lambda: b'{"va\n' * 300_000, 400),
    readings("2 MiB and one byte", lambda: b" " * (2 * MIB + 1), 413, "bytes"),
    readings("gzip of 200 MiB", lambda: gzip.compress(b" " * (200 * MIB)), 413, "bytes", headers={"Content-Encoding": "gzip"}),
    readings("gzip of gzip", lambda: gzip.compress(gzip.compress(b" " * (20 * MIB))), 400, headers={"Content-Encoding": "gzip"}),
    readings("gzip that is none", b"\x1f\x8b\x08hello", 400, "expected gzip", headers={"Content-Encoding": "gzip"}),
    readings("gzip of 2 MiB of {}, 16 at once", lambda: gzip.compress(array(b"{}", 2 * MIB)()), (400, 503), headers={"Content-Encoding": "gzip"}, copies=16),
    readings("deflate of 200 MiB", lambda: zlib.compress(b" " * (200 * MIB)), 413, "bytes", headers={"Content-Encoding": "deflate"}),
    readings("brotli", b"hello", 415, "expected gzip, deflate, zstd or none", headers={"Content-Encoding": "br"}),
]

REMOTE_WRITE = [
    remote_write("a sample of long ago", literals(message(1, NAMED + SAMPLE)), (204, 400)),
    remote_write("no Snappy", b"hello", 400, "expected one block of Snappy"),
    remote_write("4 GiB by its own word", varint((1 << 32) - 1) + b"\0", 400),
    remote_write("an empty block of 8 MiB", varint(8 * MIB) + b"\0a", 400, "expected one block of Snappy"),
    remote_write("8 MiB of empty series", lambda: repeated(b"", b"\x0a\x00", 4 * MIB), 204),
    remote_write("4 million empty labels", lambda: literals(message(1, b"\x0a\x00" * (4 * MIB - 1024))), 400, "at most 512 labels"),
    remote_write("4 million empty samples of a sensor", lambda: literals(message(1, NAMED + b"\x12\x00" * (4 * MIB - 1024))), 400, "at most 200000 readings"),
    remote_write("4 million empty samples of another", lambda: literals(message(1, label(b"__name__", b"other") + b"\x12\x00" * (4 * MIB - 1024))), 204),
    remote_write("4 million histograms of a sensor", lambda: literals(message(1, NAMED + b"\x22\x00" * (4 * MIB - 1024))), 400, "at most 200000 readings"),
    remote_write("a label of 7 MiB", lambda: literals(message(1, NAMED + label(b"a", b"v" * (7 * MIB)) + SAMPLE)), 400, "…"),
    remote_write("200,000 series of one sensor", lambda: repeated(b"", message(1, NAMED + label(b"a", b"b") + SAMPLE), 170_000), (204, 400, 429)),
    remote_write("8 MiB of zeros, 12 at once", lambda: repeated(b"", b"\0\0", 4 * MIB), (400, 503), copies=12),
    remote_write("2.0: 4 million empty symbols", lambda: repeated(b"", b"\x22\x00", 4 * MIB), 400, "at most 262144 symbols", version=REMOTE_WRITE_2),
    remote_write(
        "2.0: a symbol of 4 MiB, named by 300,000 series",
        lambda: literals(
            message(4, b"") + message(4, b"__name__") + message(4, b"value") + message(4, b"s" * (4 * MIB))
            + message(5, b"\x0a\x06\x01\x02\x00\x03\x00\x03" + b"\x12\x00") * 300_000
        ),
        400,
        "at most",
        version=REMOTE_WRITE_2,
    ),
    remote_write("2.0: a reference beyond the end", lambda: literals(message(5, b"\x0a\x0a" + b"\xff" * 9 + b"\x01")), 400, "labels_refs", version=REMOTE_WRITE_2),
    remote_write("of a proto that is none", b"", 415, "Content-Type", version=PROTOBUF + ";proto=x"),
]

POINTS = b'{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"value","gauge":{"dataPoints":'
ATTRIBUTES = message(1, b"".join(message(1, message(1, b"k%d" % n)) for n in range(128)))

OTLP = [
    otlp("no JSON", b"hello", 400),
    otlp("a number", b"7", 400, "expected an object"),
    otlp("8 MiB of resources", around(b'{"resourceMetrics":', array(b"{}", 8 * MIB - 40), b"}"), 200),
    otlp("8 MiB of points without a time", around(POINTS, array(b"{}", 8 * MIB - 200), b"}}]}]}]}"), 400, "timeUnixNano"),
    otlp("8 MiB of attributes", around(b'{"resourceMetrics":[{"resource":{"attributes":', array(b'{"key":"","value":{"stringValue":""}}', 8 * MIB - 100), b"}}]}"), 400, "at most 128 attributes"),
    otlp("8 MiB of attributes without a value", around(b'{"resourceMetrics":[{"resource":{"attributes":', array(b'{"key":""}', 8 * MIB - 100), b"}}]}"), 200),
    otlp("a time of four million numbers", around(POINTS + b'[{"timeUnixNano":', array(b"0", 8 * MIB - 200), b"}]}}]}]}]}"), 400, "nanoseconds"),
    otlp("points of a sensor, 8 MiB of them", around(POINTS, array(b'{"timeUnixNano":1}', 8 * MIB - 200), b"}}]}]}]}"), 400, "at most 200000 readings"),
    otlp("nested a million deep", lambda: b'{"resourceMetrics":' + b"[" * MIB + b"]" * MIB + b"}", 400, "expected an object"),
    otlp("gzip of 8 MiB of resources, 12 at once", lambda: gzip.compress(b'{"resourceMetrics":' + array(b"{}", 8 * MIB - 40)() + b"}"), (200, 503), headers={"Content-Encoding": "gzip"}, copies=12),
    otlp("protobuf: no message", b"\xff\xff", 400, kind=PROTOBUF),
    otlp("protobuf: 4 million empty resources", lambda: b"\x0a\x00" * (4 * MIB), 200, kind=PROTOBUF),
    otlp(
        "protobuf: 4 million empty points of a sensor, within 128 attributes",
        lambda: message(1, ATTRIBUTES + message(2, message(2, message(1, b"value") + message(5, b"\x0a\x00" * (4 * MIB - 4096))))),
        400,
        kind=PROTOBUF,
    ),
    otlp(
        "protobuf: 4 million empty points of another, within 128 attributes",
        lambda: message(1, ATTRIBUTES + message(2, message(2, message(1, b"other") + message(5, b"\x0a\x00" * (4 * MIB - 4096))))),
        200,
        kind=PROTOBUF,
    ),
    otlp("protobuf: 4 million empty summaries", lambda: message(1, message(2, message(2, message(1, b"value") + message(11, b"\x0a\x00" * (4 * MIB - 1024))))), 400, kind=PROTOBUF),
    otlp("plain text", b"hello", 415, "Content-Type", kind="text/plain"),
]


def cuts_what_it_repeats(pod):
    """An error message that names a series has at most 60 characters of each label."""
    labels = b"".join(label(b"l%02d" % n, b"v" * 10_000) for n in range(3))
    answer = pod.ask("/api/v1/write", literals(message(1, NAMED + labels + SAMPLE)), headers={"Content-Type": PROTOBUF})
    check(answer.status == 400, f"expected 400, got {answer.status}")
    check(b"v" * 61 not in answer.start, "the answer repeats more than 60 characters of a label")
    check(b"v" * 61 not in (pod.path / "log").read_bytes(), "the log repeats more than 60 characters of a label")


CASES = READINGS + REMOTE_WRITE + OTLP + [
    Scenario(name="labels of 30,000 bytes are cut in the answer and in the log", pod="pushed", do=cuts_what_it_repeats),
]
