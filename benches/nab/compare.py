"""Runs NAB's series through the detector and through half-space trees, in one session; prints tables, then
the figures.

    compare.py NAB_DIRECTORY DETECTOR MANIFEST [SEEDS]
"""
import datetime
import sys
import tempfile

import numpy as np

import categories
from alarms import each_row, habituated
from engines import a_reading_a_second, detector, half_space_trees
from score import PROFILES, Judged, probation
from series import load

OURS = "anomaly-operator"
RIVAL = "half-space trees"
# The highest possible score of each engine.
HIGHEST = {OURS: 2.0, RIVAL: 1.0}


def main(directory, binary, manifest, seeds="3"):
    series = load(directory)
    rows = sum(len(one.times) for one in series)
    print(f"{len(series)} series, {rows} rows, {sum(len(one.windows) for one in series)} windows, {seeds} seeds\n")
    with tempfile.TemporaryDirectory() as folder:
        ours = detector(binary, manifest)
        engines = {
            OURS: lambda one, seed: ours(one, seed, folder),
            RIVAL: half_space_trees,
        }
        scores, speed = {}, {}
        for name, engine in engines.items():
            runs = [[engine(one, seed) for one in series] for seed in range(int(seeds))]
            scores[name] = [[score for score, _ in run] for run in runs]
            speed[name] = rows * len(runs) / sum(took for run in runs for _, took in run)
        second = a_reading_a_second(binary, manifest, folder)
    print("| engine | alarms | standard (seed sd) | low FP | low FN | one half | other half | readings/s of a core |")
    print("|---|---|---|---|---|---|---|---|")
    judged = {}
    for name, runs in scores.items():
        for label, rule in [("each row", each_row), ("habituated", habituated)]:
            judged[name] = [Judged(series, run, rule, HIGHEST[name], also=[1.0]) for run in runs]
            line(name, label, judged[name], speed[name])
    standard, (halves, raised) = {name: means(runs) for name, runs in judged.items()}, own(judged[OURS])
    error, left_out = categories.table(series, judged[OURS], judged[RIVAL])
    false_alarms(series, scores[OURS][0])
    print(f"\nAs the manifest has it, severity over 1: {raised:.1f}.")
    gain = standard[OURS] - standard[RIVAL]
    print(f"\nfigures: nab_standard={standard[OURS]:.2f} nab_gain={gain:.2f} nab_gain_se={error:.2f} nab_left_out={left_out:.2f} "
          f"nab_half={halves[0]:.2f} nab_other_half={halves[1]:.2f} nab_as_raised={raised:.2f} "
          f"nab_readings_per_second={speed[OURS]:.0f} a_reading_a_second_per_second={second:.0f}")


def line(name, rule, runs, speed):
    """Print a row of the table: means over the seeds. A half is judged at the threshold that is best for the
    other half."""
    profiles = [[run.best(profile)[0] for run in runs] for profile in PROFILES]
    halves = np.mean([transferred(run) for run in runs], axis=0)
    standard, low_fp, low_fn = (np.mean(each) for each in profiles)
    print(f"| {name} | {rule} | {standard:.1f} ({np.std(profiles[0]):.1f}) | {low_fp:.1f} | {low_fn:.1f} "
          f"| {halves[0]:.1f} | {halves[1]:.1f} | {speed:,.0f} |")


def means(runs):
    return np.mean([run.best()[0] for run in runs])


def own(runs):
    """The scores of both halves, and the score at severity 1, which is where the detector raises alarms."""
    at_one = [run.points()[run.at(1.0)].sum() for run in runs]
    return np.mean([transferred(run) for run in runs], axis=0), np.mean(at_one)


def transferred(run):
    halves = [slice(0, None, 2), slice(1, None, 2)]
    return [run.points(of=halves[half])[run.best(of=halves[1 - half])[1]].sum() for half in (0, 1)]


def false_alarms(series, severities):
    """Print the anomalous rows and the alarms outside the windows, at the manifest's own threshold: of all
    series, and of the four series whose level changes most from their beginning to their end."""
    moved = sorted(range(len(series)), key=lambda i: -level_change(series[i].values))[:4]
    print("\n| series | days | anomalous rows a day outside windows | alarms a day | windows found by alarms |")
    print("|---|---|---|---|---|")
    for name, chosen in [("all", range(len(series)))] + [(series[i].name, [i]) for i in moved]:
        parts = [outside(series[i], severities[i]) for i in chosen]
        days, anomalous, alarms, found, windows = (sum(part) for part in zip(*parts))
        print(f"| {name} | {days:.1f} | {anomalous / days:.2f} | {alarms / days:.2f} | {found} of {windows} |")


def level_change(values):
    """How far the median of the last third is from that of the probation, in interquartile ranges of the probation."""
    known = values[: probation(len(values))]
    low, middle, high = np.percentile(known, [25, 50, 75])
    return abs(np.median(values[-len(values) // 3:]) - middle) / max(high - low, 1e-3 * (1 + abs(middle)))


def outside(one, severities):
    first = probation(len(one.times))
    within = np.zeros(len(one.times), bool)
    for begin, end in one.windows:
        within[begin : end + 1] = True
    judged = np.arange(len(one.times)) >= first
    times = [datetime.datetime.fromisoformat(one.times[row]) for row in (first, -1)]
    days = (times[1] - times[0]).total_seconds() / 86400
    anomalous, alarms = severities > 1, habituated(severities, 1.0, HIGHEST[OURS])
    found = sum(alarms[begin : end + 1].any() for begin, end in one.windows)
    return days, (anomalous & judged & ~within).sum(), (alarms & judged & ~within).sum(), found, len(one.windows)


if __name__ == "__main__":
    main(*sys.argv[1:])
