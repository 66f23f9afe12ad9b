"""Trees as lists of nodes in, a `sklearn.ensemble.IsolationForest` out."""

import numpy
from sklearn.ensemble import IsolationForest
from sklearn.ensemble._iforest import _average_path_length


def forest(trees, columns, sample_size):
    """Build a scikit-learn forest of these trees. What differs between its versions is copied from a small fitted one."""
    # The template has one tree; all trees are built like it.
    template = IsolationForest(n_estimators=1, max_samples=2, random_state=0)
    template.fit(numpy.arange(2.0)[:, None].repeat(columns, axis=1))
    estimator, seen = template.estimators_[0], template.estimators_features_[0]
    made = IsolationForest(n_estimators=len(trees), max_samples=sample_size)
    made.__dict__.update({name: value for name, value in vars(template).items() if name not in made.get_params()})
    made.estimators_ = [_estimator(estimator, tree) for tree in trees]
    made.estimators_features_ = [seen] * len(trees)
    made.max_samples_ = sample_size
    made._max_samples = sample_size
    grown = [estimator.tree_ for estimator in made.estimators_]
    if hasattr(template, "_average_path_length_per_tree"):
        made._average_path_length_per_tree = tuple(_average_path_length(tree.n_node_samples) for tree in grown)
        made._decision_path_lengths = tuple(tree.compute_node_depths() for tree in grown)
    return made


def _estimator(template, tree):
    state = template.tree_.__getstate__()
    count = len(tree["left"])
    nodes = numpy.zeros(count, dtype=state["nodes"].dtype)
    nodes["left_child"], nodes["right_child"] = tree["left"], tree["right"]
    nodes["feature"], nodes["threshold"] = tree["column"], tree["threshold"]
    nodes["n_node_samples"] = nodes["weighted_n_node_samples"] = tree["samples"]
    inside = type(template.tree_)(template.tree_.n_features, numpy.array([1], dtype=numpy.intp), 1)
    inside.__setstate__(
        state | {"max_depth": max(tree["depth"]), "node_count": count, "nodes": nodes, "values": numpy.zeros((count, 1, 1))}
    )
    estimator = type(template)(**template.get_params())
    estimator.__dict__.update({name: value for name, value in vars(template).items() if name != "tree_"})
    estimator.tree_ = inside
    return estimator
