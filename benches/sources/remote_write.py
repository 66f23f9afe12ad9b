"""A built detector in; the samples a second that it takes by remote write 1.0 out.

    remote_write.py DETECTOR

Requests are like those of a Prometheus: 2,000 series of ten labels with a sample each, one block of Snappy.
Eight of the series are sensors, which are collected and aligned; the others are ignored. Requests are made in
advance, and sent one after another over one connection on loopback; the processor time is the detector's own.
"""

import http.client
import os
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import cramjam

SERIES, SENSORS, REQUESTS = 2000, 8, 400
PORTS = 18680, 18600

MANIFEST = """
apiVersion: anomaly.dev/v1alpha1
kind: AnomalyDetector
metadata: {name: bench}
spec:
  interval: 1s
  sources:
  - name: pushed
    http: {sensors: [%s]}
  model: {train: {samples: 60000}}
""" % ", ".join(f"{{name: sensor_{number}}}" for number in range(SENSORS))


def varint(number):
    encoded = bytearray()
    while number > 127:
        encoded.append(number & 127 | 128)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def field(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def labels(number):
    name = f"sensor_{number}" if number < SENSORS else f"http_request_duration_seconds_{number % 50}"
    pairs = {"__name__": name, "instance": f"10.0.{number // 250}.{number % 250}:9100", "job": "node-exporter"}
    pairs |= {f"label_{index}": f"value-{number * index % 97}" for index in range(7)}
    return b"".join(field(1, field(1, name.encode()) + field(2, value.encode())) for name, value in sorted(pairs.items()))


def request(series, second):
    stamp = b"\x10" + varint(second * 1000)
    sample = lambda number: b"\x09" + struct.pack("<d", 50 + (second * 7 + number) % 13) + stamp
    body = b"".join(field(1, series[number] + field(2, sample(number))) for number in range(SERIES))
    return bytes(cramjam.snappy.compress_raw(body))


def send(bodies):
    connection = http.client.HTTPConnection("127.0.0.1", PORTS[0])
    headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
    for body in bodies:
        connection.request("POST", "/api/v1/write", body, headers)
        response = connection.getresponse()
        text = response.read()
        assert response.status == 204, (response.status, text)


def processor_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main():
    series = [labels(number) for number in range(SERIES)]
    first = int(time.time()) - REQUESTS - 10
    bodies = [request(series, first + index) for index in range(REQUESTS)]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "bench.yaml").write_text(MANIFEST)
        addresses = ["--predict-address", f"127.0.0.1:{PORTS[0]}", "--metrics-address", f"127.0.0.1:{PORTS[1]}"]
        command = [sys.argv[1], "run", "bench.yaml", *addresses]
        with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as detector:
            while True:
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{PORTS[1]}/readyz").close()
                    break
                except OSError:
                    time.sleep(0.05)
            send(bodies[:20])
            rest = bodies[20:]
            used, began = processor_seconds(detector.pid), time.perf_counter()
            send(rest)
            took, used = time.perf_counter() - began, processor_seconds(detector.pid) - used
            detector.terminate()
    samples = len(rest) * SERIES
    size = sum(map(len, rest)) / len(rest)
    print(f"{samples:,} samples in {len(rest)} requests of {size / 1024:.0f} KiB, in {took:.2f} s and {used:.2f} s of processor time")
    print(f"figures: remote_write_samples_per_second={samples / took:.0f} remote_write_samples_per_cpu_second={samples / max(used, 0.01):.0f}")


if __name__ == "__main__":
    main()
