"""What was answered for labelled listings, without the distributions: some bytes a listing, whatever their number.

A listing without evidence has no answer, and counts as wrong.
"""

from dataclasses import dataclass, fields

import numpy as np

from productcat.calibration.reliability import LEAST, binned, coverage_curve

NONE = -1
"""In place of the number of a class or a category: no evidence."""


@dataclass(frozen=True)
class Answers:
    """Answers for labelled listings, to be compared with `labels`, the numbers of the true ones.

    best : ndarray of shape (n_listings,), int, the most probable class or category, NONE without evidence
    confidence : ndarray of shape (n_listings,), its probability, NaN without evidence
    truth : ndarray of shape (n_listings,), the probability of the true one, NaN without evidence
    rank : ndarray of shape (n_listings,), int, the place of the true one among all, from 1; 0 without evidence
    """

    best: np.ndarray
    confidence: np.ndarray
    truth: np.ndarray
    rank: np.ndarray

    @classmethod
    def of(cls, distributions, labels):
        """Of rows of probabilities, shape (n_listings, n_classes). Of equal ones the first counts as the greater."""
        known = ~np.isnan(distributions).any(axis=1)
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
    def joined(cls, parts):
        """The answers of several batches, one after the other; at least one."""
        return cls(*(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(cls)))

    @property
    def known(self):
        """Which listings have evidence, shape (n_listings,), bool."""
        return self.rank > 0

    def top(self, k):
        """Whether the true one is among the k most probable, shape (n_listings,), bool."""
        return self.known & (self.rank <= k)

    @property
    def right(self):
        """Whether the true one is the most probable, shape (n_listings,), bool."""
        return self.top(1)

    @property
    def mean_confidence(self):
        """Of the listings with evidence; NaN without any."""
        return float(self.confidence[self.known].mean()) if self.known.any() else float("nan")

    def bins(self, weights=None):
        """The reliability diagram. → productcat.calibration.reliability.Bins"""
        known = self.known
        weights = weights if weights is None else weights[known]
        return binned(self.confidence[known], self.right[known], weights)

    def coverage(self):
        """What every threshold would assign. → productcat.calibration.reliability.Coverage"""
        return coverage_curve(self.confidence[self.known], self.right[self.known], len(self.rank))


def figures(answers, labels, assigned, n_labels, weights=None):
    """The figures of merit of some answers.

    Parameters
    ----------
    answers : Answers
    labels : ndarray of shape (n_listings,), int
    assigned : ndarray of shape (n_listings,), bool
        Which listings a decision rule assigns.
    n_labels : int
        Of classes or categories.
    weights : ndarray of shape (n_listings,), optional
        How often each listing counts.

    Returns
    -------
    dict, name → float
        NaN where there is no such figure: the precision where nothing is assigned.
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


def _ratio(part, whole):
    return part / whole if whole else float("nan")


def _mean_over_labels(hits, labels, n_labels, weights):
    support = np.bincount(labels, weights, n_labels)
    some = support > 0
    return float((np.bincount(labels, weights * hits, n_labels)[some] / support[some]).mean())


def macro_f1(best, labels, n_labels, weights=None):
    """F1 of each class that occurs in the labels or the answers, averaged.

    best : ndarray of shape (n_listings,), int
        The answers, NONE where there is none.
    """
    weights = np.ones(len(labels)) if weights is None else weights
    known = best != NONE
    meant, answered = np.bincount(labels, weights, n_labels), np.bincount(best[known], weights[known], n_labels)
    hits = np.bincount(labels, weights * (best == labels), n_labels)
    some = meant + answered > 0
    return float((2 * hits[some] / (meant + answered)[some]).mean())


def per_label(names, labels, answers, word):
    """A table with a row for each class or category that occurs, those with most listings first.

    Parameters
    ----------
    names : list of str
    labels : ndarray of shape (n_listings,), int
    answers : dict, kind of evidence → Answers
    word : "class" | "category"

    Returns
    -------
    list of dict
        The name, its support, and top-1 and top-5 of each kind of evidence.
    """
    hits = {f"{use}_top{k}": each.top(k) for use, each in answers.items() for k in (1, 5)}
    support = np.bincount(labels, minlength=len(names))
    shares = {column: np.bincount(labels, hit, len(names)) / np.maximum(support, 1) for column, hit in hits.items()}
    rows = []
    for number in np.argsort(-support, kind="stable")[: np.count_nonzero(support)]:
        row = {word: names[number], "support": int(support[number])}
        rows.append(row | {column: round(float(share[number]), 4) for column, share in shares.items()})
    return rows
