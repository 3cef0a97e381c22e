"""Arithmetic on probability rows.

A distribution is a row of probabilities over the classes. A row of NaN means no evidence and stays
NaN through every function here.
"""

import numpy as np

from productcat.arithmetic.vectors import products

TINY = np.finfo(np.float64).tiny


def softmax(scores):
    """Rows of scores → rows of probabilities, shape (n, k), float64."""
    scores = np.asarray(scores, np.float64)
    # An empty row of NaN must pass without numpy's "All-NaN" warning, so max and not nanmax.
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def sharpen(distributions, temperature):
    """Raise to the power 1 / temperature and normalise: temperature scaling (Guo et al. 2017).

    Parameters
    ----------
    distributions : ndarray of shape (n, n_classes)
    temperature : float, > 0
        Below 1 sharpens, above 1 flattens, 1 changes nothing.
    """
    return softmax(np.log(np.maximum(distributions, TINY)) / temperature)


def average(parts, weights=None, kind="log"):
    """Combine distributions of the same rows from several sources.

    A source without evidence for a row (NaN) is left out of that row, and the weights of the others
    count for the whole. Where no source has evidence the row is NaN.

    Parameters
    ----------
    parts : sequence of ndarray of shape (n, n_classes)
    weights : sequence of float, >= 0, optional
        One weight for each source, 1 by default. Only their proportions matter.
    kind : "log" | "plain"
        "plain" is the weighted arithmetic mean (linear opinion pool); "log" the normalised
        weighted geometric mean (logarithmic opinion pool; Genest & Zidek 1986).

    Returns
    -------
    ndarray of shape (n, n_classes)
    """
    if kind not in ("log", "plain"):
        raise ValueError(f'kind={kind!r}: expected "log" or "plain"')
    parts = np.stack([np.asarray(part, np.float64) for part in parts])
    weights = np.ones(len(parts)) if weights is None else np.asarray(weights, np.float64)
    known = ~np.isnan(parts).any(axis=2)
    shares = weights[:, None] * known
    with np.errstate(invalid="ignore"):
        shares = shares / shares.sum(axis=0)  # 0 / 0, a row without any evidence, becomes the NaN that it should be
    parts = np.where(known[:, :, None], parts, 1.0)
    if kind == "plain":
        return (shares[:, :, None] * parts).sum(axis=0)
    return softmax((shares[:, :, None] * np.log(np.maximum(parts, TINY))).sum(axis=0))


def floor(distributions, amount):
    """Mix with the uniform distribution, so that no probability is below amount / n_classes.

    amount : float in [0, 1]
    """
    return (1.0 - amount) * distributions + amount / distributions.shape[1]


def kl_divergence(distributions, projections):
    """Kullback-Leibler divergence of every distribution from every projection, in nats.

    KL(p‖q) = Σ p log p − Σ p log q, so all pairs are one product (Kullback & Leibler 1951).

    Parameters
    ----------
    distributions : ndarray of shape (n_listings, n_classes)
    projections : ndarray of shape (n_categories, n_classes)
        Without zeros (see `floor`), else divergences are infinite.

    Returns
    -------
    ndarray of shape (n_listings, n_categories), >= 0; NaN rows where the distribution is NaN.
    """
    negative_entropy = (distributions * np.log(np.maximum(distributions, TINY))).sum(axis=1)
    divergences = negative_entropy[:, None] - products(distributions, np.log(projections))
    return np.maximum(divergences, 0.0)  # rounding can leave -1e-17 for equal rows; NaN stays NaN


def entropy(distributions):
    """Shannon entropy of each row, in nats, shape (n,)."""
    return -(distributions * np.log(np.maximum(distributions, TINY))).sum(axis=1)


def information_of(distributions):
    """What distributions hold: 0 where all classes are alike, 1 where one is certain. → ndarray of shape (n,)"""
    return np.clip(1 - entropy(distributions) / np.log(max(distributions.shape[1], 2)), 0.0, 1.0)
