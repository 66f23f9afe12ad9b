"""A predict port with TLS and tokens, and clients without them, or that never complete a handshake."""

import collections
import contextlib
import socket
import ssl
import subprocess
import threading
import time

from case import Raw, Request, Scenario
from cases.connections import is_closed, is_held, sockets
from cases.pods import TOKEN
from pod import ANY_CERTIFICATE, check, until

#: The first nine bytes of a ClientHello that announces 512 bytes.
HALF_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"


def answers(pod, seconds=5.0):
    """Check that a new client gets a prediction, and a new probe its answer."""
    began = time.monotonic()
    answer = pod.ask("/predict", b'{"value":0.5}', timeout=10)
    check(answer.status == 200, f"a new client got no prediction, but {answer.status}")
    check(pod.get("/livez").status == 200, "a probe got no answer")
    took = time.monotonic() - began
    check(took < seconds, f"a new client waited {took:.1f} s")


def kept_open(count, data):
    """Connections that send `data` and then stay open, while other clients are answered."""

    def do(pod):
        with sockets(pod, count, data):
            for _ in range(10):
                answers(pod)
        answers(pod)

    return do


def many(count, data, at_once=200):
    """Open `count` connections one after another, and send `data` on each. The last `at_once` of them stay
    open."""

    def do(pod):
        opened, said = collections.deque(), 0
        for number in range(count):
            stream = socket.socket()
            stream.settimeout(5)
            opened.append(stream)
            with contextlib.suppress(OSError):
                stream.connect(("127.0.0.1", pod.predict))
                stream.sendall(data)
                said += 1
            if len(opened) > at_once:
                opened.popleft().close()
            if number % 500 == 0:
                answers(pod)
        for stream in opened:
            stream.close()
        check(said > count // 2, f"only {said} of {count} were sent")
        answers(pod)

    return do


def slow_hello(pod):
    """A handshake that is sent byte by byte is ended at its deadline."""
    with pod.connect() as stream:
        began = time.monotonic()
        stream.sendall(HALF_HELLO)
        while not is_closed(stream) and time.monotonic() - began < 20:
            with contextlib.suppress(OSError):
                stream.sendall(b"\0")
            time.sleep(0.5)
            answers(pod)
        took = time.monotonic() - began
        check(took < 15, f"expected an end within 10 s, got none in {took:.0f} s")


def handshakes(pod):
    """2,000 handshakes without a request."""
    done = 0
    for number in range(2000):
        with contextlib.suppress(OSError), ANY_CERTIFICATE.wrap_socket(pod.connect()):
            done += 1
        if number % 200 == 0:
            answers(pod)
    check(done == 2000, f"only {done} were done")


def renegotiated(pod):
    """A client of TLS 1.2 that asks for a second handshake on its connection is refused, because a handshake
    costs the server more than the client."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{pod.predict}", "-tls1_2", "-legacy_renegotiation"]
    done = subprocess.run(command, input=b"R\n", capture_output=True, timeout=20)
    check(b"no renegotiation" in done.stderr, f"expected no renegotiation, got {done.stderr[-300:]!r}")
    answers(pod)


def guesses(pod):
    """Wrong tokens on eight connections for five seconds: each is refused, while clients with a token are
    answered."""
    end, refused, wrong = time.monotonic() + 5, [], []

    def guess(number):
        with ANY_CERTIFICATE.wrap_socket(pod.connect()) as stream:
            count = 0
            while time.monotonic() < end:
                count += 1
                token = f"{number}-{count}-of-the-plant"
                request = f"GET /verdicts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
                stream.sendall(request.encode())
                answer = stream.recv(65536)
                (refused if answer.startswith(b"HTTP/1.1 401") else wrong).append(answer[:60])

    threads = [threading.Thread(target=guess, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        answers(pod)
        time.sleep(0.05)
    check(not wrong and len(refused) > 100, f"expected 401, got {wrong[:1]} among {len(refused)}")
    check(TOKEN not in (pod.path / "log").read_text(), "the log has a token")


def unread(pod):
    """Clients of TLS that request large answers and do not read them: memory is bounded, and they are
    disconnected."""
    body = b'{"instances":[' + b",".join([b"[9]"] * 20_000) + b"]}"
    request = b"POST /predict?detail=true HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n"
    request = request % (TOKEN.encode(), len(body)) + body
    context, opened = ssl._create_unverified_context(), []
    try:
        for _ in range(40):
            stream = socket.socket()
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stream.settimeout(10)
            with contextlib.suppress(OSError):
                stream.connect(("127.0.0.1", pod.predict))
                stream = context.wrap_socket(stream)
                stream.sendall(request)
            opened.append(stream)
        end = time.monotonic() + 25
        while time.monotonic() < end:
            answers(pod)
            time.sleep(0.1)
        held = sum(map(is_held, opened))
        check(not held, f"{held} of {len(opened)} were not cut")
    finally:
        for stream in opened:
            stream.close()


CASES = [
    Raw(name="TLS: plain HTTP", pod="secured", data=b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", expect='{"error":"expected HTTPS'),
    Raw(name="TLS: noise", pod="secured", data=bytes(range(256)) * 100, expect="HTTP/1.1 400"),
    Request(name="TLS: no token", pod="secured", headers={"Authorization": ""}, body=b'{"value":0.5}', expect=401),
    Scenario(name="TLS: 1000 connections that say nothing", pod="secured", do=kept_open(1000, b"")),
    Scenario(name="TLS: 1000 half handshakes at once", pod="secured", do=kept_open(1000, HALF_HELLO)),
    Scenario(name="TLS: 10000 half handshakes", pod="secured", do=many(10_000, HALF_HELLO), cpu_s=10.0),
    Scenario(name="TLS: a handshake that trickles", pod="secured", do=slow_hello, slow=True),
    Scenario(name="TLS: 2000 handshakes and no request", pod="secured", do=handshakes, cpu_s=15.0),
    Scenario(name="TLS: a second handshake on a connection", pod="secured", do=renegotiated),
    Scenario(name="TLS: wrong tokens at speed", pod="secured", do=guesses, cpu_s=15.0),
    Scenario(name="TLS: 40 large answers that nobody takes", pod="secured", do=unread, slow=True, cpu_s=10.0),
]
