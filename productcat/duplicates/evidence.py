"""The evidence of a pair of listings: columns of numbers that say what two sets of photos have in common.

Neither the order of the photos nor that of the two sets changes a number.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from productcat.duplicates.leave_out import cosines_without
from productcat.duplicates.photo_sets import AdaptedPhotoSets, PhotoSets
from productcat.duplicates.thumbnails import copy_evidence, correlations

PHOTO_PAIRS_AT_ONCE = 16_384
"""Number of pairs of photos compared together, which bounds the memory."""

Floats: TypeAlias = NDArray[np.float32] | NDArray[np.float64]
"""Cosines: float32, but float64 where the spaces were adapted to a catalogue."""


def evidence(
    left: PhotoSets, right: PhotoSets, pairs: NDArray[np.intp], wanted: NDArray[np.bool_] | None = None
) -> NDArray[np.float32]:
    """Describe pairs of listings.

    Parameters
    ----------
    left, right : PhotoSets
    pairs : ndarray of shape (n_pairs, 2), int
        Numbers of listings that have photos, in `left` and in `right`.
    wanted : ndarray of shape (3 * n_levels + 2,), bool, optional
        The columns that count, by default all. The others may be left 0.

    Returns
    -------
    ndarray of shape (n_pairs, 3 * n_levels + 2), float32
        For each level three cosines: of the mean vectors; of the two most similar photos; and the mean, over all photos
        of both sets, of the best with a photo of the other set. Then `copy_evidence`: how surely two photos are copies.
        Last the logarithm of the number of pairs of photos.
    """
    wanted = np.ones(3 * len(left.vectors) + 2, bool) if wanted is None else wanted
    found = np.zeros((len(pairs), len(wanted)), np.float32)
    counts = np.stack([left.counts[pairs[:, 0]], right.counts[pairs[:, 1]]], axis=1)
    for shape in np.unique(counts, axis=0):
        alike = np.flatnonzero((counts == shape).all(axis=1))
        at_once = max(PHOTO_PAIRS_AT_ONCE // int(shape.prod()), 1)
        for start in range(0, len(alike), at_once):
            some = alike[start : start + at_once]
            found[some] = _columns(left, right, pairs[some], wanted)
    return found


def _columns(
    left: PhotoSets, right: PhotoSets, pairs: NDArray[np.intp], wanted: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Return the evidence of pairs whose left listings have equally many photos, and whose right ones have, too."""
    ours, theirs = left.rows(pairs[:, 0]), right.rows(pairs[:, 1])
    found = np.zeros((len(pairs), len(wanted)), np.float32)
    for number, level in enumerate(left.vectors):
        place = 3 * number
        if wanted[place : place + 3].any():
            of_photos = bool(wanted[place + 1 : place + 3].any())
            columns = _level_columns(left, right, pairs, level, of_photos)
            found[:, place : place + len(columns)] = np.stack(columns, axis=1)
    if wanted[-2]:
        first, second = _photo_pairs(ours, theirs)
        copies = correlations(left.thumbnails[first], right.thumbnails[second])
        found[:, -2] = copy_evidence(copies.reshape(len(pairs), -1).max(axis=1))
    found[:, -1] = np.log(ours.shape[1] * theirs.shape[1])
    return found


def _level_columns(
    left: PhotoSets, right: PhotoSets, pairs: NDArray[np.intp], level: str, of_photos: bool
) -> list[Floats]:
    """Return the three columns of a level, or that of the means alone."""
    ours, theirs = left.rows(pairs[:, 0]), right.rows(pairs[:, 1])
    if isinstance(left, AdaptedPhotoSets) and isinstance(right, AdaptedPhotoSets):
        cosines, means = _cosines_without_own(left, right, ours, theirs, level)
        return [means, *_best(cosines)] if of_photos else [means]
    means = np.einsum("nd,nd->n", left.means[level][pairs[:, 0]], right.means[level][pairs[:, 1]])
    return [means, *_best(_cosines(left, right, ours, theirs, level))] if of_photos else [means]


def _best(cosines: Floats) -> tuple[Floats, Floats]:
    """Return the best of all cosines, and the mean over all photos of the best with a photo of the other listing."""
    best_of_rows, best_of_columns = cosines.max(axis=2), cosines.max(axis=1)
    n_photos = best_of_rows.shape[1] + best_of_columns.shape[1]
    # reduceat rounds in another order than sum, and shipped figures come from it
    sums = np.add.reduceat(best_of_rows, [0], axis=1) + np.add.reduceat(best_of_columns, [0], axis=1)
    return best_of_rows.max(axis=1), sums[:, 0] / n_photos


def _photo_pairs(ours: NDArray[np.intp], theirs: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pair each photo of one listing with each of the other: rows on the left, rows on the right."""
    return np.repeat(ours, theirs.shape[1], axis=1).ravel(), np.tile(theirs, ours.shape[1]).ravel()


def _cosines(
    left: PhotoSets, right: PhotoSets, ours: NDArray[np.intp], theirs: NDArray[np.intp], level: str
) -> NDArray[np.float32]:
    """Return the cosines of all photos of listings with those of others, shape (n_pairs, n_left, n_right)."""
    first, second = _photo_pairs(ours, theirs)
    cosines: NDArray[np.float32] = np.einsum("nd,nd->n", left.vectors[level][first], right.vectors[level][second])
    return cosines.reshape(*ours.shape, theirs.shape[1])


def _cosines_without_own(
    left: AdaptedPhotoSets, right: AdaptedPhotoSets, ours: NDArray[np.intp], theirs: NDArray[np.intp], level: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return cosines of photos, shape (n_pairs, n_left, n_right), and of means, shape (n_pairs,); see `leave_out`."""
    vectors = np.concatenate([left.unscaled(level, ours), right.unscaled(level, theirs)], axis=1)
    marks, shares, times = (
        np.concatenate(both, axis=1) for both in zip(left.own.at(ours), right.own.at(theirs), strict=True)
    )
    return cosines_without(vectors, marks, shares, times, ours.shape[1])


def photo_cosines(left: PhotoSets, right: PhotoSets, level: str) -> Floats:
    """Return the cosines of all photos of one listing with all of another, shape (n_left, n_right).

    left, right : PhotoSets of one listing each
    """
    shape = len(left.thumbnails), len(right.thumbnails)
    if isinstance(left, AdaptedPhotoSets) and isinstance(right, AdaptedPhotoSets) and all(shape):
        one = np.zeros(1, np.intp)
        return _cosines_without_own(left, right, left.rows(one), right.rows(one), level)[0].reshape(shape)
    cosines: NDArray[np.float32] = left.vectors[level] @ right.vectors[level].T
    return cosines
