"""A detector's OpenAPI document and the statuses that schemathesis has seen in; all statuses that were
answered out.

The answers that no generator finds are provoked here: by bodies that are too large, too slow or in an unknown
encoding, and by detectors that have no model, or no room for another client.
"""

import contextlib
import http.client
import threading

PUSHES = ("/readings", "/api/v1/write", "/v1/metrics")
#: Answers that need a panic, or more load than a test should make.
NOT_PROVOKED = {("GET", "/v2/health/live", 503), *(("POST", path, 429) for path in PUSHES)}
#: A detector that takes pushed readings, and waits for enough of them to train.
PUSHED = """
apiVersion: anomaly.dev/v1alpha1
kind: AnomalyDetector
metadata: {name: boiler}
spec:
  sources:
  - name: pushed
    http: {sensors: [{name: pressure}, {name: flow}]}
  model: {train: {samples: 100000}}
"""
#: A detector that has no model, because the file to load is missing, and takes no readings.
LOADING = PUSHED.replace("train: {samples: 100000}", "load: {configMap: {name: forest, key: forest}}")


def documented(openapi):
    """(METHOD, path, status) of every answer that the document describes, but for 401: tokens have tests of their own."""
    for path, operations in openapi["paths"].items():
        for method, operation in operations.items():
            statuses = (int(status) for status in operation["responses"] if status.isdigit())
            yield from ((method.upper(), path, status) for status in statuses if status != 401)


class Seen:
    """The statuses that were answered, with the method and the path of the document."""

    def __init__(self, lines):
        self.all = {(method, path, int(status)) for method, path, status in map(str.split, lines)}

    def ask(self, address, method, path, filled, body=b"", headers=None, announce=None):
        """Send a request and record its status. `path`: as in the document; `filled`: with the parameters
        filled in; `announce`: a Content-Length that is not the body's."""
        connection = http.client.HTTPConnection(address, timeout=40)
        with contextlib.closing(connection):
            connection.putrequest(method, filled)
            said = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"} if path == "/api/v1/write" else {"Content-Type": "application/json"}
            for name, value in (said | (headers or {})).items():
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
    """Send bodies that are valid, too large, in an unknown encoding, or incomplete; ask for another model;
    open more streams of verdicts than are allowed."""
    right = {
        "/v2/models/{model}/infer": b'{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP64","data":[5,-3]}]}',
        "/v2/models/{model}/versions/{version}/infer": b'{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP64","data":[5,-3]}]}',
    }
    for path, body in right.items():
        seen.ask(address, "POST", path, path.replace("{model}", "boiler").replace("{version}", version), body)
    for method, path, status in set(documented(openapi)):
        if status == 404 and "{model}" in path:
            seen.ask(address, method, path, path.replace("{model}", "other").replace("{version}", version), b"{}")
    seen.ask(address, "GET", "/verdicts/stream", "/verdicts/stream?since=soon")
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
    for _ in range(65):  # one more than may follow at once
        held.append(http.client.HTTPConnection(address, timeout=10))
        held[-1].request("GET", "/verdicts/stream")
        seen.all.add(("GET", "/verdicts/stream", held[-1].getresponse().status))
    for connection in held:
        connection.close()


def provoke_waiting(seen, openapi, address):
    """Send requests and readings to a detector that has no model yet."""
    rows = b'{"instances":[[1,2]]}'
    tensors = b'{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP64","data":[1,2]}]}'
    for method, path, _ in set(documented(openapi)):
        filled = path.replace("{model}", "boiler").replace("{version}", "000000000000")
        if path != "/verdicts/stream":
            seen.ask(address, method, path, filled, tensors if "/v2/" in path else rows)
    for body in (b'{"values":{"pressure":1,"flow":2}}', b'{"values":{"pressure":1,"flow":2},"time":"2001-01-01T00:00:00Z"}'):
        for query in ("", "?verdicts=true"):
            seen.ask(address, "POST", "/readings", "/readings" + query, body)
    seen.ask(address, "POST", "/api/v1/write", "/api/v1/write", b"\0")
    seen.ask(address, "POST", "/v1/metrics", "/v1/metrics", b"{}")
