"""Two engines' alarms in; a table of each category's share of the NAB score out, which shows whether a gain
holds in every category."""
import numpy as np


def table(series, ours, theirs):
    """Print each category's points of the whole score, as means over the seeds: at each engine's best
    threshold, and again with each category judged at the threshold that is best for all other categories.
    Return the standard error of the gain at the best thresholds, and our score at the thresholds of the other
    categories."""
    names = np.array([one.name.split("/")[0] for one in series])
    windows = np.array([len(one.windows) for one in series])
    points = [np.mean([run.points()[run.best()[1]] for run in runs], axis=0) for runs in (ours, theirs)]
    elsewhere = [np.mean([from_elsewhere(names, run) for run in runs], axis=0) for runs in (ours, theirs)]
    print("\n| category | series | windows | most | anomaly-operator | half-space trees | gain (se) | ours, threshold of the others | gain, thresholds of the others (se) |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in [*sorted(set(names)), "all"]:
        of = (names == name) | (name == "all")
        most = 100 * windows[of].sum() / windows.sum()
        print(f"| {name} | {of.sum()} | {windows[of].sum()} | {most:.1f} | {points[0][of].sum():.1f} | {points[1][of].sum():.1f} "
              f"| {gain(points, of)} | {elsewhere[0][of].sum():.1f} | {gain(elsewhere, of)} |")
    return error(points[0] - points[1]), elsewhere[0].sum()


def from_elsewhere(names, run):
    points = np.zeros(len(names))
    for name in set(names):
        number = run.best(of=names != name)[1]
        points[names == name] = run.points()[number][names == name]
    return points


def gain(points, of):
    difference = (points[0] - points[1])[of]
    return f"{difference.sum():+.1f} ({error(difference):.1f})"


def error(differences):
    """The standard error of a sum of paired differences, with the series as a random sample."""
    return np.sqrt(len(differences)) * differences.std(ddof=1)
