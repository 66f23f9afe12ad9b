"""The figures of benches/model/run: a built detector in, a table and a line of figures out.

DURATION (in seconds) and STARTS in the environment shorten a run.
"""

import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
from loopback import free_port  # noqa: E402

DETECTOR = sys.argv[1]
SECONDS = int(os.environ.get("DURATION", "120"))
STARTS = int(os.environ.get("STARTS", "50"))
RATE, CLIENTS = 500, 10
BODY = b'{"values":{"temperature":61,"vibration":2}}'

MANIFEST = """\
apiVersion: anomaly.dev/v1alpha1
kind: AnomalyDetector
metadata: {name: pump}
spec:
  sources:
  - name: simulation
    simulated:
      sensors:
      - {name: temperature, baseline: 60, waves: [{amplitude: 5, period: 1h}], noise: {gaussian: {standardDeviation: 0.5}}}
      - {name: vibration, baseline: 2, noise: {gaussian: {standardDeviation: 0.1}}}
  model: {MODEL}
"""


class Detector:
    """A running detector with its models in `folder`."""

    def __init__(self, folder, model=""):
        manifest = Path(folder) / "pump.yaml"
        manifest.write_text(MANIFEST.replace("MODEL", model))
        self.predict, self.metrics = free_port(), free_port()
        self.began = time.perf_counter()
        self.process = subprocess.Popen(
            [DETECTOR, "run", manifest, "--stored-model", Path(folder) / "stored", "--state", Path(folder) / "state",
             "--predict-address", f"127.0.0.1:{self.predict}", "--metrics-address", f"127.0.0.1:{self.metrics}"],
            stdout=subprocess.DEVNULL)

    def get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.metrics, timeout=5)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        except OSError:
            return 0, b""
        finally:
            connection.close()

    def ready(self):
        """Wait until /readyz answers 200; return the seconds since the start of the process."""
        while self.get("/readyz")[0] != 200:
            assert self.process.poll() is None, "the detector has ended"
            time.sleep(0.0005)
        return time.perf_counter() - self.began

    def report(self):
        return json.loads(self.get("/status")[1])

    def kill(self):
        self.process.kill()
        self.process.wait()


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def starts():
    """Start and kill STARTS detectors with a stored model: the seconds of each to ready, and the model's size
    in bytes."""
    with tempfile.TemporaryDirectory() as folder:
        detector = Detector(folder)
        detector.ready()
        first = detector.report()["model"]
        (Path(folder) / "stored").write_bytes(detector.get("/model")[1])
        detector.kill()
        taken = []
        for _ in range(STARTS):
            detector = Detector(folder)
            taken.append(detector.ready())
            report = detector.report()
            assert report["trainings"] == 0 and report["model"]["digest"] == first["digest"], report
            detector.kill()
        return taken, first["bytes"]


def client(port, end, pause, answers, failures):
    """Send one connection's share of the requests at a fixed rate. Adds (sent, seconds, digest, threshold) to
    `answers`."""
    connection, due = http.client.HTTPConnection("127.0.0.1", port, timeout=10), time.perf_counter()
    while (now := time.perf_counter()) < end:
        if now < due:
            time.sleep(due - now)
        due += pause
        sent = time.perf_counter()
        try:
            connection.request("POST", "/predict?detail=true", BODY)
            response = connection.getresponse()
            body = response.read()
            assert response.status == 200, (response.status, body)
            answer = json.loads(body)
            answers.append((sent, time.perf_counter() - sent, answer["model"], answer["threshold"]))
        except (OSError, AssertionError, http.client.HTTPException) as error:
            failures.append(repr(error))
            connection.close()


def swaps():
    """Request predictions while retrained models take over: the answers, the failures and the number of
    trainings."""
    with tempfile.TemporaryDirectory() as folder:
        detector = Detector(folder, "retrain: {interval: 5s}")
        detector.ready()
        answers, failures = [], []
        end = time.perf_counter() + SECONDS
        clients = [threading.Thread(target=client, args=(detector.predict, end, CLIENTS / RATE, answers, failures))
                   for _ in range(CLIENTS)]
        for each in clients:
            each.start()
        for each in clients:
            each.join()
        report = detector.report()
        detector.kill()
        return sorted(answers), failures, report["trainings"]


def main():
    taken, size = starts()
    p50, p99 = (1000 * percentile(taken, share) for share in (0.5, 0.99))
    print(f"start of the process to ready with a stored model, {STARTS} times: p50 {p50:.1f} ms, p99 {p99:.1f} ms")
    print(f"artifact: {size} bytes")

    answers, failures, trainings = swaps()
    cuts, seen, around = {}, None, []
    for at, (_, seconds, model, cut) in enumerate(answers):
        # Each model has one threshold: an answer that mixed two models would have another.
        if cuts.setdefault(model, cut) != cut:
            failures.append(f"{model} answered with the cuts {cuts[model]} and {cut}")
        if model != seen:
            around += [answer[1] for answer in answers[max(0, at - 5):at + 5]] if seen else []
            seen = model
    latencies = [answer[1] for answer in answers]
    middle, slow = (1000 * percentile(latencies, share) for share in (0.5, 0.99))
    pause = 1000 * max(around, default=0)
    print(f"{len(answers)} requests in {SECONDS} s, {len(failures)} failed {failures[:3]}; {trainings} trainings, {len(cuts)} models answered")
    print(f"latency: p50 {middle:.2f} ms, p99 {slow:.2f} ms; the slowest of the requests around a swap {pause:.2f} ms")
    print(f"figures: ready_p50_ms={p50:.1f} ready_p99_ms={p99:.1f} artifact_bytes={size} requests={len(answers)} "
          f"failed={len(failures)} models={len(cuts)} latency_p99_ms={slow:.2f} swap_pause_ms={pause:.2f}")
    sys.exit(1 if failures else 0)


main()
