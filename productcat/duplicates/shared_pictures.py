"""Pictures that many listings have that otherwise differ: a size chart, a logo, "no photo". They are no evidence.

A picture in many listings may also be what one seller posts again and again. What else the listings show and say tells
the two apart: other photos and titles of reposts agree, too, or there are none.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from productcat.duplicates.embedding import Embedding, marks
from productcat.duplicates.pictures import DETAILS, SURE, compared

MANY = 4
"""Number of listings from which on a picture is looked at."""

PAIRS_JUDGED = 40
"""Number of pairs of listings by which it is judged what they have in common besides a picture, at most."""

UNRELATED = 0.5
"""Share of pairs that are duplicates besides the picture below which it is only shared."""

Judge = Callable[[Sequence[Embedding], Sequence[Embedding]], NDArray[np.bool_]]
"""Tells of pairs of listings, from which the picture was taken, whether they are duplicates all the same."""


@dataclass(frozen=True)
class SharedPicture:
    """A picture that lies in many listings that otherwise differ.

    ids : tuple of str
        The listings.
    photos : tuple of int
        The number of the picture among the photos of each of these listings that can be read, from 0.
    """

    ids: tuple[str, ...]
    photos: tuple[int, ...]


def without_shared(
    embeddings: Sequence[Embedding], pictures: NDArray[np.intp], judge: Judge
) -> tuple[list[Embedding], list[SharedPicture], NDArray[np.bool_]]:
    """Leave out shared pictures.

    Parameters
    ----------
    embeddings : sequence of Embedding
    pictures : ndarray of shape (n_photos,), int
        Numbers of distinct pictures that the photos are near to, negative where none is.
    judge : callable

    Returns
    -------
    embeddings : list of Embedding
        Each without its shared pictures, in the same order.
    shared : list of SharedPicture
        Those in most listings first.
    stays : ndarray of shape (n_photos,), bool
        Which photos are not left out.
    """
    owners = np.repeat(np.arange(len(embeddings)), [len(each) for each in embeddings])
    places = np.concatenate([np.arange(len(each)) for each in embeddings]) if embeddings else owners
    common = _common(embeddings, owners, pictures)
    often = np.zeros(len(owners), bool)
    for rows in common:
        often[rows] = True
    rest = _taken(embeddings, owners, places, often)
    rng = np.random.default_rng(0)
    gone, shared = np.zeros(len(owners), bool), []
    for rows in common:
        members, first = np.unique(owners[rows], return_index=True)
        pairs = _some_pairs(len(members), rng)
        left, right = ([rest[member] for member in members[side]] for side in pairs.T)
        if judge(left, right).mean() < UNRELATED:
            gone[rows] = True
            shown = places[rows[first]]
            shared.append(SharedPicture(tuple(embeddings[each].id for each in members), tuple(shown.tolist())))
    return _taken(embeddings, owners, places, gone), sorted(shared, key=lambda each: -len(each.ids)), ~gone


def _common(
    embeddings: Sequence[Embedding], owners: NDArray[np.intp], pictures: NDArray[np.intp]
) -> list[NDArray[np.intp]]:
    """Return the rows of the photos of each picture that lies in many listings."""
    some = [each for each in embeddings if len(each)]
    if not some:
        return []
    thumbnails = np.concatenate([each.thumbnails for each in some])
    _, exact = np.unique(marks(some), return_inverse=True)
    taken, found = np.zeros(len(owners), bool), []
    for labels in (pictures, exact):
        order = np.argsort(labels, kind="stable")
        for rows in np.split(order, np.flatnonzero(np.diff(labels[order])) + 1):
            rows = rows[~taken[rows]]
            if labels[rows[:1]].min(initial=0) < 0 or len(rows) < MANY or len(np.unique(owners[rows])) < MANY:
                continue
            same = rows if labels is exact else rows[_like_most(thumbnails[rows])]
            if len(np.unique(owners[same])) >= MANY:
                taken[same] = True
                found.append(same)
    return found


def _like_most(thumbnails: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Tell which pictures are the same as the one that occurs most often to the bit."""
    _, place, times = np.unique(thumbnails, axis=0, return_inverse=True, return_counts=True)
    one = thumbnails[np.flatnonzero(place.ravel() == times.argmax())[0]]
    same: NDArray[np.bool_] = compared(thumbnails, np.broadcast_to(one, thumbnails.shape))[:, DETAILS] >= SURE
    return same


def _some_pairs(n: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Return some pairs of different numbers below n, shape (n_pairs, 2)."""
    left = np.resize(rng.permutation(n), PAIRS_JUDGED)
    return np.stack([left, (left + rng.integers(1, n, len(left))) % n], axis=1)


def _taken(
    embeddings: Sequence[Embedding], owners: NDArray[np.intp], places: NDArray[np.intp], gone: NDArray[np.bool_]
) -> list[Embedding]:
    """Return the listings without some of their photos."""
    found = list(embeddings)
    for owner in np.unique(owners[gone]):
        each, left = embeddings[owner], places[(owners == owner) & ~gone]
        features = {name: rows[left] for name, rows in each.features.items()}
        found[owner] = replace(each, features=features, thumbnails=each.thumbnails[left])
    return found
