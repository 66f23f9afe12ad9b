"""Writes Parquet files by pandas and pyarrow, has the detector train on and score them, and reads what it writes.

    check.py DETECTOR FOLDER
"""

import decimal
import pathlib
import subprocess
import sys

import numpy
import pandas
import pyarrow
from pyarrow import parquet

ROWS = 10_000
FILES = {
    "plain": {},
    "old": {"version": "1.0", "compression": "none", "use_dictionary": False},
    "small_groups": {"row_group_size": 999, "compression": "zstd"},
    "second_pages": {"data_page_version": "2.0", "compression": "gzip"},
    "dense": {"use_dictionary": False, "column_encoding": {"double": "BYTE_STREAM_SPLIT", "long": "DELTA_BINARY_PACKED"}},
}
MEASUREMENTS = ["double", "single", "half", "short", "unsigned", "long", "flag", "money", "holed"]


def check(rule, *got):
    if not rule:
        sys.exit(f"tests/parquet: {got}")


class Detector:
    def __init__(self, program, folder):
        self.program, self.folder = pathlib.Path(program).resolve(), folder

    def run(self, arguments, stdin=None):
        with open(self.folder / stdin if stdin else "/dev/null", "rb") as file:
            return subprocess.run([self.program, *arguments.split()], cwd=self.folder, stdin=file, capture_output=True, text=True)

    def done(self, arguments, stdin=None):
        answer = self.run(arguments, stdin)
        check(answer.returncode == 0, arguments, answer.stderr)
        return answer.stdout

    def refused(self, arguments):
        answer = self.run(arguments)
        check(answer.returncode == 1 and answer.stderr.count("\n") == 1, arguments, answer.stderr)
        return answer.stderr.strip()


def table():
    """A table with columns of every type that readings have, and of some types that they do not have."""
    random = numpy.random.RandomState(0)
    cells = random.standard_normal(ROWS)
    times = pandas.date_range("2026-03-01", periods=ROWS, freq="1min")
    holed = numpy.where(random.uniform(size=ROWS) < 0.1, numpy.nan, random.standard_normal(ROWS))
    return pyarrow.table(
        {
            "timestamp": pyarrow.array(times, pyarrow.timestamp("ns")),
            "instant": pyarrow.array(times, pyarrow.timestamp("ms", tz="Europe/Berlin")),
            "day": pyarrow.array(times.date, pyarrow.date32()),
            "name": [f"pump, {row % 7}" for row in range(ROWS)],
            "kind": pyarrow.array([None if row % 3 else "é" for row in range(ROWS)]).dictionary_encode(),
            "double": cells,
            "single": pyarrow.array(random.standard_normal(ROWS).astype(numpy.float32)),
            "half": pyarrow.array(random.standard_normal(ROWS).astype(numpy.float16)),
            "short": pyarrow.array(random.randint(-100, 100, ROWS), pyarrow.int8()),
            "unsigned": pyarrow.array(random.randint(0, 2**32, ROWS, dtype=numpy.int64), pyarrow.uint32()),
            "long": pyarrow.array(random.randint(-(2**50), 2**50, ROWS, dtype=numpy.int64)),
            "flag": pyarrow.array(random.uniform(size=ROWS) < 0.5),
            "money": pyarrow.array([decimal.Decimal(int(cell * 100)).scaleb(-2) for cell in cells], pyarrow.decimal128(12, 2)),
            "holed": pyarrow.array(holed, from_pandas=True),
            "label": pyarrow.array((cells > 2.5).astype(numpy.int64)),
            "list": [[1.0, 2.0]] * ROWS,
            "clock": pyarrow.array((numpy.arange(ROWS) % 86_400).astype(numpy.int32), pyarrow.time32("s")),
        }
    )


def as_text(columns):
    """The same table as a data frame to write as CSV, in full precision."""
    frame = columns.select([name for name in columns.column_names if name not in ("list", "clock")]).to_pandas()
    frame["flag"] = frame["flag"].astype(int)
    frame["half"], frame["single"] = frame["half"].astype(float), frame["single"].astype(float)
    return frame


def main():
    folder = pathlib.Path(sys.argv[2])
    detector = Detector(sys.argv[1], folder)
    columns = table()
    as_text(columns).to_csv(folder / "rows.csv", index=False)
    names = ",".join(MEASUREMENTS)
    detector.done(f"train --input rows.csv --columns {names} --output csv.model")
    kept = "--keep timestamp,instant,day,name,kind,single,long,label"
    scores = [float(line.split(",")[0]) for line in detector.done("score --model csv.model --input rows.csv").splitlines()[1:]]
    for name, options in FILES.items():
        file = f"{name}.parquet"
        parquet.write_table(columns, folder / file, **options)
        detector.done(f"train --input {file} --columns {names} --output {name}.model")
        same = (folder / f"{name}.model").read_bytes() == (folder / "csv.model").read_bytes()
        check(same, name, "the model differs from that of the CSV file")
        detector.done(f"score --model csv.model --input {file} {kept} --contributions --output {name}.scores.parquet")
        back = pandas.read_parquet(folder / f"{name}.scores.parquet")
        check(len(back) == ROWS and numpy.array_equal(back["score"], scores), name, "scores differ from those of the CSV file")
        shares = back[[f"contribution_{column}" for column in MEASUREMENTS]].sum(axis=1)
        check(numpy.allclose(shares, 1), name, "contributions must add up to 1")
        original = columns.to_pandas()
        # The detector keeps the shortest decimal of a float32, as a float64.
        back["single"] = back["single"].astype(numpy.float32)
        for column in ("timestamp", "name", "kind", "single", "long", "label"):
            a, b = original[column].astype(object), back[column].astype(object)
            check(((a == b) | (a.isna() & b.isna())).all(), name, column, a[:3].tolist(), b[:3].tolist())
        check(back["instant"].dt.tz is not None and (back["instant"] == original["instant"]).all(), name, "instant")
        evaluated = detector.done(f"evaluate --model csv.model --input {file} --output json")
        check(evaluated == detector.done("evaluate --model csv.model --input rows.csv --output json").replace("rows.csv", file), name, evaluated)
    piped = detector.done("score --model csv.model --input -", stdin="plain.parquet")
    check(piped == detector.done("score --model csv.model --input rows.csv"), "through a pipe")

    frame = columns.select(["double", "label"]).to_pandas().set_index(pandas.Index(numpy.arange(ROWS) + 5, name="row"))
    frame.to_parquet(folder / "indexed.parquet")
    answer = detector.run("train --input indexed.parquet --output indexed.model")
    check("column row counts the rows" in answer.stderr, answer.stderr)

    pandas.DataFrame({"double": ["a", "b"], "single": ["c", "d"]}).to_parquet(folder / "strings.parquet")
    said = detector.refused("train --input strings.parquet --output none")
    check(said == 'error: strings.parquet:1: column "double": expected a number, got "a"', said)
    said = detector.refused("score --model csv.model --input strings.parquet")
    check(said.startswith("error: strings.parquet:1: no columns half, short,"), said)
    parquet.write_table(columns.select(["list", "clock"]), folder / "nested.parquet")
    said = detector.refused("train --input nested.parquet --output none")
    check("expected columns of numbers or text in the Parquet file, got none" in said, said)
    columns.slice(0, 0).to_pandas().to_parquet(folder / "empty.parquet")
    said = detector.refused("train --input empty.parquet --columns double --output none")
    check("expected rows after the header, got none" in said, said)
    print(f"{len(FILES)} files of {ROWS} rows train and score as their CSV file does, and pandas reads the scores")


main()
