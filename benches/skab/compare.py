"""Runs SKAB's experiments through the detector and other systems, scored by the benchmark's rule; prints a
table, then the figures.

    compare.py SKAB_DIRECTORY DETECTOR [SEEDS]

Each system trains on the first 400 rows of a file and judges the others, with the same settings for all
files. F1, the false alarm rate and the missed alarm rate are over the rows of all files together.
"""
import sys
import tempfile

import numpy as np

import rivals
from engine import verdicts
from series import load

TRAIN = 400
# The same settings for all files: rolling means of 20 readings, and as contamination the share of an hour
# that faults of several minutes take.
TRAINING = {"features": ["RollingMean"], "window": 20}
OURS = {"threshold": {"contamination": 0.09}, "adaptation": {"timeScale": "1h"}}
FIXED = {"threshold": {"contamination": 0.001}, "adaptation": {"policy": "Fixed"}}


def main(directory, binary, seeds="3"):
    experiments = load(directory)
    with tempfile.TemporaryDirectory() as folder:
        def ours(each, seed, spec):
            return verdicts(binary, each.times, each.values, TRAIN, spec, folder, seed=seed, **TRAINING)[1]

        engines = {
            "anomaly-operator": lambda each, seed: ours(each, seed, OURS),
            "anomaly-operator, policy: Fixed": lambda each, seed: ours(each, seed, FIXED),
            "scikit-learn": lambda each, seed: rivals.isolation_forest(each.values, TRAIN, seed),
            "PCA, T2 and Q": lambda each, seed: rivals.pca(each.values, TRAIN, seed),
            "MSET": lambda each, seed: rivals.mset(each.values, TRAIN, seed),
        }
        print(f"{len(experiments)} experiments, {sum(len(each.times) - TRAIN for each in experiments)} rows judged, {seeds} seeds\n")
        print("| engine | F1 (seed sd) | FAR % | MAR % | median delay s | one half, F1 | other half, F1 |")
        print("|---|---|---|---|---|---|---|")
        rows = {name: line(name, experiments, engine, int(seeds)) for name, engine in engines.items()}
    f1, far, mar, delay = rows["anomaly-operator"]
    print(f"\nfigures: skab_f1={f1:.3f} skab_far={far:.1f} skab_mar={mar:.1f} skab_delay_s={delay:.0f}")


def line(name, experiments, engine, seeds):
    runs = [[engine(each, seed) for each in experiments] for seed in range(seeds)]
    truth = [each.anomalous[TRAIN:] for each in experiments]
    whole = np.array([rates(run, truth) for run in runs])
    halves = [np.mean([rates(run[half::2], truth[half::2])[0] for run in runs]) for half in (0, 1)]
    delay = np.median([late for run in runs for each in map(delays, run, truth) for late in each])
    f1, far, mar = whole.mean(axis=0)
    print(f"| {name} | {f1:.3f} ({whole[:, 0].std():.3f}) | {100 * far:.1f} | {100 * mar:.1f} | {delay:.0f} "
          f"| {halves[0]:.3f} | {halves[1]:.3f} |", flush=True)
    return f1, 100 * far, 100 * mar, delay


def rates(found, truth):
    found, truth = np.concatenate(found), np.concatenate(truth)
    hits, false, missed = (found & truth).sum(), (found & ~truth).sum(), (~found & truth).sum()
    return 2 * hits / max(2 * hits + false + missed, 1), false / (~truth).sum(), missed / truth.sum()


def delays(found, truth):
    """Yield the rows, a second each, from the start of each anomaly to its first alarm; its length if there
    is no alarm."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], truth.astype(int), [0]])))
    for first, last in zip(edges[::2], edges[1::2]):
        hits = np.flatnonzero(found[first:last])
        yield hits[0] if len(hits) else last - first


if __name__ == "__main__":
    main(*sys.argv[1:])
