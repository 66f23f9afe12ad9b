"""The detectors under test, by name: the arguments of `pod.Pod`."""

import functools
import subprocess
import tempfile
from pathlib import Path


def manifest(sensors, model="train: {samples: 1000}", interval="1s", extra=""):
    """A detector of simulated sensors, each with readings from 0 to 1."""
    listed = "\n".join(
        f"      - {{name: {name}, baseline: 0.5, noise: {{uniform: {{halfWidth: 0.5}}}}}}" for name in sensors
    )
    return f"""apiVersion: anomaly.dev/v1alpha1
kind: AnomalyDetector
metadata: {{name: hostile}}
spec:
  interval: {interval}
  sources:
  - name: simulation
    simulated:
      seed: 42
      sensors:
{listed}
  model: {{{model}}}
  threshold: {{contamination: 0.02}}
{extra}"""


FOREST = Path(__file__).parents[3] / "detector/interchange/tests/fixtures/1.9.1/lone.joblib"

LOADS = {"args": ["--load", "."], "files": {"model": FOREST.read_bytes()}}
LOADED = "load: {configMap: {name: forest}}"


def without_threshold(text):
    return text.replace("threshold: {contamination: 0.02}\n", "")


PUSHED = """apiVersion: anomaly.dev/v1alpha1
kind: AnomalyDetector
metadata: {name: hostile}
spec:
  interval: 1s
  sources:
  - name: programs
    http: {sensors: [{name: value}]}
  model: {load: {configMap: {name: forest}}}
"""

TOKEN = "a-token-of-the-plant"


@functools.cache
def certificate():
    """A certificate and its key, made by OpenSSL."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        command += ["-subj", "/CN=localhost", "-keyout", "tls.key", "-out", "tls.crt"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        return {name: (Path(folder) / name).read_bytes() for name in ("tls.crt", "tls.key")}


SECURED = {
    "args": ["--tls", ".", "--tokens", "tokens"],
    "files": {
        "tls.crt": lambda: certificate()["tls.crt"],
        "tls.key": lambda: certificate()["tls.key"],
        "tokens": TOKEN.encode(),
    },
    "token": TOKEN,
}

PODS = {
    # One sensor, as in quickstart: what most requests are sent to.
    "plain": {"manifest": manifest(["value"])},
    # Forty sensors and 50 verdicts a second: for everything that grows with the number of sensors.
    "wide": {"manifest": manifest([f"sensor-{n:03}" for n in range(40)], interval="20ms")},
    # A model with lags, which looks back on earlier readings.
    "lags": {"manifest": manifest(["value"], "train: {samples: 1000, features: [Value, Difference], lags: 2}")},
    # A model that is loaded, of one column.
    "loads": {"manifest": without_threshold(manifest(["value"], LOADED)), **LOADS},
    # One sensor that is pushed, and a model that is loaded.
    "pushed": {"manifest": PUSHED, **LOADS},
    # One sensor, by TLS and with a token.
    "secured": {"manifest": manifest(["value"]), **SECURED},
    # Three sensors by name.
    "three": {"manifest": manifest(["pressure", "flow", "heat"])},
}
