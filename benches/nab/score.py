"""Series with labelled windows and a score for each row in; the score of the Numenta Anomaly Benchmark out.

Lavin and Ahmad, "Evaluating Real-time Anomaly Detection Algorithms" (2015): of each window the first detection counts, the
earlier the more, by a sigmoid; each detection outside costs, less shortly after a window. One threshold for all series,
the best for the profile. 0 is what finding nothing gives, 100 what finding every window at its first row gives.
"""
import numpy as np

# (weight of a missed window, of a false detection); a window that is found weighs 1.
PROFILES = {"standard": (1.0, 0.11), "low FP": (1.0, 0.22), "low FN": (2.0, 0.11)}
CUTS = 150


def probation(rows):
    """How many rows at the beginning are to learn from, and do not count."""
    return min(int(0.15 * rows), 750)


def sigmoid(x):
    return 2 / (1 + np.exp(5 * np.asarray(x, float))) - 1


def worth(rows, windows):
    """For each row, the window that it is in, or -1; and what a detection there is worth, -1 to 1."""
    inside, value = np.full(rows, -1), np.full(rows, -1.0)
    at = np.arange(rows)
    for number, (first, last) in enumerate(windows):
        length = last - first + 1
        here = slice(first, last + 1)
        inside[here] = number
        value[here] = sigmoid((at[here] - last - 1) / length) / sigmoid(-1)
        until = windows[number + 1][0] if number + 1 < len(windows) else rows
        after = slice(last + 1, until)
        distance = (at[after] - last) / max(length - 1, 1)
        value[after] = np.where(distance > 3, -1.0, sigmoid(np.minimum(distance, 3)))
    return inside, value


def gained(one, detected):
    """What the detections of a series bring: windows found, what their first detections are worth, what those outside are."""
    inside, value = worth(len(one.times), one.windows)
    detected = np.flatnonzero(detected)
    detected = detected[detected >= probation(len(one.times))]
    windows, first = np.unique(inside[detected], return_index=True)
    found = value[detected[first]][windows >= 0]  # a window is worth less and less: the first detection is the best
    return len(found), found.sum(), value[detected[inside[detected] < 0]].sum()


class Judged:
    """An engine's scores, by one rule of alarms, at every threshold that is tried."""

    def __init__(self, series, scores, rule, highest, also=()):
        """`rule(scores, cut, highest)` are the rows that are detected; `also` has thresholds that must be among those tried."""
        counted = np.concatenate([score[probation(len(score)) :] for score in map(np.asarray, scores)])
        ranks = np.unique(np.geomspace(1, max(len(counted) // 10, 1), CUTS).astype(int))
        self.series = series
        self.cuts = np.unique([*np.sort(counted)[::-1][ranks], *also])[::-1]
        parts = [[gained(one, rule(score, cut, highest)) for one, score in zip(series, scores)] for cut in self.cuts]
        self.parts = np.array(parts, float)  # cuts x series x 3

    def points(self, profile="standard", of=slice(None)):
        """By threshold and series: their sum is the NAB score of the series that are chosen."""
        missed, false = PROFILES[profile]
        windows = np.array([len(one.windows) for one in self.series])[of].sum()
        found, value, outside = np.moveaxis(self.parts[:, of], -1, 0)
        return 100 * (missed * found + value + false * outside) / ((1 + missed) * windows)

    def best(self, profile="standard", of=slice(None)):
        """(NAB score, number of the threshold that is best), where no alarm at all is 0."""
        reached = self.points(profile, of).sum(axis=1)
        number = int(np.argmax(reached))
        return float(reached[number]), number

    def at(self, cut):
        """The number of a threshold that must have been among those tried."""
        return int(np.flatnonzero(self.cuts == cut)[0])
