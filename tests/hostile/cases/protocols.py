"""Predictions over the KServe and Open Inference protocols: requests that are large, truncated, or no valid
tensor."""

import gzip
import json
import struct

from case import Request

MIB = 1 << 20
V1, EXPLAIN, V2 = "/v1/models/hostile:predict", "/v1/models/hostile:explain", "/v2/models/hostile/infer"
BUSY = (200, 503)
LINES = {"Content-Type": "application/x-ndjson"}
ZSTD = b"\x28\xb5\x2f\xfd"  # the first bytes of a frame


def zstd_bomb():
    """A frame of 800 blocks, each of which is one byte repeated 131,072 times, and an empty last block."""
    return ZSTD + bytes([0, 11 << 3]) + ((131_072 << 3 | 2).to_bytes(3, "little") + b" ") * 800 + bytes([1, 0, 0])


def tensor(count, data=b"0.5", shape=None, datatype="FP64", outputs=None):
    """The body of a request with `count` numbers in JSON."""

    def body():
        head = {"inputs": [{"name": "x", "shape": shape or [count, 1], "datatype": datatype}]}
        if outputs:
            head["outputs"] = [{"name": name} for name in outputs]
        return json.dumps(head).encode().replace(b'"FP64"', b'"FP64","data":[' + b",".join([data] * count) + b"]")

    return body


def binary(count, datatype="FP64", pattern=struct.pack("<d", 0.5), columns=1, size=None):
    """The body and the headers of a request with `count` rows in binary."""
    data = pattern * count * columns
    parameters = {"binary_data_size": len(data) if size is None else size}
    tensors = [{"name": "x", "shape": [count, columns], "datatype": datatype, "parameters": parameters}]
    head = json.dumps({"inputs": tensors, "parameters": {"binary_data_output": True}}).encode()
    return head + data, {"Inference-Header-Content-Length": str(len(head))}


def in_binary(name, expect, *arguments, copies=1, slow=False, path=V2, says="", pod="plain", **more):
    body, headers = binary(*arguments, **more)
    return Request(name=name, body=body, headers=headers, path=path, expect=expect, copies=copies, slow=slow, says=says, pod=pod)


def row(text, count):
    return lambda: b'{"instances":[' + b",".join([text] * count) + b"]}"


NAMED = json.dumps({f"sensor-{n:03}": 0.5 for n in range(40)}).encode()

