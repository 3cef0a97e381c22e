"""Whether confidences can be relied on: how often they are right, how far they are from the truth, where to assign.

Rows are distributions over the classes or confidences of the categories. Labels are numbers of columns. A NaN row, no
evidence, counts as wrong. The calibration error and the negative log-likelihood look at the rows with evidence only.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from productcat.categories.decision import DecisionRule

LEAST = 1e-12
"""Least probability that counts, so that one label that is thought impossible does not outweigh all others."""


Rows = NDArray[np.float64]
Labels = NDArray[np.intp]


@dataclass(frozen=True)
class Reliability:
    """What confidences and decisions are worth.

    top1 : share of the listings whose most probable category is the right one
    expected_calibration_error : how far confidences are from the share of right answers
    negative_log_likelihood : nats per listing
    coverage : share of the listings that are assigned
    precision : share of these that are assigned rightly, None where none is assigned
    """

    top1: float
    expected_calibration_error: float
    negative_log_likelihood: float
    coverage: float
    precision: float | None

    @classmethod
    def of(cls, confidences: Rows, labels: Labels, assign_at: NDArray[np.float64]) -> Self:
        """Measure confidences of shape (n_listings, n_categories), assigned from `assign_at` of shape (n_listings,)."""
        right = top_k(confidences, labels, 1)
        assigned = np.nan_to_num(confidences, nan=-1.0).max(axis=1) >= assign_at
        return cls(
            float(right.mean()),
            calibration_error(confidences, labels),
            negative_log_likelihood(confidences, labels),
            float(assigned.mean()),
            float(right[assigned].mean()) if assigned.any() else None,
        )


def top_k(distributions: Rows, labels: Labels, k: int) -> NDArray[np.bool_]:
    """Tell for each listing whether its class is among the k most probable, shape (n,)."""
    known = np.nan_to_num(distributions, nan=-1.0)
    best = np.argsort(-known, axis=1, kind="stable")[:, :k]
    return np.asarray((best == labels[:, None]).any(axis=1) & (known.max(axis=1) >= 0))


def calibration_error(distributions: Rows, labels: Labels, bins: int = 15) -> float:
    """Return the expected calibration error of the best class over the listings with evidence, NaN without any.

    The bins have equal width (Naeini et al. 2015; Guo et al. 2017).
    """
    known = ~np.isnan(distributions).any(axis=1)
    if not known.any():
        return float("nan")
    return binned(distributions[known].max(axis=1), top_k(distributions[known], labels[known], 1), bins=bins).error


@dataclass(frozen=True)
class Bins:
    """Listings by the confidence of their best category, in bins of equal width. Empty bins are left out.

    confidence, right : ndarray of shape (n_bins,)
        Mean confidence, and share of right answers.
    count : ndarray of shape (n_bins,)
        Number of listings, or the sum of their weights.
    """

    confidence: NDArray[np.float64]
    right: NDArray[np.float64]
    count: NDArray[np.float64]

    @property
    def error(self) -> float:
        """Expected calibration error, NaN without a listing."""
        total = self.count.sum()
        return float(self.count @ np.abs(self.right - self.confidence) / total) if total else float("nan")


def binned(
    confidence: NDArray[np.float64],
    right: NDArray[np.bool_],
    weights: NDArray[np.float64] | None = None,
    bins: int = 15,
) -> Bins:
    """Set confidences against right answers, for a reliability diagram.

    Parameters
    ----------
    confidence : ndarray of shape (n_listings,), in [0, 1]
    right : ndarray of shape (n_listings,), bool
    weights : ndarray of shape (n_listings,), optional
        How often each listing counts.
    """
    weights = np.ones(len(confidence)) if weights is None else weights
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    count, sums, hits = (np.bincount(place, weights * each, bins) for each in (1.0, confidence, right))
    some = count > 0
    return Bins(sums[some] / count[some], hits[some] / count[some], count[some].astype(np.float64))


def negative_log_likelihood(distributions: Rows, labels: Labels) -> float:
    """Return the mean −log of the probability given to the true class, over the listings with evidence, in nats."""
    known = ~np.isnan(distributions).any(axis=1)
    return float(losses(distributions[known], labels[known]).mean())


def losses(distributions: Rows, labels: Labels) -> NDArray[np.float64]:
    """Return −log of the probability that each row gives to its label, in nats, shape (n,)."""
    return -np.log(np.maximum(distributions[np.arange(len(labels)), labels], LEAST))


def coverage_at_precision(distributions: Rows, labels: Labels, precision: float) -> tuple[float, float]:
    """Return how many listings one threshold can assign while this share of them is right.

    Returns
    -------
    coverage : float
        Share of all listings.
    threshold : float
        The confidence from which they are assigned. Above 1 when no threshold is good enough.
    """
    known = ~np.isnan(distributions).any(axis=1)  # a listing without evidence is never assigned
    curve = coverage_curve(distributions[known].max(axis=1), top_k(distributions, labels, 1)[known], len(labels))
    return curve.at(precision)


@dataclass(frozen=True)
class Coverage:
    """What every threshold would assign, the highest first.

    threshold, coverage, precision : ndarray of shape (n_thresholds,)
        Confidence from which a category is assigned; share of all listings; share of the assigned that is right.
    """

    threshold: NDArray[np.float64]
    coverage: NDArray[np.float64]
    precision: NDArray[np.float64]

    def at(self, precision: float) -> tuple[float, float]:
        """Return coverage and threshold as `coverage_at_precision` does."""
        good = np.flatnonzero(self.precision >= precision)
        if not len(good):
            return 0.0, float(np.nextafter(1.0, 2.0))
        return float(self.coverage[good[-1]]), float(self.threshold[good[-1]])


def coverage_curve(confidence: NDArray[np.float64], right: NDArray[np.bool_], n_listings: int) -> Coverage:
    """Set coverage against precision.

    Parameters
    ----------
    confidence : ndarray of shape (n_known,)
        Confidence of the best category, of the listings with evidence.
    right : ndarray of shape (n_known,), bool
    n_listings : int
        Number of all listings, with evidence or without.
    """
    order = np.argsort(-confidence, kind="stable")
    ordered, counts = confidence[order], np.arange(1, len(order) + 1)
    precision = np.cumsum(right[order]) / counts
    # A threshold takes all listings of equal confidence, so only the last of each run of equals can be a cut.
    last = np.append(ordered[1:] != ordered[:-1], True)[: len(order)]
    return Coverage(ordered[last], counts[last] / n_listings, precision[last])


def rule_at_precision(
    confidences: Rows, labels: Labels, precision: float, shortlist_at: float = 0.5, shortlist_size: int = 5
) -> DecisionRule:
    """Return the decision rule that assigns most listings while this share of what it assigns is right.

    Parameters
    ----------
    confidences : ndarray of shape (n_listings, n_categories)
    labels : ndarray of shape (n_listings,), int
        Numbers of categories.
    precision : float in (0, 1]
        Where no threshold reaches it, only a confidence of 1 is assigned, which hardly ever occurs.
    shortlist_at, shortlist_size
        As in DecisionRule. Nothing is assigned below `shortlist_at`.

    Raises
    ------
    ValueError
        The precision is not such a share.
    """
    check_precision(precision)
    _, threshold = coverage_at_precision(confidences, labels, precision)
    return DecisionRule(float(min(1.0, max(threshold, shortlist_at))), shortlist_at, shortlist_size)


def check_precision(precision: float) -> None:
    """Raise ValueError unless it is a share that can be asked for."""
    if not 0.0 < precision <= 1.0:
        raise ValueError(f"precision={precision}: expected a share above 0 and at most 1, such as 0.98")
