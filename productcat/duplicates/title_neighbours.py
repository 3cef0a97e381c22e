"""Choose the pairs of listings that are worth a score by their titles alone: those that share rare words.

Each title is filed under its rarest words (an inverted index), and under pairs of them: in a large catalogue a word is
hardly ever rare, but two together are. Under a word that many titles have, a title looks at some of them only, so the
cost grows as the number of titles does.
"""

import math
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from productcat.duplicates.neighbours import Pairs
from productcat.duplicates.titles import TitleTable

RAREST = 5
"""Number of a title's rarest words, of those that other titles have too, under which it is filed."""

BESIDE = 50
"""Number of titles under a word, or a pair of words, that a title looks at, at most; equal titles first."""

NEAREST = 20
"""Number of titles that are chosen for each, at most. So many others each title was compared with in training, too."""

UNSEEN_BY_TITLE = -math.log(NEAREST)
"""The logit of a pair without photos of which nothing is known: of those that are chosen, one is a duplicate."""

TITLES_AT_ONCE = 1_024
"""Number of titles whose nearest are chosen together, which bounds the memory."""


def pairs_by_title(titles: TitleTable, asked: NDArray[np.bool_]) -> Pairs:
    """Pair each asked title with the titles that share the rarest words with it.

    Parameters
    ----------
    titles : TitleTable
    asked : ndarray of shape (n_titles,), bool

    Returns
    -------
    ndarray of shape (n_pairs, 2), int
        Numbers of titles. Each pair once, the smaller number first, in ascending order.
    """
    owners, keys = _filed(titles)
    _, keys, holders = np.unique(keys, return_inverse=True, return_counts=True)
    equal = np.zeros(len(titles), np.uint64)
    np.add.at(equal, _owners(titles), titles.marks[titles.words])  # the same for titles of the same words
    order = np.lexsort((owners, equal[owners], keys))
    owners, keys = owners[order], keys[order]
    starts = np.cumsum(holders) - holders
    weights = np.log(len(titles) / holders)
    by_owner = np.argsort(owners, kind="stable")
    bounds = np.searchsorted(owners[by_owner], np.arange(len(titles) + 1))
    found = [np.empty((0, 2), np.intp)]
    rows = np.flatnonzero(asked)
    for batch in np.array_split(rows, -(-len(rows) // TITLES_AT_ONCE) or 1):
        entries = np.concatenate([by_owner[:0], *(by_owner[bounds[row] : bounds[row + 1]] for row in batch)])
        places, others = _beside(entries, starts[keys[entries]], holders[keys[entries]])
        found.append(_best(owners[places], owners[others], weights[keys[places]], equal))
    return np.unique(np.sort(np.concatenate(found), axis=1), axis=0)


def _owners(titles: TitleTable) -> NDArray[np.intp]:
    """Return the title of each word, shape (n_words,)."""
    return np.repeat(np.arange(len(titles)), titles.counts)


def _filed(titles: TitleTable) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """File titles under their rarest words and pairs of them. → titles, words or pairs as numbers"""
    n_words = len(titles.marks)
    # numbered by their marks, so that the order of the titles makes no difference
    words = np.argsort(np.argsort(titles.marks, kind="stable"), kind="stable")[titles.words]
    holders = np.bincount(words, minlength=n_words)
    kept = np.flatnonzero(holders[words] > 1)
    owners, words = _owners(titles)[kept], words[kept]
    order = np.lexsort((words, holders[words], owners))
    owners, words = owners[order], words[order]
    rank = np.arange(len(owners)) - np.searchsorted(owners, owners)
    some = rank < RAREST
    rarest = np.full((len(titles), RAREST), -1)
    rarest[owners[some], rank[some]] = words[some]
    both = [np.sort(rarest[:, pair], axis=1) for pair in combinations(range(RAREST), 2)]
    paired = [np.where(each[:, 0] < 0, -1, n_words * (each[:, 0] + 1) + each[:, 1]) for each in both]
    keys = np.concatenate([rarest, np.stack(paired, axis=1)], axis=1)
    rows, columns = np.nonzero(keys >= 0)
    return rows, keys[rows, columns]


def _beside(
    entries: NDArray[np.intp], starts: NDArray[np.intp], holders: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the entries beside some entries under the same word, in a ring. → entries, those beside them"""
    n_beside = np.minimum(holders - 1, BESIDE)
    step = np.arange(n_beside.sum()) - np.repeat(np.cumsum(n_beside) - n_beside, n_beside)
    step -= np.repeat(n_beside // 2, n_beside)
    step += step >= 0
    places, starts, holders = (np.repeat(each, n_beside) for each in (entries, starts, holders))
    return places, starts + (places - starts + step) % holders


def _best(
    titles: NDArray[np.intp], others: NDArray[np.intp], weights: NDArray[np.float64], equal: NDArray[np.uint64]
) -> NDArray[np.intp]:
    """Return each title with the others whose shared words weigh most together, shape (n, 2).

    equal : ndarray of shape (n_titles,)
        Decides between those that weigh the same.
    """
    codes, place = np.unique(titles * len(equal) + others, return_inverse=True)
    sums = np.bincount(place, weights, minlength=len(codes))
    title, other = np.divmod(codes, len(equal))
    order = np.lexsort((other, equal[other], -sums, title))
    title, other = title[order], other[order]
    first = np.arange(len(title)) - np.searchsorted(title, title) < NEAREST
    return np.stack([title[first], other[first]], axis=1)
