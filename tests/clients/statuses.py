"""A detector's OpenAPI document and what schemathesis has seen in; which documented statuses nothing has provoked out.

What no generator thinks of is provoked here: bodies that are too large, too slow or packed in another way, and detectors that have
no model, a token, or no room.
"""

import contextlib
import http.client
import threading

#: What takes a panic, or more load than a test may make.
NOT_PROVOKED = {("GET", "/v2/health/live", 503), *(("POST", path, 429) for path in ("/readings", "/api/v1/write", "/v1/metrics"))}
WAITING = """
apiVersion: anomaly.dev/v1alpha1
kind: AnomalyDetector
metadata: {name: boiler}
spec:
  sources:
  - name: pushed
    http: {%s sensors: [{name: pressure}, {name: flow}]}
  model: {train: {samples: 100000}}
"""


def documented(openapi):
    """(METHOD, path, status) of every answer that the document describes."""
    for path, operations in openapi["paths"].items():
        for method, operation in operations.items():
            yield from ((method.upper(), path, int(status)) for status in operation["responses"])


class Seen:
    """Statuses by method and path of the document."""

    def __init__(self, lines):
        self.all = {(method, path, int(status)) for method, path, status in map(str.split, lines)}

    def ask(self, address, method, path, filled, body=b"", headers=None, announce=None):
        """A request; announce: a Content-Length that is not the body's."""
        connection = http.client.HTTPConnection(address, timeout=40)
        with contextlib.closing(connection):
            connection.putrequest(method, filled)
            for name, value in ({"Content-Type": "application/json"} | (headers or {})).items():
                connection.putheader(name, value)
            if method == "POST":
                connection.putheader("Content-Length", str(len(body) if announce is None else announce))
            connection.endheaders()
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.send(body)
            answer = connection.getresponse()
            self.all.add((method, path, answer.status))
            return answer.status


def provoke(seen, openapi, address, version):
    """On a detector that serves: bodies that are too large, packed in another way, or stop coming."""
    asking = []
    for path in [path for path, operations in openapi["paths"].items() if "post" in operations]:
        filled = path.replace("{model}", "boiler").replace("{version}", version)
        for more in ({"announce": 1 << 30}, {"headers": {"Content-Encoding": "x"}, "body": b"{}"}, {"body": b"{", "announce": 9}, {"body": b"{"}):
            asking.append(threading.Thread(target=seen.ask, args=(address, "POST", path, filled), kwargs=more))
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    held = []
    for _ in range(65):  # more than may follow
        held.append(http.client.HTTPConnection(address, timeout=10))
        held[-1].request("GET", "/verdicts/stream")
        seen.all.add(("GET", "/verdicts/stream", held[-1].getresponse().status))
    for connection in held:
        connection.close()
    seen.ask(address, "GET", "/verdicts/stream", "/verdicts/stream?since=soon")


def provoke_waiting(seen, openapi, address, token=None):
    """On a detector that has no model yet, and takes readings: with its token where it has one."""
    rows = b'{"instances":[[1,2]]}'
    tensors = b'{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP64","data":[1,2]}]}'
    for method, path, _ in set(documented(openapi)):
        filled = path.replace("{model}", "boiler").replace("{version}", "000000000000")
        if path != "/verdicts/stream":
            seen.ask(address, method, path, filled, tensors if "/v2/" in path else rows, {"Authorization": f"Bearer {token}"} if token else {})
    for body in (b'{"values":{"pressure":1,"flow":2}}', b'{"values":{"pressure":1,"flow":2},"time":"2001-01-01T00:00:00Z"}'):
        for query in ("", "?verdicts=true"):
            seen.ask(address, "POST", "/readings", "/readings" + query, body)
    seen.ask(address, "POST", "/api/v1/write", "/api/v1/write", b"", {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"})
    seen.ask(address, "POST", "/v1/metrics", "/v1/metrics", b"{}")
