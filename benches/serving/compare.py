"""Built programs in; requests a second, CPU and latency of each service beside the others, in one run, out:
the last line is `figures: …`.

    compare.py DETECTOR ECHO FOREST MLSERVER_PYTHON [ROUNDS]

FOREST scores rows without a service; MLSERVER_PYTHON is the Python of an environment that has MLServer.

In each round, wrk loads the services one after another for a few seconds, so that other load on the machine
affects all of them. Figures are medians of the rounds' ratios. Server and client share the cores. Everything
listens on loopback.
"""

import contextlib
import json
import os
import random
import re
import resource
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
from loopback import free_port  # noqa: E402

HERE = Path(__file__).resolve().parent
TICKS = os.sysconf("SC_CLK_TCK")
SLICE_S, CONNECTIONS, CROWD = 2, 16, 160
ROWS, BATCHES_AT_ONCE = 10_000, 2
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
SENSORS = 8
WIDE = """
apiVersion: anomaly.dev/v1alpha1
kind: AnomalyDetector
metadata: {name: bench}
spec:
  sources:
  - name: simulation
    simulated: {seed: 42, sensors: [%s]}
  model: {train: {samples: 5000}}
  threshold: {contamination: 0.02}
""" % ", ".join(f"{{name: s{index}, baseline: 0.5, noise: {{uniform: {{halfWidth: 0.5}}}}}}" for index in range(SENSORS))
SCRIPT = """
wrk.method, wrk.body = "POST", '{"value":0.95}'
wrk.headers["Content-Type"] = "application/json"
"""
# Reads the body from a file that was made before, so that making it is not measured.
FILE_SCRIPT = """
local file = io.open("%s", "rb")
wrk.method, wrk.body = "POST", file:read("*a")
file:close()
%s
"""
V2 = {"inputs": [{"name": "x", "shape": [1, 1], "datatype": "FP64", "data": [0.95]}]}


