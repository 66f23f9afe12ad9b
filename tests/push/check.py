"""A built detector in; whether it trains on readings that real clients push, finds a fault and accounts for
every reading, out.

    check.py DETECTOR

Needs `prometheus` and `curl` on PATH. Everything listens on loopback.
"""

import gzip
import http.server
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from loopback import free_port, until  # noqa: E402

TOKEN = "open sesame"
NORMAL, FAULT = 3.0, 900.0

MANIFEST = """
apiVersion: anomaly.dev/v1alpha1
kind: AnomalyDetector
metadata: {name: press}
spec:
  interval: 250ms
  sources:
  - name: pushed
    http:
      tokenSecretRef: {name: press, key: token}
      sensors:
      - {name: pressure, unit: bar, series: {name: plant_pressure, matchLabels: {room: a}}}
  model: {train: {samples: 40, trees: 25, features: [Value]}}
  threshold: {contamination: 0.01}
"""

PROMETHEUS = """
global: {{scrape_interval: 250ms, scrape_timeout: 200ms}}
scrape_configs:
- job_name: plant
  static_configs: [{{targets: ['127.0.0.1:{exporter}']}}]
remote_write:
- url: http://127.0.0.1:{detector}/api/v1/write
  protobuf_message: {message}
  authorization: {{credentials_file: token}}
  queue_config: {{batch_send_deadline: 100ms}}
"""


def get(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as response:
        return response.read().decode()


class Sensor:
    """A sensor whose value is `level` with a little noise; a test changes `level` to simulate a fault."""

    def __init__(self):
        self.level = NORMAL
        self.count = 0

    def value(self):
        self.count += 1
        return self.level + self.count * 7 % 5 / 10


class Exporter:
    """The sensor as a target of Prometheus, beside a series that no sensor selects."""

    def __init__(self, sensor):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                text = f'plant_pressure{{room="a"}} {sensor.value()}\nplant_pressure{{room="b"}} 1\n'
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class Detector:
    """A running detector with an `http` source."""

    def __init__(self, program, folder):
        self.predict, self.metrics = free_port(), free_port()
        (folder / "press.yaml").write_text(MANIFEST)
        (folder / "secrets/pushed").mkdir(parents=True)
        (folder / "secrets/pushed/token").write_text(TOKEN + "\n")
        (folder / "token").write_text(TOKEN)
        addresses = ["--predict-address", f"127.0.0.1:{self.predict}", "--metrics-address", f"127.0.0.1:{self.metrics}"]
        command = [program, "run", "press.yaml", "--source-credentials", "secrets", *addresses]
        self.log = open(folder / "detector.log", "w")
        self.process = subprocess.Popen(command, cwd=folder, stdout=self.log, stderr=self.log)
        until(lambda: get(self.metrics, "/readyz"), "/readyz")

    def metric(self, series):
        found = re.search(rf"^{re.escape(series)}[^ ]* (\S+)$", get(self.metrics, "/metrics"), re.MULTILINE)
        return float(found[1]) if found else None

    def phase(self):
        return json.loads(get(self.metrics, "/status"))["phase"]["name"]

    def accounts(self):
        """(arrived, scored + missing + refused + dropped)."""
        outcomes = ["scored", "missing", "refused", "dropped"]
        sum_ = sum(self.metric(f'anomaly_readings_total{{outcome="{outcome}"') or 0 for outcome in outcomes)
        return self.metric("anomaly_readings_arrived_total"), sum_

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


def watch(name, program, push):
    """Push with `push(detector, sensor, folder)`, which returns a function that ends the pushing. The
    detector must train, find the fault, and account for every reading."""
    with tempfile.TemporaryDirectory() as place:
        folder, sensor = Path(place), Sensor()
        detector = Detector(program, folder)
        end = push(detector, sensor, folder)
        try:
            until(lambda: detector.phase() == "serving", f"{name}: a model")
            until(lambda: detector.metric('anomaly_readings_total{outcome="scored"'), f"{name}: scored readings")
            sensor.level = FAULT
            until(lambda: detector.metric("anomaly_score{") == 1, f"{name}: the fault is an anomaly")
        except SystemExit:
            print((folder / "detector.log").read_text()[-3000:], file=sys.stderr)
            raise
        finally:
            end()
        until(lambda: len(set(detector.accounts())) == 1, f"{name}: all readings are accounted for")
        arrived, _ = detector.accounts()
        refused = detector.metric('anomaly_readings_total{outcome="refused"') or 0
        detector.stop()
        assert refused == 0, f"{name}: {refused} readings were refused"
        print(f"{name}: trained, a fault found, {arrived:.0f} readings accounted for")


def by_prometheus(message):
    """A real Prometheus scrapes the sensor and forwards it by remote write."""

    def push(detector, sensor, folder):
        exporter = Exporter(sensor)
        port = free_port()
        text = PROMETHEUS.format(exporter=exporter.port, detector=detector.predict, message=message)
        (folder / "prometheus.yml").write_text(text)
        command = ["prometheus", "--config.file=prometheus.yml", f"--web.listen-address=127.0.0.1:{port}"]
        command += [f"--storage.tsdb.path={folder}/data", "--log.level=warn"]
        log = open(folder / "prometheus.log", "w")
        prometheus = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)

        def end():
            text = get(port, "/metrics")
            counts = {
                kind: sum(map(float, re.findall(rf"^prometheus_remote_storage_{kind}\{{.*\}} (\S+)$", text, re.MULTILINE)))
                for kind in ["samples_total", "samples_failed_total"]
            }
            prometheus.terminate()
            prometheus.wait(30)
            log = (folder / "prometheus.log").read_text()
            assert counts["samples_total"] > 0 and counts["samples_failed_total"] == 0, f"{counts}\n{log}"

        return end

    return push


