"""Small gray pictures of photos, by which copies of a picture are known, also turned, mirrored or framed."""

import numpy as np
from PIL import Image

from productcat.duplicates.borders import without_border, without_frame
from productcat.listings.photos import fit

SIDE = 16
"""Thumbnails have this many pixels a side."""

ALIKE = 0.02
"""From a correlation of 1 - ALIKE on, thumbnails are evidence of a copy: below, photos of two items of one kind are."""

SHARP = 5e-4
"""Thumbnails of one photo may differ by as much from rounding."""

_GRID = np.arange(SIDE * SIDE).reshape(SIDE, SIDE)

TURNS = np.stack([np.rot90(grid, k).ravel() for grid in (_GRID, _GRID.T) for k in range(4)])
"""The eight ways to turn and mirror a thumbnail, as orders of its pixels."""


def unframed(photos):
    """Photos without the frames that sellers put around them, scaled to what they were. (n, height, width, 3), uint8"""
    inside = [without_frame(each) for each in photos]
    if all(each is photo for each, photo in zip(inside, photos, strict=True)):
        return photos
    return np.stack([fit(Image.fromarray(each), photos.shape[1:3]) for each in inside])


def thumbnails(photos):
    """Gray thumbnails without brightness, contrast, and borders of one colour (frames, backdrops, filled-up frames).

    photos : ndarray of shape (n, height, width, 3), dtype uint8 → ndarray of shape (n, SIDE * SIDE), int8
    """
    size = photos.shape[1:3]
    inside = [fit(Image.fromarray(each), size) for each in map(without_border, photos)]
    gray = np.stack(inside).mean(axis=3, dtype=np.float32)
    for axis in (1, 2):
        edges = np.linspace(0, gray.shape[axis], SIDE + 1).astype(int)
        gray = np.add.reduceat(gray, edges[:-1], axis) / np.diff(edges).reshape(
            [-1 if i == axis else 1 for i in range(3)]
        )
    flat = gray.reshape(len(gray), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    return np.round(flat * (127 / np.maximum(np.abs(flat).max(axis=1, keepdims=True), 1.0))).astype(np.int8)


def correlations(first, second):
    """Greatest correlation of aligned thumbnails over the eight turns, in whole numbers and so alike both ways.

    first, second : ndarray of shape (n, SIDE * SIDE), int8 → ndarray of shape (n,), 0 where one has no contrast
    """
    # float32 holds whole numbers up to 2**24 exactly, these stay below 127 * 127 * 256, and its products are fast
    first, second = first.astype(np.float32), second.astype(np.float32)
    best = np.max([np.einsum("nd,nd->n", first, second[:, turn]) for turn in TURNS], axis=0)
    lengths = np.sqrt(np.einsum("nd,nd->n", first, first)) * np.sqrt(np.einsum("nd,nd->n", second, second))
    return np.where(lengths > 0, best / np.maximum(lengths, 1.0), 0.0)


def copy_evidence(correlations):
    """What a correlation of thumbnails says of two photos being one picture: 0 up to 1 - ALIKE, then the logarithm.

    Between a correlation of 0.96 and one of 0.99 lies more than between 0.1 and 0.9.
    """
    return np.maximum(np.log((ALIKE + SHARP) / (1.0 - np.minimum(correlations, 1.0) + SHARP)), 0.0)
