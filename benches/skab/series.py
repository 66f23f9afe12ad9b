"""A directory in, SKAB's experiments out: times, sensors, and which rows are anomalous."""
import csv
import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np

FREE = "anomaly-free"


@dataclass
class Experiment:
    name: str  # group/number
    sensors: list
    times: list  # "2020-03-09 10:14:33"
    values: np.ndarray  # rows x sensors
    anomalous: np.ndarray  # one boolean a row; all false where there are no labels


def load(directory):
    """The experiments with labels, in the order of their names: <group>/<number>.csv or .csv.gz."""
    paths = [path for path in Path(directory).glob("*/*.csv*") if path.parent.name != FREE]
    return [read(path) for path in sorted(paths)]


def anomaly_free(directory):
    """The recording without faults."""
    return read(next((Path(directory) / FREE).glob("*.csv*")))


def read(path):
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt") as file:
        header, *rows = csv.reader(file, delimiter=";")
    sensors = [name for name in header[1:] if name not in ("anomaly", "changepoint")]
    values = np.array([[float(cell) for cell in row[1 : 1 + len(sensors)]] for row in rows])
    labels = [float(row[header.index("anomaly")]) for row in rows] if "anomaly" in header else np.zeros(len(rows))
    name = f"{path.parent.name}/{path.name.split('.')[0]}"
    return Experiment(name, sensors, [row[0] for row in rows], values, np.array(labels) > 0)
