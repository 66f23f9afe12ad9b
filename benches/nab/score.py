"""Series with labelled windows and a score for each row in; the score of the Numenta Anomaly Benchmark out.

Lavin and Ahmad, "Evaluating Real-time Anomaly Detection Algorithms" (2015): of each window the first detection counts, the
earlier the more, by a sigmoid; each detection outside costs, less shortly after a window. One threshold for all series,
the best for the profile. 0 is what finding nothing gives, 100 what finding every window at its first row gives.
"""
import numpy as np

# (weight of a missed window, of a false detection); a window that is found weighs 1.
PROFILES = {"standard": (1.0, 0.11), "low FP": (1.0, 0.22), "low FN": (2.0, 0.11)}


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


def corpus(series, scores):
    """Every row that counts: (window, unique over the series, or -1; worth; score), and the number of windows."""
    parts, windows = [], 0
    for one, score in zip(series, scores):
        inside, value = worth(len(one.times), one.windows)
        counts = slice(probation(len(one.times)), None)
        parts.append((np.where(inside < 0, -1, inside + windows)[counts], value[counts], np.asarray(score)[counts]))
        windows += len(one.windows)
    return (*(np.concatenate(part) for part in zip(*parts)), windows)


def thresholds(series, scores, profile):
    """The NAB score at every threshold that makes a difference: (thresholds, falling; scores)."""
    missed, false = PROFILES[profile]
    inside, value, score, windows = corpus(series, scores)
    order = np.argsort(-score, kind="stable")
    best, gained = {}, np.zeros(len(order))
    for step, row in enumerate(order):
        window = inside[row]
        if window < 0:
            gained[step] = false * value[row]
        elif value[row] > best.get(window, -missed):
            gained[step] = value[row] - best.get(window, -missed)
            best[window] = value[row]
    score = score[order]
    last = np.append(score[1:] != score[:-1], True)  # rows of equal score are detected together
    reached = np.cumsum(gained)[last]
    # Relative to finding nothing, of what could be reached.
    return np.append(np.inf, score[last]), 100 * np.append(0, reached) / ((1 + missed) * windows)


def best(series, scores, profile="standard"):
    """(NAB score, threshold)."""
    cuts, reached = thresholds(series, scores, profile)
    at = int(np.argmax(reached))
    return float(reached[at]), float(cuts[at])


def at(series, scores, cut, profile="standard"):
    """The NAB score of a threshold that was chosen elsewhere."""
    cuts, reached = thresholds(series, scores, profile)
    return float(reached[np.flatnonzero(cuts >= cut)[-1]])


def parts(series, scores, cut, profile="standard"):
    """How many points each series brings to the NAB score of a threshold: together they are the score."""
    missed, false = PROFILES[profile]
    windows = sum(len(one.windows) for one in series)
    gained = [part(one, np.asarray(score) >= cut, missed, false) for one, score in zip(series, scores)]
    return 100 * np.array(gained) / ((1 + missed) * windows)


def part(one, detected, missed, false):
    inside, value = worth(len(one.times), one.windows)
    detected[: probation(len(one.times))] = False
    found = [value[detected & (inside == window)] for window in range(len(one.windows))]
    return false * value[detected & (inside < 0)].sum() + sum(missed + each.max() for each in found if each.size)
