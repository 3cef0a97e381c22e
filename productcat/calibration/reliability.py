"""Whether confidences can be relied on: how often they are right, how far they are from the truth, where to assign.

Rows are distributions over the classes or confidences of the categories; labels are numbers of columns. A NaN row, no
evidence, counts as wrong; the calibration error and the negative log-likelihood look at the rows with evidence only.
"""

from dataclasses import dataclass

import numpy as np

from productcat.categories.decision import DecisionRule

LEAST = 1e-12
"""A probability counts as at least this, so that one label that is thought impossible does not outweigh all others."""


@dataclass(frozen=True)
class Reliability:
    """What confidences and decisions are worth.

    top1: share of the listings whose most probable category is the right one. expected_calibration_error: how far
    confidences are from the share of right answers. negative_log_likelihood: in nats a listing. coverage: share of the
    listings that are assigned. precision: share of these that are assigned rightly, None where none is assigned.
    """

    top1: float
    expected_calibration_error: float
    negative_log_likelihood: float
    coverage: float
    precision: float | None

    @classmethod
    def of(cls, confidences, labels, assign_at):
        """Of confidences, shape (n_listings, n_categories), assigned from `assign_at` on, shape (n_listings,)."""
        right = top_k(confidences, labels, 1)
        assigned = np.nan_to_num(confidences, nan=-1.0).max(axis=1) >= assign_at
        return cls(
            float(right.mean()),
            calibration_error(confidences, labels),
            negative_log_likelihood(confidences, labels),
            float(assigned.mean()),
            float(right[assigned].mean()) if assigned.any() else None,
        )


def top_k(distributions, labels, k):
    """For each listing whether its class is among the k most probable. → ndarray of shape (n,), bool"""
    known = np.nan_to_num(distributions, nan=-1.0)
    best = np.argsort(-known, axis=1, kind="stable")[:, :k]
    return (best == labels[:, None]).any(axis=1) & (known.max(axis=1) >= 0)


def calibration_error(distributions, labels, bins=15):
    """Expected calibration error of the best class over the listings with evidence, NaN without any.

    Bins of equal width (Naeini et al. 2015; Guo et al. 2017).
    """
    known = ~np.isnan(distributions).any(axis=1)
    if not known.any():
        return float("nan")
    return binned(distributions[known].max(axis=1), top_k(distributions[known], labels[known], 1), bins=bins).error


@dataclass(frozen=True)
class Bins:
    """Listings by the confidence of their best category, in bins of equal width; those without any are left out.

    confidence, right : ndarray of shape (n_bins,)
        Mean confidence, and share of right answers.
    count : ndarray of shape (n_bins,)
        Listings, or the sum of their weights.
    """

    confidence: np.ndarray
    right: np.ndarray
    count: np.ndarray

    @property
    def error(self):
        """Expected calibration error; NaN without a listing."""
        total = self.count.sum()
        return float(self.count @ np.abs(self.right - self.confidence) / total) if total else float("nan")


def binned(confidence, right, weights=None, bins=15):
    """Confidences against right answers, a reliability diagram. → Bins

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
    return Bins(sums[some] / count[some], hits[some] / count[some], count[some])


def negative_log_likelihood(distributions, labels):
    """Mean −log of the probability given to the true class, over the listings with evidence, in nats."""
    known = ~np.isnan(distributions).any(axis=1)
    return float(losses(distributions[known], labels[known]).mean())


def losses(distributions, labels):
    """−log of the probability that each row gives to its label, in nats, shape (n,)."""
    return -np.log(np.maximum(distributions[np.arange(len(labels)), labels], LEAST))


def coverage_at_precision(distributions, labels, precision):
    """The most listings that one threshold can assign while this share of them is right.

    Returns
    -------
    coverage : float
        Share of all listings.
    threshold : float
        The confidence from which they are assigned; above 1 when no threshold is good enough.
    """
    known = ~np.isnan(distributions).any(axis=1)  # a listing without evidence is never assigned
    curve = coverage_curve(distributions[known].max(axis=1), top_k(distributions, labels, 1)[known], len(labels))
    return curve.at(precision)


@dataclass(frozen=True)
class Coverage:
    """What every threshold would assign, the highest first.

    threshold, coverage, precision : ndarray of shape (n_thresholds,)
        From which confidence on is assigned; share of all listings; share of the assigned that is right.
    """

    threshold: np.ndarray
    coverage: np.ndarray
    precision: np.ndarray

    def at(self, precision):
        """(coverage, threshold) as `coverage_at_precision` gives them."""
        good = np.flatnonzero(self.precision >= precision)
        if not len(good):
            return 0.0, float(np.nextafter(1.0, 2.0))
        return float(self.coverage[good[-1]]), float(self.threshold[good[-1]])


def coverage_curve(confidence, right, n_listings):
    """Coverage against precision. → Coverage

    Parameters
    ----------
    confidence : ndarray of shape (n_known,)
        Of the best category, of the listings with evidence.
    right : ndarray of shape (n_known,), bool
    n_listings : int
        All, with evidence or without.
    """
    order = np.argsort(-confidence, kind="stable")
    ordered, counts = confidence[order], np.arange(1, len(order) + 1)
    precision = np.cumsum(right[order]) / counts
    # A threshold takes all listings of equal confidence, so only the last of each run of equals can be a cut.
    last = np.append(ordered[1:] != ordered[:-1], True)[: len(order)]
    return Coverage(ordered[last], counts[last] / n_listings, precision[last])


def rule_at_precision(confidences, labels, precision, shortlist_at=0.5, shortlist_size=5):
    """The decision rule that assigns most of some listings while this share of what it assigns is right.

    Parameters
    ----------
    confidences : ndarray of shape (n_listings, n_categories)
    labels : ndarray of shape (n_listings,), int
        Numbers of categories.
    precision : float in (0, 1]
        Where no threshold reaches it, only a confidence of 1 is assigned, which hardly ever occurs.
    shortlist_at, shortlist_size
        As in DecisionRule. Below `shortlist_at` nothing is assigned.

    Raises
    ------
    ValueError
        The precision is no such share.
    """
    check_precision(precision)
    _, threshold = coverage_at_precision(confidences, labels, precision)
    return DecisionRule(float(min(1.0, max(threshold, shortlist_at))), shortlist_at, shortlist_size)


def check_precision(precision):
    """Raise ValueError unless it is a share that can be asked for."""
    if not 0.0 < precision <= 1.0:
        raise ValueError(f"precision={precision}: expected a share above 0 and at most 1, such as 0.98")
