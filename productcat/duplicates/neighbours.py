"""Choose the pairs of a catalogue's listings that are worth a score: the nearest by photos and by mean vectors."""

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from productcat.duplicates.photo_sets import PhotoSets

VECTORS_AT_ONCE = 256
"""Number of vectors whose neighbours are looked for together."""

Pairs: TypeAlias = NDArray[np.intp]
"""Numbers of listings, shape (n_pairs, 2)."""

Score: TypeAlias = Callable[[Pairs], NDArray[np.float64]]
"""Scores pairs: (n_pairs, 2) → (n_pairs,)."""


def scored_pairs(sets: PhotoSets, k: int, score: Score, least: float) -> tuple[Pairs, NDArray[np.float64]]:
    """Score each listing with its most similar ones.

    Those are the owners of the k nearest photos of each photo, and the k nearest listings by mean vectors. Where at
    least half of them are duplicates there may be more, so twice as many are scored, and so on.

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
        rows, wanted, most = np.arange(len(vectors)), k, len(vectors) - 1
        while len(rows) and most:
            others = _nearest_owners(vectors, owners, rows, min(wanted, most))
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
        every, scores = np.append(self.codes, new), np.append(self.scores, self.score(self.pairs(new)))
        order = np.argsort(every)
        self.codes, self.scores = every[order], scores[order]
        found = np.full(others.shape, -np.inf)
        found[there] = self.scores[np.searchsorted(self.codes, codes)]
        return found


def _searches(sets: PhotoSets) -> Iterator[tuple[NDArray[np.float32], NDArray[np.intp]]]:
    """Yield what is searched, vectors and the owner of each: photos and, where listings have several, means."""
    owners, seen = np.repeat(np.arange(len(sets.counts)), sets.counts), np.flatnonzero(sets.counts)
    yield np.concatenate(list(sets.vectors.values()), axis=1), owners
    if len(owners) > len(seen):  # otherwise every listing has one photo, which is its mean
        yield np.concatenate([means[seen] for means in sets.means.values()], axis=1), seen


def _nearest_owners(
    vectors: NDArray[np.float32], owners: NDArray[np.intp], rows: NDArray[np.intp], k: int
) -> NDArray[np.intp]:
    """Return the owners of the k nearest vectors of others, shape (n_rows, k), -1 where there are not so many."""
    found = np.full((len(rows), k), -1)
    for start in range(0, len(rows), VECTORS_AT_ONCE):
        some = rows[start : start + VECTORS_AT_ONCE]
        cosines = vectors[some] @ vectors.T
        cosines[owners[some, None] == owners] = -np.inf
        nearest = np.argpartition(-cosines, k - 1, axis=1)[:, :k]
        there = np.isfinite(np.take_along_axis(cosines, nearest, axis=1))
        found[start : start + VECTORS_AT_ONCE] = np.where(there, owners[nearest], -1)
    return found
