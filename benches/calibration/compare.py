"""Measures whether the promised alarm rate holds, on streams without faults and on the parts of streams
outside labelled windows.

    compare.py SKAB_DIRECTORY NAB_DIRECTORY DETECTOR [PICTURE]

The table has ratios of realised to promised rate. The rate of `contamination` is the share of anomalous
verdicts; that of `alertsPerDay` is the number of runs of anomalous verdicts a day, with the ratio counted in
verdicts in parentheses. scikit-learn's forest and half-space trees cannot promise alerts a day: their rate is
the share of verdicts over a quantile of the training rows. NAB_DIRECTORY may be - for none. PICTURE is the
file to draw the anomaly-free recording in.

It also measures whether alarms are right, on a simulated day of manifests/pump.yaml and of
manifests/quickstart.yaml for each of SEEDS.
"""
import datetime
import functools
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from engine import verdicts
from series import anomaly_free

LENGTHS = (2048, 4096, 6000)
MODES = ("Standard", "Auto")
PROMISES = {"contamination 0.01": ("contamination", 0.01), "contamination 0.001": ("contamination", 0.001),
            "alertsPerDay 100": ("alertsPerDay", 100)}
FIXED = {"adaptation": {"policy": "Fixed"}}
# The seed of the sample manifest, and six seeds that were not used to choose anything.
SEEDS = (42, 201, 202, 203, 204, 205, 206)
ROOT = Path(__file__).resolve().parents[2]


def main(skab, nab, binary, picture=None):
    free = anomaly_free(skab)
    with tempfile.TemporaryDirectory() as folder:
        def ours(times, values, train, promise, spec=None, mode="Standard"):
            key, value = PROMISES[promise]
            return verdicts(binary, times, values, train, {"threshold": {key: value}, **(spec or {})}, folder, mode=mode)[1]

        print("| recording | learned from | promise | ours, Standard | ours, Auto | policy: Fixed | scikit-learn | half-space trees |")
        print("|---|---|---|---|---|---|---|---|")
        on_free = [row("SKAB anomaly-free", free.times, free.values, train, promise, ours) for train in LENGTHS for promise in PROMISES]
        simulated = [row(name, times, values, 4096, promise, ours)
                     for name, times, values in drifts() for promise in PROMISES]
        outside = outside_windows(nab, ours) if nab != "-" else []
        print()
        pump = [a_day(binary, "pump", seed) for seed in SEEDS]
        quickstart = [a_day(binary, "quickstart", seed) for seed in SEEDS]
        if picture:
            threshold = {"threshold": {"contamination": 0.01}}
            draw(free, lambda spec: verdicts(binary, free.times, free.values, 4096, {**threshold, **spec}, folder), picture)
    ratios = np.concatenate(on_free)
    print(f"\nfigures: rate_ratio_median={np.median(ratios):.2f} rate_ratio_worst={ratios.max():.2f} "
          f"rate_ratio_simulated_median={np.median(simulated):.2f} rate_ratio_simulated_worst={np.max(simulated):.2f} "
          f"pump_alarm_precision={pump[0]['alarm_precision']:.3f} pump_event_recall={pump[0]['event_recall']:.3f} "
          f"pump_alarm_precision_median={median(pump[1:], 'alarm_precision'):.3f} pump_event_recall_median={median(pump[1:], 'event_recall'):.3f} "
          f"pump_alarm_recall_median={median(pump[1:], 'alarm_recall'):.3f} quickstart_alarms_a_day={np.mean([day['alarms'] for day in quickstart]):.2f}"
          + (f" rate_ratio_nab_median={np.median(outside):.2f} rate_ratio_nab_worst={np.max(outside):.2f}" if outside else ""))


def row(name, times, values, train, promise, ours):
    """Print a row of the table. Return the ratios of the detector with its default adaptation, one for each
    of MODES."""
    every = {mode: ours(times, values, train, promise, mode=mode) for mode in MODES}
    fixed = ours(times, values, train, promise, FIXED)
    share = PROMISES[promise][1] if promise.startswith("c") else PROMISES[promise][1] * apart(times) / 86400
    rivals = [(found(values, train, share)) for found in (scikit_learn, half_space_trees)]
    cells = [cell(found, times[train:], promise) for found in (*every.values(), fixed)]
    cells += [f"{found.mean() / share:.1f}" for found in rivals]
    print(f"| {name} | {train} | {promise} | " + " | ".join(cells) + " |", flush=True)
    return [ratio(found, times[train:], promise) for found in every.values()]


def a_day(binary, sample, seed):
    """Run a simulated day of a sample manifest, and return its figures."""
    command = [binary, "run", "--fast", "--duration", "24h", f"manifests/{sample}.yaml", "--set", f"spec.sources[0].simulated.seed={seed}"]
    said = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    alarms = int(re.search(r"of which (\d+) raised an alarm", said)[1])
    figures = {name: float(value) for name, value in re.findall(r"(\w+)=([\d.]+)", said.splitlines()[-1])}
    print(f"{sample}, seed {seed}: {alarms} alarms " + " ".join(f"{name} {value:.3f}" for name, value in figures.items() if "reading" not in name), flush=True)
    return {"alarms": alarms, **figures}


