"""Arithmetic on probability rows.

A distribution is a row of probabilities over the classes. A row of NaN means no evidence and stays
NaN through every function here.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

TINY = np.finfo(np.float64).tiny


def softmax(scores: ArrayLike) -> NDArray[np.float64]:
    """Turn rows of scores into rows of probabilities, shape (n, k)."""
    scores = np.asarray(scores, np.float64)
    # max, not nanmax: a row of NaN must pass without numpy's "All-NaN" warning.
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    rows: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return rows


def sharpen(distributions: NDArray[np.floating], temperature: float) -> NDArray[np.float64]:
    """Raise to the power 1 / temperature and normalise: temperature scaling (Guo et al. 2017).

    Parameters
    ----------
    distributions : ndarray of shape (n, n_classes)
    temperature : float, > 0
        Below 1 sharpens, above 1 flattens, 1 changes nothing.
    """
    return softmax(np.log(np.maximum(distributions, TINY)) / temperature)


def average(
    parts: Sequence[NDArray[np.floating]],
    weights: ArrayLike | None = None,
    kind: Literal["log", "plain"] = "log",
) -> NDArray[np.float64]:
    """Combine distributions of the same rows from several sources.

    A source without evidence for a row (NaN) is left out of that row, and the weights of the others
    count for the whole. Where no source has evidence, the row is NaN.

    Parameters
    ----------
    parts : sequence of ndarray of shape (n, n_classes)
    weights : sequence of float, >= 0, optional
        One weight for each source, 1 by default. Only their ratios matter.
    kind : "log" | "plain"
        "plain" is the weighted arithmetic mean (linear opinion pool); "log" the normalised
        weighted geometric mean (logarithmic opinion pool; Genest & Zidek 1986).

    Returns
    -------
    ndarray of shape (n, n_classes)
    """
    if kind not in ("log", "plain"):
        raise ValueError(f'kind={kind!r}: expected "log" or "plain"')
    stacked = np.stack([np.asarray(part, np.float64) for part in parts])
    known = ~np.any(np.isnan(stacked), axis=2)
    given = np.ones(len(parts)) if weights is None else np.asarray(weights, np.float64)
    shares: NDArray[np.float64] = given[:, None] * known
    with np.errstate(invalid="ignore"):
        shares = shares / shares.sum(axis=0)  # 0 / 0, a row without any evidence, becomes the NaN that it should be
    stacked = np.where(known[:, :, None], stacked, 1.0)
    if kind == "plain":
        mean: NDArray[np.float64] = (shares[:, :, None] * stacked).sum(axis=0)
        return mean
    return softmax((shares[:, :, None] * np.log(np.maximum(stacked, TINY))).sum(axis=0))


def entropy(distributions: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the Shannon entropy of each row, in nats, shape (n,)."""
    entropies: NDArray[np.float64] = -(distributions * np.log(np.maximum(distributions, TINY))).sum(axis=1)
    return entropies


def information_of(distributions: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return what each row tells, shape (n,): 0 where all classes are equally likely, 1 where one is certain."""
    highest: float = np.log(max(distributions.shape[1], 2))
    return np.clip(1 - entropy(distributions) / highest, 0.0, 1.0)
