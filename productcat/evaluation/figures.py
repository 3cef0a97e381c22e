"""The figures of an evaluation, as metrics.json holds them; None where there is no figure."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from productcat.arithmetic.bootstrap import LEVEL, ROUNDS, draws
from productcat.categories.ensemble import Modality
from productcat.evaluation.answers import Answers, figures, per_label
from productcat.evaluation.confusions import confusions
from productcat.evaluation.drift import drift
from productcat.evaluation.evaluate import Evaluation
from productcat.evaluation.metrics import (
    Bin,
    CoveragePoint,
    Decisions,
    Figure,
    Metrics,
    Mistakes,
    Threshold,
    TitleEffect,
    kept_points,
    with_interval,
)

A_DAY = 100_000
"""Number of listings a day for which thresholds are explained."""

PRECISIONS = (0.9, 0.95, 0.98, 0.99, 0.995)
"""Precisions for each of which a threshold is reported."""

CONFUSIONS = 30
"""Number of pairs of categories that are reported, those confused most often."""

UNBOUNDED = {"negative_log_likelihood": (0.0, math.inf)}
DECIMALS = 8

Values: TypeAlias = dict[Modality, dict[str, float]]
"""Figures of each modality: modality → figure → value."""


def measure(evaluation: Evaluation, seed: int = 0, rounds: int = ROUNDS) -> Metrics:
    """Return all figures of an evaluation.

    Parameters
    ----------
    evaluation : Evaluation
    seed : int
        Seed of the draws from which intervals are made.
    rounds : int
        Number of draws.
    """
    assigned = {use: evaluation.assigned(use) for use in evaluation.answers}
    values = _values(evaluation, assigned)
    drawn = [_values(evaluation, assigned, weights) for weights in draws(len(evaluation.labels), seed, rounds)]
    metrics: Metrics = _plain(
        {
            "bundle": evaluation.manifest.get("name"),
            "bundle_created": evaluation.manifest.get("created"),
            "bundle_seal": evaluation.manifest.get("seal"),
            "listings": len(evaluation.labels),
            "categories": len(evaluation.categories),
            "categories_present": len(np.unique(evaluation.labels)),
            "unknown_labels": evaluation.unknown_labels,
            "evidence": {use: each.known.mean() for use, each in evaluation.answers.items()},
            "photos_lost": evaluation.n_photos_lost,
            "interval": {"level": LEVEL, "rounds": rounds, "seed": seed},
            "overall": _overall(values, drawn),
            "gains_of_both": _gains(values, drawn),
            "decisions": decisions(evaluation),
            "thresholds": thresholds(evaluation),
            "reliability": {use: _bins(each) for use, each in evaluation.answers.items()},
            "coverage": {use: _curve(each) for use, each in evaluation.answers.items()},
            "title": _title(evaluation),
            "confusions": confusions(evaluation)[:CONFUSIONS],
            "mistakes": mistakes(evaluation),
            "drift": drift(evaluation, values),
            "per_category": per_label(evaluation.categories, evaluation.labels, evaluation.answers, "category"),
        }
    )
    return metrics


def _values(
    evaluation: Evaluation, assigned: Mapping[Modality, NDArray[np.bool_]], weights: NDArray[np.float64] | None = None
) -> Values:
    labels, n_labels = evaluation.labels, len(evaluation.categories)
    return {use: figures(each, labels, assigned[use], n_labels, weights) for use, each in evaluation.answers.items()}


def _overall(values: Values, drawn: Sequence[Values]) -> dict[Modality, dict[str, Figure]]:
    """Return all figures with their intervals."""
    return {
        use: {
            name: with_interval(value, [each[use][name] for each in drawn], UNBOUNDED.get(name, (0.0, 1.0)))
            for name, value in table.items()
        }
        for use, table in values.items()
    }


def _gains(values: Values, drawn: Sequence[Values]) -> dict[Modality, Figure]:
    """Return what photos and title together gain over each alone, in top-1."""
    if "both" not in values:
        return {}
    return {
        use: with_interval(_gain(values, use), [_gain(each, use) for each in drawn], (-1.0, 1.0))
        for use in values
        if use != "both"
    }


def _gain(values: Values, use: Modality) -> float:
    return values["both"]["top1"] - values[use]["top1"]


def decisions(evaluation: Evaluation) -> Decisions:
    """Return what the bundle's rules do with the listings, by all the evidence that there is."""
    answers, assigned = evaluation.answers[evaluation.whole], evaluation.assigned(evaluation.whole)
    rules = [evaluation.rules[kind if evaluation.whole == "both" else evaluation.whole] for kind in evaluation.kinds]
    least = np.array([rule.shortlist_at for rule in rules])
    size = np.array([rule.shortlist_size for rule in rules])
    shortlist = answers.known & ~assigned & (np.nan_to_num(answers.confidence) >= least)
    on_it = shortlist & (answers.rank <= size) & (np.nan_to_num(answers.truth) >= least)
    return {
        "assign": assigned.mean(),
        "shortlist": shortlist.mean(),
        "abstain": (~assigned & ~shortlist).mean(),
        "assigned_rightly": _share(assigned & answers.right, assigned),
        "on_the_shortlist": _share(on_it, shortlist),
        "rules": {kind: vars(evaluation.rules[kind]) for kind in evaluation.answers},
    }


