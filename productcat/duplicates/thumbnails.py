"""Small gray pictures of photos, by which copies of a picture are found, also turned, mirrored or framed."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from productcat.duplicates.borders import without_border, without_frame
from productcat.listings.photos import Pixels, fit

SIDE = 16
"""Number of pixels of a thumbnail's side."""

ALIKE = 0.02
"""Threshold for copies: a correlation above 1 - ALIKE. Photos of two items of one kind reach lower ones."""

SHARP = 5e-4
"""Difference from a correlation of 1 that rounding makes between thumbnails of one photo."""

_GRID = np.arange(SIDE * SIDE).reshape(SIDE, SIDE)

TURNS = np.stack([np.rot90(grid, k).ravel() for grid in (_GRID, _GRID.T) for k in range(4)])
"""The eight ways to turn and mirror a thumbnail, as orders of its pixels."""


def unframed(photos: Pixels) -> Pixels:
    """Cut off the frames that sellers put around photos, and scale them back. (n, height, width, 3), uint8"""
    inside = [without_frame(each) for each in photos]
    if all(each is photo for each, photo in zip(inside, photos, strict=True)):
        return photos
    height, width = photos.shape[1:3]
    return np.stack([fit(Image.fromarray(each), (height, width)) for each in inside])


def thumbnails(photos: Pixels) -> NDArray[np.int8]:
    """Make gray thumbnails without brightness, contrast and borders of one colour (frames, backdrops, filling).

    photos : ndarray of shape (n, height, width, 3), dtype uint8 → ndarray of shape (n, SIDE * SIDE), int8
    """
    height, width = photos.shape[1:3]
    inside = [fit(Image.fromarray(each), (height, width)) for each in map(without_border, photos)]
    gray = np.stack(inside).mean(axis=3, dtype=np.float32)
    rows, columns = (np.linspace(0, length, SIDE + 1).astype(int) for length in gray.shape[1:])
    gray = np.add.reduceat(gray, rows[:-1], 1) / np.diff(rows)[:, None]
    gray = np.add.reduceat(gray, columns[:-1], 2) / np.diff(columns)
    flat = gray.reshape(len(gray), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    steps: NDArray[np.float64] = np.round(flat * (127 / np.maximum(np.abs(flat).max(axis=1, keepdims=True), 1.0)))
    return steps.astype(np.int8)


def correlations(first: NDArray[np.int8], second: NDArray[np.int8]) -> NDArray[np.float32]:
    """Correlate aligned thumbnails, at best over the eight turns. Sums of whole numbers are the same both ways.

    first, second : ndarray of shape (n, SIDE * SIDE), int8 → ndarray of shape (n,), 0 where one has no contrast
    """
    # float32 holds whole numbers up to 2**24 exactly, these stay below 127 * 127 * 256, and its products are fast
    first, second = first.astype(np.float32), second.astype(np.float32)
    best = np.max([np.einsum("nd,nd->n", first, second[:, turn]) for turn in TURNS], axis=0)
    lengths = np.sqrt(np.einsum("nd,nd->n", first, first)) * np.sqrt(np.einsum("nd,nd->n", second, second))
    return np.where(lengths > 0, best / np.maximum(lengths, 1.0), 0.0)


def copy_evidence(correlations: NDArray[np.float32]) -> NDArray[np.float32]:
    """Say how surely two photos are one picture: 0 for a correlation up to 1 - ALIKE, then its logarithm.

    Between a correlation of 0.96 and one of 0.99 lies more than between 0.1 and 0.9.
    """
    return np.maximum(np.log((ALIKE + SHARP) / (1.0 - np.minimum(correlations, 1.0) + SHARP)), 0.0)
