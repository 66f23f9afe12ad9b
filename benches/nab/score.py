"""Series with labelled windows and a score for each row in; the score of the Numenta Anomaly Benchmark out.

Lavin and Ahmad, "Evaluating Real-time Anomaly Detection Algorithms" (2015): only the first detection in a
window counts, and the earlier it is the more, by a sigmoid. Each detection outside the windows costs points,
fewer shortly after a window. All series have the same threshold, the best one for the profile. Finding
nothing gives 0 points, finding every window at its first row 100.
"""
import numpy as np

# (weight of a missed window, of a false detection); a window that is found weighs 1.
PROFILES = {"standard": (1.0, 0.11), "low FP": (1.0, 0.22), "low FN": (2.0, 0.11)}
CUTS = 150


def probation(rows):
    """The number of rows at the beginning that are for training and do not count."""
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
    """The value of a series' detections: the number of windows found, the worth of the first detection in
    each of them, and the worth of the detections outside the windows."""
    inside, value = worth(len(one.times), one.windows)
    detected = np.flatnonzero(detected)
    detected = detected[detected >= probation(len(one.times))]
    windows, first = np.unique(inside[detected], return_index=True)
    found = value[detected[first]][windows >= 0]  # the worth falls within a window: the first detection is the best
    return len(found), found.sum(), value[detected[inside[detected] < 0]].sum()


class Judged:
    """An engine's scores, by one rule of alarms, at every threshold that is tried."""

    def __init__(self, series, scores, rule, highest, also=()):
        """`rule(scores, cut, highest)` returns the rows that are detected; `also`: thresholds to try besides
        the usual ones."""
        counted = np.concatenate([score[probation(len(score)) :] for score in map(np.asarray, scores)])
        ranks = np.unique(np.geomspace(1, max(len(counted) // 10, 1), CUTS).astype(int))
        self.series = series
        self.cuts = np.unique([*np.sort(counted)[::-1][ranks], *also])[::-1]
        parts = [[gained(one, rule(score, cut, highest)) for one, score in zip(series, scores)] for cut in self.cuts]
        self.parts = np.array(parts, float)  # cuts x series x 3

    def points(self, profile="standard", of=slice(None)):
        """The points by threshold and series. Their sum over the series `of` is the NAB score of these
        series."""
        missed, false = PROFILES[profile]
        windows = np.array([len(one.windows) for one in self.series])[of].sum()
        found, value, outside = np.moveaxis(self.parts[:, of], -1, 0)
        return 100 * (missed * found + value + false * outside) / ((1 + missed) * windows)

    def best(self, profile="standard", of=slice(None)):
        """(NAB score at the best threshold, index of that threshold). No alarm at all gives 0."""
        reached = self.points(profile, of).sum(axis=1)
        number = int(np.argmax(reached))
        return float(reached[number]), number

    def at(self, cut):
        """The index of a threshold, which must be among those tried."""
        return int(np.flatnonzero(self.cuts == cut)[0])
