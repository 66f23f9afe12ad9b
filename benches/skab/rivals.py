"""Rows in; which rows after the training rows are anomalous out: by a forest, PCA and MSET, each with a
threshold by its own rule."""
import numpy as np
from sklearn.ensemble import IsolationForest


def isolation_forest(values, train, seed):
    """scikit-learn's forest, with contamination 0.001, the best of three values on these files."""
    forest = IsolationForest(contamination=0.001, random_state=seed, n_jobs=1).fit(values[:train])
    return forest.predict(values[train:]) < 0


def pca(values, train, _seed, share=0.9, quantile=0.99):
    """Hotelling's T2 in the components that hold `share` of the variance, and Q, what is left: Jackson and Mudholkar (1979).
    A row is anomalous if T2 or Q is over 1.5 times its quantile among the training rows."""
    scaled = standardised(values, train)
    _, singular, axes = np.linalg.svd(scaled[:train], full_matrices=False)
    kept = int(np.searchsorted(np.cumsum(singular**2) / (singular**2).sum(), share)) + 1
    projected = scaled @ axes[:kept].T
    t2 = (projected**2 / (singular[:kept] ** 2 / train)).sum(axis=1)
    q = ((scaled - projected @ axes[:kept]) ** 2).sum(axis=1)
    over = [statistic > 1.5 * np.quantile(statistic[:train], quantile) for statistic in (t2, q)]
    return (over[0] | over[1])[train:]


def mset(values, train, _seed, memory=100, quantile=0.99):
    """Multivariate state estimation (Singer et al., 1997): each row is estimated from `memory` training rows by their likeness
    to it; it is anomalous if the residual is over 1.5 times its quantile among the training rows."""
    scaled = standardised(values, train)
    rows = scaled[np.linspace(0, train - 1, memory).astype(int)]
    likeness = lambda a, b: 1 / (1 + np.linalg.norm(a[:, None, :] - b[None, :, :], axis=2))
    weights = np.linalg.pinv(likeness(rows, rows), rcond=1e-6) @ likeness(rows, scaled)
    residual = np.linalg.norm(scaled - (weights / weights.sum(axis=0)).T @ rows, axis=1)
    return (residual > 1.5 * np.quantile(residual[:train], quantile))[train:]


def standardised(values, train):
    spread = values[:train].std(axis=0)
    return (values - values[:train].mean(axis=0)) / np.where(spread > 0, spread, 1)
