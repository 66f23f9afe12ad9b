"""The other clients of a detector, in a process of their own: `prober.py PREDICT_PORT METRICS_PORT [TOKEN]`;
with a token by TLS.

Asks for a prediction on a connection that stays open, and for /livez on new ones, over and over. Each line of the
standard input gets one of JSON: the milliseconds of the requests since the last one, the request that is under way
included, and what failed. A 503 of a detector that has no model yet is an answer.
"""

import http.client
import json
import ssl
import sys
import threading
import time

PREDICT, METRICS = int(sys.argv[1]), int(sys.argv[2])
TOKEN = sys.argv[3] if len(sys.argv) > 3 else None
PAUSE = 0.01
LOCK = threading.Lock()
latencies, failed, under_way = [], [], {}


def timed(kind, request):
    began = time.monotonic()
    under_way[kind] = began
    try:
        request()
        error = None
    except (OSError, http.client.HTTPException) as exception:
        error = f"{kind}: {exception!r}"
    took = (time.monotonic() - began) * 1000
    with LOCK:
        under_way.pop(kind, None)
        latencies.append(took)
        if error:
            failed.append(error)


def predictions():
    if TOKEN:
        context = ssl._create_unverified_context()
        connection = http.client.HTTPSConnection("127.0.0.1", PREDICT, timeout=20, context=context)
    else:
        connection = http.client.HTTPConnection("127.0.0.1", PREDICT, timeout=20)
    headers = {"Authorization": f"Bearer {TOKEN}"} if TOKEN else {}

    def predict():
        try:
            connection.request("POST", "/predict", body=b'{"value":0.5}', headers=headers)
            response = connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            raise

    while True:
        timed("predict", predict)
        time.sleep(PAUSE)


def probes():
    def live():
        connection = http.client.HTTPConnection("127.0.0.1", METRICS, timeout=20)
        try:
            connection.request("GET", "/livez")
            connection.getresponse().read()
        finally:
            connection.close()

    while True:
        timed("livez", live)
        time.sleep(PAUSE)


for each in (predictions, probes):
    threading.Thread(target=each, daemon=True).start()
for _ in sys.stdin:
    with LOCK:
        now = time.monotonic()
        waiting = [(now - began) * 1000 for began in under_way.values()]
        said = {"latencies": latencies + [each for each in waiting if each > 50], "failed": failed}
        latencies, failed = [], []
    print(json.dumps(said), flush=True)
