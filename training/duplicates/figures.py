"""Figures of merit of duplicate scores: area under the curve, average precision, recall at 1, each with an interval.

The scores of a domain are a matrix: a row for the left half of each item's photos, a column for the right half. The
diagonal holds the n pairs of one item, the positives; the other n (n - 1) are pairs of different items.
"""

import numpy as np

from productcat.arithmetic.bootstrap import LEVEL, ROUNDS, interval


def auc(scores):
    """The probability that a pair of one item scores higher than a pair of different items; ties count half.

    scores : ndarray of shape (n_items, n_items)
    """
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(*_pairs(scores)))


def average_precision(scores):
    """The precision at the score of each pair of one item, averaged; pairs of equal score are found together.

    scores : ndarray of shape (n_items, n_items)
    """
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(*_pairs(scores)))


def recall_at_1(scores):
    """The share of the left halves whose own right half scores strictly higher than every other: a tie is a miss.

    scores : ndarray of shape (n_items, n_items)
    """
    scores = _checked(scores)
    others = np.where(np.eye(len(scores), dtype=bool), -np.inf, scores)
    return float((scores.diagonal() > others.max(axis=1)).mean())


FIGURES = {"auc": auc, "average_precision": average_precision, "recall_at_1": recall_at_1}
"""What is told of each domain."""


def summary(scores_by_domain):
    """All figures of each domain and, as "mean", their mean over the domains.

    scores_by_domain : dict, domain → ndarray of shape (n_items, n_items)

    Returns
    -------
    dict, domain or "mean" → dict, figure → float
    """
    if not scores_by_domain or "mean" in scores_by_domain:
        raise ValueError(f"domains {', '.join(scores_by_domain) or 'none'}: expected at least one, none called mean")
    checked = {domain: _checked(scores, f"domain {domain!r}") for domain, scores in scores_by_domain.items()}
    figures = {domain: {name: figure(scores) for name, figure in FIGURES.items()} for domain, scores in checked.items()}
    figures["mean"] = {name: float(np.mean([each[name] for each in figures.values()])) for name in FIGURES}
    return figures


def bootstrap(scores_by_domain, seed, rounds=ROUNDS, level=LEVEL):
    """Intervals of all that `summary` returns, by drawing items (Efron 1979).

    In each round as many items of each domain are drawn, with replacement, as there are; the domains are fixed. An
    item is drawn with its row and its column. Drawn twice, it gives two positives, but no negatives of itself with
    its copy, which show one item. About a third of the items is not drawn, so a right half has fewer rivals than it
    really has, and copies of a positive help one another: the drawn recall at 1 and average precision lie above the
    true ones. Therefore the interval is that of the draws, moved until their mean is the figure itself.

    Parameters
    ----------
    scores_by_domain : dict, domain → ndarray of shape (n_items, n_items)
    seed : int
    rounds : int
    level : float
        The share of the draws that the interval holds.

    Returns
    -------
    dict, domain or "mean" → dict, figure → (low, high)
    """
    if rounds < 1 or not 0 < level < 1:
        raise ValueError(f"rounds={rounds}, level={level}: expected at least one round and a level between 0 and 1")
    figures = summary(scores_by_domain)
    rng = np.random.default_rng(seed)
    draws = {}
    for domain, scores in scores_by_domain.items():
        draws[domain] = resampled(scores, _drawn_counts(len(scores), rounds, rng))
    draws["mean"] = {name: np.mean([each[name] for each in draws.values()], axis=0) for name in FIGURES}
    return {
        domain: {name: interval(draws[domain][name], figure, level) for name, figure in each.items()}
        for domain, each in figures.items()
    }


def resampled(scores, counts):
    """The figures of a domain in which items occur several times or not at all; no pair of copies is a negative.

    They are what scikit-learn gives with sample weights, but for all rounds at once.
    The time grows with rounds times n_items³.

    Parameters
    ----------
    scores : ndarray of shape (n_items, n_items)
    counts : ndarray of shape (rounds, n_items)
        How often each item occurs; at least two items in each round.

    Returns
    -------
    dict, figure → ndarray of shape (rounds,)
    """
    scores, counts = _checked(scores), np.asarray(counts, float)
    n_drawn = counts.sum(axis=1)
    n_negatives = n_drawn**2 - (counts**2).sum(axis=1)
    different = ~np.eye(len(scores), dtype=bool)
    figures = {name: np.zeros(len(counts)) for name in FIGURES}
    for item, own in enumerate(scores.diagonal()):
        weight = counts[:, item]
        above, reached = (scores > own) & different, (scores >= own) & different
        negatives_above, negatives_reached = _n_pairs(counts, above), _n_pairs(counts, reached)
        positives_reached = counts @ (scores.diagonal() >= own).astype(float)
        figures["auc"] += weight * (1 - (negatives_above + negatives_reached) / 2 / n_negatives)
        # Where the item was not drawn, nothing may be reached; its weight is 0, whatever its precision.
        n_reached = np.maximum(positives_reached + negatives_reached, 1)
        figures["average_precision"] += weight * positives_reached / n_reached
        figures["recall_at_1"] += weight * (counts @ reached[item].astype(float) == 0)
    return {name: totals / n_drawn for name, totals in figures.items()}


def _n_pairs(counts, chosen):
    """How many drawn pairs are among the chosen ones. → ndarray of shape (rounds,)

    counts: (rounds, n_items); chosen: bool, (n_items, n_items).
    """
    return ((counts @ chosen.astype(float)) * counts).sum(axis=1)


def _drawn_counts(n_items, rounds, rng):
    """How often each item is drawn. → ndarray of shape (rounds, n_items), int"""
    counts = rng.multinomial(n_items, np.full(n_items, 1 / n_items), rounds)
    while (alone := (counts > 0).sum(axis=1) < 2).any():  # one item alone has no negatives
        counts[alone] = rng.multinomial(n_items, np.full(n_items, 1 / n_items), alone.sum())
    return counts


def _pairs(scores):
    """(labels, scores) of all pairs, as scikit-learn wants them; each ndarray of shape (n_items²,)."""
    scores = _checked(scores)
    return np.eye(len(scores), dtype=bool).ravel(), scores.ravel()


def _checked(scores, subject="scores"):
    scores = np.asarray(scores, float)
    if scores.ndim != 2 or scores.shape[0] != scores.shape[1] or len(scores) < 2:
        raise ValueError(f"{subject}: shape {scores.shape}; expected a row and a column for each of at least two items")
    if not np.isfinite(scores).all():
        raise ValueError(f"{subject}: {np.sum(~np.isfinite(scores))} scores are not finite; score every pair")
    return scores
