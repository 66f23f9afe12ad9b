"""Built programs in; requests a second, CPU and latency of each service beside the others, in one run, out: the last line is
`figures: …`.

    compare.py DETECTOR ECHO [ROUNDS]

Each round gives every service a slice of load by wrk, one after another, so that what else the machine does hits all of
them. Figures are medians of the rounds' ratios. Server and client share the cores. Everything listens on loopback.
"""

import contextlib
import json
import os
import re
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
TICKS = os.sysconf("SC_CLK_TCK")
SLICE_S, CONNECTIONS, CROWD = 2, 16, 160
ROWS = 10_000
UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}

MANIFEST = """
apiVersion: anomaly.dev/v1alpha1
kind: AnomalyDetector
metadata: {name: bench}
spec:
  sources:
  - name: simulation
    simulated: {seed: 42, sensors: [{name: value, baseline: 0.5, noise: {uniform: {halfWidth: 0.5}}}]}
  model: {train: {samples: 1000}}
  threshold: {contamination: 0.02}
"""
SCRIPT = """
wrk.method, wrk.body = "POST", '{"value":0.95}'
wrk.headers["Content-Type"] = "application/json"
"""


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def ask(url, body=None, headers=None):
    request = urllib.request.Request(url, body, headers or {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read()


class Service:
    """A server on a port of its own. Its CPU is that of the process and its children."""

    def __init__(self, name, command, folder):
        self.url = f"http://127.0.0.1:{command.port}"
        self.process = subprocess.Popen(command.words, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError):
                ask(self.url + "/predict", b'{"value":0.95}')
                break
            if time.monotonic() > deadline:
                sys.exit(f"benches/serving: {name} does not answer")
            time.sleep(0.1)

    def processes(self):
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [self.process.pid, *map(int, children)]

    def cpu_s(self):
        return sum(sum(map(int, Path(f"/proc/{pid}/stat").read_text().rsplit(")")[1].split()[11:13])) for pid in self.processes()) / TICKS

    def peak_mib(self):
        return sum(int(re.search(r"VmHWM:\s*(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) for pid in self.processes()) / 1024

    def load(self, script, connections):
        """Requests a second, seconds of CPU a request, p99 in seconds, failed requests."""
        before = self.cpu_s()
        words = ["wrk", "-t1", f"-c{connections}", f"-d{SLICE_S}s", "--latency", "-s", script, self.url + "/predict"]
        text = subprocess.run(words, check=True, capture_output=True, text=True).stdout
        used = self.cpu_s() - before
        requests = int(re.search(r"(\d+) requests in", text)[1])
        p99, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", text).groups()
        errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
        refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
        failed = sum(map(int, errors.groups() if errors else [])) + int(refused[1] if refused else 0)
        return requests / SLICE_S, used / max(requests, 1), float(p99) * UNITS[unit], failed


class Command:
    def __init__(self, *words):
        self.port = free_port()
        self.words = [str(word).replace("PORT", str(self.port)) for word in words]


class Probes(threading.Thread):
    """How long /livez and /metrics take while others are served."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.address, self.taken, self.is_over = address, [], False
        self.start()

    def run(self):
        while not self.is_over:
            for path in ("/livez", "/metrics"):
                began = time.monotonic()
                ask(self.address + path)
                self.taken.append(time.monotonic() - began)
            time.sleep(0.05)

    def p99_ms(self):
        self.is_over = True
        self.join()
        return sorted(self.taken)[int(len(self.taken) * 0.99)] * 1000


def batch_rate(service):
    """Rows a second of a binary batch of the Open Inference Protocol."""
    data = struct.pack("<d", 0.5) * ROWS
    tensors = [{"name": "x", "shape": [ROWS, 1], "datatype": "FP64", "parameters": {"binary_data_size": len(data)}}]
    head = json.dumps({"inputs": tensors, "parameters": {"binary_data_output": True}}).encode()
    began, count = time.monotonic(), 0
    while time.monotonic() < began + SLICE_S:
        ask(service.url + "/v2/models/bench/infer", head + data, {"Inference-Header-Content-Length": str(len(head))})
        count += 1
    return count * ROWS / (time.monotonic() - began)


def services(detector, echo, folder, metrics):
    (folder / "detector.yaml").write_text(MANIFEST)
    python = Path(sys.executable).absolute().parent
    workers = os.cpu_count() or 1
    yield "detector", Command(detector, "run", "detector.yaml", "--predict-address", "127.0.0.1:PORT", "--metrics-address", f"127.0.0.1:{metrics}")
    yield "echo", Command(echo, "127.0.0.1:PORT")
    yield "flask", Command(python / "gunicorn", "--chdir", HERE, "--workers", workers, "--bind", "127.0.0.1:PORT", "rivals:flask()")
    yield "fastapi", Command(python / "uvicorn", "--app-dir", HERE, "--factory", "--workers", workers, "--log-level", "warning", "--port", "PORT", "rivals:fastapi")


def median(values):
    return statistics.median(values)


def main(detector, echo, rounds="5"):
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        folder, metrics = Path(folder), free_port()
        script = folder / "post.lua"
        script.write_text(SCRIPT)
        running = {}
        for name, command in services(detector, echo, folder, metrics):
            running[name] = Service(name, command, folder)
            stack.callback(running[name].process.terminate)
        own = running["detector"]
        probes = Probes(f"http://127.0.0.1:{metrics}")
        seen = {name: [] for name in running}
        crowds, batches = [], []
        for _ in range(int(rounds)):
            for name, service in running.items():
                seen[name].append(service.load(script, CONNECTIONS))
            crowds.append(own.load(script, CROWD))
            batches.append(batch_rate(own))
        for name, slices in seen.items():
            rate, cpu, p99, _ = (median(column) for column in zip(*slices))
            print(f"{name:9} {rate:9.0f} requests/s {cpu * 1e6:9.1f} us of CPU each, p99 {p99 * 1e3:8.2f} ms, {running[name].peak_mib():6.1f} MiB at most")
        print(f"detector  {median(batches):9.0f} rows/s in binary batches of {ROWS}")

        def ratio(rival, column):
            return median([ours[column] / theirs[column] for ours, theirs in zip(seen["detector"], seen[rival])])

        goodput = median([crowd[0] / alone[0] for crowd, alone in zip(crowds, seen["detector"])])
        failed = sum(each[3] for each in seen["detector"] + crowds)
        print(
            f"figures: rps_to_echo={ratio('echo', 0):.3f} cpu_to_echo={ratio('echo', 1):.3f} p99_to_echo={ratio('echo', 2):.3f} "
            f"rps_to_flask={ratio('flask', 0):.1f} rps_to_fastapi={ratio('fastapi', 0):.1f} overload_goodput={goodput:.3f} "
            f"batch_rows_per_s={median(batches):.0f} rss_peak_mib={own.peak_mib():.1f} failed={failed} probes_p99_ms={probes.p99_ms():.1f}"
        )


main(*sys.argv[1:])
