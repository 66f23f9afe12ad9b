"""Two engines' alarms in, a table of what each category of series brings to the score out: whether a gain holds everywhere."""
import numpy as np


def table(series, ours, theirs):
    """Points of the whole score by category, means over the seeds, at each engine's best threshold; and the gain where each
    category is judged at the thresholds that are best for all others. Returns the standard error of the whole gain, and our
    score where each category is judged at the thresholds of the others."""
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
    """Of a sum of paired differences, had the series been others of the kind."""
    return np.sqrt(len(differences)) * differences.std(ddof=1)
