"""Isolation forests with scikit-learn's interface, in the format that Anomaly Operator serves."""

from anomaly_operator._isolation_forest import IsolationForest

__all__ = ["IsolationForest"]