def by_opentelemetry(detector, sensor, _):
    """OpenTelemetry's SDK observes the sensor and exports it, gzipped."""
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.metrics import Observation
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource

    exporter = OTLPMetricExporter(
        endpoint=f"http://127.0.0.1:{detector.predict}/v1/metrics",
        headers={"Authorization": f"Bearer {TOKEN}"},
        compression=Compression.Gzip,
    )
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=250)
    provider = MeterProvider([reader], Resource({"room": "a"}))
    meter = provider.get_meter("plant")
    meter.create_observable_gauge("plant_pressure", [lambda _: [Observation(sensor.value())]])
    meter.create_counter("starts").add(1)
    meter.create_histogram("latency").record(0.1)
    return provider.shutdown


def curl(detector, path, body, *headers):
    """Status and body of a POST."""
    command = ["curl", "--silent", "--data-binary", "@-", "--write-out", "\n%{http_code}"]
    for header in [f"Authorization: Bearer {TOKEN}", *headers]:
        command += ["--header", header]
    command.append(f"http://127.0.0.1:{detector.predict}{path}")
    output = subprocess.run(command, input=body, capture_output=True, check=True).stdout.decode()
    text, code = output.rsplit("\n", 1)
    return int(code), text


def by_curl(post):
    """Call `post(detector, value)` every 250 ms."""

    def push(detector, sensor, _):
        stopped = threading.Event()

        def loop():
            while not stopped.wait(0.25):
                post(detector, sensor.value())

        thread = threading.Thread(target=loop)
        thread.start()

        def end():
            stopped.set()
            thread.join()

        return end

    return push


def json_readings(detector, value):
    body = json.dumps({"sensor": "pressure", "value": value}).encode()
    code, text = curl(detector, "/readings", gzip.compress(body), "Content-Encoding: gzip")
    assert code == 204, (code, text)


def json_metrics(detector, value):
    point = {"timeUnixNano": str(time.time_ns()), "asDouble": value}
    point["attributes"] = [{"key": "room", "value": {"stringValue": "a"}}]
    metric = {"name": "plant_pressure", "gauge": {"dataPoints": [point]}}
    body = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}
    code, text = curl(detector, "/v1/metrics", json.dumps(body).encode(), "Content-Type: application/json")
    assert (code, text) == (200, "{}"), (code, text)


def main():
    program = sys.argv[1]
    watch("Prometheus, remote write 1.0", program, by_prometheus("prometheus.WriteRequest"))
    watch("Prometheus, remote write 2.0", program, by_prometheus("io.prometheus.write.v2.Request"))
    watch("OpenTelemetry SDK, protobuf and gzip", program, by_opentelemetry)
    watch("curl, OTLP in JSON", program, by_curl(json_metrics))
    watch("curl, readings in JSON and gzip", program, by_curl(json_readings))
    print("5 passed, 0 failed")


if __name__ == "__main__":
    main()
