"""Signals: no request is lost, and nothing delays the exit."""

import http.client
import signal
import threading
import time

from case import Scenario
from cases.pods import PODS, manifest
from pod import Pod, check, until

CLIENTS = 64


class Client(threading.Thread):
    """Sends requests on a connection that is kept open, until the port refuses connections. `lost`: the
    requests that got no answer, or another status than 200."""

    def __init__(self, port, body):
        super().__init__(daemon=True)
        self.port, self.body, self.answered, self.lost = port, body, 0, []
        self.start()

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        while True:
            if connection.sock is None:
                try:
                    connection.connect()
                except OSError:
                    return  # refused: no request was sent, and a Service would choose another pod
            try:
                connection.request("POST", "/predict", body=self.body)
                response = connection.getresponse()
                response.read()
            except (OSError, http.client.HTTPException) as error:
                self.lost.append(repr(error))
                return
            if response.status != 200:
                self.lost.append(f"status {response.status}")
                return
            self.answered += 1
            if response.will_close:
                connection.close()


def stopped(drain, body=b'{"value":0.5}', clients=CLIENTS):
    """Busy clients of a detector that gets SIGTERM."""

    def do(program):
        with Pod(program, **PODS["plain"], args=["--drain", drain], prober=False) as pod:
            pod.until_serving()
            busy = [Client(pod.predict, body) for _ in range(clients)]
            until(lambda: sum(client.answered for client in busy) > 20 * clients, "the clients to be busy")
            pod.signal()
            code = pod.wait(30)
            for client in busy:
                client.join(10)
            lost = [each for client in busy for each in client.lost]
            result = {"lost_requests": len(lost), "killed": pod.cgroup.kills()}
            check(code == 0, f"expected exit code 0, got {code}")
            check(not lost, f"{len(lost)} requests were lost: {lost[:1]}")
            return result

    return do


def second_signal(number, code):
    def do(program):
        with Pod(program, **PODS["plain"], args=["--drain", "60s"], prober=False) as pod:
            pod.until_serving()
            pod.signal()
            until(lambda: not pod.ready()[0], "/readyz to say no")
            began = time.monotonic()
            pod.signal(number)
            ended = pod.wait(10)
            took = time.monotonic() - began
            check(took < 2, f"it took {took:.1f} s")
            check(ended == code, f"expected exit code {code}, got {ended}")

    return do


def training(number):
    """A signal during the first training, which takes minutes."""
    long = manifest([f"s{n}" for n in range(20)], "train: {samples: 500000, trees: 10000}")

    def do(program):
        with Pod(program, manifest=long, limit_mib=2048, prober=False) as pod:
            until(lambda: pod.report().get("phase", {}).get("name") == "warmingUp" or pod.report(), "an answer")
            time.sleep(1.5)
            check(pod.report().get("phase", {}).get("name") != "serving", "the training is too short for the test")
            began = time.monotonic()
            pod.signal(number)
            pod.wait(20)
            took = time.monotonic() - began
            check(took < 2, f"expected an end in 2 s, got {took:.1f}")

    return do


def announced(pod_program):
    """While the detector drains, its answers have `Connection: close`, and /readyz says that it is
    stopping."""
    with Pod(pod_program, **PODS["plain"], args=["--drain", "3s"], prober=False) as pod:
        pod.until_serving()
        before = pod.ask("/predict", b'{"value":0.5}', headers={"Connection": "keep-alive"})
        check(before.headers.get("connection") != "close", "a detector that serves says Connection: close")
        pod.signal()
        until(lambda: not pod.ready()[0], "/readyz to say no")
        check("stopping" in pod.ready()[1], pod.ready()[1])
        during = pod.ask("/predict", b'{"value":0.5}', headers={"Connection": "keep-alive"})
        check(during.status == 200, f"a draining detector answers {during.status}")
        check(during.headers.get("connection") == "close", "no Connection: close while it drains")
        check(pod.wait(20) == 0, "the exit code is not 0")


ROWS = b'{"instances":[' + b",".join([b"[0.5]"] * 3000) + b"]}"
CASES = [
    Scenario(name="64 busy clients, --drain 0s", pod=None, do=stopped("0s")),
    Scenario(name="64 busy clients, --drain 2s", pod=None, do=stopped("2s"), slow=True),
    Scenario(name="64 busy clients, --drain 0s, again", pod=None, do=stopped("0s"), slow=True),
    Scenario(name="64 busy clients, --drain 0s, a third time", pod=None, do=stopped("0s"), slow=True),
    Scenario(name="8 busy clients with batches, --drain 1s", pod=None, do=stopped("1s", ROWS, 8), slow=True),
    Scenario(name="SIGTERM while it drains", pod=None, do=second_signal(signal.SIGTERM, 143)),
    Scenario(name="SIGINT while it drains", pod=None, do=second_signal(signal.SIGINT, 130)),
    Scenario(name="SIGTERM during the first training", pod=None, do=training(signal.SIGTERM), slow=True),
    Scenario(name="SIGINT during the first training", pod=None, do=training(signal.SIGINT), slow=True),
    Scenario(name="a draining detector says so", pod=None, do=announced, slow=True),
]
