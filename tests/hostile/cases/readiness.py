"""The answers of /readyz and /livez, compared with the detector's real state. A wrong answer is called a
lie."""

import signal
import time

from case import Scenario
from cases.pods import PODS, manifest
from pod import Failed, Pod, ReadinessLie, check, free_port, until

SILENT = """apiVersion: anomaly.dev/v1alpha1
kind: AnomalyDetector
metadata: {name: silent}
spec:
  interval: 1s
  sources:
  - name: plant
    prometheus:
      url: http://127.0.0.1:%d
      sensors:
      - {name: value, query: up}
  model: {train: {samples: 100}}
  threshold: {contamination: 0.02}
"""

PUSHED = """apiVersion: anomaly.dev/v1alpha1
kind: AnomalyDetector
metadata: {name: pushed}
spec:
  interval: 1s
  sources:
  - name: hand
    staleness: 5s
    http: {sensors: [{name: value}]}
  model: {train: {samples: 20}}
  threshold: {contamination: 0.02}
"""


def lies(what):
    """A check whose failure is reported as a readiness lie."""

    def do(program):
        try:
            return what(program) or {}
        except Failed as failed:
            raise ReadinessLie(f"{failed} (a readiness lie)") from None

    return do


def verdicts(pod):
    return pod.metric("anomaly_verdicts_total")


def no_history(program):
    """The Prometheus server is away from the start: the detector is not ready, but it is live."""
    with Pod(program, manifest=SILENT % free_port(), prober=False, args=["--allow-address", "127.0.0.0/8"]) as pod:
        until(lambda: pod.report(), "an answer")
        time.sleep(2)
        ready, why = pod.ready()
        check(not ready, "it is ready without a model")
        check(pod.get("/livez").status == 200, "/livez says no")


def quiet_push(program):
    """No reading is pushed yet: the detector is ready all the same, or the Service would not pass readings on
    to it."""
    with Pod(program, manifest=PUSHED, prober=False) as pod:
        until(lambda: pod.report(), "an answer")
        check(pod.ready()[0], f"a detector that waits for readings is not ready: {pod.ready()[1]}")
        now = int(time.time()) - 200
        lines = "\n".join(f'{{"time":{(now + n) * 1000},"values":{{"value":{n % 7}}}}}' for n in range(60))
        pod.ask("/readings", lines.encode())
        time.sleep(1)
        check(pod.ready()[0], f"it is not ready: {pod.ready()[1]}")


def warming(program):
    """Before the first model, the detector is not ready and says that it is warming up."""
    long = manifest([f"s{n}" for n in range(20)], "train: {samples: 200000, trees: 500}")
    with Pod(program, manifest=long, prober=False, limit_mib=512) as pod:
        until(lambda: pod.report(), "an answer")
        ready, why = pod.ready()
        check(not ready, "it is ready while it trains")
        check("warming up" in why, why)
        check(pod.ask("/predict", b'{"value":1}').status == 503, "predictions are answered without a model")


def stopped_process(program):
    """A process that was stopped for 35 s is ready again within 5 s, and counts the instants that it
    skipped."""
    with Pod(program, **PODS["plain"], prober=False) as pod:
        pod.until_serving()
        until(lambda: verdicts(pod) > 0, "a verdict")
        skipped = pod.metric("anomaly_instants_skipped_total")
        pod.signal(signal.SIGSTOP)
        time.sleep(35)
        pod.signal(signal.SIGCONT)
        until(lambda: pod.ready()[0], "the detector to be ready again", 5)
        after = pod.metric("anomaly_instants_skipped_total")
        check(after - skipped >= 30, f"35 s left {after - skipped:g} skipped instants")


def agrees(pod):
    """The detector is ready, and makes verdicts."""
    before = verdicts(pod)
    check(pod.ready()[0], pod.ready()[1])
    until(lambda: verdicts(pod) > before, "another verdict", 5)


CASES = [
    Scenario(name="ready, and verdicts are made", do=agrees),
    Scenario(name="no server to read the history of", pod=None, do=lies(no_history)),
    Scenario(name="nothing is pushed", pod=None, do=lies(quiet_push)),
    Scenario(name="the first training", pod=None, do=lies(warming)),
    Scenario(name="35 s of SIGSTOP", pod=None, do=lies(stopped_process), slow=True),
]
