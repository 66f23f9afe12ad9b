"""A built detector and a manifest in; the detector on free ports of loopback, which ends with the block, out."""

import contextlib
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from loopback import free_port, until  # noqa: E402

MANIFEST = """
apiVersion: anomaly.dev/v1alpha1
kind: AnomalyDetector
metadata: {name: boiler}
spec:
  interval: 250ms
  sources:
  - name: cellar
    simulated:
      seed: 7
      sensors:
      - {name: pressure, unit: bar, baseline: 5, noise: {gaussian: {standardDeviation: 1}}}
      - {name: flow, unit: l/s, baseline: -3, noise: {gaussian: {standardDeviation: 1}}}
  model: {train: {samples: 500, features: [Value]}}
  threshold: {contamination: 0.01}
"""


@contextlib.contextmanager
def detector(program, manifest=MANIFEST, *arguments, once="/readyz"):
    """Run a detector with these arguments. Yields its predict address, `127.0.0.1:PORT`, and its metrics
    address, once it answers the path `once` with 200."""
    predict, metrics = (f"127.0.0.1:{free_port()}" for _ in range(2))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "detector.yaml").write_text(manifest)
        command = [program, "run", "detector.yaml", "--predict-address", predict, "--metrics-address", metrics, *arguments]
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
        try:
            until(lambda: urllib.request.urlopen(f"http://{metrics}{once}"), "the detector to answer")
            yield predict, metrics
        finally:
            process.terminate()
            process.wait()
