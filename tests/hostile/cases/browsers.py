"""Requests for the page, and clients that follow the stream of verdicts: many at once, and some that never
read."""

import contextlib
import socket

from case import Request, Scenario
from pod import check, until

HTML = {"Accept": "text/html"}
MAX_STREAMS = 64
GZIP = {"Accept-Encoding": "gzip"}


def follow(pod):
    """A client that follows the verdicts: its socket, and the status of the answer."""
    client = socket.create_connection(("127.0.0.1", pod.predict), timeout=20)
    client.sendall(b"GET /verdicts/stream HTTP/1.1\r\nHost: x\r\n\r\n")
    with client.makefile("rb") as answer:
        return client, int(answer.readline().split()[1])


def streams(pod):
    """The most clients that are allowed follow the verdicts and never read; further clients get 503; when the
    clients have gone, a new one is accepted."""
    with contextlib.ExitStack() as stack:
        statuses = []
        for _ in range(MAX_STREAMS + 36):
            client, status = follow(pod)
            stack.callback(client.close)
            statuses.append(status)
        check(statuses.count(200) == MAX_STREAMS and statuses.count(503) == 36, f"expected {MAX_STREAMS} of them to be served, got {statuses}")

    def again():
        client, status = follow(pod)
        client.close()
        return status == 200

    until(again, "a place for another")


CASES = [
    Request(name="the page, 50 at once", path="/", method="GET", headers=HTML, copies=50),
    Request(name="the page's parts, 50 at once", path="/page/uplot.js", method="GET", copies=50),
    Request(name="the list of routes, 50 at once", path="/", method="GET", says='"routes"', copies=50),
    Request(name="openapi.json, 50 at once and gzipped", path="/openapi.json", method="GET", headers=GZIP, copies=50),
    Request(name="1000 verdicts of forty sensors, 50 at once and gzipped", path="/verdicts?limit=1000", method="GET", pod="wide", headers=GZIP, copies=50, slow=True, cpu_s=30, timeout=120),
    Request(name="a part that is none", path="/page/..%2f..%2fetc%2fpasswd", method="GET", expect=404),
    Request(name="since a time that is none", path="/verdicts?since=" + "9" * 3000, method="GET", expect=400, says="since: expected"),
    Request(name="the page, posted", path="/", expect=405),
    Scenario(name="100 follow the verdicts of forty sensors and do not read", do=streams, pod="wide", cpu_s=15),
]
