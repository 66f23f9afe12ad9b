"""Servers of sources with harmful answers: a Prometheus and an MQTT broker that send too much, or garbage."""

import http.server
import socket
import threading
import time

from case import Scenario
from cases.pods import FOREST
from pod import Failed, Pod, check, until
from protobuf import varint

MIB = 1 << 20

PROMETHEUS = """apiVersion: anomaly.dev/v1alpha1
kind: AnomalyDetector
metadata: {name: hostile}
spec:
  interval: 1s
  sources:
  - name: server
    prometheus:
      url: http://127.0.0.1:%d
      sensors: [{name: value, query: up}]
  model: {load: {configMap: {name: forest}}}
"""

MQTT = """apiVersion: anomaly.dev/v1alpha1
kind: AnomalyDetector
metadata: {name: hostile}
spec:
  interval: 1s
  sources:
  - name: broker
    mqtt:
      url: mqtt://127.0.0.1:%d
      sensors: [{name: value, topic: plant/value%s}]
  model: {load: {configMap: {name: forest}}}
"""


def vector(series):
    return b'{"status":"success","data":{"resultType":"vector","result":[' + series + b"]}}"


def answers(body, says):
    """A Prometheus that answers every query with the bytes of `body`, piece by piece. The detector must
    report `says`."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.send_response(200)
            self.end_headers()
            try:
                for piece in body():
                    self.wfile.write(piece)
            except OSError:
                pass  # the detector has closed the connection

        def log_message(self, *_):
            pass

    def do(program):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            return watched(program, PROMETHEUS % server.server_port, says)
        finally:
            server.shutdown()
            server.server_close()

    return do


def said(pod):
    """The detector's log and status so far."""
    return (pod.path / "log").read_text(errors="replace") + pod.get("/status").text().replace('\\"', '"')


def watched(program, manifest, says):
    """The detector reports `says` in its log or status, and stays alive and within its limits for five more
    seconds."""
    args = ["--load", ".", "--allow-address", "127.0.0.0/8"]  # the source is on this machine
    with Pod(program, manifest=manifest, args=args, files={"model": FOREST.read_bytes()}) as pod:
        pod.until_serving()
        pod.begin()
        try:
            until(lambda: says in said(pod), f"{says!r} in the log or in the status", 20)
        except Failed as failed:
            raise Failed(f"{failed}: {pod.last_log()[-400:]}") from None
        time.sleep(5)
        check(pod.is_alive(), f"the detector ended: {pod.last_log()}")
        check(pod.cgroup.kills() == 0, "killed for its memory")
        check(pod.get("/livez").status == 200, "/livez says no")
        return {"usage": pod.usage()}


def publish(payload):
    topic = b"plant/value"
    body = len(topic).to_bytes(2, "big") + topic + payload
    return b"\x30" + varint(len(body)) + body  # MQTT writes lengths as protobuf does


def messages(packet, says, value=""):
    """A broker that accepts every connection and subscription, and sends this packet again and again."""

    def serve(client):
        try:
            with client:
                client.recv(4096)
                client.sendall(b"\x20\x02\x00\x00")  # CONNACK
                subscribe = client.recv(4096)
                client.sendall(b"\x90\x03" + subscribe[2:4] + b"\x00")  # SUBACK of QoS 0
                data = packet()
                while True:
                    client.sendall(data)
                    time.sleep(0.2)
        except OSError:
            pass  # the detector has closed the connection

    def do(program):
        with socket.create_server(("127.0.0.1", 0)) as listener:

            def accept():
                while True:
                    try:
                        client, _ = listener.accept()
                    except OSError:
                        return
                    threading.Thread(target=serve, args=(client,), daemon=True).start()

            threading.Thread(target=accept, daemon=True).start()
            return watched(program, MQTT % (listener.getsockname()[1], value), says)

    return do


def whole(body):
    return lambda: [body()]


SERIES = b'{"metric":{"__name__":"up","instance":"10.0.0.%d:9100","job":"node","pod":"node-exporter-%d","namespace":"monitoring"},"value":[1700000000,"1"]}'
POINTER = ", value: /v"

CASES = [
    Scenario(name="Prometheus: a query of 50,000 series", pod=None, do=answers(whole(lambda: vector(b",".join(SERIES % (n, n) for n in range(50_000)))), "expected one series, got 50000")),
    Scenario(name="Prometheus: 7 MiB of {}", pod=None, do=answers(whole(lambda: vector(b",".join([b"{}"] * (7 * MIB // 3)))), "expected one series, got")),
    Scenario(name="Prometheus: a string of 7 MiB", pod=None, do=answers(whole(lambda: b'{"status":"error","error":"' + b"e" * (7 * MIB) + b'"}'), "…"), slow=True),
    Scenario(name="Prometheus: a gigabyte", pod=None, do=answers(lambda: (b" " * MIB for _ in range(1024)), "at most 8388608 bytes")),
    Scenario(name="Prometheus: 7 MiB of [", pod=None, do=answers(whole(lambda: b"[" * (7 * MIB)), "expected Prometheus' JSON"), slow=True),
    Scenario(name="Prometheus: HTML", pod=None, do=answers(whole(lambda: b"<html>" * 1000), "expected Prometheus' JSON"), slow=True),
    Scenario(name="MQTT: a megabyte of empty objects", pod=None, do=messages(lambda: publish(b"[" + b",".join([b'{"":0}'] * (MIB // 8)) + b"]"), "nothing at /v", POINTER)),
    Scenario(name="MQTT: a number of half a million digits", pod=None, do=messages(lambda: publish(b"1" * (MIB // 2) + b"e" * (MIB // 2 - 99)), "expected a number")),
    Scenario(name="MQTT: nested half a million deep", pod=None, do=messages(lambda: publish(b'{"v":' + b"[" * (MIB // 2)), "expected JSON", POINTER), slow=True),
    Scenario(name="MQTT: a message of 100 MiB", pod=None, do=messages(lambda: publish(b"0" * (100 * MIB)), "broker"), slow=True),
    Scenario(name="MQTT: garbage", pod=None, do=messages(lambda: b"\xff" * 1000, "broker"), slow=True),
]
