"""Files that the detector opens: other systems' models, artifacts, and pipes or devices in their place;
outputs that would overwrite an input or cannot be written."""

import bz2
import gzip
import io
import json
import lzma
import os
import struct
import zipfile
import zlib
from pathlib import Path

from case import Command, Scenario, content
from pod import check, until
from protobuf import varint

FIXTURES = Path(__file__).parents[3] / "detector/interchange/tests/fixtures"
MIB = 1 << 20


def many(stream, times):
    """A compressed stream, repeated: some formats allow several streams one after another."""
    return lambda: stream() * times


def zeros_of(compress, mib):
    return lambda: compress(b"\0" * (mib * MIB))


def zipped(*files, method=zipfile.ZIP_DEFLATED):
    """A zip archive of (name, bytes)."""

    def make():
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", method) as archive:
            for name, each in files:
                archive.writestr(name, content(each))
        return buffer.getvalue()

    return make


def node(**fields):
    return {"__class__": "x", "__module__": "numpy", "__loader__": "JsonNode", **fields}


def pickle(body):
    return b"\x80\x04" + body + b"."


def squared_references():
    """One dict with many keys, which is the state of many estimators: for each of them, every key is looked
    at."""
    entries = b"\x8c\x01xN" * 60_000
    tree = b"csklearn.tree._classes\nExtraTreeRegressor\n)\x81}\x94(" + entries + b"ub\x94"
    model = b"csklearn.ensemble._iforest\nIsolationForest\n)\x81}("
    model += b"\x8c\x10_sklearn_version\x8c\x051.5.0\x8c\x0en_features_in_K\x01"
    model += b"\x8c\x07offset_G\xbf\xe0\0\0\0\0\0\0\x8c\x0c_max_samplesK\x02"
    model += b"\x8c\x0bestimators_](" + tree + b"h\x01" * 60_000 + b"e"
    model += b"\x8c\x14estimators_features_](" + b"N" * 60_001 + b"eub"
    return pickle(model)


def onnx_of(graph):
    return b"\x08\x08\x3a" + varint(len(graph)) + graph


def safetensors(header, data=b""):
    text = json.dumps(header).encode() if isinstance(header, dict) else header
    return struct.pack("<Q", len(text)) + text + data


def artifact(metadata):
    """An artifact of ours with this text as the metadata in its header."""
    return safetensors({"__metadata__": {"anomaly.dev/forest": metadata}})


def nested(depth):
    return b"[" * depth + b"]" * depth


