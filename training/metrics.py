"""Figures of merit of distributions against labels. A NaN row, no evidence, counts as wrong.

Two figures look at the listings with evidence only: the calibration error and the negative log-likelihood.
"""

import numpy as np


def top_k(distributions, labels, k):
    """For each listing whether its class is among the k most probable. → ndarray of shape (n,), bool"""
    known = np.nan_to_num(distributions, nan=-1.0)
    best = np.argsort(-known, axis=1, kind="stable")[:, :k]
    return (best == labels[:, None]).any(axis=1) & (known.max(axis=1) >= 0)


def mean_class_top_k(distributions, labels, k, classes=None):
    """Top-k of each class that occurs, averaged over the classes (system D's measure).

    classes : sequence of int, optional
        Look at the listings of these classes only; all classes still compete.
    """
    hits = top_k(distributions, labels, k)
    present = [each for each in np.unique(labels) if classes is None or each in set(classes)]
    return float(np.mean([hits[labels == each].mean() for each in present])) if present else float("nan")


def macro_f1(distributions, labels):
    """F1 of each class that occurs in the labels or the answers, averaged."""
    from sklearn.metrics import f1_score

    answers = np.where(np.isnan(distributions).any(axis=1), -1, np.nan_to_num(distributions).argmax(axis=1))
    occurring = np.union1d(np.unique(labels), np.unique(answers[answers >= 0]))
    return float(f1_score(labels, answers, average="macro", labels=occurring, zero_division=0))


def calibration_error(distributions, labels, bins=15):
    """Expected calibration error of the best class over the listings with evidence, NaN without any.

    Bins of equal width (Naeini et al. 2015; Guo et al. 2017).
    """
    known = ~np.isnan(distributions).any(axis=1)
    if not known.any():
        return float("nan")
    confidence, hits = distributions[known].max(axis=1), top_k(distributions[known], labels[known], 1)
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [abs(hits[place == b].mean() - confidence[place == b].mean()) * (place == b).sum() for b in set(place)]
    return float(sum(gaps) / known.sum())


def negative_log_likelihood(distributions, labels):
    """Mean −log of the probability given to the true class, over the listings with evidence, in nats."""
    known = ~np.isnan(distributions).any(axis=1)
    given = distributions[known][np.arange(known.sum()), labels[known]]
    return float(-np.log(np.maximum(given, 1e-12)).mean())


def coverage_at_precision(distributions, labels, precision):
    """The most listings that one threshold can assign while this share of them is right.

    Returns
    -------
    coverage : float
        Share of all listings.
    threshold : float
        The confidence from which they are assigned; above 1 when no threshold is good enough.
    """
    confidence = np.nan_to_num(distributions, nan=0.0).max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    right = np.cumsum(top_k(distributions, labels, 1)[order]) / np.arange(1, len(labels) + 1)
    # A threshold takes all listings of equal confidence, so only the last of each run of equals can be a cut.
    sorted_confidence = confidence[order]
    last = np.append(sorted_confidence[1:] != sorted_confidence[:-1], True)
    known = ~np.isnan(distributions).any(axis=1)[order]  # a listing without evidence is never assigned
    good = np.flatnonzero((right >= precision) & last & known)
    if not len(good):
        return 0.0, float(np.nextafter(1.0, 2.0))
    return float((good[-1] + 1) / len(labels)), float(sorted_confidence[good[-1]])


def summary(distributions, labels):
    """The figures that every table shows, as a dict."""
    coverage, _ = coverage_at_precision(distributions, labels, 0.99)
    return {
        "top1": float(top_k(distributions, labels, 1).mean()),
        "top5": float(top_k(distributions, labels, 5).mean()),
        "macro_f1": macro_f1(distributions, labels),
        "expected_calibration_error": calibration_error(distributions, labels),
        "coverage_at_99_precision": coverage,
    }
