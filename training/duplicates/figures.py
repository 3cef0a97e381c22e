"""Figures of merit of duplicate scores: area under the curve, average precision, recall at 1, each with an interval.

The scores of a domain are a matrix: a row for the left half of each item's photos, a column for the right half. The
diagonal holds the n pairs of one item, the positives. The other n (n - 1) are pairs of different items.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from productcat.arithmetic.bootstrap import LEVEL, ROUNDS, interval


def auc(scores: ArrayLike) -> float:
    """Return the probability that a pair of one item scores higher than a pair of different items; ties count half.

    scores : ndarray of shape (n_items, n_items)
    """
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(*_pairs(scores)))


def average_precision(scores: ArrayLike) -> float:
    """Return the precision at the score of each pair of one item, averaged; pairs of equal score are found together.

    scores : ndarray of shape (n_items, n_items)
    """
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(*_pairs(scores)))


def recall_at_1(scores: ArrayLike) -> float:
    """Return the share of left halves whose own right half scores strictly higher than all others; a tie is a miss.

    scores : ndarray of shape (n_items, n_items)
    """
    checked = _checked(scores)
    others = np.where(np.eye(len(checked), dtype=bool), -np.inf, checked)
    return float((checked.diagonal() > others.max(axis=1)).mean())


FIGURES: dict[str, Callable[[ArrayLike], float]] = {
    "auc": auc,
    "average_precision": average_precision,
    "recall_at_1": recall_at_1,
}
"""Figures of each domain, by name."""


def summary(scores_by_domain: Mapping[str, ArrayLike]) -> dict[str, dict[str, float]]:
    """Return all figures of each domain and, as "mean", their mean over the domains.

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


def bootstrap(
    scores_by_domain: Mapping[str, NDArray[np.floating]], seed: int, rounds: int = ROUNDS, level: float = LEVEL
) -> dict[str, dict[str, tuple[float, float]]]:
    """Return intervals of all that `summary` returns, by drawing items (Efron 1979).

    In each round as many items of each domain are drawn, with replacement, as there are. The domains are fixed. An
    item is drawn with its row and its column. Drawn twice, it gives two positives, but no negatives of itself with its
    copy, since both show one item. About a third of the items is not drawn, so a right half has fewer rivals than it
    really has, and copies of a positive help one another. So the drawn recall at 1 and average precision lie above the
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


def resampled(scores: ArrayLike, counts: ArrayLike) -> dict[str, NDArray[np.float64]]:
    """Return the figures of a domain in which items occur several times or not at all.

    A pair of copies is never a negative. The figures are those of scikit-learn with sample weights, for all rounds at
    once. The time grows with rounds times n_items³.

    Parameters
    ----------
    scores : ndarray of shape (n_items, n_items)
    counts : ndarray of shape (rounds, n_items)
        Number of times that each item occurs; at least two items in each round.

    Returns
    -------
    dict, figure → ndarray of shape (rounds,)
    """
    checked, times = _checked(scores), np.asarray(counts, float)
    n_drawn = times.sum(axis=1)
    n_negatives = n_drawn**2 - (times**2).sum(axis=1)
    different = ~np.eye(len(checked), dtype=bool)
    figures = {name: np.zeros(len(times)) for name in FIGURES}
    for item, own in enumerate(checked.diagonal()):
        weight = times[:, item]
        above, reached = (checked > own) & different, (checked >= own) & different
        negatives_above, negatives_reached = _n_pairs(times, above), _n_pairs(times, reached)
        positives_reached = times @ (checked.diagonal() >= own).astype(float)
        figures["auc"] += weight * (1 - (negatives_above + negatives_reached) / 2 / n_negatives)
        # Where the item was not drawn, perhaps nothing is reached; then its weight is 0, whatever its precision.
        n_reached = np.maximum(positives_reached + negatives_reached, 1)
        figures["average_precision"] += weight * positives_reached / n_reached
        figures["recall_at_1"] += weight * (times @ reached[item].astype(float) == 0)
    return {name: totals / n_drawn for name, totals in figures.items()}


def _n_pairs(counts: NDArray[np.float64], chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Count the drawn pairs among the chosen ones. → ndarray of shape (rounds,)

    counts : ndarray of shape (rounds, n_items); chosen : ndarray of shape (n_items, n_items), bool
    """
    return ((counts @ chosen.astype(float)) * counts).sum(axis=1)


def _drawn_counts(n_items: int, rounds: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw how often each item occurs. → ndarray of shape (rounds, n_items), int"""
    counts = rng.multinomial(n_items, np.full(n_items, 1 / n_items), rounds)
    while (alone := (counts > 0).sum(axis=1) < 2).any():  # one item alone has no negatives
        counts[alone] = rng.multinomial(n_items, np.full(n_items, 1 / n_items), alone.sum())
    return counts


def _pairs(scores: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return labels and scores of all pairs, as scikit-learn wants them; each of shape (n_items²,)."""
    checked = _checked(scores)
    return np.eye(len(checked), dtype=bool).ravel(), checked.ravel()


def _checked(scores: ArrayLike, subject: str = "scores") -> NDArray[np.float64]:
    found = np.asarray(scores, float)
    if found.ndim != 2 or found.shape[0] != found.shape[1] or len(found) < 2:
        raise ValueError(f"{subject}: shape {found.shape}; expected a row and a column for each of at least two items")
    if not np.isfinite(found).all():
        raise ValueError(f"{subject}: {np.sum(~np.isfinite(found))} scores are not finite; score every pair")
    return found
