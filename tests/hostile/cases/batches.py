"""Requests that are large, and answers that are larger."""

from case import Request, Scenario
from pod import check

MIB = 1 << 20


def rows(count, row=b"[0.5]"):
    return lambda: b'{"instances":[' + b",".join([row] * count) + b"]}"


def filled(size, row):
    """As many rows as a body of this size has room for."""
    return rows((size - 20) // (len(row) + 1), row)


BUSY = (200, 503)

ROWS = [
    Request(name=f"{count} rows{' with detail' if detail else ''}", body=rows(count), path=path, expect=200, says='{"predictions":[{"anomaly":0')
    for detail, path in [(False, "/predict"), (True, "/predict?detail=true")]
    for count in [1, 9, 10, 11, 99, 100, 101, 1000, 4000, 20_000]
] + [
    Request(name="no rows with detail", body=rows(0), path="/predict?detail=true", expect=200, says='{"predictions":[]}'),
    Request(name="100,000 rows", body=rows(100_000), expect=200, slow=True),
    Request(name="2 MiB of [0]", body=filled(2 * MIB, b"[0]"), expect=200, slow=True),
    Request(name="2 MiB of [0] with detail", body=filled(2 * MIB, b"[0]"), path="/predict?detail=true", expect=413, says="at most 50000 rows"),
    Request(name="76 KB of [9] with detail", body=rows(19_000, b"[9]"), path="/predict?detail=true", expect=200),
    Request(name="400 KB of [0] without", body=rows(100_000, b"[0]"), expect=200, slow=True),
    Request(name="50,000 rows with detail", body=rows(50_000, b"[9]"), path="/predict?detail=true", expect=200, slow=True),
    Request(name="50,001 rows with detail", body=rows(50_001, b"[9]"), path="/predict?detail=true", expect=413, says="at most 50000 rows"),
    Request(name="2 MiB of [0.123456789012345]", body=filled(2 * MIB, b"[0.123456789012345]"), expect=200),
    Request(name="2 MiB of rows of three", body=filled(2 * MIB, b"[0,0,0]"), pod="three", expect=200, slow=True),
    Request(name="20,000 rows of three with detail", body=rows(20_000, b"[0,9,0]"), path="/predict?detail=true", pod="three", expect=200),
    Request(name="2 MiB of rows of forty", body=filled(2 * MIB, b"[" + b",".join([b"0"] * 40) + b"]"), pod="wide", expect=200, slow=True),
    Request(name="2,000 rows of forty with detail", body=rows(2000, b"[" + b",".join([b"9"] * 40) + b"]"), path="/predict?detail=true", pod="wide", expect=200),
    Request(name="10,000 rows of a model with lags", body=rows(10_000, b"[0.5,0,0.5,0,0.5,0]"), pod="lags", expect=200),
]

CROWDS = [
    Request(name="8 at once of 2 MiB of [0]", body=filled(2 * MIB, b"[0]"), expect=BUSY, copies=8, slow=True, cpu_s=12),
    Request(name="100 at once of 2 MiB of [0] with detail", body=filled(2 * MIB, b"[0]"), path="/predict?detail=true", expect=(413, 503), copies=100, slow=True, cpu_s=8),
    Request(name="50 at once of 76 KB with detail", body=rows(19_000, b"[9]"), path="/predict?detail=true", expect=BUSY, copies=50, slow=True, cpu_s=30, timeout=120),
    Request(name="100 at once of 2 MiB of spaces", body=lambda: b" " * (2 * MIB), expect=(400, 503), copies=100, slow=True),
    Request(name="40 at once of 400 KB of [9]", body=rows(100_000, b"[9]"), expect=BUSY, copies=40, slow=True, cpu_s=20, timeout=120),
    Request(name="200 at once of 100 rows", body=rows(100), expect=200, copies=200, slow=True),
    Request(name="100 at once of GET /verdicts?limit=1000", path="/verdicts?limit=1000", method="GET", pod="wide", copies=100, slow=True, cpu_s=20, timeout=120),
    Request(name="20 at once of GET /model", path="/model", method="GET", port="metrics", copies=20),
    Request(name="20 at once of GET /metrics", path="/metrics", method="GET", port="metrics", pod="wide", copies=20),
    Request(name="20 at once of GET /status", path="/status", method="GET", port="metrics", pod="wide", copies=20),
    Request(name="20 at once of GET /events?limit=1000", path="/events?limit=1000", method="GET", pod="wide", copies=20),
    Request(name="GET /verdicts?limit=1000 of forty sensors", path="/verdicts?limit=1000", method="GET", pod="wide", says='{"verdicts":[{'),
    Request(name="GET /verdicts?limit=1", path="/verdicts?limit=1", method="GET", says='{"verdicts":[{'),
]


def predictions(pod, values, path="/predict"):
    """The answer to a batch."""
    body = '{"instances":[' + ",".join(f"[{value!r}]" for value in values) + "]}"
    return pod.ask(path, body.encode(), keep=1 << 22).text()


def equal(pod):
    """Rows get the same verdicts in a large batch as in small ones, whichever threads judge them. The
    threshold may change every second: when it changes between the requests, they are repeated."""
    values = [n / 700 - 0.4 for n in range(1000)]
    for _ in range(10):
        before = pod.metric("anomaly_threshold")
        many = predictions(pod, values)
        parts = [predictions(pod, values[begin : begin + 50]) for begin in range(0, 1000, 50)]
        detailed = predictions(pod, values, "/predict?detail=true")
        if pod.metric("anomaly_threshold") == before:
            break
    else:
        check(False, "the threshold never stayed for the time of 22 requests")
    few = [part[len('{"predictions":[') : -2] for part in parts]
    check(many == '{"predictions":[' + ",".join(few) + "]}", "a batch has other verdicts than its parts")
    check(detailed.count('"anomaly":1') == many.count('"anomaly":1'), "with detail there are other verdicts")


CASES = ROWS + CROWDS + [Scenario(name="a batch has the verdicts of its parts", do=equal)]
