"""Find the frames and borders that sellers put around a photo, by lines of pixels of one colour.

All four sides are treated alike, so a photo that is turned or mirrored loses the same.
"""

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from productcat.listings.shrinking import Pixels

SAME_COLOUR = 32
"""Difference, of 255, up to which a pixel has the colour of its row or column."""

SPECKS = 0.05
"""Share of pixels of other colours that a row or column of a border may have."""

WHITE = 250
"""Least value, of 255, of the white that fills a photo up to a square."""

NARROWEST, WIDEST = 3, 0.25
"""Least width of a frame, in pixels, and its greatest width, as a share of the shorter side."""

UNEVEN = 2
"""Number of pixels by which the four sides of one frame may differ, from scaling."""

BLEND = 2
"""Number of pixels inside a frame that scaling mixed with it."""

Margin: TypeAlias = tuple[int, NDArray[np.float32]]
"""Number of lines of one colour on a side of a photo, and that colour, shape (3,)."""


def without_frame(photo: Pixels) -> Pixels:
    """Cut off a frame: one colour, and as wide on all four sides.

    photo : ndarray of shape (height, width, 3), dtype uint8
        It may be filled up with white above and below, or left and right.

    Returns
    -------
    ndarray
        A view; the photo itself where it has no frame.
    """
    for outside in (photo, _unfilled(photo)):
        widths, colours = zip(*_margins(outside), strict=True)
        even = max(widths) - min(widths) <= UNEVEN and np.ptp(colours, axis=0).max() <= SAME_COLOUR
        if even and min(widths) >= NARROWEST and max(widths) <= WIDEST * min(outside.shape[:2]):
            cut = max(widths) + BLEND
            return outside[cut:-cut, cut:-cut]
    return photo


def _unfilled(photo: Pixels) -> Pixels:
    """Cut off white on two opposite sides. White on all four is not a filling, or nobody can tell."""
    top, left, bottom, right = (width if colour.min() >= WHITE else 0 for width, colour in _margins(photo))
    height, width = photo.shape[:2]
    filled_above, filled_aside = (top and bottom), (left and right)
    if filled_above and not filled_aside and top + bottom < height:  # else all of it is white, except some specks
        return photo[top : height - bottom]
    if filled_aside and not filled_above and left + right < width:
        return photo[:, left : width - right]
    return photo


def _margins(photo: Pixels) -> Iterator[Margin]:
    """Yield the margins at the top, left, bottom and right: the lines that have the colour of the outermost one."""
    for side in (photo, photo.transpose(1, 0, 2), photo[::-1], photo.transpose(1, 0, 2)[::-1]):
        lines = side[: max(1, len(side) // 2), _sparse(side.shape[1])].astype(np.float32)
        colour = np.median(lines[0], axis=0)
        other = (np.abs(lines - colour).max(axis=2) > SAME_COLOUR).mean(axis=1) > SPECKS
        yield (int(other.argmax()) if other.any() else len(lines)), colour


def without_border(photo: Pixels) -> Pixels:
    """Cut off all borders of one colour, such as a backdrop or a frame.

    Returns
    -------
    ndarray
        A view, never empty; the photo itself where it has no border.
    """
    outside = photo
    while True:
        height, width = photo.shape[:2]
        rows = np.flatnonzero(~_plain(photo[:, _sparse(width)], 1))
        columns = np.flatnonzero(~_plain(photo[_sparse(height)], 0))
        if not len(rows) or not len(columns):
            return outside  # what is inside has one colour and shows nothing
        inside = photo[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        if inside.shape == photo.shape:
            return photo
        outside, photo = photo, inside


def _sparse(length: int) -> NDArray[np.intp]:
    """Return every fourth place of a line, the same from both ends. They show its colour as well as all places do."""
    places = np.arange(0, (length + 1) // 2, 4)
    return np.union1d(places, length - 1 - places)


def _plain(pixels: Pixels, axis: int) -> NDArray[np.bool_]:
    """Tell which lines of pixels along an axis have one colour. (height, width, 3) → (n_lines,)"""
    values = pixels.astype(np.float32)
    apart = np.abs(values - values.mean(axis=axis, keepdims=True)).max(axis=2) > SAME_COLOUR
    plain: NDArray[np.bool_] = apart.mean(axis=axis) <= SPECKS
    return plain
