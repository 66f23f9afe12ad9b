"""Scores ensembles on sets that they were not chosen on, to estimate their gain on new data.

Each candidate scores each set. Then, for each family of sets, the ensemble of two to four candidates that
gains most on all other families is scored on that family. The score of an ensemble is the most anomalous
score of its members, in bits of rarity: see detector/forest/src/ensemble/rarity.rs.
"""
import collections
import itertools

import numpy

#: Mode, sample size and extension.
CANDIDATES = [
    ("Standard", 256, 0), ("Standard", 1024, 0), ("Standard", 256, 1), ("Standard", 256, 2), ("AveragedGain", 256, 1),
    ("PooledGain", 256, 0), ("PooledGain", 256, 1), ("PooledGain", 32, 1), ("AdjustedDepth", 256, 0), ("Density", 256, 0),
    ("Density", 1024, 0), ("AdjustedDensity", 256, 0), ("AdjustedDensity", 1024, 0),
]
ENSEMBLES = [chosen for size in (2, 3, 4) for chosen in itertools.combinations(range(len(CANDIDATES)), size)]
#: Sets of the same origin. Every other set is a family of its own.
FAMILIES = [
    {"Cardiotocography", "cardio"},  # the same recordings, with other labels
    {"thyroid", "annthyroid"},  # the same patients of the Garavan Institute
    {"http", "smtp"},  # connections of one network: KDD Cup 1999
]
#: How ensembles are compared: by the gain in AUC, or by the mean of the gains in AUC and in average
#: precision.
CRITERIA = {"AUC": numpy.array([1, 0]), "AUC and AP": numpy.array([0.5, 0.5])}
LEARNED, RESOLUTION, SLOPE = 512, 0.25, 3.0
#: Bits from 0 to MAX are rounded to STEPS steps.
STEPS, MAX = 4096, 18.0


def bits(scores):
    """The rarity of each score among evenly spaced rows, computed as in rarity.rs, in steps of bits."""
    count = min(len(scores), LEARNED)
    levels, times = numpy.unique(scores[numpy.arange(count) * len(scores) // count], return_counts=True)
    rank = numpy.cumsum(times) - times + (times - 1) / 2
    rarity = -numpy.log2((count - rank) / (count + 1))
    kept = [0]
    for at in range(1, len(levels)):
        if at == len(levels) - 1 or rarity[at] >= rarity[kept[-1]] + RESOLUTION:
            kept.append(at)
    levels, rarity = levels[kept], rarity[kept]
    rare = numpy.interp(scores, levels, rarity)
    if len(levels) > 1:
        start = min(numpy.searchsorted(rarity, rarity[-1] - SLOPE), len(levels) - 2)
        slope = (rarity[-1] - rarity[start]) / (levels[-1] - levels[start])
        rare = numpy.where(scores > levels[-1], rarity[-1] + (scores - levels[-1]) * slope, rare)
    return numpy.clip(rare * (STEPS / MAX), 0, STEPS - 1).astype(numpy.int16)


def metrics(rare, labels):
    """AUC and average precision of whole numbers below STEPS."""
    positive, negative = (numpy.bincount(rare[labels == label], minlength=STEPS)[::-1] for label in (1, 0))
    true, false = numpy.cumsum(positive), numpy.cumsum(negative)
    auc = ((true - positive / 2) * negative).sum() / (true[-1] * false[-1])
    there = positive > 0
    return auc, (positive[there] * true[there] / (true + false)[there]).sum() / true[-1]


def gains(ours, sets, reference, seeds):
    """For each ensemble and set the mean over the seeds of AUC and average precision, less the reference's."""
    gained = []
    for name, rows, labels in sets:
        sums = numpy.zeros((len(ENSEMBLES), 2))
        for seed in range(seeds):
            fits = [(mode, size, min(extension, rows.shape[1] - 1)) for mode, size, extension in CANDIDATES]
            rare = numpy.array([bits(ours.ask("scores", fit, rows, seed)) for fit in fits])
            sums += [metrics(rare[list(chosen)].max(0), labels) for chosen in ENSEMBLES]
        gained.append(sums / seeds - reference[name])
    return numpy.array(gained).swapaxes(0, 1)


def shown(gained):
    means, errors = gained.mean(0), gained.std(0, ddof=1) / len(gained) ** 0.5
    return " | ".join(f"{mean:+.4f} ± {error:.4f}" for mean, error in zip(means, errors))


def called(chosen):
    return " + ".join("{} {}/{}".format(*CANDIDATES[at]) for at in chosen)


def table_of_selection(ours, sets, reference, stands, seeds=2):
    """Print the table. `stands` is the ensemble that Auto uses. Return the mean gain in AUC of the ensembles
    chosen by AUC and AP, on the sets that they were not chosen on."""
    sets = list(sets)
    gained = gains(ours, sets, reference, seeds)
    names = [name for name, _, _ in sets]
    families = FAMILIES + [{name} for name in names if not any(name in family for family in FAMILIES)]
    print(f"\nEnsembles chosen among {len(ENSEMBLES)}, less scikit-learn ({seeds} seeds; {len(families)} families)\n")
    print("| ensemble | AUC | AP |\n|---|---|---|")
    print("| the median one |", " | ".join(f"{gain:+.4f}" for gain in numpy.median(gained.mean(1), 0)), "|")
    print(f"| the one that stands: {called(stands)} |", shown(gained[ENSEMBLES.index(stands)]), "|")
    for criterion, weights in CRITERIA.items():
        values = gained @ weights
        best = values.mean(1).argmax()
        print(f"| the best by {criterion}, on the sets that it was chosen on: {called(ENSEMBLES[best])} |", shown(gained[best]), "|")
        left_out, picks = numpy.empty((len(names), 2)), collections.Counter()
        for family in families:
            out = numpy.array([name in family for name in names])
            picked = values[:, ~out].mean(1).argmax()
            left_out[out] = gained[picked][out]
            picks[called(ENSEMBLES[picked])] += 1
        (ensemble, times), others = picks.most_common()[0], len(picks) - 1
        often = f"{ensemble} {times} times, {others} others the rest"
        print(f"| chosen by {criterion} without the family that it is scored on: {often} |", shown(left_out), "|")
    return left_out[:, 0].mean()
