"""Which categories are confused with each other most."""

import numpy as np
from numpy.typing import NDArray

from productcat.evaluation.answers import NONE
from productcat.evaluation.evaluate import Evaluation
from productcat.evaluation.metrics import Confusion

MOST = 14
"""Number of categories that can still be read in a matrix."""


def most_confused(evaluation: Evaluation) -> tuple[list[str], NDArray[np.int_]]:
    """Return the MOST categories with most confusions, those confused with each other side by side.

    Parameters
    ----------
    evaluation : Evaluation
        At least one listing is taken for another category.

    Returns
    -------
    names : list of str
    counts : ndarray of shape (n_names, n_names), int
        Listings by label (row) and answer (column).
    """
    best, labels, n = evaluation.answers[evaluation.whole].best, evaluation.labels, len(evaluation.categories)
    known = best != NONE
    pairs, counts = np.unique(labels[known] * n + best[known], return_counts=True)
    rows, columns = np.divmod(pairs, n)
    wrong = rows != columns
    confusions = np.bincount(rows[wrong], counts[wrong], n) + np.bincount(columns[wrong], counts[wrong], n)
    chosen = np.argsort(-confusions, kind="stable")[: min(MOST, np.count_nonzero(confusions))]
    places = np.full(n, -1)
    places[chosen] = np.arange(len(chosen))
    inside = (places[rows] >= 0) & (places[columns] >= 0)
    matrix = np.zeros((len(chosen), len(chosen)), int)
    matrix[places[rows[inside]], places[columns[inside]]] = counts[inside]
    order = chain(matrix)
    return [evaluation.categories[chosen[i]] for i in order], matrix[np.ix_(order, order)]


def chain(matrix: NDArray[np.int_]) -> list[int]:
    """Return an order in which each follows the one that it is confused with most, as far as possible.

    matrix : ndarray of shape (n, n), counts
    """
    either = matrix + matrix.T
    order, rest = [0], list(range(1, len(matrix)))
    while rest:
        following = max(rest, key=lambda each: (either[order[-1], each], -each))
        order.append(following)
        rest.remove(following)
    return order


def confusions(evaluation: Evaluation) -> list[Confusion]:
    """Count the pairs (label, answer) that differ, the most frequent first."""
    best, labels, names = evaluation.answers[evaluation.whole].best, evaluation.labels, evaluation.categories
    wrong = (best != labels) & (best != NONE)
    pairs, counts = np.unique(np.stack([labels[wrong], best[wrong]], axis=1), axis=0, return_counts=True)
    support = np.bincount(labels, minlength=len(names))
    return [
        {
            "label": names[label],
            "answer": names[answer],
            "listings": int(count),
            "share": count / support[label],
        }
        for (label, answer), count in sorted(zip(pairs.tolist(), counts, strict=True), key=lambda each: -each[1])
    ]
