"""A directory in, NAB's series out: times, values and labelled windows, in the order of their names."""
import csv
import gzip
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass
class Series:
    name: str  # group/series.csv
    times: list  # "2014-04-01 00:00:00"
    values: np.ndarray
    windows: list  # (first row, last row), rising


def load(directory):
    """From a copy of NAB's repository, or from a directory with windows.json and <group>/<series>.csv.gz."""
    directory = Path(directory)
    labels = directory / "labels" / "combined_windows.json"
    if labels.exists():
        return [read(directory / "data" / name, name, windows) for name, windows in windows_of(labels)]
    windows = windows_of(directory / "windows.json")
    return [read(directory / f"{name}.gz", name, each) for name, each in windows]


def windows_of(path):
    return sorted(json.loads(path.read_text()).items())


def read(path, name, windows):
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt") as file:
        rows = list(csv.DictReader(file))
    times = [row["timestamp"][:19] for row in rows]
    row_of = {time: row for row, time in reversed(list(enumerate(times)))}
    spans = sorted((row_of[first[:19]], row_of[last[:19]]) for first, last in windows)
    return Series(name, times, np.array([float(row["value"]) for row in rows]), spans)
