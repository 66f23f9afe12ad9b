"""Requests with an error, and the sentence of the answer that explains it."""

import json

from case import Raw, Request, Scenario
from pod import check

MIB = 1 << 20


def predict(body, expect, says="", name=None, **more):
    shown = name or (body.decode("latin-1") if len(body) <= 60 else f"{body[:40].decode('latin-1')}… of {len(body)} bytes")
    return Request(name=f"predict {shown!r} {more.get('path', '')[:40]}".strip(), body=body, expect=expect, says=says, **more)


NO_NUMBER = "expected a finite number"
NO_JSON = "expected JSON such as"
ONE_OF = "expected exactly one of value, values, instances, readings"

ONE_SENSOR = [
    predict(b'{"value":0.5}', 200, '{"anomaly":0}'),
    predict(b'{"value":7}', 200, '{"anomaly":1}'),
    predict(b' \n{"value" : 5e-1}\n ', 200, '{"anomaly":0}'),
    predict(b'{"values":{"value":0.5}}', 200, '{"anomaly":0}'),
    predict(b'{"instances":[]}', 200, '{"predictions":[]}'),
    predict(b'{"instances":[[0.5],[9]]}', 200, '{"predictions":[{"anomaly":0},{"anomaly":1}]}'),
    predict(b"", 400, NO_JSON, name="nothing"),
    predict(b"{", 400, NO_JSON),
    predict(b"[]", 400, NO_JSON),
    predict(b"[1]", 400, NO_JSON),
    predict(b"null", 400, NO_JSON),
    predict(b"0.5", 400, NO_JSON),
    predict(b'"value"', 400, NO_JSON),
    predict(b"{}", 400, ONE_OF),
    predict(b'{"value":NaN}', 400, NO_JSON),
    predict(b'{"value":Infinity}', 400, NO_JSON),
    predict(b'{"value":1e400}', 400, NO_JSON),
    predict(b'{"value":01}', 400, NO_JSON),
    predict(b'{"value":0x10}', 400, NO_JSON),
    predict(b'{"value":1}{"value":2}', 400, NO_JSON),
    predict(b'{"value":1},', 400, NO_JSON),
    predict(b'{"value":1,}', 400, NO_JSON),
    predict(b"{'value':1}", 400, NO_JSON),
    predict(b'{"value":1e39}', 422, NO_NUMBER),
    predict(b'{"value":-1e39}', 422, NO_NUMBER),
    predict(b'{"value":null}', 422, NO_NUMBER),
    predict(b'{"value":true}', 422, NO_NUMBER),
    predict(b'{"value":[]}', 422, NO_NUMBER),
    predict(b'{"value":{}}', 422, NO_NUMBER),
    predict(b'{"valeu":1}', 400, NO_JSON),
    predict(b'{"value":1,"value":2}', 400, NO_JSON),
    predict(b'{"value":1,"values":{"value":1}}', 400, ONE_OF),
    predict(b'{"value":1,"instances":[]}', 400, ONE_OF),
    predict(b'{"values":{}}', 422, "values.value: expected a finite number, got nothing"),
    predict(b'{"values":[1]}', 422, "values: expected an object"),
    predict(b'{"values":null}', 422, "values: expected an object"),
    predict(b'{"values":{"value":1,"other":2}}', 422, "values.other: no such sensor"),
    predict(b'{"values":{"value":1,"value":2}}', 422, "values.value: expected it once, got it twice"),
    predict(b'{"values":{"value":0.5,"value":0.5}}', 422, "expected it once, got it twice"),
    predict(b'{"instances":7}', 422, "instances: expected an array of rows"),
    predict(b'{"instances":[7]}', 422, "instances[0]: expected an array of 1 numbers"),
    predict(b'{"instances":[[0.5],[]]}', 422, "instances[1]: expected 1 numbers"),
    predict(b'{"instances":[[1,2]]}', 422, "instances[0]: expected 1 numbers, one a column, got 2"),
    predict(b'{"instances":[[0.5],[null]]}', 422, "instances[1][0]: expected a finite number, got null"),
    predict(b'{"instances":[[1e39]]}', 422, "instances[0][0]: expected a finite number"),
    predict(b'{"instances":[[0.5]', 400, NO_JSON),
    predict(b'{"instances":[[0.5],]}', 400, NO_JSON),
    predict(b"\xff\xfe\x00", 400, NO_JSON, name="no text"),
    predict(b'{"value":1,"\xff":2}', 400, NO_JSON, name="a key that is no UTF-8"),
    predict(b'\xef\xbb\xbf{"value":1}', 400, NO_JSON, name="a byte order mark"),
    predict(b'{"value":0.5}', 400, "expected ?detail=true or nothing", path="/predict?detial=true"),
    predict(b'{"value":0.5}', 400, "expected ?detail=true or nothing", path="/predict?detail=maybe"),
    predict(b'{"value":0.5}', 400, "expected ?detail=true or nothing", path="/predict?detail=true&detail=true"),
    predict(b'{"value":0.5}', 400, "expected ?detail=true or nothing", path="/predict?" + "a" * 4000),
]

