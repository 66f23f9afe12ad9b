"""A detector program in; what its live sources cost and lose out. Each server is a real one, on a free port of this machine."""

import argparse
import contextlib
import json
import math
import os
import pathlib
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tests"))
from loopback import TooLate, free_port, until  # noqa: E402

MINUTE = 60
DAYS = 14
MESSAGES = int(os.environ.get("MESSAGES", "300000"))
WINDOW = 20_000
# Seconds between two queries of the detector's counters. With less, answering the queries would load the
# detector.
LOOK = 0.005
FIRST = 1_700_000_000
TRAINED_ON = 2_000


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def is_ready(port):
    try:
        return urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready").status == 200
    except OSError:
        return False


class Detector:
    """`detector run` on a manifest; its report and metrics."""

    def __init__(self, program, folder, spec):
        self.port = free_port()
        path = folder / "detector.json"
        manifest = {"apiVersion": "anomaly.dev/v1alpha1", "kind": "AnomalyDetector", "metadata": {"name": "bench"}, "spec": spec}
        path.write_text(json.dumps(manifest))
        command = [program, "run", str(path), "--metrics-address", f"127.0.0.1:{self.port}", "--predict-address", f"127.0.0.1:{free_port()}"]
        self.started = time.monotonic()
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def get(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                return answer.read().decode()
        except OSError:
            return ""

    def report(self):
        return json.loads(self.get("/status") or "{}")

    def serves(self):
        return self.report().get("phase", {}).get("name") == "serving"

    def is_connected(self):
        return all(source["connected"] for source in self.report().get("sources", [{"connected": False}]))

    def count(self, series):
        lines = [line for line in self.get("/metrics").splitlines() if line.startswith(series)]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines)

    def scored(self):
        return self.count('anomaly_readings_total{outcome="scored"')

    def unaccounted(self):
        """The number of readings that arrived and were never accounted for, once all is quiet."""
        with contextlib.suppress(TooLate):
            until(lambda: self.difference() == 0, "all readings", 20, LOOK)
        return self.difference()

    def difference(self):
        return int(self.count("anomaly_readings_arrived_total") - self.count("anomaly_readings_total"))

    def rss_kib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        self.process.terminate()
        self.process.wait()


def history(program, folder):
    """Seconds from the start of the process to the model: three queries over two weeks, an answer a minute."""
    now = int(time.time()) // MINUTE * MINUTE
    text = folder / "history.txt"
    with text.open("w") as lines:
        for name in ("load", "queue", "latency"):
            lines.write(f"# TYPE {name} gauge\n")
            for i in range(DAYS * 1440):
                at = now - (DAYS * 1440 - i) * MINUTE
                value = 50 + 20 * math.sin(i / 1440 * 2 * math.pi) + (i * 7919 % 101) / 50
                lines.write(f'{name}{{job="bench"}} {value:.3f} {at}\n')
        lines.write("# EOF\n")
    data = folder / "data"
    subprocess.run(["promtool", "tsdb", "create-blocks-from", "openmetrics", str(text), str(data)], check=True, stdout=subprocess.DEVNULL)
    (folder / "prometheus.yml").write_text("global: {scrape_interval: 1m}\n")
    port = free_port()
    server = subprocess.Popen(
        ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={data}", f"--web.listen-address=127.0.0.1:{port}",
         "--storage.tsdb.retention.time=60d"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: listens(port), "the server to listen", 120, LOOK)
        until(lambda: is_ready(port), "the server to be ready", 120, LOOK)
        sensors = [{"name": name, "query": f'{name}{{job="bench"}}'} for name in ("load", "queue", "latency")]
        source = {"name": "metrics", "prometheus": {"url": f"http://127.0.0.1:{port}", "sensors": sensors}}
        spec = {"interval": "1m", "sources": [source], "model": {"train": {"history": f"{DAYS}d"}}}
        detector = Detector(program, folder, spec)
        until(detector.serves, "a model", 120, LOOK)
        took = time.monotonic() - detector.started
        samples = detector.report()["model"]["samples"]
        detector.stop()
        return took, samples
    finally:
        server.terminate()
        server.wait()


