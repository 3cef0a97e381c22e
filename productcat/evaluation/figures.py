"""The figures of an evaluation, as metrics.json holds them; None where there is no figure."""

import math

import numpy as np

from productcat.arithmetic.bootstrap import LEVEL, ROUNDS, draws, interval
from productcat.evaluation.answers import figures, per_label
from productcat.evaluation.confusions import confusions
from productcat.evaluation.drift import drift

A_DAY = 100_000
PRECISIONS = (0.9, 0.95, 0.98, 0.99, 0.995)
"""A threshold is told for each."""

CURVE_POINTS = 400
"""So many thresholds of a curve are kept."""

CONFUSIONS = 30
"""So many pairs of categories are told, those confused most often."""

UNBOUNDED = {"negative_log_likelihood": (0.0, math.inf)}
DECIMALS = 8


def measure(evaluation, seed=0, rounds=ROUNDS):
    """All figures of an evaluation.

    Parameters
    ----------
    evaluation : productcat.evaluation.evaluate.Evaluation
    seed : int
        Of the draws that intervals are made of.
    rounds : int

    Returns
    -------
    dict
        It can be written as JSON.
    """
    overall, gains = _overall(evaluation, seed, rounds)
    values = {use: {name: each["value"] for name, each in table.items()} for use, table in overall.items()}
    return _plain(
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
            "overall": overall,
            "gains_of_both": gains,
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


def _overall(evaluation, seed, rounds):
    """Figures with intervals, and what photos and title together gain over each alone, in top-1."""
    labels, n_labels = evaluation.labels, len(evaluation.categories)
    answers = evaluation.answers
    assigned = {use: evaluation.assigned(use) for use in answers}

    def measured(weights=None):
        return {use: figures(each, labels, assigned[use], n_labels, weights) for use, each in answers.items()}

    value, drawn = measured(), [measured(weights) for weights in draws(len(labels), seed, rounds)]
    overall = {
        use: {
            name: _with_interval(figure, [each[use][name] for each in drawn], UNBOUNDED.get(name, (0.0, 1.0)))
            for name, figure in table.items()
        }
        for use, table in value.items()
    }
    gains = {}
    for use in answers if "both" in answers else ():
        if use != "both":
            gain, *of_draws = (each["both"]["top1"] - each[use]["top1"] for each in (value, *drawn))
            gains[use] = _with_interval(gain, of_draws, (-1.0, 1.0))
    return overall, gains


def _with_interval(value, drawn, bounds):
    low, high = interval(drawn, value, bounds=bounds)
    return {"value": value, "low": low, "high": high}


def decisions(evaluation):
    """What the bundle's rules do with the listings, by all the evidence that there is."""
    answers, assigned = evaluation.answers[evaluation.whole], evaluation.assigned(evaluation.whole)
    rules = [evaluation.rules[kind if evaluation.whole == "both" else evaluation.whole] for kind in evaluation.kinds]
    least, size = (np.array([getattr(rule, name) for rule in rules]) for name in ("shortlist_at", "shortlist_size"))
    known = answers.known
    shortlist = known & ~assigned & (np.nan_to_num(answers.confidence) >= least)
    on_it = shortlist & (answers.rank <= size) & (np.nan_to_num(answers.truth) >= least)
    return {
        "assign": assigned.mean(),
        "shortlist": shortlist.mean(),
        "abstain": (~assigned & ~shortlist).mean(),
        "assigned_rightly": _share(assigned & answers.right, assigned),
        "on_the_shortlist": _share(on_it, shortlist),
        "rules": {kind: vars(evaluation.rules[kind]) for kind in evaluation.answers},
    }


def _share(some, of):
    return some.sum() / of.sum() if of.any() else None


def thresholds(evaluation):
    """What thresholds mean, of 100,000 listings a day: the bundle's own, then the lowest for each precision.

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


def _a_day(asked, threshold, coverage, precision):
    assigned = round(A_DAY * coverage)
    return {
        "asked_precision": asked,
        "threshold": threshold,
        "assigned_a_day": assigned,
        "wrongly_a_day": None if precision is None else round(A_DAY * coverage * (1 - precision)),
        "precision": precision,
        "asked_a_day": A_DAY - assigned,
    }


def _bins(answers):
    bins = answers.bins()
    rows = zip(bins.confidence, bins.right, bins.count, strict=True)
    return [{"confidence": each, "right": right, "listings": int(count)} for each, right, count in rows]


def _curve(answers):
    curve = answers.coverage()
    kept = np.unique(np.linspace(0, len(curve.threshold) - 1, CURVE_POINTS).round().astype(int))
    rows = zip(*(each[kept] for each in (curve.threshold, curve.coverage, curve.precision)), strict=True)
    return [{"threshold": t, "coverage": c, "precision": p} for t, c, p in rows]


def _title(evaluation):
    """How often the title helps and harms, of the listings with both kinds of evidence; None without them."""
    if evaluation.whole != "both":
        return None
    return {
        "listings_with_both": int((evaluation.kinds == "both").sum()),
        "rescued": evaluation.cases.rescued.count,
        "spoilt": evaluation.cases.spoilt.count,
    }


def mistakes(evaluation):
    """How many listings are wrong, and of how many the label is suspect.

    Confident learning (Northcutt et al. 2021, "Confident learning: estimating uncertainty in dataset labels"): a label
    is suspect where another category is at least as likely as it is, on average, for the listings labelled with it;
    and here, where neither the photos alone nor the title alone speak for the label.
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


def self_confidence(evaluation):
    """Mean confidence of each category for the listings labelled with it, shape (n_categories,); infinite without."""
    answers, n = evaluation.answers[evaluation.whole], len(evaluation.categories)
    known, labels = answers.known, evaluation.labels
    support = np.bincount(labels[known], minlength=n)
    sums = np.bincount(labels[known], answers.truth[known], n)
    return np.where(support > 0, sums / np.maximum(support, 1), np.inf)


def _plain(value):
    """As JSON knows it: NaN and infinity become None, floats are rounded."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float | np.floating):
        return round(float(value), DECIMALS) if math.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value