# name -> bytes, or a function that makes them. Every one of these files must be refused, wherever it is
# opened.
FOREIGN = {
    "bz2 of zeros": many(zeros_of(bz2.compress, 45), 12),
    "gzip of zeros": many(zeros_of(gzip.compress, 32), 16),
    "zlib of zeros": zeros_of(lambda b: zlib.compress(b, 9), 256),
    "xz of zeros": zeros_of(lzma.compress, 256),
    "lzma of zeros": zeros_of(lambda b: lzma.compress(b, lzma.FORMAT_ALONE), 128),
    "xz of a dictionary of 64 MiB": zeros_of(lambda b: lzma.compress(b, preset=9), 128),
    "random bytes as bz2": lambda: b"BZh9" + os.urandom(4 * MIB),
    "random bytes as xz": lambda: b"\xfd7zXZ\0" + os.urandom(4 * MIB),
    "random bytes as lz4": lambda: b"\x04\x22\x4d\x18" + os.urandom(4 * MIB),
    "a pickle of lists": lambda: pickle(b"]" * (39 * MIB // 10)),
    "a pickle of dicts": lambda: pickle(b"}" * (39 * MIB // 10)),
    "a pickle of marks": lambda: pickle(b"(" * (39 * MIB // 10)),
    "a pickle of nothing": lambda: pickle(b"N" * (39 * MIB // 10)),
    "a pickle of remembered lists": lambda: pickle(b"]\x94" * (2 * MIB)),
    "a pickle of tuples": lambda: pickle(b"N" + b"\x85" * (39 * MIB // 10)),
    "a pickle of names": lambda: pickle(b"\x8c\x00" * (2 * MIB)),
    "a pickle of references": lambda: pickle(b"]\x94(" + b"h\0" * (2 * MIB) + b"e"),
    "a pickle of squared references": squared_references,
    "the same, compressed": lambda: zlib.compress(squared_references(), 9),
    "a pickle of lists, compressed": lambda: zlib.compress(pickle(b"]" * (39 * MIB // 10)), 9),
    "a pickle of lists, in bz2": lambda: bz2.compress(pickle(b"]" * (39 * MIB // 10))),
    "a pickle of an array beyond the end": lambda: pickle(b"\x8e" + struct.pack("<Q", 1 << 40)),
    "a pickle of 64 MiB of text": lambda: pickle(b"X" + struct.pack("<I", 64 * MIB) + b"x" * (64 * MIB)),
    "a pickle in a pickle": lambda: pickle(b"B" + struct.pack("<I", 100) + pickle(b"N").ljust(100, b"\0")),
    "a skops array of zeros": zipped(
        ("schema.json", json.dumps(node(__loader__="NdArrayNode", type="numpy", file="0.npy"))),
        ("0.npy", lambda: b"\0" * (256 * MIB)),
    ),
    "a skops schema of dicts": zipped(("schema.json", lambda: b"[" + b'{"":0},' * (3 * MIB) + b"0]")),
    "a skops schema of lists": zipped(("schema.json", lambda: b"[" + b"[]," * (8 * MIB) + b"0]")),
    "a skops schema of numbers": zipped(("schema.json", lambda: b"[" + b"0," * (12 * MIB) + b"0]")),
    "a skops schema of keys": zipped(
        ("schema.json", lambda: b"{" + b",".join(b'"%x":0' % n for n in range(MIB)) + b"}")
    ),
    "a skops schema nested a million times": zipped(("schema.json", lambda: nested(MIB))),
    "a skops schema of 24 MiB, stored": zipped(
        ("schema.json", lambda: b"[" + b'{"":0},' * (3 * MIB) + b"0]"), method=zipfile.ZIP_STORED
    ),
    "a skops value that is a bomb": zipped(
        ("schema.json", lambda: json.dumps(node(content="[" + "{}," * (4 * MIB) + "0]")))
    ),
    "a zip of 60,000 empty files": zipped(*((str(n), b"") for n in range(60_000))),
    "a zip without a schema": zipped(("a", b"b")),
    "a zip cut short": lambda: zipped(("schema.json", b"{}"))()[:-30],
    "ONNX of empty nodes": lambda: gzip.compress(onnx_of(b"\x0a\0" * (8 * MIB))),
    "ONNX of empty constants": lambda: gzip.compress(onnx_of(b"\x2a\0" * (8 * MIB))),
    "ONNX of empty inputs": lambda: gzip.compress(onnx_of(b"\x5a\0" * (8 * MIB))),
    "ONNX of empty properties": lambda: gzip.compress(b"\x08\x08" + b"\x72\0" * (8 * MIB)),
    "ONNX of a node of empty names": lambda: gzip.compress(onnx_of(b"\x0a" + varint(16 * MIB) + b"\x0a\0" * (8 * MIB))),
    "ONNX of packed numbers": lambda: gzip.compress(
        onnx_of(b"\x2a" + varint(16 * MIB + 6) + b"\x3a" + varint(16 * MIB) + b"\1" * (16 * MIB) + b"\x10\x07")
    ),
    "ONNX of nothing, 60 MiB": lambda: b"\x08\x08" + b"\x0a\0" * (30 * MIB),
    "ONNX of nested groups": lambda: b"\x08\x08" + b"\x0b" * MIB,
}

OURS = {
    "an artifact of a megabyte of digits": lambda: artifact(json.dumps({
        "format": 2, "seal": "0" * MIB, "forest": {"columns": 1, "sampleSize": 2},
        "metadata": {"columns": ["value"], "lags": 0, "pipeline": {}, "threshold": 0.5,
                     "training": {"samples": 1, "trainedAt": "", "origin": ""}},
    })),
    "an artifact of dicts": lambda: artifact("[" + "{}," * MIB + "0]"),
    "an artifact of lists": lambda: artifact('{"format":2,"a":' + "[" + "[]," * MIB + "0]}"),
    "an artifact of tensors": lambda: safetensors(
        {f"{n}": {"dtype": "F32", "shape": [], "data_offsets": [0, 0]} for n in range(50_000)}
    ),
    "an artifact of keys": lambda: safetensors({"__metadata__": {f"{n}": "" for n in range(300_000)}}),
    "an artifact nested a million times": lambda: safetensors(nested(MIB)),
    "an artifact of a header beyond the end": lambda: struct.pack("<Q", 1 << 60) + b"{",
    "an artifact of 200 MB": lambda: safetensors({}, b"\0" * 200_000_000),
}

# What `make test` runs: one of each kind.
FAST = {
    "bz2 of zeros", "a pickle of lists", "the same, compressed", "a skops array of zeros", "a skops schema of dicts",
    "ONNX of empty nodes", "an artifact of a megabyte of digits", "an artifact of dicts",
}

IMPORTED = [
    Command(
        name=f"train --from-sklearn: {name}", args=["train", "--from-sklearn", "bomb", "--output", "model"],
        files={"bomb": bomb}, expect=1, says="error: bomb: ", slow=name not in FAST,
    )
    for name, bomb in FOREIGN.items()
]

OPENED = [
    Command(name=f"inspect: {name}", args=["inspect", "bomb"], files={"bomb": bomb}, expect=1, says="error: bomb: ")
    for name, bomb in OURS.items()
]


def loaded(file):
    """The file replaces the model file that a detector has loaded: it is refused, and the earlier model keeps
    serving."""

    def do(pod):
        before = pod.report()["model"]["digest"]
        (pod.path / "new").write_bytes(content(file))
        (pod.path / "new").rename(pod.path / "model")
        rejected = until(lambda: pod.report().get("rejected"), "a refusal", 60)
        check(len(rejected["message"]) < 600, f"expected a sentence, got {len(rejected['message'])} letters")
        check(pod.report()["model"]["digest"] == before, "another model serves")
        check(pod.ready(), "the detector is not ready")
        (pod.path / "new").write_bytes((FIXTURES / "1.9.1/lone.joblib").read_bytes())
        (pod.path / "new").rename(pod.path / "model")
        until(lambda: not pod.report().get("rejected"), "the model that is good again", 60)

    return do


LOADED = [
    Scenario(name=f"loaded: {name}", pod="loads", do=loaded(bomb), slow=name not in FAST)
    for name, bomb in {**FOREIGN, **OURS}.items()
]


def pipe(name):
    """A pipe in place of the model file: nothing writes to it, and the detector must not wait for it."""

    def do(pod):
        (pod.path / name).unlink()
        os.mkfifo(pod.path / name)
        until(lambda: "regular file" in json.dumps(pod.report().get("rejected")), "a refusal", 60)
        check(pod.ready(), "the detector is not ready")
        (pod.path / name).unlink()
        (pod.path / name).write_bytes((FIXTURES / "1.9.1/lone.joblib").read_bytes())
        until(lambda: not pod.report().get("rejected"), "the model that is good again", 60)

    return do


PLACES = [Scenario(name="loaded: a pipe", pod="loads", do=pipe("model"))]

ROWS = b"a,b\n" + b"".join(b"%d,%d\n" % (n, n * 7 % 11) for n in range(300))


def model():
    """A scikit-learn forest of one column."""
    return (FIXTURES / "1.9.1/lone.joblib").read_bytes()


SAME = "the output must be another file than the input"
OUTPUTS = [
    Command(name="train: the output is the input", args=["train", "--input", "a.csv", "--output", "./a.csv"],
            files={"a.csv": ROWS}, expect=1, says=SAME),
    Command(name="train: the output is the imported file", args=["train", "--from-sklearn", "m", "--output", "m"],
            files={"m": model}, expect=1, says=SAME),
    Command(name="score: the output is the model", args=["score", "--model", "m", "--input", "a.csv", "--output", "m"],
            files={"m": model, "a.csv": ROWS}, expect=1, says=SAME),
    Command(name="score: the output is the input", args=["score", "--model", "m", "--input", "a.csv", "--output", "a.csv"],
            files={"m": model, "a.csv": ROWS}, expect=1, says=SAME),
    Command(name="export: the output is the model", args=["export", "--onnx", "--model", "m", "--output", "m"],
            files={"m": model}, expect=1, says=SAME),
    Command(name="train: a full disk", args=["train", "--input", "a.csv", "--output", "/dev/full"],
            files={"a.csv": ROWS}, expect=1, says="No space left on device"),
    Command(name="train: an endless input", args=["train", "--from-sklearn", "/dev/zero", "--output", "m"],
            expect=1, says="error: /dev/zero: "),
]

CASES = IMPORTED + OPENED + LOADED + PLACES + OUTPUTS
