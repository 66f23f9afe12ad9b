"""Manifests that are small to write and large, or slow, to check."""

from case import Command

HEAD = b"apiVersion: anomaly.dev/v1alpha1\nkind: AnomalyDetector\nmetadata: {name: x}\nspec:\n"


def aliases():
    """Ten lists of ten, each of the one before: 10 billion items."""
    lists = b"".join(b"  a%d: &a%d [%s]\n" % (n, n, b",".join([b"*a%d" % (n - 1)] * 10)) for n in range(1, 10))
    return HEAD + b"  a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + lists


def source(n):
    return b"  - name: s%d\n    simulated: {sensors: [{name: v%d}]}\n" % (n, n)


MANIFESTS = {
    "300,000 empty sources": lambda: HEAD + b"  sources: [" + b"{}," * 300_000 + b"]\n",
    "15,000 sources": lambda: HEAD + b"  sources:\n" + b"".join(source(n) for n in range(15_000)),
    "500 sources": lambda: HEAD + b"  sources:\n" + b"".join(source(n) for n in range(500)),
    "20,000 sensors": lambda: HEAD + b"  sources:\n  - name: s\n    simulated:\n      sensors:\n" + b"".join(b"      - {name: v%d}\n" % n for n in range(20_000)),
    "the same sensor 20,000 times": lambda: HEAD + b"  sources:\n  - name: s\n    simulated:\n      sensors:\n" + b"      - {name: v}\n" * 20_000,
    "100,000 fields that there are not": lambda: HEAD + b"".join(b"  k%d: 1\n" % n for n in range(100_000)),
    "lists nested 200,000 deep": lambda: HEAD + b"  sources: " + b"[" * 200_000 + b"\n",
    "aliases of aliases": aliases,
    "300,000 documents": lambda: b"---\n" * 300_000,
    "300,000 documents of a letter": lambda: b"--- x\n" * 240_000,
    "a megabyte of one word": lambda: b"x" * 1_400_000,
    "a name of a megabyte": lambda: HEAD.replace(b"x}", b"x" * 1_000_000 + b"}") + b"  sources: []\n",
    "4 MiB": lambda: b"#" * (4 << 20),
    "no text": lambda: bytes(range(256)) * 100,
    "nothing": b"",
}

CASES = [
    Command(name=f"validate: {name}", args=["validate", "m.yaml"], files={"m.yaml": manifest}, expect=1, says="error: ")
    for name, manifest in MANIFESTS.items()
]