class Broker:
    def __init__(self, folder):
        self.port = free_port()
        config = folder / "mosquitto.conf"
        config.write_text(f"user root\nlog_dest none\nlistener {self.port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nmax_queued_bytes 0\n")
        self.process = subprocess.Popen(["mosquitto", "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda: listens(self.port), "the broker to listen", 120, LOOK)

    def stop(self):
        self.process.terminate()
        self.process.wait()


def connection(port, name):
    """A connection to a broker, MQTT 3.1.1, clean session, no keep alive."""
    client = socket.create_connection(("127.0.0.1", port))
    body = b"\x00\x04MQTT\x04\x02\x00\x00" + struct.pack("!H", len(name)) + name
    client.sendall(b"\x10" + bytes([len(body)]) + body)
    assert client.recv(4) == b"\x20\x02\x00\x00"
    return client


def publication(topic, payload):
    """A PUBLISH packet of QoS 0 of at most 127 bytes."""
    body = struct.pack("!H", len(topic)) + topic + payload
    assert len(body) < 128
    return b"\x30" + bytes([len(body)]) + body


def message(i, topic=b"b/a"):
    value = 50 + (i * 7919 % 101) / 50
    return publication(topic, b'{"t":%d,"v":%.3f}' % (FIRST + i, value))


def packets(start, count, topic=b"b/a"):
    """Messages from number `start` on, a hundred in a piece: made in advance, so that making them does not
    limit the rate."""
    return [b"".join(message(j, topic) for j in range(i, i + 100)) for i in range(start, start + count, 100)]


def published(client, pieces, rate=None, sent=None, taken=None):
    """Publish pieces of a hundred messages, as fast as possible or at `rate` messages a second. Appends the
    count of messages and the time to `sent` after each piece. With `taken`, the number of messages that were
    received, at most WINDOW are in flight: a broker drops messages that a subscriber is too slow for."""
    began = time.monotonic()
    for i, piece in enumerate(pieces):
        while taken and 100 * i - taken() > WINDOW:
            time.sleep(0.0005)
        client.sendall(piece)
        if rate:
            ahead = 100 * (i + 1) / rate - (time.monotonic() - began)
            if ahead > 0:
                time.sleep(ahead)
        if sent is not None:
            sent.append((100 * (i + 1), time.monotonic()))


def bare_rate(broker):
    """The messages a second that a subscriber receives which only reads."""
    reader = connection(broker.port, b"bare")
    reader.sendall(b"\x82\x08\x00\x01\x00\x03b/a\x00")
    assert len(reader.recv(5)) == 5
    each = len(message(0))  # all messages have this length
    got, buffer = 0, bytearray(1 << 20)
    writer = connection(broker.port, b"writer")
    thread = threading.Thread(target=published, args=(writer, packets(0, MESSAGES)), kwargs={"taken": lambda: got / each})
    began = time.monotonic()
    thread.start()
    while got < MESSAGES * each:
        got += reader.recv_into(buffer)
    took = time.monotonic() - began
    thread.join()
    return MESSAGES / took


def mqtt_spec(broker):
    sensor = {"name": "a", "topic": "b/a", "value": "/v", "time": "/t"}
    source = {"name": "plant", "mqtt": {"url": f"mqtt://127.0.0.1:{broker.port}", "sensors": [sensor]}}
    return {"interval": "1s", "sources": [source], "model": {"train": {"samples": TRAINED_ON}}}


def trained(program, folder, broker):
    """Start a detector and train it on the first messages. Each message is an instant of its own, in the
    past."""
    detector = Detector(program, folder, mqtt_spec(broker))
    until(detector.is_connected, "the connection", 120, LOOK)
    client = connection(broker.port, b"writer")
    published(client, packets(0, TRAINED_ON + 100))
    until(detector.serves, "a model", 120, LOOK)
    until(lambda: detector.difference() == 0, "all readings", 120, LOOK)
    return detector, client


def throughput(program, folder, broker):
    detector, client = trained(program, folder, broker)
    pieces = packets(TRAINED_ON + 100, MESSAGES)
    before, cpu = detector.scored(), detector.cpu_seconds()
    began = time.monotonic()
    scored = before
    writer = threading.Thread(target=published, args=(client, pieces), kwargs={"taken": lambda: scored - before})
    writer.start()
    while scored < before + MESSAGES - 100:
        time.sleep(LOOK)
        scored = detector.scored()
        assert time.monotonic() - began < 300, f"{before + MESSAGES - scored:.0f} messages never came"
    took = time.monotonic() - began
    writer.join()
    cores = (detector.cpu_seconds() - cpu) / took
    return detector, client, MESSAGES / took, cores


def lag(detector, client, rate, seconds=20):
    """The p99 of the milliseconds from sending a message to its verdict, at `rate` messages a second."""
    start = TRAINED_ON + 100 + MESSAGES
    base = detector.scored()
    sent, lags = [], []
    thread = threading.Thread(target=published, args=(client, packets(start, int(rate * seconds)), rate, sent))
    thread.start()
    while thread.is_alive():
        time.sleep(LOOK)
        scored = detector.scored() - base
        now = time.monotonic()
        # The longest wait is that of the oldest piece that is not scored yet.
        waits = [now - at for count, at in sent[-2000:] if count > scored]
        lags.append(1000 * max(waits, default=0.0))
    thread.join()
    lags.sort()
    return lags[int(0.99 * (len(lags) - 1))]


def soak(detector, client, seconds):
    """The growth of the resident memory in KiB a minute, by least squares, at 1,000 messages a second,
    without the first fifth of the time; and the resident memory at the end in KiB."""
    start = int(TRAINED_ON + 100 + MESSAGES + 10_000_000)
    thread = threading.Thread(target=published, args=(client, packets(start, 1000 * seconds), 1000))
    thread.start()
    points, began = [], time.monotonic()
    while thread.is_alive():
        points.append((time.monotonic() - began, detector.rss_kib()))
        time.sleep(min(1.0, seconds / 100))
    thread.join()
    points = [point for point in points if point[0] > seconds / 5]
    mean_x, mean_y = (sum(values) / len(points) for values in zip(*points))
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points)
    return slope * 60, points[-1][1]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("--soak", type=int, default=600, help="seconds")
    parser.add_argument("--beside", default="", help="figures that were measured before, for the last line")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        took, samples = history(args.program, folder)
        print(f"trained on {samples} samples of {DAYS} days: {took:.2f} s after the start")
        broker = Broker(folder)
        bare = bare_rate(broker)
        detector, client, rate, cores = throughput(args.program, folder, broker)
        print(f"messages a second: {rate:,.0f} scored on {cores:.2f} cores; {bare:,.0f} read by a bare subscriber")
        p99 = lag(detector, client, rate / 2)
        print(f"lag at {rate / 2:,.0f} a second: p99 {p99:.1f} ms")
        slope, rss = soak(detector, client, args.soak)
        print(f"soak of {args.soak} s at 1,000 a second: {rss} KiB, {slope:+.1f} KiB a minute")
        lost = detector.unaccounted()
        detector.stop()
        broker.stop()
    print(f"figures: train_from_history_s={took:.2f} mqtt_messages_per_second={rate:.0f} mqtt_bare_messages_per_second={bare:.0f} "
          f"mqtt_cores={cores:.2f} mqtt_lag_p99_ms={p99:.1f} soak_rss_slope_kib_per_min={slope:.1f} unaccounted={lost} {args.beside}".rstrip())


if __name__ == "__main__":
    main()
