"""Connections that send nothing, send slowly, do not read, or are too many."""

import contextlib
import signal
import socket
import time

from case import Scenario
from pod import Pod, check, until

HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\n"


@contextlib.contextmanager
def sockets(pod, count, data=b"", port="predict", buffer=None):
    """Open `count` connections and send `data` on each. Errors, such as of a refused connection, are
    ignored."""
    opened = []
    try:
        for _ in range(count):
            each = socket.socket()
            if buffer:
                each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
            each.settimeout(5)
            opened.append(each)
            with contextlib.suppress(OSError):
                each.connect(("127.0.0.1", getattr(pod, port)))
                each.sendall(data)
        yield opened
    finally:
        for each in opened:
            each.close()


def is_closed(stream):
    """Whether the server has ended the connection. Reads what the server has sent."""
    stream.settimeout(0.01)
    try:
        while stream.recv(65536):
            pass
        return True
    except TimeoutError:
        return False
    except OSError:
        return True


def is_held(stream):
    """Whether the server still holds an answer for a client that does not read it: it has neither closed the
    connection nor answered 503."""
    stream.settimeout(2)
    first = b""
    try:
        while chunk := stream.recv(65536):
            first = first or chunk
        return False
    except TimeoutError:
        return not first.startswith(b"HTTP/1.1 503 ")
    except (OSError, ValueError):  # reading a TLS stream whose connection has ended is a ValueError
        return False


def answers(pod, seconds=2.0):
    """Check that a new client gets a prediction, or the error that the model has more sensors, and a new
    probe its answer."""
    began = time.monotonic()
    status = pod.ask("/predict", b'{"value":0.5}', timeout=10).status
    check(status in (200, 400, 422), f"a new client got no prediction, but {status}")
    check(pod.get("/livez").status == 200, "a probe got no answer")
    took = time.monotonic() - began
    check(took < seconds, f"a new client waited {took:.1f} s")


def kept_open(count, data, wait=1.0, port="predict"):
    """Connections that send `data` and then stay open, while other clients are answered."""

    def do(pod):
        with sockets(pod, count, data, port):
            deadline = time.monotonic() + wait
            while time.monotonic() < deadline:
                answers(pod)
                time.sleep(0.05)
        answers(pod)

    return do


def disconnected(data, within, answer=b"", trickle=b"", port="predict"):
    """A connection that the server must end within `within` seconds, after an answer that starts with
    `answer`. Meanwhile `trickle` is sent again and again."""

    def do(pod):
        began = time.monotonic()
        with pod.connect(port, timeout=within + 5) as stream:
            stream.sendall(data)
            received = b""
            while time.monotonic() - began < within + 5:
                stream.settimeout(0.5)
                try:
                    if trickle:
                        stream.sendall(trickle)
                    chunk = stream.recv(65536)
                except TimeoutError:
                    continue
                except OSError:
                    break
                if not chunk:
                    break
                received += chunk
            took = time.monotonic() - began
        check(took <= within + 2, f"expected an end within {within} s, got none in {took:.0f} s")
        check(received.startswith(answer), f"expected {answer!r}, got {received[:100]!r}")

    return do


def second_head_is_slow(pod):
    with pod.connect(timeout=20) as stream:
        stream.sendall(HEAD + b'Content-Length: 13\r\n\r\n{"value":0.5}')
        check(stream.recv(4096).startswith(b"HTTP/1.1 200"), "the first request got no answer")
        stream.sendall(b"POST /predict HTTP/1.1\r\nHost: ")
        began = time.monotonic()
        until(lambda: is_closed(stream), "the slow head to be cut", 20)
        check(time.monotonic() - began > 2, "it was cut at once")


def unread(count, request, seconds, port="predict", wait=25.0):
    """Clients that do not read their answers: the memory of these is bounded, other clients are answered, and
    the clients are disconnected."""

    def do(pod):
        with sockets(pod, count, request, port, buffer=4096) as streams:
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                answers(pod)
                time.sleep(0.1)
            if wait:
                time.sleep(max(0.0, wait - seconds))
                held = sum(map(is_held, streams))
                check(not held, f"{held} of {len(streams)} were not cut")
        answers(pod)

    return do


def batch(count, detail=True):
    body = b'{"instances":[' + b",".join([b"[9]"] * count) + b"]}"
    path = b"/predict?detail=true" if detail else b"/predict"
    return b"POST " + path + b" HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def get(path):
    return b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n"


def pipelined_without_end(pod):
    """Clients that send thousands of requests at once and read no answer are disconnected, and their requests
    dropped."""
    with sockets(pod, 60, get(b"/verdicts") * 2000, buffer=4096) as streams:
        until(lambda: all(map(is_closed, streams)), "the clients to be cut", 20)
        answers(pod)


def idle_connections_stay(pod):
    with pod.connect() as stream:
        stream.sendall(HEAD + b'Content-Length: 13\r\n\r\n{"value":0.5}')
        stream.recv(4096)
        time.sleep(12)
        stream.settimeout(5)
        stream.sendall(HEAD + b'Content-Length: 13\r\n\r\n{"value":0.5}')
        check(stream.recv(4096).startswith(b"HTTP/1.1 200"), "an idle connection was closed before 75 s")


def few_files(program):
    """With `ulimit -n 256`, probes and clients are answered while more sockets than that are open."""
    from cases.pods import PODS

    with Pod(program, **PODS["plain"], nofile=256) as pod:
        pod.until_serving()
        pod.begin()
        with sockets(pod, 358, HEAD):
            for _ in range(10):
                answers(pod)
        return {"usage": pod.usage(), "killed": pod.cgroup.kills()}