CASES = [
    Request(name="v1: 20,000 rows", path=V1, body=row(b"[0.5]", 20_000), says='{"predictions":[1,1'),
    Request(name="v1: 2 MiB of [0]", path=V1, body=row(b"[0]", 2 * MIB // 4 - 10), slow=True),
    Request(name="v1: 20,000 rows explained", path=EXPLAIN, body=row(b"[9]", 20_000), slow=True),
    Request(name="v1: 50,001 rows explained", path=EXPLAIN, body=row(b"[9]", 50_001), expect=413, says="at most 50000 rows"),
    Request(name="v1: 1,500 rows of forty by name", path=V1, body=row(NAMED, 1500), pod="wide"),
    Request(name="v1: 30 at once of 1,500 rows of forty by name", path=V1, body=row(NAMED, 1500), pod="wide", expect=BUSY, copies=30, slow=True, cpu_s=20),
    Request(name="v1: 500,000 rows that are empty objects", path=V1, body=row(b"{}", 500_000), expect=422, says="instances[0].value"),
    Request(name="v1: rows nested 300,000 deep", path=V1, body=lambda: b'{"inputs":' + b"[" * 300_000, expect=400),
    Request(name="v1: no rows", path=V1, body=b'{"value":1}', expect=400, says="expected instances, inputs or readings"),
    Request(name="v1: another model", path="/v1/models/" + "x" * 3000 + ":predict", body=b"{}", expect=404, says="no such model"),
    Request(name="readings: 90,000 rows", body=lambda: b'{"readings":[' + b"[0]," * 89_999 + b"[0]]}", says='{"predictions":[', slow=True),
    Request(name="readings: 100,001 rows", body=lambda: b'{"readings":[' + b"[0]," * 100_000 + b"[0]]}", expect=413, says="at most 100000 rows"),
    Request(name="readings: 30 at once of 50,000 rows explained", path="/predict?detail=true", body=lambda: b'{"readings":[' + b"[0]," * 49_999 + b"[0]]}", expect=BUSY, copies=30, slow=True, cpu_s=20),
    Request(name="lines: 2 MiB of [0]", headers=LINES, body=lambda: b"[0]\n" * (MIB // 2), slow=True),
    Request(name="lines: two million empty ones", headers=LINES, body=lambda: b"\n" * (2 * MIB)),
    Request(name="lines: the last one is wrong", headers=LINES, body=lambda: b"[0]\n" * 400_000 + b"{", expect=400, says="line 400001"),
    Request(name="lines: 600,000 and one more", headers=LINES, body=lambda: b"7\n" * 600_001, expect=422, says="line 1"),
    Request(name="v2: 20,000 numbers", path=V2, body=tensor(20_000), says='"shape":[20000]'),
    Request(name="v2: a million numbers of 0", path=V2, body=tensor(MIB - 100, b"0"), expect=413, says="at most 600000 rows"),
    Request(name="v2: 590,000 numbers of 0", path=V2, body=tensor(590_000, b"0"), slow=True),
    Request(name="v2: 49,000 rows with shares", path=V2, body=tensor(49_000, b"9", outputs=["feature_score"]), slow=True),
    Request(name="v2: a million numbers and a shape of one", path=V2, body=tensor(MIB - 100, b"0", [1, 1]), expect=422, says="as many numbers as the shape"),
    Request(name="v2: a shape beyond numbers", path=V2, body=tensor(1, b"0", [2**63, 2**63]), expect=(413, 422)),
    Request(name="v2: a shape of 700,000 dimensions", path=V2, body=lambda: b'{"inputs":[{"name":"x","shape":[' + b"1," * 700_000 + b"1]}]}", expect=400, says="at most 8 items"),
    Request(name="v2: 500,000 inputs", path=V2, body=lambda: b'{"inputs":[' + b",".join([b"{}"] * 500_000) + b"]}", expect=400),
    Request(name="v2: 30,000 small inputs", path=V2, body=lambda: b'{"inputs":[' + b",".join([b'{"name":"x","shape":[1],"datatype":"FP64","data":[]}'] * 30_000) + b"]}", expect=400, says="at most 4096 items"),
    Request(name="v2: 50,000 outputs", path=V2, body=lambda: b'{"inputs":[],"outputs":[' + b",".join([b'{"name":"severity"}'] * 50_000) + b"]}", expect=400, says="at most 16 items"),
    Request(name="v2: an id of two million letters", path=V2, body=lambda: b'{"inputs":[],"id":"' + b"x" * (2 * MIB - 100) + b'"}', expect=400, says="id: expected"),
    Request(name="v2: a name of two million letters", path=V2, body=lambda: b'{"inputs":[{"name":"' + b"x" * (2 * MIB - 100) + b'","shape":[1],"datatype":"FP64"}]}', expect=422, says="…"),
    Request(name="v2: numbers nested 200,000 deep", path=V2, body=lambda: b'{"inputs":[{"data":' + b"[" * 200_000, expect=400),
    in_binary("v2: 200,000 rows in binary", 200, 200_000, slow=True),
    in_binary("v2: 250,000 rows of INT8 in binary, 503 or done", BUSY, 250_000, "INT8", b"\0"),
    in_binary("v2: 6,000 rows of forty in binary", 200, 6000, columns=40, pod="wide"),
    in_binary("v2: a number that is none in binary", 422, 1, "FP32", b"\xff\xff\xff\xff", says="finite"),
    in_binary("v2: fewer bytes than it says", 422, 1000, size=9_000, says="after the JSON"),
    in_binary("v2: bytes beyond numbers", (400, 422), 1000, size=2**63),
    in_binary("v2: texts whose lengths lie", 422, 1000, "BYTES", b"\xff\xff\xff\xff", says="whole elements"),
    in_binary("v2: 50 at once of 100,000 rows in binary", BUSY, 100_000, copies=50, slow=True),
    Request(name="v2: a length beyond the body", path=V2, body=b"{}", headers={"Inference-Header-Content-Length": "99999999999"}, expect=400, says="at most the body's 2 bytes"),
    Request(name="gzip: a bomb of 1 GiB", body=lambda: gzip.compress(b" " * (1 << 30), 9)[: 2 * MIB], headers={"Content-Encoding": "gzip"}, expect=413, slow=True),
    Request(name="gzip: a bomb of 100 MiB", body=lambda: gzip.compress(b" " * (100 * MIB), 9), headers={"Content-Encoding": "gzip"}, expect=413),
    Request(name="gzip: 20 bombs at once", body=lambda: gzip.compress(b" " * (100 * MIB), 9), headers={"Content-Encoding": "gzip"}, expect=(413, 503), copies=20),
    Request(name="gzip: it breaks off", body=lambda: gzip.compress(b'{"value":0.5}')[:-4], headers={"Content-Encoding": "gzip"}, expect=400, says="expected gzip"),
    Request(name="zstd: a bomb of 100 MiB", body=zstd_bomb, headers={"Content-Encoding": "zstd"}, expect=413),
    Request(name="zstd: 20 bombs at once", body=zstd_bomb, headers={"Content-Encoding": "zstd"}, expect=(413, 503), copies=20),
    Request(name="zstd: 200,000 empty frames", body=lambda: (ZSTD + bytes([0, 0, 1, 0, 0])) * 200_000, headers={"Content-Encoding": "zstd"}, expect=400, says="expected JSON"),
    Request(name="zstd: a window of 1 TiB", body=lambda: ZSTD + bytes([0, 30 << 3, 1, 0, 0]), headers={"Content-Encoding": "zstd"}, expect=400, says="expected zstd"),
    Request(name="zstd: 50 windows of 8 MiB at once", body=lambda: ZSTD + bytes([0, 13 << 3, 1, 0, 0]), headers={"Content-Encoding": "zstd"}, expect=(400, 503), copies=50),
    Request(name="gzip: 100,000 rows", body=lambda: gzip.compress(b'{"instances":[' + b"[0.5]," * 99_999 + b"[0.5]]}"), headers={"Content-Encoding": "gzip"}, slow=True),
]
