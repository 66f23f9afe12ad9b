"""Measures how well this project's forest judges, beside scikit-learn and isotree: tables, then the figures.

    python compare.py CACHE DATA [SEEDS]

CACHE holds what `run` put there, DATA labelled tables. Labels are used for the metrics and nowhere else. Every engine is
fitted on the whole set and scores it. A difference is paired: per set the mean over the seeds, then mean and standard error over
the sets. isotree seeds tree k with seed + k, so its seeds are further apart than it has trees.
"""
import pathlib
import subprocess
import sys

import numpy
import pandas
from isotree import IsolationForest as Isotree
from scipy.stats import spearmanr
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score

from selection import CANDIDATES, table_of_selection

#: Mode, sample size and extension here, and isotree's name for the same.
MODES = [
    (("Standard", 256, 0), {}),
    (("Standard", 256, 1), {}),
    (("AveragedGain", 256, 0), dict(prob_pick_avg_gain=1, ntry=10)),
    (("AveragedGain", 256, 1), dict(prob_pick_avg_gain=1, ntry=10)),
    (("PooledGain", 256, 1), dict(prob_pick_pooled_gain=1)),
    (("PooledGain", 32, 1), dict(prob_pick_pooled_gain=1)),
    (("AdjustedDepth", 256, 0), dict(scoring_metric="adj_depth")),
    (("Density", 256, 0), dict(scoring_metric="density")),
    (("AdjustedDensity", 256, 0), dict(scoring_metric="adj_density")),
]
#: Sets with several columns, for the comparisons that are not of AUC and average precision.
THREE = ["Pima", "cardio", "vowels"]
AUTO = ("Auto", 256, 0)
#: The forests that Auto combines, as indices of CANDIDATES.
ENSEMBLE = tuple(CANDIDATES.index(member) for member in [("Standard", 256, 2), ("PooledGain", 256, 1), ("AdjustedDensity", 256, 0)])


class Ours:
    def __init__(self, cache):
        self.engine = cache / "target/release/engine"
        self.folder = cache

    def ask(self, what, mode, rows, seed, trees=100, others=()):
        paths = []
        for at, table in enumerate([rows, *others]):
            path = self.folder / f"rows-{at}.f64"
            table.astype("<f8").tofile(path)
            paths.append(str(path))
        options = [what, mode[0], str(trees), str(mode[1]), str(mode[2]), str(seed), str(rows.shape[1]), *paths]
        done = subprocess.run([self.engine, *options], capture_output=True)
        if done.returncode != 0:
            sys.exit(done.stderr.decode())
        return numpy.frombuffer(done.stdout)


def scikit_learn(rows, seed):
    forest = IsolationForest(n_estimators=100, max_samples=min(256, len(rows)), random_state=seed)
    return -forest.fit(rows).score_samples(rows)


def isotree(rows, seed, mode, options, trees=100):
    shape = dict(ndim=min(mode[2] + 1, rows.shape[1]), sample_size=min(mode[1], len(rows)), ntrees=trees)
    options = {**options, **({"ntry": min(options["ntry"], rows.shape[1])} if "ntry" in options else {})}
    forest = Isotree(random_seed=1 + 100_003 * seed, missing_action="fail", nthreads=1, **shape, **options)
    return forest.fit(rows).predict(rows)


def load(folder):
    for path in sorted(folder.glob("*.csv.gz"), key=lambda path: path.stat().st_size):
        table = pandas.read_csv(path).to_numpy(numpy.float64)
        yield path.name.removesuffix(".csv.gz"), numpy.ascontiguousarray(table[:, :-1]), table[:, -1].astype(int)