def _share(some: NDArray[np.bool_], of: NDArray[np.bool_]) -> float | None:
    return some.sum() / of.sum() if of.any() else None


def thresholds(evaluation: Evaluation) -> list[Threshold]:
    """Return what thresholds mean, of 100,000 listings a day: the bundle's own, then the lowest for each precision.

    Where a precision cannot be reached, its threshold is None.
    """
    answers, assigned = evaluation.answers[evaluation.whole], evaluation.assigned(evaluation.whole)
    own = evaluation.rules[evaluation.whole].assign_at
    rows = [_a_day(None, own, assigned.mean(), _share(assigned & answers.right, assigned))]
    curve = answers.coverage()
    for precision in PRECISIONS:
        coverage, threshold = curve.at(precision)
        if coverage:
            right = curve.precision[curve.threshold == threshold][0]
            rows.append(_a_day(precision, threshold, coverage, right))
        else:
            rows.append(_a_day(precision, None, 0.0, None))
    return rows


def _a_day(asked: float | None, threshold: float | None, coverage: float, precision: float | None) -> Threshold:
    assigned = round(A_DAY * coverage)
    return {
        "asked_precision": asked,
        "threshold": threshold,
        "assigned_a_day": assigned,
        "wrongly_a_day": None if precision is None else round(A_DAY * coverage * (1 - precision)),
        "precision": precision,
        "asked_a_day": A_DAY - assigned,
    }


def _bins(answers: Answers) -> list[Bin]:
    bins = answers.bins()
    return [
        {"confidence": confidence, "right": right, "listings": int(count)}
        for confidence, right, count in zip(bins.confidence, bins.right, bins.count, strict=True)
    ]


def _curve(answers: Answers) -> list[CoveragePoint]:
    curve = answers.coverage()
    return [
        {"threshold": curve.threshold[i], "coverage": curve.coverage[i], "precision": curve.precision[i]}
        for i in kept_points(len(curve.threshold))
    ]


def _title(evaluation: Evaluation) -> TitleEffect | None:
    """Return how often the title helps and harms, of the listings with photos and title; None without them."""
    if evaluation.whole != "both":
        return None
    return {
        "listings_with_both": int((evaluation.kinds == "both").sum()),
        "rescued": evaluation.cases.rescued.count,
        "spoilt": evaluation.cases.spoilt.count,
    }


def mistakes(evaluation: Evaluation) -> Mistakes:
    """Return how many listings are wrong, and of how many the label is suspect.

    Confident learning (Northcutt et al. 2021, "Confident learning: estimating uncertainty in dataset labels"): a label
    is suspect where another category is at least as likely as it is, on average, for the listings labelled with it.
    Here, moreover, neither the photos alone nor the title alone may speak for the label.
    """
    answers = evaluation.answers[evaluation.whole]
    wrong = answers.known & ~answers.right
    suspect = wrong & (np.nan_to_num(answers.confidence) >= self_confidence(evaluation)[answers.best])
    for each in evaluation.answers.values():
        suspect &= ~each.right
    return {
        "wrong": int(wrong.sum()),
        "without_evidence": int((~answers.known).sum()),
        "suspect_labels": int(suspect.sum()),
    }


def self_confidence(evaluation: Evaluation) -> NDArray[np.float64]:
    """Return each category's mean confidence for the listings that bear it, shape (n_categories,); infinite without."""
    answers, n = evaluation.answers[evaluation.whole], len(evaluation.categories)
    known, labels = answers.known, evaluation.labels
    support = np.bincount(labels[known], minlength=n)
    sums = np.bincount(labels[known], answers.truth[known], n)
    return np.where(support > 0, sums / np.maximum(support, 1), np.inf)


def _plain(value: Any) -> Any:
    """Return a value as JSON knows it: NaN and infinity become None, floats are rounded."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float | np.floating):
        return round(float(value), DECIMALS) if math.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value
