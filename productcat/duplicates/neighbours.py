"""Choose the pairs of a catalogue's listings that are worth a score: the nearest by photos and by mean vectors."""

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from productcat.duplicates.cells import Cells, Vectors
from productcat.duplicates.photo_sets import PhotoSets

MOST_NEIGHBOURS = 640
"""Number of neighbours of a photo that are scored, at most. So the cost stays linear where one picture is everywhere,
and in a group of more copies each is scored with so many."""

PAIRS_AT_ONCE = 262_144
"""Number of pairs scored together, which bounds the memory."""

Pairs: TypeAlias = NDArray[np.intp]
"""Numbers of listings, shape (n_pairs, 2)."""

Score: TypeAlias = Callable[[Pairs], NDArray[np.float64]]
"""Scores pairs: (n_pairs, 2) → (n_pairs,)."""


def scored_pairs(sets: PhotoSets, k: int, score: Score, least: float) -> tuple[Pairs, NDArray[np.float64]]:
    """Score each listing with its most similar ones.

    Those are the owners of the k nearest photos of each photo, and the k nearest listings by mean vectors. Where at
    least half of them are duplicates there may be more, so twice as many are scored, and so on. In a large catalogue
    the nearest are looked for in cells.

    Parameters
    ----------
    sets : PhotoSets
    k : int, at least 1
    score : callable
        ndarray of shape (n_pairs, 2) of numbers of listings → ndarray of shape (n_pairs,)
    least : float
        Threshold from which a pair counts as duplicates.

    Returns
    -------
    pairs : ndarray of shape (n_pairs, 2), int
        Each pair once, the smaller number first, in ascending order.
    scores : ndarray of shape (n_pairs,)
    """
    scored = _Scored(len(sets.counts), score)
    for vectors, owners in _searches(sets):
        rows, wanted, most = np.arange(len(vectors)), k, min(len(vectors) - 1, max(k, MOST_NEIGHBOURS))
        cells = Cells.of(vectors) if most > 0 else None
        while cells and len(rows):
            nearest = cells.nearest(rows, owners, min(wanted, most))
            others = np.where(nearest < 0, -1, owners[nearest])
            found = scored.look_up(owners[rows, None], others)
            if wanted >= most:
                break
            rows = rows[(found >= least).mean(axis=1) >= 0.5]
            wanted *= 2
    return scored.pairs(scored.codes), scored.scores


class _Scored:
    """The pairs that were scored. Each is one number, its code: the smaller listing times n_listings, plus the larger.

    codes : ndarray of shape (n_pairs,), int, ascending
    scores : ndarray of shape (n_pairs,)
    """

    def __init__(self, n_listings: int, score: Score) -> None:
        self.n_listings, self.score = n_listings, score
        self.codes = np.empty(0, np.intp)
        self.scores = np.empty(0)

    def pairs(self, codes: NDArray[np.intp]) -> Pairs:
        return np.stack(np.divmod(codes, max(self.n_listings, 1)), axis=1)

    def look_up(self, listings: NDArray[np.intp], others: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the scores of pairs, and score those that are new. It is -inf where `others` is -1.

        listings : ndarray of shape (n, 1); others : ndarray of shape (n, k) → ndarray of shape (n, k)
        """
        codes = np.minimum(listings, others) * self.n_listings + np.maximum(listings, others)
        codes, there = codes[others >= 0], others >= 0
        new = np.setdiff1d(codes, self.codes)
        batches = [new[start : start + PAIRS_AT_ONCE] for start in range(0, len(new), PAIRS_AT_ONCE)]
        scores = np.concatenate([self.scores, *(self.score(self.pairs(batch)) for batch in batches)])
        every = np.append(self.codes, new)
        order = np.argsort(every, kind="stable")  # which only merges what is already in order
        self.codes, self.scores = every[order], scores[order]
        found = np.full(others.shape, -np.inf)
        found[there] = self.scores[np.searchsorted(self.codes, codes)]
        return found


def _searches(sets: PhotoSets) -> Iterator[tuple[Vectors, NDArray[np.intp]]]:
    """Yield what is searched, vectors and the owner of each: photos and, where listings have several, means."""
    owners, seen = np.repeat(np.arange(len(sets.counts)), sets.counts), np.flatnonzero(sets.counts)
    yield Vectors(list(sets.vectors.values())), owners
    if len(owners) > len(seen):  # otherwise every listing has one photo, which is its mean
        every = len(seen) == len(sets.counts)
        yield Vectors([means if every else means[seen] for means in sets.means.values()]), seen
