"""Writes scikit-learn.json: a small forest as scikit-learn grew it, rows, and the scores it gives them.

    pip install scikit-learn==1.9.1 && python make.py > scikit-learn.json
"""
import json

import numpy
import sklearn
from sklearn.ensemble import IsolationForest

CONTAMINATION = 0.1


def data():
    """300 rows of four columns: two that scatter, one of few values, one that is constant."""
    random = numpy.random.default_rng(7)
    return numpy.column_stack(
        [
            random.normal(0, 1, 300),
            random.exponential(1000, 300),
            random.integers(0, 3, 300),
            numpy.full(300, 7.5),
        ]
    )


def nodes(tree):
    fields = zip(
        tree.feature.tolist(),
        tree.threshold.tolist(),
        tree.children_left.tolist(),
        tree.children_right.tolist(),
        tree.n_node_samples.tolist(),
    )
    return [
        {"samples": samples} if left < 0 else {"column": column, "threshold": threshold, "left": left, "right": right}
        for column, threshold, left, right, samples in fields
    ]


def main():
    train = data()
    forest = IsolationForest(n_estimators=20, max_samples=64, contamination=CONTAMINATION, random_state=3).fit(train)
    many = IsolationForest(n_estimators=1000, max_samples=64, random_state=4).fit(train)
    rows = numpy.vstack([train, [[9, 50, 1, 7.5], [0, -1e6, 2, 0], [0.1, 1e30, -5, 7.6]]])
    reference = {
        "by": f"scikit-learn {sklearn.__version__}",
        "columns": train.shape[1],
        "sampleSize": forest.max_samples_,
        "trees": [nodes(tree.tree_) for tree in forest.estimators_],
        "rows": rows.tolist(),
        "scores": (-forest.score_samples(rows)).tolist(),
        "contamination": CONTAMINATION,
        "scoresOfManyTrees": (-many.score_samples(rows)).tolist(),
        "trainingRows": len(train),
        "cut": -float(forest.offset_),
    }
    print(json.dumps(reference))


main()