def ask(url, body=None, headers=None):
    request = urllib.request.Request(url, body, headers or {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read()


class Service:
    """A server on a port of its own. Its CPU time is that of the process and its children."""

    def __init__(self, name, command, folder, path="/predict", body=b'{"value":0.95}'):
        self.url, self.path = f"http://127.0.0.1:{command.port}", path
        self.process = subprocess.Popen(command.words, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 240
        while True:
            with contextlib.suppress(OSError):
                ask(self.url + path, body)
                break
            if time.monotonic() > deadline:
                sys.exit(f"benches/serving: {name} does not answer")
            time.sleep(0.1)

    def processes(self):
        found = [self.process.pid]
        for pid in found:
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                found += map(int, children.read_text().split())
        return found

    def cpu_s(self):
        return sum(sum(map(int, Path(f"/proc/{pid}/stat").read_text().rsplit(")")[1].split()[11:13])) for pid in self.processes()) / TICKS

    def peak_mib(self):
        return sum(int(re.search(r"VmHWM:\s*(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) for pid in self.processes()) / 1024

    def load(self, script, connections, path=None):
        """Requests a second, seconds of CPU a request, p99 in seconds, failed requests."""
        before = self.cpu_s()
        words = ["wrk", "-t1", f"-c{connections}", f"-d{SLICE_S}s", "--latency", "-s", script, self.url + (path or self.path)]
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
    """Measures how long /livez and /metrics take while predictions are served."""

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


class Batches:
    """The same rows, as a binary batch of the Open Inference Protocol, as JSON, and for the forest alone."""

    def __init__(self, service, metrics, forest, columns, folder):
        self.service, self.forest = service, forest
        self.rows = folder / f"rows-{columns}"
        self.model = folder / f"model-{columns}"
        self.columns = columns
        self.model.write_bytes(ask(f"http://127.0.0.1:{metrics}/model"))
        values = random.Random(7)
        cells = [round(values.uniform(0, 1), 4) for _ in range(ROWS * columns)]
        data = struct.pack(f"<{len(cells)}d", *cells)
        self.rows.write_bytes(data)
        tensors = [{"name": "x", "shape": [ROWS, columns], "datatype": "FP64", "parameters": {"binary_data_size": len(data)}}]
        head = json.dumps({"inputs": tensors, "parameters": {"binary_data_output": True}}).encode()
        said = f'wrk.headers["Content-Type"] = "application/octet-stream"\nwrk.headers["Inference-Header-Content-Length"] = "{len(head)}"'
        self.binary = self.script(folder / f"binary-{columns}", head + data, said)
        rows = [cells[row * columns : (row + 1) * columns] for row in range(ROWS)]
        said = 'wrk.headers["Content-Type"] = "application/json"'
        self.json = self.script(folder / f"json-{columns}", json.dumps({"instances": rows}, separators=(",", ":")).encode(), said)

    @staticmethod
    def script(file, body, headers):
        file.write_bytes(body)
        script = file.with_suffix(".lua")
        script.write_text(FILE_SCRIPT % (file, headers))
        return script

    def measure(self):
        """Seconds of CPU a row: of the forest alone, of the service for a binary batch and for JSON; rows a second; failed
        batches; seconds of CPU a row of one forest that has the machine to itself."""
        alone = self.forest_cpu_s(BATCHES_AT_ONCE)
        rate, cpu, _, failed = self.service.load(self.binary, BATCHES_AT_ONCE, "/v2/models/bench/infer")
        _, by_json, _, refused = self.service.load(self.json, BATCHES_AT_ONCE, "/predict")
        return alone, cpu / ROWS, by_json / ROWS, rate * ROWS, failed + refused, self.forest_cpu_s(1)

    def forest_cpu_s(self, at_once):
        """Seconds of CPU a row of `at_once` forests in parallel. To compare with the service, run as many as
        it has batches at once: two threads that share a core take more CPU time, each, than one alone."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        words = [self.forest, self.model, self.rows, str(self.columns), str(SLICE_S)]
        one_thread = os.environ | {"RAYON_NUM_THREADS": "1"}
        running = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=one_thread) for _ in range(at_once)]
        rows = sum(int(each.communicate()[0]) for each in running)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return used / rows


def services(detector, echo, folder, metrics):
    (folder / "detector.yaml").write_text(MANIFEST)
    python = Path(sys.executable).absolute().parent
    workers = os.cpu_count() or 1
    yield "detector", Command(detector, "run", "detector.yaml", "--predict-address", "127.0.0.1:PORT", "--metrics-address", f"127.0.0.1:{metrics}")
    yield "echo", Command(echo, "127.0.0.1:PORT")
    yield "flask", Command(python / "gunicorn", "--chdir", HERE, "--workers", workers, "--bind", "127.0.0.1:PORT", "rivals:flask()")
    yield "fastapi", Command(python / "uvicorn", "--app-dir", HERE, "--factory", "--workers", workers, "--log-level", "warning", "--port", "PORT", "rivals:fastapi")


def mlserver(python, folder):
    """MLServer with its scikit-learn runtime, serving a forest of the same size."""
    place = folder / "mlserver"
    place.mkdir()
    subprocess.run([python, "-B", HERE / "mlserver_model.py", place / "model.joblib"], check=True)
    model = {"name": "bench", "implementation": "mlserver_sklearn.SKLearnModel", "parameters": {"uri": "./model.joblib"}}
    (place / "model-settings.json").write_text(json.dumps(model))
    command = Command(Path(python).absolute().parent / "mlserver", "start", ".")
    ports = {"http_port": command.port, "grpc_port": free_port(), "metrics_port": free_port()}
    settings = ports | {"host": "127.0.0.1", "debug": False, "parallel_workers": os.cpu_count() or 1}
    (place / "settings.json").write_text(json.dumps(settings))
    return Service("mlserver", command, place, "/v2/models/bench/infer", json.dumps(V2).encode())


def median(values):
    return statistics.median(values)


def main(detector, echo, forest, mlserver_python, rounds="5"):
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        folder, metrics = Path(folder), free_port()
        script = folder / "post.lua"
        script.write_text(SCRIPT)
        running = {}
        for name, command in services(detector, echo, folder, metrics):
            running[name] = Service(name, command, folder)
            stack.callback(running[name].process.terminate)
        own = running["detector"]
        running["mlserver"] = mlserver(mlserver_python, folder)
        stack.callback(running["mlserver"].process.terminate)
        (folder / "wide.yaml").write_text(WIDE)
        wide_metrics = free_port()
        wide = Command(detector, "run", "wide.yaml", "--predict-address", "127.0.0.1:PORT", "--metrics-address", f"127.0.0.1:{wide_metrics}")
        wide = Service("detector of 8 sensors", wide, folder, "/v2/models/bench/infer", json.dumps(V2 | {"inputs": [{"name": "x", "shape": [1, SENSORS], "datatype": "FP64", "data": [0.5] * SENSORS}]}).encode())
        stack.callback(wide.process.terminate)
        batches = {columns: Batches(service, port, forest, columns, folder) for columns, service, port in ((1, own, metrics), (SENSORS, wide, wide_metrics))}
        v2 = Batches.script(folder / "v2", json.dumps(V2).encode(), 'wrk.headers["Content-Type"] = "application/json"')
        probes = Probes(f"http://127.0.0.1:{metrics}")
        seen = {name: [] for name in running}
        crowds, own_v2, batched = [], [], {columns: [] for columns in batches}
        for _ in range(int(rounds)):
            for name, service in running.items():
                seen[name].append(service.load(v2 if name == "mlserver" else script, CONNECTIONS))
            own_v2.append(own.load(v2, CONNECTIONS, "/v2/models/bench/infer"))
            crowds.append(own.load(script, CROWD))
            for columns, each in batches.items():
                batched[columns].append(each.measure())
        for name, slices in seen.items():
            rate, cpu, p99, _ = (median(column) for column in zip(*slices))
            print(f"{name:9} {rate:9.0f} requests/s {cpu * 1e6:9.1f} us of CPU each, p99 {p99 * 1e3:8.2f} ms, {running[name].peak_mib():6.1f} MiB at most")
        for columns, slices in batched.items():
            alone, binary, by_json, rate, _, single = (median(column) * 1e9 for column in zip(*slices))
            print(
                f"batches of {ROWS} rows of {columns} columns: {alone:.1f} ns of CPU a row for {BATCHES_AT_ONCE} forests without a service ({single:.1f} for one), "
                f"{binary:.1f} binary, {by_json:.1f} as JSON; {rate / 1e9:.0f} rows/s binary"
            )

        def ratio(rival, column, own=seen["detector"]):
            return median([ours[column] / theirs[column] for ours, theirs in zip(own, seen[rival])])

        def to_forest(columns, column=1):
            return median([each[0] / each[column] for each in batched[columns]])

        goodput = median([crowd[0] / alone[0] for crowd, alone in zip(crowds, seen["detector"])])
        failed = sum(each[3] for each in seen["detector"] + crowds + own_v2) + sum(each[4] for slices in batched.values() for each in slices)
        print(
            f"figures: rps_to_echo={ratio('echo', 0):.3f} cpu_to_echo={ratio('echo', 1):.3f} p99_to_echo={ratio('echo', 2):.3f} "
            f"rps_to_flask={ratio('flask', 0):.1f} rps_to_fastapi={ratio('fastapi', 0):.1f} rps_to_mlserver={ratio('mlserver', 0, own_v2):.1f} "
            f"batch_to_forest={to_forest(SENSORS):.3f} batch_to_forest_1_column={to_forest(1):.3f} json_batch_to_forest={to_forest(SENSORS, 2):.3f} "
            f"overload_goodput={goodput:.3f} rss_worst_mib={max(own.peak_mib(), wide.peak_mib()):.1f} failed={failed} probes_p99_ms={probes.p99_ms():.1f}"
        )


main(*sys.argv[1:])