def median(days, figure):
    return np.median([day[figure] for day in days])


def cell(found, times, promise):
    text = f"{ratio(found, times, promise):.2f}"
    if promise.startswith("alerts"):
        text += f" ({found.mean() * 86400 / apart(times) / PROMISES[promise][1]:.1f} in verdicts)"
    return text


def ratio(found, times, promise):
    key, value = PROMISES[promise]
    if key == "contamination":
        return found.mean() / value
    runs = (found & ~np.concatenate([[False], found[:-1]])).sum()
    return runs / (value * len(found) * apart(times) / 86400)


def apart(times):
    span = datetime.datetime.fromisoformat(times[-1]) - datetime.datetime.fromisoformat(times[0])
    return span.total_seconds() / (len(times) - 1)


def scikit_learn(values, train, share):
    from sklearn.ensemble import IsolationForest

    return IsolationForest(contamination=min(share, 0.5), random_state=0, n_jobs=1).fit(values[:train]).predict(values[train:]) < 0


def half_space_trees(values, train, share):
    scores = half_space_scores(values.tobytes(), values.shape, train)
    return scores[train:] > np.quantile(scores[250:train], 1 - min(share, 0.5))


@functools.cache
def half_space_scores(buffer, shape, train):
    from river.anomaly import HalfSpaceTrees

    values = np.frombuffer(buffer).reshape(shape)
    low, high = values[:train].min(axis=0), values[:train].max(axis=0)
    margin = (high - low) * 0.5 + 1e-9
    scaled = np.clip((values - low + margin) / (high - low + 2 * margin), 0, 1)
    trees, scores = HalfSpaceTrees(n_trees=25, height=8, window_size=250, seed=0), []
    for each in scaled:
        cells = {str(i): float(cell) for i, cell in enumerate(each)}
        scores.append(trees.score_one(cells))
        trees.learn_one(cells)
    return np.array(scores)


def drifts(rows=14096, seed=1):
    """Yield streams of two sensors without faults, a reading a second. The first sensor's level drifts as the
    name says."""
    random = np.random.default_rng(seed)
    start, at = datetime.datetime(2026, 1, 1), np.arange(rows)
    times = [str(start + datetime.timedelta(seconds=int(second))) for second in at]
    steps = np.repeat(random.normal(0, 3, rows // 1200 + 1), 1200)[:rows]
    kinds = {
        "steady": 0 * at, "linear": at / 1000, "warm-up": 10 * (1 - np.exp(-at / 5000)), "waves": 5 * np.sin(at / 573),
        "level shifts": steps, "random walk": np.cumsum(random.normal(0, 0.05, rows)), "heavy tails": 0 * at,
    }
    for name, level in kinds.items():
        noise = random.standard_t(3, (rows, 2)) if name == "heavy tails" else random.normal(0, 1, (rows, 2))
        yield f"simulated, {name}", times, np.round(noise + np.stack([level, 0 * at], axis=1), 4)


def outside_windows(directory, ours):
    """The ratios of verdicts outside the labelled windows of NAB's series, with the first third of each for
    training."""
    sys.path.append(__file__.rsplit("/", 2)[0] + "/nab")
    import importlib.util

    spec = importlib.util.spec_from_file_location("nab_series", __file__.rsplit("/", 2)[0] + "/nab/series.py")
    nab = importlib.util.module_from_spec(spec)
    sys.modules["nab_series"] = nab
    spec.loader.exec_module(nab)
    ratios = []
    for promise in ("contamination 0.01",):
        for mode in MODES:
            shares = []
            for one in nab.load(directory):
                train = len(one.times) // 3
                found = ours(one.times, one.values[:, None], train, promise, mode=mode)
                within = np.zeros(len(one.times), bool)
                for first, last in one.windows:
                    within[first : last + 1] = True
                shares.append(found[~within[train:]].mean() / PROMISES[promise][1])
            print(f"| NAB outside windows, {len(shares)} series, {mode} | a third | {promise} | median {np.median(shares):.2f}, "
                  f"worst {max(shares):.2f} | | | | |", flush=True)
            ratios += shares
    return ratios


def draw(free, judged, path):
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 1, figsize=(9, 5), sharex=True, sharey=True)
    for axis, spec, title in zip(axes, (FIXED, {}), ("policy: Fixed", "policy: Follow")):
        severity, anomalous = judged(spec)
        axis.plot(severity, linewidth=0.4, color="tab:blue", label="severity")
        axis.plot(np.flatnonzero(anomalous), severity[anomalous], ".", markersize=2, color="tab:red", label="anomalous")
        axis.axhline(1, color="black", linewidth=0.7)
        axis.set_title(f"{title}: {anomalous.mean():.1%} anomalous, 1 % promised", loc="left", fontsize=9)
        axis.legend(loc="upper left", fontsize=7)
    axes[1].set_xlabel("seconds after the training")
    figure.tight_layout()
    figure.savefig(path, dpi=90)


if __name__ == "__main__":
    main(*sys.argv[1:])
