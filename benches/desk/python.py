"""Measures the Python package beside scikit-learn: seconds to score and to fit, failed estimator checks, and
pipelines that it imports with the same predictions.

    python.py [PIPELINES]

PIPELINES is a folder that `detector/interchange/tests/fixtures/pipelines.py` has written: a file for each of
the eleven kinds of pipeline. Times are the best of two to five runs, with one thread each, the default of
both. The last line has the figures.
"""

import json
import pathlib
import sys
import time
import warnings

import numpy
from sklearn.ensemble import IsolationForest as Reference
from sklearn.utils.estimator_checks import check_estimator

from anomaly_operator import IsolationForest

FIXTURES = pathlib.Path(__file__).parents[2] / "detector/interchange/tests/fixtures/pipelines/1.9.1"
ROWS, COLUMNS = 200_000, 8


def seconds(task, times=5):
    best = float("inf")
    for _ in range(times):
        start = time.perf_counter()
        task()
        best = min(best, time.perf_counter() - start)
    return best


def of(fixture):
    """Whether an imported pipeline predicts the same as in scikit-learn, in every row."""
    expected = json.loads(fixture.with_suffix(".json").read_text())
    rows = numpy.array(expected["rows"], dtype=float)
    return ((IsolationForest.load(fixture).predict(rows) == -1) == numpy.array(expected["anomalies"])).all()


def checks_failed():
    results = check_estimator(IsolationForest(n_estimators=20), on_fail=None, on_skip=None)
    failed = [result for result in results if result["status"] == "failed"]
    for result in failed:
        print(f"{result['check_name']}: {result['exception']}")
    states = [result["status"] for result in results]
    print(f"estimator checks: {states.count('passed')} passed, {len(failed)} failed, {states.count('skipped')} skipped")
    return len(failed)


def main():
    warnings.simplefilter("ignore")
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else FIXTURES
    pipelines = {path.stem: of(path) for path in sorted(folder.glob("*.joblib"))}
    print("pipelines:", ", ".join(f"{name} {'opens' if opens else 'DIFFERS'}" for name, opens in pipelines.items()))
    cells = numpy.random.RandomState(0).standard_normal((ROWS, COLUMNS))
    ours, theirs = IsolationForest(random_state=0), Reference(random_state=0)
    fit = {name: seconds(lambda: forest.fit(cells), 3) for name, forest in {"ours": ours, "theirs": theirs}.items()}
    score = {
        "ours": seconds(lambda: ours.score_samples(cells)),
        "theirs": seconds(lambda: theirs.score_samples(cells), 2),
    }
    print(f"score_samples of {ROWS} x {COLUMNS}: {score['ours']:.3f} s, scikit-learn {score['theirs']:.3f} s")
    print(f"fit: {fit['ours']:.3f} s, scikit-learn {fit['theirs']:.3f} s")
    print(
        f"figures: python_score_ratio={score['theirs'] / score['ours']:.1f} "
        f"python_fit_ratio={fit['theirs'] / fit['ours']:.1f} "
        f"estimator_checks_failed={checks_failed()} pipelines_open={sum(map(bool, pipelines.values()))}"
    )


main()
