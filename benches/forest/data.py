"""Writes the rows that every engine is timed on: raw little-endian f64, row after row.

    python data.py FOLDER        writes ROWSxCOLUMNS.f64 for each shape below, unless it is there

The rows form five clusters of different widths. One row in fifty, on average, is uniformly random in a box
around them.
"""
import pathlib
import sys

import numpy

SHAPES = [(1_000_000, 8), (100_000, 1), (100_000, 8), (100_000, 32), (20_000, 64), (20_000, 512)]


def rows(count, columns):
    random = numpy.random.default_rng(11)
    centres = random.normal(0, 4, (5, columns))
    widths = random.uniform(0.3, 2, (5, columns))
    cluster = random.integers(0, 5, count)
    data = random.normal(centres[cluster], widths[cluster])
    strays = random.random(count) < 0.02
    data[strays] = random.uniform(-16, 16, (strays.sum(), columns))
    return data


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for count, columns in SHAPES:
        path = folder / f"{count}x{columns}.f64"
        if not path.exists():
            rows(count, columns).astype("<f8").tofile(path)


main(pathlib.Path(sys.argv[1]))
