"""Which pairs of a catalogue's listings are worth a score: the nearest by their photos and by their mean vectors."""

import numpy as np

ROWS = 256
"""Vectors whose neighbours are sought at once."""


def scored_pairs(sets, k, score, least):
    """Score each listing with its most similar ones.

    Those are the owners of the k nearest photos of each photo, and the k nearest listings by mean vectors. Where most
    of them are duplicates there may be more, so twice as many are scored, and so on.

    Parameters
    ----------
    sets : PhotoSets
    k : int
    score : callable
        ndarray of shape (n_pairs, 2) of numbers of listings → ndarray of shape (n_pairs,)
    least : float
        From this score on a pair counts as duplicates.

    Returns
    -------
    pairs : ndarray of shape (n_pairs, 2), int
        Each pair once, the smaller number first, in ascending order.
    scores : ndarray of shape (n_pairs,)
    """
    n = max(len(sets.counts), 1)
    codes, scores = np.empty(0, int), np.empty(0)
    for vectors, owners in _searches(sets):
        rows, wanted = np.arange(len(vectors)), k
        while len(rows):
            wanted = min(wanted, len(vectors) - 1)
            others, mine = _nearest_owners(vectors, owners, rows, wanted), owners[rows, None]
            found = np.where(others < 0, -1, np.minimum(mine, others) * n + np.maximum(mine, others))
            new = np.setdiff1d(found[found >= 0], codes)
            codes, scores = np.append(codes, new), np.append(scores, score(_pairs(new, n)))
            order = np.argsort(codes)
            codes, scores = codes[order], scores[order]
            if wanted == len(vectors) - 1 or not len(codes):
                break
            place = np.minimum(np.searchsorted(codes, found), len(codes) - 1)
            rows = rows[((found >= 0) & (scores[place] >= least)).mean(axis=1) >= 0.5]
            wanted *= 2
    return _pairs(codes, n), scores


def _pairs(codes, n):
    return np.stack(np.divmod(codes, n), axis=1)


def _searches(sets):
    """What is searched: (vectors, owner of each), photos and, where listings have several, means."""
    owners, seen = np.repeat(np.arange(len(sets.counts)), sets.counts), np.flatnonzero(sets.counts)
    yield np.concatenate(list(sets.vectors.values()), axis=1), owners
    if len(owners) > len(seen):  # otherwise every listing has one photo, which is its mean
        yield np.concatenate([sets.means(level)[seen] for level in sets.vectors], axis=1), seen


def _nearest_owners(vectors, owners, rows, k):
    """The owners of the k nearest vectors of others. → ndarray of shape (n_rows, k), -1 where there are not so many"""
    found = np.full((len(rows), max(k, 0)), -1)
    for start in range(0, len(rows), ROWS) if k > 0 else ():
        some = rows[start : start + ROWS]
        cosines = vectors[some] @ vectors.T
        cosines[owners[some, None] == owners] = -np.inf
        nearest = np.argpartition(-cosines, k - 1, axis=1)[:, :k]
        there = np.isfinite(np.take_along_axis(cosines, nearest, axis=1))
        found[start : start + ROWS] = np.where(there, owners[nearest], -1)
    return found
