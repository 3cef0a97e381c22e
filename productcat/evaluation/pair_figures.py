"""Figures of merit of labelled pairs: precision and recall at every threshold, and figures made of them."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class PrecisionRecall:
    """What every threshold finds, the highest first.

    threshold, precision, recall : ndarray of shape (n_thresholds,)
        Score from which on a pair counts as found; share of the found that is right; share of the right that is found.
    found_right, found_wrong : ndarray of shape (n_thresholds,)
        Numbers of pairs, or the sums of their weights.
    """

    threshold: NDArray[np.float64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    found_right: NDArray[np.float64]
    found_wrong: NDArray[np.float64]

    @classmethod
    def of(cls, scores: ArrayLike, labels: ArrayLike, weights: NDArray[np.float64] | None = None) -> Self:
        """Measure scored pairs.

        Parameters
        ----------
        scores : ndarray of shape (n_pairs,)
        labels : ndarray of shape (n_pairs,), bool
            Whether the two listings of a pair are one item.
        weights : ndarray of shape (n_pairs,), optional
            How often each pair counts; at least one pair of one item must count.

        Raises
        ------
        ValueError
            A score is not finite, there is not one score for each label, or no pair is of one item.
        """
        scores, labels = np.asarray(scores, float), np.asarray(labels, bool)
        if scores.ndim != 1 or scores.shape != labels.shape or not np.isfinite(scores).all() or not labels.any():
            shapes = f"scores of shape {scores.shape}, labels of shape {labels.shape}"
            raise ValueError(f"{shapes}: expected one finite score a label, and at least one positive")
        weights = np.ones(len(scores)) if weights is None else weights
        order = np.argsort(-scores, kind="stable")
        # A threshold takes all pairs of equal score, so only the last of each run of equals can be a cut.
        last = np.append(np.diff(scores[order]) != 0, True)
        right, wrong = (np.cumsum((weights * each)[order])[last] for each in (labels, ~labels))
        total = np.maximum(right + wrong, np.finfo(float).tiny)  # nothing may be found of the first pairs' weights
        return cls(scores[order][last], right / total, right / right[-1], right, wrong)

    @property
    def average_precision(self) -> float:
        """The precision at the score of each pair of one item, averaged; pairs of equal score are found together."""
        return float((np.diff(self.recall, prepend=0.0) * self.precision).sum())

    @property
    def auc(self) -> float:
        """The probability that a pair of one item scores higher than a pair of different items, NaN without the latter.

        Ties count half.
        """
        if not self.found_wrong[-1]:
            return float("nan")
        wrong = np.diff(self.found_wrong, prepend=0.0)
        at_least, more = self.recall, np.concatenate([[0.0], self.recall[:-1]])
        return float((wrong * (at_least + more)).sum() / 2 / self.found_wrong[-1])

    def at_precision(self, precision: float) -> int | None:
        """Return the place of the highest threshold that finds most while this share of it is right, or None."""
        good = np.flatnonzero(self.precision >= precision)
        return int(good[self.recall[good].argmax()]) if len(good) else None


def recall_at_precision(scores: ArrayLike, labels: ArrayLike, precision: float) -> tuple[float, float]:
    """Return the most positives that one threshold can find while this share of what it finds is right.

    Parameters
    ----------
    scores : ndarray of shape (n_pairs,)
    labels : ndarray of shape (n_pairs,), bool
        Whether the two listings of a pair are one item.
    precision : float
        Above 0, at most 1.

    Returns
    -------
    recall : float
        0 where no threshold is good enough.
    threshold : float
        The score from which a pair counts as found, the highest that gives this recall; infinity where none is good
        enough.
    """
    curve = PrecisionRecall.of(scores, labels)
    if not 0 < precision <= 1:
        raise ValueError(f"precision={precision}: expected a number above 0, at most 1")
    cut = curve.at_precision(precision)
    if cut is None:
        return 0.0, float("inf")
    return float(curve.recall[cut]), float(curve.threshold[cut])