LARGE = [
    Request(name="a body of 64 MiB", body=lambda: b" " * (64 * MIB), expect=413, says="bytes"),
    Request(name="a body of 2 MiB and one byte", body=lambda: b" " * (2 * MIB + 1), expect=413, says="bytes"),
    Request(name="2 MiB of [", body=lambda: b"[" * (2 * MIB), expect=400, says="expected JSON"),
    Request(name='2 MiB of {"value":[', body=lambda: b'{"value":' + b"[" * (2 * MIB - 9), expect=400),
    Request(name='2 MiB of {"a":', body=lambda: b'{"a":' * (MIB // 3), expect=400),
    Request(name="instances nested 300,000 deep", body=lambda: b'{"instances":' + b"[" * 300_000 + b"]" * 300_000 + b"}", expect=(400, 422)),
    Request(name="a value of two million digits", body=lambda: b'{"value":' + b"1" * (2 * MIB - 20) + b"}", expect=(400, 422)),
    Request(name="a fraction of two million digits", body=lambda: b'{"value":0.' + b"5" * (2 * MIB - 20) + b"}", expect=(200, 400)),
    Request(name="an exponent of two million digits", body=lambda: b'{"value":1e' + b"9" * (2 * MIB - 20) + b"}", expect=(400, 422)),
    Request(name="a key of two million letters", body=lambda: b'{"' + b"k" * (2 * MIB - 20) + b'":1}', expect=400),
    Request(name="a sensor's name of two million letters", body=lambda: b'{"values":{"value":1,"' + b"k" * (2 * MIB - 40) + b'":1}}', expect=422, says="no such sensor"),
    Request(name="190,000 sensors", body=lambda: b'{"values":{' + b",".join(b'"%d":1' % n for n in range(190_000)) + b"}}", expect=422),
    Request(name="a string of two million letters for a value", body=lambda: b'{"value":"' + b"s" * (2 * MIB - 20) + b'"}', expect=422, says="…"),
    Request(name="two million spaces and a value", body=lambda: b" " * (2 * MIB - 20) + b'{"value":0.5}', expect=200),
    Request(name="a row of 500,000 numbers", body=lambda: b'{"instances":[[' + b",".join([b"1"] * 500_000) + b"]]}", expect=422, says="expected 1 numbers, one a column"),
    Request(name="500,000 empty rows", body=lambda: b'{"instances":[' + b",".join([b"[]"] * 500_000) + b"]}", expect=422, says="instances[0]"),
    Request(name="500,000 rows, the last one wrong", body=lambda: b'{"instances":[' + b"[0]," * 500_000 + b"[x]]}", expect=400),
    Request(name="500,000 rows, the last one short", body=lambda: b'{"instances":[' + b"[0]," * 500_000 + b"[]]}", expect=422, says="instances[500000]"),
]



OTHERS = [
    Request(name=f"{method} {path}", path=path, method=method, expect=expect, port=port)
    for port, path, method, expect in [
        ("predict", "/predict", "GET", 405),
        ("predict", "/predict", "PUT", 405),
        ("predict", "/predict", "DELETE", 405),
        ("predict", "/predict", "PATCH", 405),
        ("predict", "/predict", "HEAD", 405),
        ("predict", "/predict", "OPTIONS", 204),
        ("predict", "/verdicts", "POST", 405),
        ("predict", "/verdicts", "HEAD", 200),
        ("predict", "/verdicts", "OPTIONS", 204),
        ("predict", "/events", "POST", 405),
        ("predict", "/nothing", "GET", 404),
        ("predict", "/predict/", "POST", 404),
        ("predict", "/..%2f..%2fetc/passwd", "GET", 404),
        ("predict", "/verdicts?limit=0", "GET", 400),
        ("predict", "/verdicts?limit=1001", "GET", 400),
        ("predict", "/verdicts?limit=-1", "GET", 400),
        ("predict", "/verdicts?limit=99999999999999999999", "GET", 400),
        ("predict", "/verdicts?limit=x", "GET", 400),
        ("predict", "/verdicts?what=1", "GET", 400),
        ("predict", "/events?limit=0", "GET", 400),
        ("predict", "/events?limit=x", "GET", 400),
        ("predict", "/readings", "POST", 404),
        ("metrics", "/nothing", "GET", 404),
        ("metrics", "/livez", "GET", 200),
        ("metrics", "/readyz", "GET", 200),
        ("metrics", "/status", "GET", 200),
        ("metrics", "/metrics", "GET", 200),
        ("metrics", "/model", "GET", 200),
        ("metrics", "/model", "HEAD", 200),
        ("metrics", "/livez", "HEAD", 200),
        ("metrics", "/status", "DELETE", 405),
    ]
]


def raw(name, data, expect="HTTP/1.1 400", **more):
    return Raw(name=f"on the wire: {name}", data=data, expect=expect, **more)


POST = b"POST /predict HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"

WIRE = [
    raw("no HTTP", b"hello\r\n\r\n"),
    raw("zeros", b"\0" * 1000 + b"\r\n\r\n"),
    raw("TLS", bytes.fromhex("1603010200010001fc0303") + b"\x01" * 500),
    raw("HTTP/2's preface, and not to its end", b"PRI * HTTP/2.0\r\n\r\nMS\r\n\r\n"),
    raw("HTTP/3.0", b"GET / HTTP/3.0\r\n\r\n"),
    raw("no path", b"GET HTTP/1.1\r\n\r\n"),
    raw("a space in a header's name", b"GET / HTTP/1.1\r\nHo st: x\r\n\r\n"),
    raw("a header without a colon", b"GET / HTTP/1.1\r\nHost\r\n\r\n"),
    raw("a zero in a header", b"GET / HTTP/1.1\r\nHost: \0\r\n\r\n"),
    raw("a length that is none", POST + b"Content-Length: x\r\n\r\n"),
    raw("a negative length", POST + b"Content-Length: -1\r\n\r\n"),
    raw("a signed length", POST + b"Content-Length: +5\r\n\r\nhello"),
    raw("a length beyond numbers", POST + b"Content-Length: 99999999999999999999999\r\n\r\n"),
    raw("two lengths", POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"),
    raw("length and chunks", POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    raw("a coding that is none", POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    raw("a chunk's size that is none", POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
    raw("a chunk's size beyond numbers", POST + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n"),
    raw("a length beyond the limit", POST + b"Content-Length: 99999999\r\n\r\n{", expect="HTTP/1.1 413"),
    raw("a prediction in chunks", POST + b"Transfer-Encoding: chunked\r\n\r\n6\r\n{\"valu\r\n7\r\ne\":0.5}\r\n0\r\n\r\n", expect="HTTP/1.1 200"),
    raw("a prediction in HTTP/1.0", b'POST /predict HTTP/1.0\r\nContent-Length: 13\r\n\r\n{"value":0.5}', expect="HTTP/1.0 200"),
    raw("20 KiB of one header", b"GET /verdicts HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 20_000 + b"\r\n\r\n", expect="HTTP/1.1 431"),
    raw("a head of 200 KiB", lambda: b"GET /verdicts HTTP/1.1\r\nHost: x\r\n" + b"".join(b"A%d: a\r\n" % n for n in range(20_000)), expect="HTTP/1.1 431"),
    raw("200 headers", b"GET /verdicts HTTP/1.1\r\nHost: x\r\n" + b"".join(b"A%d: a\r\n" % n for n in range(200)) + b"\r\n", expect="HTTP/1.1 431"),
    raw("a path of 60 KiB", b"GET /" + b"p" * 60_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", expect="HTTP/1.1 4"),
    raw("a path of 8 KiB that is cut", b"GET /" + b"p" * 8_000 + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", expect="HTTP/1.1 404"),
    raw("a method of 100 letters", b"A" * 100 + b" /predict HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", expect="HTTP/1.1 4"),
]



def head_has_no_body(pod):
    """The answer to HEAD has the Content-Length of the answer to GET, and no body."""
    head = pod.raw(b"HEAD /model HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "metrics").lower()
    length = pod.get("/model").length
    check(f"content-length: {length}\r\n".encode() in head, f"expected a length of {length}, got {head[:300]!r}")
    check(head.endswith(b"\r\n\r\n") and head.count(b"\r\n\r\n") == 1, f"a body came with HEAD: {head[-60:]!r}")


def batch_without_chunks(pod):
    """HTTP/1.0 has no chunks: the answer to a batch ends with the connection."""
    body = b'{"instances":[' + b",".join([b"[0.5]"] * 2_000) + b"]}"
    answer = pod.raw(b"POST /predict HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    head, _, rest = answer.partition(b"\r\n\r\n")
    check(head.startswith(b"HTTP/1.0 200"), f"expected 200, got {head[:100]!r}")
    check(b"transfer-encoding" not in head.lower(), "the answer comes in chunks")
    check(len(json.loads(rest)["predictions"]) == 2_000, "expected 2,000 predictions")


CASES = ONE_SENSOR + LARGE + OTHERS + WIRE + [
    Scenario(name="HEAD has no body", do=head_has_no_body),
    Scenario(name="a batch in HTTP/1.0", do=batch_without_chunks),
]