def judged(ours, sets, seeds):
    """AUC and average precision of each set, engine and seed."""
    engines = {
        "scikit-learn": scikit_learn,
        "Standard": lambda rows, seed: ours.ask("scores", MODES[0][0], rows, seed),
        "Auto": lambda rows, seed: ours.ask("scores", AUTO, rows, seed),
    }
    results = []
    for name, rows, labels in sets:
        print(f"\r{name:30}", end="", file=sys.stderr)
        for engine, score in engines.items():
            for seed in range(seeds):
                scores = score(rows, seed)
                auc, ap = roc_auc_score(labels, scores), average_precision_score(labels, scores)
                results.append((name, engine, seed, auc, ap))
    print("\r" + " " * 30 + "\r", end="", file=sys.stderr)
    return pandas.DataFrame(results, columns=["set", "engine", "seed", "auc", "ap"])


def gain(results, engine, metric, over="scikit-learn"):
    """The mean difference over the sets, and its standard error."""
    means = results.pivot_table(index="set", columns="engine", values=metric)
    differences = means[engine] - means[over]
    return differences.mean(), differences.std(ddof=1) / len(differences) ** 0.5


def table_of_sets(results):
    engines = ["scikit-learn", "Standard", "Auto"]
    print("\nAUC / average precision, mean over the seeds\n\n| set |", " | ".join(engines), "|\n|" + "---|" * 4)
    for name, rows in results.groupby("set"):
        means = rows.groupby("engine")[["auc", "ap"]].mean()
        print(f"| {name} |", " | ".join(f"{means.auc[e]:.3f} / {means.ap[e]:.3f}" for e in engines), "|")
    print("\n| engine | mean AUC | mean AP | seed sd of AUC | AUC less scikit-learn's | AP less scikit-learn's |\n|" + "---|" * 6)
    for engine in engines:
        rows = results[results.engine == engine]
        deviation = rows.groupby("set").auc.std(ddof=1).mean()
        differences = [("%+.4f ± %.4f" % gain(results, engine, metric)) for metric in ("auc", "ap")]
        print(f"| {engine} | {rows.auc.mean():.4f} | {rows.ap.mean():.4f} | {deviation:.4f} |", " | ".join(differences), "|")


def table_of_modes(ours, sets):
    """Spearman's correlation of scores: ours with isotree's, and each with itself under another seed, 500 trees."""
    print("\nModes: correlation of the scores of 500 trees, ours with isotree's (ours, and isotree's, with another seed)\n")
    print("| mode, sampleSize, extension |", " | ".join(sets), "|\n|" + "---|" * (1 + len(sets)))
    lowest = 1.0
    for mode, options in MODES:
        cells = []
        for rows, _ in sets.values():
            mine = [ours.ask("scores", mode, rows, seed, 500) for seed in (1, 2)]
            theirs = [isotree(rows, seed, mode, options, 500) for seed in (1, 2)]
            across = spearmanr(mine[0], theirs[0])[0]
            lowest = min(lowest, across)
            cells.append(f"{across:.3f} ({spearmanr(*mine)[0]:.3f}, {spearmanr(*theirs)[0]:.3f})")
        print(f"| {', '.join(map(str, mode))} |", " | ".join(cells), "|")
    return lowest


def agreement_with_shap(ours, sets):
    """Spearman's correlation of our contributions with TreeExplainer's values for scikit-learn's forest,
    averaged over the 200 most anomalous rows of each set. Returns the mean and the least over the sets."""
    import shap

    print("\nContributions beside SHAP's TreeExplainer\n\n| set | Spearman | the same column first |\n|---|---|---|")
    means = []
    for name, (rows, _) in sets.items():
        forest = IsolationForest(n_estimators=100, max_samples=256, random_state=0).fit(rows)
        anomalous = rows[numpy.argsort(forest.score_samples(rows))[:200]]
        shares = ours.ask("contributions", MODES[0][0], rows, 0, others=[anomalous]).reshape(anomalous.shape)
        values = -shap.TreeExplainer(forest).shap_values(anomalous)
        means.append(numpy.nanmean([spearmanr(*pair)[0] for pair in zip(shares, values)]))
        print(f"| {name} | {means[-1]:.3f} | {(shares.argmax(1) == values.argmax(1)).mean():.2f} |")
    return numpy.mean(means), min(means)


