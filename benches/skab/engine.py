"""Rows of sensors in; the detector's verdicts out: it trains on the first rows, and judges the others one by
one."""
import csv
import json
import os
import subprocess
from pathlib import Path

import numpy as np


def manifest(sensors, path):
    """A detector with every default."""
    listed = "".join(f"      - {{name: s{i}, column: s{i}}}\n" for i in range(sensors))
    return ("apiVersion: anomaly.dev/v1alpha1\nkind: AnomalyDetector\nmetadata: {name: bench}\nspec:\n  sources:\n  - name: rows\n"
            f"    csv:\n      path: {path}\n      time: timestamp\n      sensors:\n{listed}")


def verdicts(binary, times, values, rows, spec, folder, **train):
    """(severity, anomalous) of each row after the first `rows`, which are for training; 0 and false where
    there is no verdict. `spec`: the other parts of the spec, such as the threshold; `train`: fields of
    model.train."""
    data, output, file = (Path(folder) / name for name in ("rows.csv", "verdicts.csv", "detector.yaml"))
    header = ",".join(["timestamp"] + [f"s{i}" for i in range(values.shape[1])])
    lines = (f"{time}," + ",".join(map(repr, row)) for time, row in zip(times, values.tolist()))
    data.write_text(header + "\n" + "\n".join(lines) + "\n")
    train = {"samples": rows, "dataEndTime": times[rows].replace(" ", "T") + "Z", **train}
    parts = {**spec, "model": {"train": train}}
    file.write_text(manifest(values.shape[1], data) + "".join(f"  {name}: {json.dumps(part)}\n" for name, part in parts.items()))
    command = [binary, "run", str(file), "--fast", "--output", str(output)]
    done = subprocess.run(command, env={**os.environ, "RAYON_NUM_THREADS": "1"}, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    found = {}
    with open(output) as file:
        for row in csv.DictReader(file):
            found[row["time"].replace("T", " ")[:19]] = (float(row["severity"]), row["anomaly"] == "1")
    judged = [found.get(time, (0.0, False)) for time in times[rows:]]
    return np.array([severity for severity, _ in judged]), np.array([anomalous for _, anomalous in judged])
