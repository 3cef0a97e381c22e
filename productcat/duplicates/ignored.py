"""Pictures that somebody says never count, such as size charts: photos that show one of them are left out."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from productcat.arithmetic.vectors import unit
from productcat.duplicates.embedding import Embedding, Stacked
from productcat.duplicates.pictures import DETAILS, SURE, compared
from productcat.duplicates.thumbnails import Thumbnails

TRIED = 64
"""Number of photos, those most like an ignored picture, that are compared with it together. After as many of which none
shows it, no more are tried."""


def without_ignored(embeddings: Sequence[Embedding], ignored: Sequence[Embedding]) -> list[Embedding]:
    """Leave out the photos that show one of the ignored pictures, however it was cropped, turned or lit.

    Parameters
    ----------
    embeddings, ignored : sequences of Embedding
        Every photo of `ignored` is an ignored picture.

    Returns
    -------
    list of Embedding
        In the same order; those without such a photo as they were.
    """
    return only_photos(embeddings, kept_photos(embeddings, ignored))


def only_photos(embeddings: Sequence[Embedding], kept: Sequence[NDArray[np.intp]]) -> list[Embedding]:
    """Return listings with some of their photos, by the numbers of the photos of each."""
    both = zip(embeddings, kept, strict=True)
    return [each if len(rows) == len(each) else each.with_photos(rows) for each, rows in both]


def kept_photos(embeddings: Sequence[Embedding], ignored: Sequence[Embedding]) -> list[NDArray[np.intp]]:
    """Return the numbers of the photos of each listing that show none of the ignored pictures."""
    some, pictures = ([each for each in side if len(each)] for side in (embeddings, ignored))
    gone = np.zeros(sum(map(len, some)), bool)
    if some and pictures:
        _, first, places = np.unique(_thumbnails(some), axis=0, return_index=True, return_inverse=True)
        gone = _shown(some, pictures, first)[places.ravel()]
    ends = np.cumsum([len(each) for each in embeddings])
    return [np.flatnonzero(~gone[end - len(each) : end]) for each, end in zip(embeddings, ends, strict=True)]


def _shown(photos: Sequence[Embedding], pictures: Sequence[Embedding], rows: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Tell which of some rows of the photos show one of the pictures. → (n_rows,)"""
    likeness = np.sum([_cosines(photos, pictures, level)[rows] for level in photos[0].features], axis=0)
    theirs, ours = _thumbnails(pictures), _thumbnails(photos)[rows]
    shown = np.zeros(len(rows), bool)
    for picture, column in zip(theirs, likeness.T, strict=True):
        order = np.argsort(-column, kind="stable")
        for start in range(0, len(order), TRIED):
            nearest = order[start : start + TRIED]
            same = compared(ours[nearest], np.broadcast_to(picture, ours[nearest].shape))[:, DETAILS] >= SURE
            shown[nearest[same]] = True
            if not same.any():
                break
    return shown


def _cosines(photos: Sequence[Embedding], pictures: Sequence[Embedding], level: str) -> NDArray[np.float32]:
    """Return cosines of photos with pictures after what all photos share is taken away. → (n_photos, n_pictures)"""
    ours, theirs = (Stacked(each, level)[:] for each in (photos, pictures))
    mean = ours.mean(axis=0) if len(ours) > TRIED else np.zeros(ours.shape[1], np.float32)
    cosines: NDArray[np.float32] = unit(ours - mean) @ unit(theirs - mean).T
    return cosines


def _thumbnails(embeddings: Sequence[Embedding]) -> Thumbnails:
    return np.concatenate([each.thumbnails for each in embeddings])