def with_faults(rows, labels, deviations):
    """400 ordinary rows, each with one cell moved to `deviations` standard deviations from its column's mean;
    and the columns of these cells."""
    random = numpy.random.default_rng(5)
    ordinary = rows[labels == 0]
    faulty = ordinary[random.integers(0, len(ordinary), 400)].copy()
    columns = random.choice(numpy.flatnonzero(rows.std(0) > 0), len(faulty))
    moves = random.choice([-deviations, deviations], len(faulty)) * rows.std(0)[columns]
    faulty[numpy.arange(len(faulty)), columns] = rows.mean(0)[columns] + moves
    return faulty, columns


def faults_found(ours, sets):
    """How often the column with an injected fault contributes most, here and by TreeExplainer of scikit-learn's forest."""
    import shap

    print("\nInjected faults of one column: how often it comes first\n\n| set | deviations | Standard | Auto | TreeExplainer |\n|" + "---|" * 5)
    found = {}
    for name, (rows, labels) in sets.items():
        forest = IsolationForest(n_estimators=100, max_samples=256, random_state=0).fit(rows)
        explainer = shap.TreeExplainer(forest)
        for deviations in (4, 8, 16):
            faulty, columns = with_faults(rows, labels, deviations)
            shares = [ours.ask("contributions", mode, rows, 0, others=[faulty]) for mode in (MODES[0][0], AUTO)]
            shares = [*(share.reshape(faulty.shape) for share in shares), -explainer.shap_values(faulty)]
            first = [(share.argmax(1) == columns).mean() for share in shares]
            found.setdefault(deviations, []).append(first)
            print(f"| {name} | {deviations} |", " | ".join(f"{share:.3f}" for share in first), "|")
    return numpy.mean(found[8], axis=0)


def costs(ours, sets):
    print("\nCosts, one thread or more as there are\n\n| set | mode | fit ms | score us | score and explanation us |\n|" + "---|" * 5)
    ratios = {"auto_fit": [], "explain": []}
    for name, (rows, _) in sets.items():
        seconds = {mode[0]: ours.ask("seconds", mode, rows, 0) for mode in (MODES[0][0], AUTO)}
        for mode, (fit, score, explain) in seconds.items():
            print(f"| {name} | {mode} | {fit * 1e3:.2f} | {score * 1e6:.2f} | {explain * 1e6:.2f} |")
        ratios["auto_fit"].append(seconds["Auto"][0] / seconds["Standard"][0])
        ratios["explain"].append(seconds["Standard"][2] / seconds["Standard"][1])
    return {name: max(values) for name, values in ratios.items()}


def main(cache, data, seeds):
    ours = Ours(cache)
    results = judged(ours, load(data), seeds)
    table_of_sets(results)
    reference = results[results.engine == "scikit-learn"].groupby("set")[["auc", "ap"]].mean()
    left_out = table_of_selection(ours, load(data), dict(zip(reference.index, reference.to_numpy())), ENSEMBLE)
    three = {name: (rows, labels) for name, rows, labels in load(data) if name in THREE}
    if len(three) < len(THREE):
        sys.exit(f"the rest needs the sets {', '.join(THREE)}")
    lowest = table_of_modes(ours, three)
    spearman, least = agreement_with_shap(ours, three)
    found, _, found_by_shap = faults_found(ours, three)
    ratios = costs(ours, three)
    auc, ap = (gain(results, "Standard", metric)[0] for metric in ("auc", "ap"))
    auto, error = gain(results, "Auto", "auc")
    figures = dict(default_auc_gain=auc, default_ap_gain=ap, auto_auc_gain=auto, auto_auc_gain_se=error)
    figures |= dict(auto_ap_gain=gain(results, "Auto", "ap")[0], left_out_auc_gain=left_out)
    figures |= dict(mode_correlation_least=lowest)
    figures |= dict(explain_spearman=spearman, explain_spearman_least=least, fault_first=found, fault_first_shap=found_by_shap)
    figures |= dict(auto_fit_times=ratios["auto_fit"], explain_times=ratios["explain"])
    print("\nfigures:", " ".join(f"{name}={value:.4f}" for name, value in figures.items()))


main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 10)