def keep_alive_is_set(program):
    from cases.pods import PODS

    with Pod(program, **PODS["plain"], args=["--keep-alive", "1s"], prober=False) as pod:
        pod.until_serving()
        with pod.connect() as stream:
            stream.sendall(get(b"/verdicts"))
            stream.recv(65536)
            began = time.monotonic()
            until(lambda: is_closed(stream), "the idle connection to end", 10)
            check(time.monotonic() - began < 4, "it stayed longer than --keep-alive")


def many_requests_on_one(pod):
    """Pipelined requests, sixteen at once and a thousand of them, get a thousand answers."""
    request = HEAD + b'Content-Length: 13\r\n\r\n{"value":0.5}'
    with pod.connect() as stream:
        stream.settimeout(20)
        received, sent = b"", 0
        while sent < 1000:
            stream.sendall(request * 16)
            sent += 16
            while received.count(b'{"anomaly":0}') < sent:
                chunk = stream.recv(65536)
                check(chunk, f"the connection ended after {received.count(b'anomaly')} of {sent} answers")
                received += chunk


SLOW_BODY = HEAD + b"Content-Length: 100000\r\n\r\n"
def answered(data, within, answer):
    """An answer that starts with `answer`, within `within` seconds, on a connection that sends nothing
    more."""

    def do(pod):
        began = time.monotonic()
        with pod.connect(timeout=within + 5) as stream:
            stream.sendall(data)
            received = stream.recv(65536)
        took = time.monotonic() - began
        check(took <= within, f"expected an answer within {within} s, got one in {took:.0f} s")
        check(received.startswith(answer), f"expected {answer!r}, got {received[:100]!r}")

    return do


def first_probe_is_answered(pod):
    """A probe that was sent before 100 other connections is answered, though the process sees all of them at
    once."""
    pod.signal(signal.SIGSTOP)
    try:
        with pod.connect("metrics") as probe, contextlib.ExitStack() as others:
            probe.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            others.enter_context(sockets(pod, 100, b"GET /livez HTTP/1.1\r\n", "metrics"))
            pod.signal(signal.SIGCONT)
            check(probe.recv(4096).startswith(b"HTTP/1.1 200"), "the first probe got no answer")
    finally:
        pod.signal(signal.SIGCONT)


CASES = [
    Scenario(name="200 sockets that say nothing", do=kept_open(200, b"")),
    Scenario(name="200 sockets with half a head", do=kept_open(200, HEAD)),
    Scenario(name="200 sockets with half a small body", do=kept_open(200, HEAD + b'Content-Length: 13\r\n\r\n{"val')),
    Scenario(name="100 sockets of probes that say nothing", do=kept_open(100, b"", port="metrics")),
    Scenario(name="100 probes with half a head", do=kept_open(100, b"GET /livez HTTP/1.1\r\n", port="metrics")),
    Scenario(name="a probe, then 100 with half a head, all at once", do=first_probe_is_answered),
    Scenario(name="400 sockets with a stalled body of 2 MiB", do=kept_open(400, HEAD + b"Content-Length: 2097152\r\n\r\n" + b" " * 30_000, wait=2), slow=True),
    Scenario(name="400 sockets with 15 KiB of a head", do=kept_open(400, HEAD + b"A: " + b"a" * 15_000, wait=2), slow=True),
    Scenario(name="1,000 sockets that say nothing", do=kept_open(1000, b"", wait=2), slow=True),
    Scenario(name="10,000 sockets with half a head", do=kept_open(10_000, HEAD, wait=5), slow=True, cpu_s=10),
    Scenario(name="a head that stalls", do=disconnected(HEAD, 11, b"HTTP/1.1 408"), slow=True),
    Scenario(name="a connection that says nothing", do=disconnected(b"", 12), slow=True),
    Scenario(name="a head that trickles", do=disconnected(HEAD, 12, b"HTTP/1.1 408", trickle=b"A: a\r\n"), slow=True),
    Scenario(name="the head of a second request that stalls", do=second_head_is_slow, slow=True),
    Scenario(name="a body that stalls", do=disconnected(SLOW_BODY + b"{", 12, b"HTTP/1.1 408"), slow=True),
    Scenario(name="a body that trickles", do=disconnected(SLOW_BODY, 32, b"HTTP/1.1 408", trickle=b" "), slow=True),
    Scenario(name="a chunked body that stalls", do=answered(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{", 12, b"HTTP/1.1 408"), slow=True),
    Scenario(name="24 unread answers of 20,000 rows with detail", do=unread(24, batch(20_000), 4), slow=True, cpu_s=10),
    Scenario(name="24 unread answers of 100,000 rows", do=unread(24, batch(100_000, detail=False), 4), slow=True, cpu_s=10),
    Scenario(name="60 times 2,000 requests at once", pod="wide", do=pipelined_without_end),
    Scenario(name="60 unread GET /model", do=unread(60, get(b"/model") * 16, 3, port="metrics"), slow=True),
    Scenario(name="60 unread GET /metrics", do=unread(60, get(b"/metrics") * 16, 3, port="metrics"), slow=True),
    Scenario(name="60 unread GET /verdicts of forty sensors", pod="wide", do=unread(60, get(b"/verdicts?limit=1000") * 16, 3), slow=True, cpu_s=10),
    Scenario(name="an idle connection stays for more than 12 s", do=idle_connections_stay, slow=True),
    Scenario(name="358 sockets at ulimit -n 256", pod=None, do=few_files, slow=True),
    Scenario(name="--keep-alive 1s", pod=None, do=keep_alive_is_set, slow=True),
    Scenario(name="1,000 pipelined requests", do=many_requests_on_one),
]
