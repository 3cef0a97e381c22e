"""The evidence of a pair of listings: columns of numbers that say what two sets of photos have in common.

Neither the order of the photos nor that of the two sets changes a number.
"""

from collections.abc import Callable, Iterable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from productcat.duplicates.leave_out import cosines_without
from productcat.duplicates.photo_sets import AdaptedPhotoSets, PhotoSets
from productcat.duplicates.pictures import COLUMNS, DETAILS, EVIDENCE, compared, picture_evidence
from productcat.duplicates.thumbnails import Thumbnails

PHOTO_PAIRS_AT_ONCE = 16_384
"""Number of pairs of photos compared together, which bounds the memory."""

PICTURES_COMPARED = 3
"""Number of pairs of photos of two listings that are laid over each other, at most: the most similar ones."""

UNLIKE = 0.1
"""Mean cosine of all levels below which two photos are not laid over each other: they are not one picture."""

Floats: TypeAlias = NDArray[np.float32] | NDArray[np.float64]
"""Cosines: float32, but float64 where the spaces were adapted to a catalogue."""


Compare: TypeAlias = Callable[[Thumbnails, Thumbnails], NDArray[np.float32]]
"""Says of pairs of photos what `pictures.compared` says."""


def evidence(
    left: PhotoSets,
    right: PhotoSets,
    pairs: NDArray[np.intp],
    wanted: NDArray[np.bool_] | None = None,
    compare: Compare = compared,
) -> NDArray[np.float32]:
    """Describe pairs of listings.

    Parameters
    ----------
    left, right : PhotoSets
    pairs : ndarray of shape (n_pairs, 2), int
        Numbers of listings that have photos, in `left` and in `right`.
    wanted : ndarray of shape (n_evidence,), bool, optional
        The columns that count, by default all. The others may be left 0.
    compare : callable
        `pictures.compared`, or what remembers its answers.

    Returns
    -------
    ndarray of shape (n_pairs, n_evidence), float32
        The columns that `names` names. For each level three cosines: of the mean vectors; of the two most similar
        photos; and the mean, over all photos of both sets, of the best with a photo of the other set. Then what
        `pictures.compared` says of the photos that are most surely one picture, as `pictures.picture_evidence`. Last
        the logarithm of the number of pairs of photos.
    """
    wanted = np.ones(len(names(left.vectors)), bool) if wanted is None else wanted
    found = np.zeros((len(pairs), len(wanted)), np.float32)
    counts = np.stack([left.counts[pairs[:, 0]], right.counts[pairs[:, 1]]], axis=1)
    for shape in np.unique(counts, axis=0):
        alike = np.flatnonzero((counts == shape).all(axis=1))
        at_once = max(PHOTO_PAIRS_AT_ONCE // int(shape.prod()), 1)
        for start in range(0, len(alike), at_once):
            some = alike[start : start + at_once]
            found[some] = _columns(left, right, pairs[some], wanted, compare)
    return found


def names(levels: Iterable[str]) -> list[str]:
    """Name the columns of the evidence."""
    cosines = [f"{level}/{kind}" for level in levels for kind in ("means", "best", "all")]
    return [*cosines, *EVIDENCE, "pairs"]


def _columns(
    left: PhotoSets, right: PhotoSets, pairs: NDArray[np.intp], wanted: NDArray[np.bool_], compare: Compare
) -> NDArray[np.float32]:
    """Return the evidence of pairs whose left listings have equally many photos, and whose right ones have, too."""
    ours, theirs = left.rows(pairs[:, 0]), right.rows(pairs[:, 1])
    found = np.zeros((len(pairs), len(wanted)), np.float32)
    of_pictures = slice(3 * len(left.vectors), 3 * len(left.vectors) + len(EVIDENCE))
    total = np.zeros((len(pairs), ours.shape[1], theirs.shape[1]))
    for number, level in enumerate(left.vectors):
        place = 3 * number
        if wanted[place : place + 3].any() or wanted[of_pictures].any():
            cosines, means = _level(left, right, pairs, level)
            found[:, place : place + 3] = np.stack([means, *_best(cosines)], axis=1)
            total += cosines / len(left.vectors)
    if wanted[of_pictures].any():
        found[:, of_pictures] = _pictures(left, right, ours, theirs, total.reshape(len(pairs), -1), compare)
    found[:, -1] = np.log(ours.shape[1] * theirs.shape[1])
    return found


def _pictures(
    left: PhotoSets,
    right: PhotoSets,
    ours: NDArray[np.intp],
    theirs: NDArray[np.intp],
    cosines: NDArray[np.float64],
    compare: Compare,
) -> NDArray[np.float32]:
    """Compare the most similar photos of pairs of listings as pictures, and say what the surest pair says.

    ours, theirs : rows of the photos, (n_pairs, n_left), (n_pairs, n_right)
    cosines : ndarray of shape (n_pairs, n_left * n_right)
    """
    n_compared = min(PICTURES_COMPARED, cosines.shape[1])
    nearest = np.argsort(-cosines, axis=1, kind="stable")[:, :n_compared]
    first, second = (
        np.take_along_axis(each.reshape(cosines.shape), nearest, axis=1) for each in _photo_pairs(ours, theirs)
    )
    some = np.take_along_axis(cosines, nearest, axis=1) >= UNLIKE
    found = np.zeros((*some.shape, len(COLUMNS)), np.float32)
    found[some] = compare(left.thumbnails[first[some]], right.thumbnails[second[some]])
    surest = found[:, :, DETAILS].argmax(axis=1)
    return picture_evidence(np.take_along_axis(found, surest[:, None, None], axis=1)[:, 0])


def _level(left: PhotoSets, right: PhotoSets, pairs: NDArray[np.intp], level: str) -> tuple[Floats, Floats]:
    """Return the cosines of photos, (n_pairs, n_left, n_right), and those of mean vectors, (n_pairs,)."""
    ours, theirs = left.rows(pairs[:, 0]), right.rows(pairs[:, 1])
    if isinstance(left, AdaptedPhotoSets) and isinstance(right, AdaptedPhotoSets):
        return _cosines_without_own(left, right, ours, theirs, level)
    of_both = (side.means[level][each].astype(np.float32) for side, each in zip((left, right), pairs.T, strict=True))
    means = np.einsum("nd,nd->n", *of_both)
    return _cosines(left, right, ours, theirs, level), means


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
    cosines: NDArray[np.float32] = np.einsum("nd,nd->n", left.at(level, first), right.at(level, second))
    return cosines.reshape(*ours.shape, theirs.shape[1])


def _cosines_without_own(
    left: AdaptedPhotoSets, right: AdaptedPhotoSets, ours: NDArray[np.intp], theirs: NDArray[np.intp], level: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return cosines of photos, shape (n_pairs, n_left, n_right), and of means, shape (n_pairs,); see `leave_out`."""
    vectors = np.concatenate([left.unscaled(level, ours), right.unscaled(level, theirs)], axis=1)
    marks = np.concatenate([left.marks[ours], right.marks[theirs]], axis=1)
    pictures = np.concatenate([left.pictures[ours], right.pictures[theirs]], axis=1)
    (own, shares), (others, more) = left.own(level, ours), right.own(level, theirs)
    alike = (pictures[:, :, None] == pictures[:, None, :]).sum(axis=2)
    shares = np.concatenate([shares, more], axis=1) / alike
    return cosines_without(vectors, marks, np.concatenate([own, others], axis=1), shares, ours.shape[1])


def photo_cosines(left: PhotoSets, right: PhotoSets, level: str) -> Floats:
    """Return the cosines of all photos of one listing with all of another, shape (n_left, n_right).

    left, right : PhotoSets of one listing each
    """
    shape = len(left.thumbnails), len(right.thumbnails)
    if isinstance(left, AdaptedPhotoSets) and isinstance(right, AdaptedPhotoSets) and all(shape):
        one = np.zeros(1, np.intp)
        return _cosines_without_own(left, right, left.rows(one), right.rows(one), level)[0].reshape(shape)
    cosines: NDArray[np.float32] = left.at(level, slice(None)) @ right.at(level, slice(None)).T
    return cosines
