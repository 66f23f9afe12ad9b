"""`IsolationForest`: scikit-learn's interface on Anomaly Operator's forest."""

import os
import pickle
import warnings
from numbers import Integral, Real

import joblib
import numpy
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from anomaly_operator import _sklearn_trees
from anomaly_operator._native import Model

MODES = {"Standard", "Auto", "AveragedGain", "PooledGain", "AdjustedDepth", "Density", "AdjustedDensity"}


class IsolationForest(OutlierMixin, BaseEstimator):
    """Isolation forest (Liu, Ting and Zhou, 2008) with the interface of `sklearn.ensemble.IsolationForest`, and faster.

    Beyond the range of the training rows, `score_samples` falls with the distance; in scikit-learn's forest such a row scores
    like a row on the edge. Cells may be NaN, which means missing.

    Parameters
    ----------
    n_estimators : int, default=100
        The number of trees, 1 to 10000.
    max_samples : "auto", int or float, default="auto"
        The rows that each tree is grown from: "auto" is 256, or all where there are fewer; an int is their number, a float
        their share.
    contamination : "auto" or float, default="auto"
        The share of the training rows that `predict` calls anomalous, in (0, 0.5]; "auto" calls those anomalous that score
        below -0.5.
    max_features : int or float, default=1.0
        The columns that each tree sees, drawn at random for each tree: an int is their number, a float their share.
    bootstrap : bool, default=False
        False: each tree's rows are drawn without replacement, as in the paper. True is refused: it is not supported.
    warm_start : bool, default=False
        False: `fit` grows every tree again. True is refused. With the same rows and `random_state`, a forest of more trees
        starts with the trees of a forest of fewer.
    extension_level : int, default=0
        The number of columns of a split, minus one: 0 is the original forest, 1 or more an extended one (Hariri, Kind and
        Brunner, 2021).
    mode : str, default="Standard"
        How trees are grown: "Standard", or "Auto" for three forests of different modes that score together; the others are
        for research.
    n_jobs : int or None, default=None
        The number of threads, as in scikit-learn: None is one, -1 all.
    random_state : int, RandomState or None, default=None
        The seed: the same number and the same rows give the same forest, on any number of threads.

    Attributes
    ----------
    offset_ : float
        `decision_function` is `score_samples` minus this offset.
    max_samples_ : int
        The number of rows that each tree was grown from.
    n_features_in_ : int
        The number of columns.
    feature_names_in_ : ndarray of str
        The names of the columns, where `fit` got a data frame.
    """

    _parameter_constraints = {
        "n_estimators": [Interval(Integral, 1, 10_000, closed="both")],
        "max_samples": [
            StrOptions({"auto"}),
            Interval(Integral, 1, None, closed="left"),
            Interval(Real, 0, 1, closed="right"),
        ],
        "contamination": [StrOptions({"auto"}), Interval(Real, 0, 0.5, closed="right")],
        "max_features": [Interval(Integral, 1, None, closed="left"), Interval(Real, 0, 1, closed="right")],
        "bootstrap": ["boolean"],
        "warm_start": ["boolean"],
        "extension_level": [Interval(Integral, 0, None, closed="left")],
        "mode": [StrOptions(MODES)],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        n_estimators=100,
        max_samples="auto",
        contamination="auto",
        max_features=1.0,
        bootstrap=False,
        warm_start=False,
        extension_level=0,
        mode="Standard",
        n_jobs=None,
        random_state=None,
    ):
        self.n_estimators = n_estimators
        self.max_samples = max_samples
        self.contamination = contamination
        self.max_features = max_features
        self.bootstrap = bootstrap
        self.warm_start = warm_start
        self.extension_level = extension_level
        self.mode = mode
        self.n_jobs = n_jobs
        self.random_state = random_state

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def fit(self, X, y=None, sample_weight=None):
        """Grow the trees over the rows of X; `y` is ignored.

        A row whose `sample_weight` is n counts as n rows, one whose weight is 0 as none. Weights must be whole numbers.
        """
        self._validate_params()
        for name, instead in (("bootstrap", "rows are drawn without replacement"), ("warm_start", "fit grows every tree")):
            if getattr(self, name):
                raise ValueError(f"{name} must be False, got True: {instead}")
        X = self._checked(X, numpy.float32, reset=True)
        X = _repeated(X, sample_weight)
        rows, columns = X.shape
        seed = check_random_state(self.random_state).randint(numpy.iinfo(numpy.int32).max)
        names = getattr(self, "feature_names_in_", [f"x{column}" for column in range(columns)])
        self.max_samples_ = self._sample_size(rows)
        self._model = Model.fit(
            X,
            self.n_estimators,
            self.max_samples_,
            self._columns_per_tree(columns),
            self.extension_level,
            self.mode,
            int(seed),
            None if self.contamination == "auto" else float(self.contamination),
            list(names) if columns > 1 or hasattr(self, "feature_names_in_") else ["value"],
            self._threads(),
        )
        self.offset_ = -self._model.threshold
        return self

    def score_samples(self, X):
        """The negative of the paper's score of each row, in [-1, 0): the lower, the more anomalous."""
        check_is_fitted(self)
        dtype = numpy.float64 if self._model.has_steps else numpy.float32
        return -self._model.scores(self._checked(X, dtype), self._threads())

    def decision_function(self, X):
        """`score_samples` minus `offset_`: below 0 is anomalous."""
        return self.score_samples(X) - self.offset_

    def predict(self, X):
        """-1 for anomalous rows, 1 for normal rows."""
        return numpy.where(self.decision_function(X) < 0, -1, 1)

    def explain(self, X):
        """The contribution of each column to each row's score: an array of X's shape, whose rows add up to 1."""
        check_is_fitted(self)
        return self._model.explain(self._checked(X, numpy.float64), self._threads())

    def save(self, path):
        """Write the model for `detector serve`, `detector score` and the operator. It replaces an existing file atomically."""
        check_is_fitted(self)
        path = os.fspath(path)
        beside = f"{path}.{os.getpid()}.tmp"
        with open(beside, "wb") as file:
            file.write(self._model.to_bytes())
        os.replace(beside, path)

    @classmethod
    def load(cls, path):
        """Read a model file of `save`, `detector train`, a running detector, scikit-learn or ONNX. No code in it is run.

        `path` may also be an open binary file.
        """
        if hasattr(path, "read"):
            return cls._of(Model.from_bytes(path.read()))
        with open(path, "rb") as file:
            return cls._of(Model.from_bytes(file.read()))

    @classmethod
    def from_sklearn(cls, model):
        """Import a fitted `sklearn.ensemble.IsolationForest`, or a pipeline of scalers and imputers that ends in one.

        Predictions stay the same; where they do not, a warning names the rows.
        """
        imported = Model.from_bytes(pickle.dumps(model, protocol=5))
        for warning in imported.warnings:
            warnings.warn(warning)
        return cls._of(imported)

    def to_sklearn(self):
        """Export the same trees as a `sklearn.ensemble.IsolationForest`.

        scikit-learn's forest does not know the range of the training rows: a row beyond it scores like a row on the edge.
        """
        check_is_fitted(self)
        if self._model.has_steps:
            raise ValueError("the model has steps before its forest: scikit-learn's own pipeline has them")
        forest = _sklearn_trees.forest(self._model.trees(), self._model.columns, self._model.sample_size)
        forest.offset_ = self.offset_
        if hasattr(self, "feature_names_in_"):
            forest.feature_names_in_ = self.feature_names_in_
        return forest

    @classmethod
    def _of(cls, model):
        forest = cls(n_estimators=model.total_trees, max_samples=model.sample_size)
        forest._model = model
        forest.max_samples_ = model.sample_size
        # A threshold need not follow from a `contamination`, so it is kept as an offset.
        forest.offset_ = -model.threshold
        forest.n_features_in_ = model.columns
        unnamed = [f"x{column}" for column in range(model.columns)]
        if model.names not in (unnamed, ["value"]):
            forest.feature_names_in_ = numpy.array(model.names, dtype=object)
        return forest

    def __sklearn_is_fitted__(self):
        return hasattr(self, "_model")

    def _checked(self, X, dtype, reset=False):
        return validate_data(self, X, dtype=dtype, order="C", ensure_all_finite="allow-nan", reset=reset)

    def _sample_size(self, rows):
        if isinstance(self.max_samples, str):
            return min(256, rows)
        if not isinstance(self.max_samples, Integral):
            return max(1, int(self.max_samples * rows))
        if self.max_samples > rows:
            warnings.warn(
                f"max_samples ({self.max_samples}) is greater than the number of rows ({rows}), which is taken instead"
            )
        return min(int(self.max_samples), rows)

    def _columns_per_tree(self, columns):
        if not isinstance(self.max_features, Integral):
            return max(1, int(self.max_features * columns))
        if self.max_features > columns:
            raise ValueError(f"max_features must be at most the number of columns, {columns}, got {self.max_features}")
        return int(self.max_features)

    def _threads(self):
        return joblib.effective_n_jobs(self.n_jobs)


def _repeated(X, sample_weight):
    """Repeat each row as often as its weight."""
    if sample_weight is None:
        return X
    weights = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
    odd = weights[weights != numpy.floor(weights)]
    if odd.size:
        raise ValueError(f"sample_weight must be whole numbers, since a row of weight 2 counts as two rows, got {odd[0]}")
    if not weights.any():
        raise ValueError("sample_weight must be greater than 0 for some rows, got 0 for all")
    return X if (weights == 1).all() else numpy.ascontiguousarray(X.repeat(weights.astype(numpy.intp), axis=0))
