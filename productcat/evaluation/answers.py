"""What was answered for labelled listings, without the distributions: a few bytes for each listing.

A listing without evidence has no answer, and counts as wrong.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from productcat.calibration.reliability import LEAST, Bins, Coverage, binned, coverage_curve
from productcat.categories.ensemble import Modality

NONE = -1
"""Number that stands for no class and no category: there is no evidence."""


@dataclass(frozen=True)
class Answers:
    """Answers for labelled listings, compared with the classes or categories that are true.

    best : ndarray of shape (n_listings,), int, the most probable class or category, NONE without evidence
    confidence : ndarray of shape (n_listings,), its probability, NaN without evidence
    truth : ndarray of shape (n_listings,), the probability of the true one, NaN without evidence
    rank : ndarray of shape (n_listings,), int, the place of the true one among all, from 1; 0 without evidence
    """

    best: NDArray[np.intp]
    confidence: NDArray[np.float64]
    truth: NDArray[np.float64]
    rank: NDArray[np.intp]

    @classmethod
    def of(cls, distributions: NDArray[np.float64], labels: NDArray[np.intp]) -> Self:
        """Compare distributions with labels. Of equal probabilities the first counts as the greater.

        distributions : ndarray of shape (n_listings, n_classes)
        labels : ndarray of shape (n_listings,), int
        """
        known = np.logical_not(np.isnan(distributions).any(axis=1))
        rows = np.where(known[:, None], distributions, 0.0)
        best, truth = rows.argmax(axis=1), rows[np.arange(len(rows)), labels]
        before = np.arange(rows.shape[1]) < np.asarray(labels)[:, None]
        greater = (rows > truth[:, None]) | ((rows == truth[:, None]) & before)
        return cls(
            np.where(known, best, NONE),
            np.where(known, rows.max(axis=1), np.nan),
            np.where(known, truth, np.nan),
            np.where(known, 1 + greater.sum(axis=1), 0),
        )

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Join the answers of batches, one after the other; at least one."""
        return cls(*(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(cls)))

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which listings have evidence, shape (n_listings,), bool."""
        return self.rank > 0

    def top(self, k: int) -> NDArray[np.bool_]:
        """Return whether the true one is among the k most probable, shape (n_listings,)."""
        return self.known & (self.rank <= k)

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether the true one is the most probable, shape (n_listings,), bool."""
        return self.top(1)

    @property
    def mean_confidence(self) -> float:
        """Mean confidence of the listings with evidence; NaN without any."""
        return float(self.confidence[self.known].mean()) if self.known.any() else float("nan")

    def bins(self, weights: NDArray[np.float64] | None = None) -> Bins:
        """Return the reliability diagram."""
        known = self.known
        return binned(self.confidence[known], self.right[known], None if weights is None else weights[known])

    def coverage(self) -> Coverage:
        """Return what every threshold would assign."""
        return coverage_curve(self.confidence[self.known], self.right[self.known], len(self.rank))


def figures(
    answers: Answers,
    labels: NDArray[np.intp],
    assigned: NDArray[np.bool_],
    n_labels: int,
    weights: NDArray[np.float64] | None = None,
) -> dict[str, float]:
    """Return the figures of merit of some answers.

    Parameters
    ----------
    answers : Answers
    labels : ndarray of shape (n_listings,), int
    assigned : ndarray of shape (n_listings,), bool
        Which listings a decision rule assigns.
    n_labels : int
        Number of classes or categories.
    weights : ndarray of shape (n_listings,), optional
        How often each listing counts.

    Returns
    -------
    dict, name → float
        NaN where there is no such figure, as the precision where nothing is assigned.
    """
    weights = np.ones(len(labels)) if weights is None else weights
    total, right, known, top5 = weights.sum(), answers.right, answers.known, answers.top(5)
    n_assigned = weights[assigned].sum()
    lost = (weights[known] * -np.log(np.maximum(answers.truth[known], LEAST))).sum()
    return {
        "top1": float(weights[right].sum() / total),
        "top5": float(weights[top5].sum() / total),
        "mean_category_top1": _mean_over_labels(right, labels, n_labels, weights),
        "mean_category_top5": _mean_over_labels(top5, labels, n_labels, weights),
        "macro_f1": macro_f1(answers.best, labels, n_labels, weights),
        "expected_calibration_error": answers.bins(weights).error,
        "negative_log_likelihood": float(_ratio(lost, weights[known].sum())),
        "assigned": float(n_assigned / total),
        "precision": float(_ratio(weights[assigned & right].sum(), n_assigned)),
    }


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def _mean_over_labels(
    hits: NDArray[np.bool_], labels: NDArray[np.intp], n_labels: int, weights: NDArray[np.float64]
) -> float:
    support = np.bincount(labels, weights, n_labels)
    some = support > 0
    return float((np.bincount(labels, weights * hits, n_labels)[some] / support[some]).mean())


def macro_f1(
    best: NDArray[np.intp], labels: NDArray[np.intp], n_labels: int, weights: NDArray[np.float64] | None = None
) -> float:
    """Return the mean F1 of the classes that occur in the labels or the answers.

    best : ndarray of shape (n_listings,), int
        The answers, NONE where there is none.
    """
    weights = np.ones(len(labels)) if weights is None else weights
    known = best != NONE
    meant, answered = np.bincount(labels, weights, n_labels), np.bincount(best[known], weights[known], n_labels)
    hits = np.bincount(labels, weights * (best == labels), n_labels)
    some = meant + answered > 0
    return float((2 * hits[some] / (meant + answered)[some]).mean())


def per_label(
    names: Sequence[str], labels: NDArray[np.intp], answers: Mapping[Modality, Answers], word: str
) -> list[dict[str, Any]]:
    """Return a table with a row for each class or category that occurs, those with most listings first.

    Parameters
    ----------
    names : list of str
    labels : ndarray of shape (n_listings,), int
    answers : dict, modality → Answers
    word : "class" | "category"

    Returns
    -------
    list of dict
        The name, its support, and top-1 and top-5 of each modality.
    """
    hits = {f"{use}_top{k}": each.top(k) for use, each in answers.items() for k in (1, 5)}
    support = np.bincount(labels, minlength=len(names))
    shares = {column: np.bincount(labels, hit, len(names)) / np.maximum(support, 1) for column, hit in hits.items()}
    rows = []
    for number in np.argsort(-support, kind="stable")[: np.count_nonzero(support)]:
        row: dict[str, Any] = {word: names[number], "support": int(support[number])}
        rows.append(row | {column: round(float(share[number]), 4) for column, share in shares.items()})
    return rows
