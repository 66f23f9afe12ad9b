"""Times the detector on a CSV file beside pandas with scikit-learn, and a browser that draws a report of a
million readings. Prints a table and the figures.

    compare.py DETECTOR ROOT FOLDER HERE

ROOT is the repository, FOLDER a folder for temporary files, HERE the folder of this script.
"""
import csv
import json
import os
import subprocess
import sys
import time

import numpy as np

ROWS, COLUMNS, REPETITIONS = 1_000_000, 8, 3
# Runs in a process of its own, like the detector, and is timed from its start to the last row written.
PANDAS = """
import sys
import joblib
import pandas as pd
model, rows, scores = sys.argv[1:]
forest = joblib.load(model)
frame = pd.read_csv(rows)
score = -forest.score_samples(frame)
pd.DataFrame({"score": score, "anomaly": (score > -forest.offset_).astype(int)}).to_csv(scores, index=False)
"""
TRAIN = """
import sys
import joblib
import pandas as pd
from sklearn.ensemble import IsolationForest
rows, model = sys.argv[1:]
joblib.dump(IsolationForest(n_estimators=100, max_samples=256, contamination=0.01, random_state=0).fit(pd.read_csv(rows, nrows=100_000)), model)
"""


def main(detector, root, folder, here):
    path = lambda name: os.path.join(folder, name)
    write_rows(path("rows.csv"))
    subprocess.run([sys.executable, "-c", TRAIN, path("rows.csv"), path("model.joblib")], check=True)
    names = ",".join(f"c{column}" for column in range(COLUMNS))
    quietly([detector, "train", "--from-sklearn", path("model.joblib"), "--columns", names, "--output", path("model")])
    ours = [detector, "score", "--model", path("model"), "--input", path("rows.csv"), "--output", path("ours.csv")]
    theirs = [sys.executable, "-c", PANDAS, path("model.joblib"), path("rows.csv"), path("theirs.csv")]
    # Alternately, so that a busy minute slows both.
    times = [(seconds(ours), seconds(theirs)) for _ in range(REPETITIONS)]
    agree(path("ours.csv"), path("theirs.csv"))
    ours_s, theirs_s = (min(each) for each in zip(*times))
    quickstart, recorded = os.path.join(root, "manifests/quickstart.yaml"), os.path.join(root, "manifests/recorded.csv")
    written = seconds([detector, "run", "--fast", "--duration", f"{ROWS}s", quickstart, "--report", path("million.html")])
    drawn = browser(here, path("million.html"))
    first = min(first_picture(detector, recorded, path("first.html"), here) for _ in range(REPETITIONS))
    print(f"\n| what | detector | pandas + scikit-learn |\n|---|---|---|")
    print(f"| {ROWS:,} x {COLUMNS} from CSV to scores in CSV, the same forest | {ours_s:.2f} s | {theirs_s:.2f} s |")
    print(f"| {ROWS:,} readings simulated, judged and written as a report of {os.path.getsize(path('million.html')) / 2**20:.1f} MiB | {written:.2f} s | |")
    print(f"| that report, from opening it to drawn, in Chromium | {drawn['opened']:.0f} ms | |")
    print(f"| its slider: from a move to all charts drawn | {drawn['slid']:.0f} ms | |")
    print(f"| `detector run recorded.csv --report` to a drawn page, browser's start included | {first:.2f} s | |")
    print(f"\nfigures: csv_to_scores_ratio={theirs_s / ours_s:.2f} report_ms_for_1m={drawn['opened']:.0f} report_slider_ms_for_1m={drawn['slid']:.0f} time_to_first_picture_s={first:.2f}")


def write_rows(file):
    rows = np.random.default_rng(0).normal(size=(ROWS, COLUMNS))
    with open(file, "w") as output:
        output.write(",".join(f"c{column}" for column in range(COLUMNS)) + "\n")
        np.savetxt(output, rows, fmt="%.6f", delimiter=",")


def quietly(command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def seconds(command):
    start = time.perf_counter()
    quietly(command)
    return time.perf_counter() - start


def agree(ours, theirs):
    """Check that both computed the same scores: otherwise the ratio of their times means nothing."""
    first = [[float(row["score"]) for row, _ in zip(csv.DictReader(open(file)), range(10_000))] for file in (ours, theirs)]
    worst = np.abs(np.subtract(*first)).max()
    assert worst < 1e-9, f"the scores differ by {worst}"


def browser(here, page):
    return json.loads(subprocess.run(["node", os.path.join(here, "draw.cjs"), page], check=True, capture_output=True, text=True).stdout)


def first_picture(detector, recording, page, here):
    start = time.perf_counter()
    quietly([detector, "run", recording, "--report", page])
    browser(here, page)
    return time.perf_counter() - start


if __name__ == "__main__":
    main(*sys.argv[1:])
