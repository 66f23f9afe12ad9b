"""A series in, a score for each row out, by each engine. A score depends only on its own row and the rows
before it."""
import csv
import datetime
import os
import resource
import subprocess
import time
from pathlib import Path

import numpy as np

from alarms import COOL_DOWN, HALF_LIFE, STEP
from score import probation
from series import Series


def half_space_trees(series, seed):
    """Half-space trees (Tan, Ting and Liu 2011) of the library river: 25 trees of height 8, windows of 250.
    Returns (scores, CPU seconds)."""
    from river.anomaly import HalfSpaceTrees

    began = time.process_time()
    known = series.values[: max(probation(len(series.values)), 32)]
    margin = (known.max() - known.min()) * 0.5 + 1e-9
    span = known.max() - known.min() + 2 * margin
    trees = HalfSpaceTrees(n_trees=25, height=8, window_size=250, seed=seed)
    scores = []
    for value in np.clip((series.values - known.min() + margin) / span, 0, 1):
        row = {0: float(value)}
        scores.append(trees.score_one(row))
        trees.learn_one(row)
    return np.array(scores), time.process_time() - began


def detector(binary, manifest):
    """The detector program, with the same manifest for all series: it trains on the rows of the probation,
    judges the other rows one by one, and retrains by the times in the series. It sees no labels."""

    def engine(series, seed, folder):
        output, took = watch(binary, manifest, series, probation(len(series.times)), seed, folder)
        return aligned(series, output), took

    return engine


def a_reading_a_second(binary, manifest, folder, days=3):
    """Readings per CPU second, on noise with a reading a second, with two hours for training. A daily
    training is shared by so many readings that nearly all of the time is spent on judging."""
    start, seconds = datetime.datetime(2026, 1, 1), days * 86400
    times = [str(start + datetime.timedelta(seconds=second)) for second in range(seconds)]
    values = np.random.default_rng(1).normal(50, 1, seconds).round(3)
    _, took = watch(binary, manifest, Series("noise", times, values, []), 7200, 0, folder)
    return seconds / took


def watch(binary, manifest, series, first, seed, folder):
    """Train on the rows before row `first`, and judge the others. Returns (file of the verdicts, CPU seconds
    of the whole process)."""
    data, output = Path(folder) / "series.csv", Path(folder) / "verdicts.csv"
    rows = zip(series.times, series.values.tolist())
    data.write_text("timestamp,value,in_window\n" + "".join(f"{at},{value!r},0\n" for at, value in rows))
    until = series.times[first].replace(" ", "T") + "Z"
    apart = seconds_apart(series.times)
    sets = [f"spec.sources[0].csv.path={data}", f"spec.model.train.dataEndTime={until}", f"spec.model.train.seed={seed}",
            f"spec.alarm.coolDown={COOL_DOWN * apart:.0f}s", f"spec.alarm.habituation.step={STEP}",
            f"spec.alarm.habituation.halfLife={HALF_LIFE * apart:.0f}s"]
    command = [binary, "run", manifest, "--fast", "--output", str(output)]
    for each in sets:
        command += ["--set", each]
    before = cpu_of_children()
    done = subprocess.run(command, env={**os.environ, "RAYON_NUM_THREADS": "1"}, capture_output=True, text=True)
    took = cpu_of_children() - before
    if done.returncode:
        raise SystemExit(f"{series.name}: {done.stderr}")
    return output, took


def seconds_apart(times):
    """The median time from one row to the next."""
    times = [datetime.datetime.fromisoformat(time) for time in times]
    return np.median([(later - earlier).total_seconds() for earlier, later in zip(times, times[1:])])


def aligned(series, output):
    """The severity of each row; 0 where there is no verdict."""
    with open(output) as file:
        verdicts = iter([(row["time"].replace("T", " ")[:19], float(row["severity"])) for row in csv.DictReader(file)])
    severities, ahead = np.zeros(len(series.times)), next(verdicts, None)
    for row in range(probation(len(series.times)), len(series.times)):
        if ahead and ahead[0] == series.times[row]:
            severities[row], ahead = ahead[1], next(verdicts, None)
    if ahead:
        raise SystemExit(f"{series.name}: a verdict of {ahead[0]} belongs to no row")
    return severities


def cpu_of_children():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
