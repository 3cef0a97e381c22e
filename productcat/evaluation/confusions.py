"""Which categories are confused with each other most."""

import numpy as np

from productcat.evaluation.answers import NONE

MOST = 14
"""So many categories can still be read in a matrix."""


def most_confused(evaluation):
    """The MOST categories with most confusions, ordered so that those confused with each other stand together.

    Parameters
    ----------
    evaluation : productcat.evaluation.evaluate.Evaluation
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


def chain(matrix):
    """An order in which each follows the one that it is confused with most, as far as it goes. → list of int

    matrix : ndarray of shape (n, n), counts
    """
    either = matrix + matrix.T
    order, rest = [0], list(range(1, len(matrix)))
    while rest:
        following = max(rest, key=lambda each: (either[order[-1], each], -each))
        order.append(following)
        rest.remove(following)
    return order


def confusions(evaluation):
    """Pairs (label, answer) that differ, the most frequent first. → list of dict"""
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
