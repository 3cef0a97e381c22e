"""Frames and borders that sellers put around a photo, found by lines of pixels of one colour.

All four sides are treated alike, so a photo that is turned or mirrored loses the same.
"""

import numpy as np

SAME_COLOUR = 32
"""Of 255: what differs less from the colour of a row or column of pixels is of one colour with it."""

SPECKS = 0.05
"""A row or column of a border may have this share of pixels of other colours."""

WHITE = 250
"""Of 255: the least of the white that fills a photo up to a square."""

NARROWEST, WIDEST = 3, 0.25
"""A frame has at least so many pixels, and at most this share of the shorter side."""

UNEVEN = 2
"""Pixels by which the four sides of one frame may differ, from scaling."""

BLEND = 2
"""Pixels inside a frame that scaling mixed with it."""


def without_frame(photo):
    """The part of a photo inside a frame: one colour, and as wide on all four sides.

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


def _unfilled(photo):
    """A photo without white on two opposite sides; with white on all four it is no filling, or nobody can tell."""
    widths = [width if colour.min() >= WHITE else 0 for width, colour in _margins(photo)]
    top, left, bottom, right = widths
    height, width = photo.shape[:2]
    filled_above, filled_aside = (top and bottom), (left and right)
    if filled_above and not filled_aside and top + bottom < height:  # else all of it is white but for some specks
        return photo[top : height - bottom]
    if filled_aside and not filled_above and left + right < width:
        return photo[:, left : width - right]
    return photo


def _margins(photo):
    """Of the top, left, bottom and right: how many lines have the outermost one's colour, and that colour."""
    for side in (photo, photo.transpose(1, 0, 2), photo[::-1], photo.transpose(1, 0, 2)[::-1]):
        lines = side[: max(1, len(side) // 2), _sparse(side.shape[1])].astype(np.float32)
        colour = np.median(lines[0], axis=0)
        other = (np.abs(lines - colour).max(axis=2) > SAME_COLOUR).mean(axis=1) > SPECKS
        yield (int(other.argmax()) if other.any() else len(lines)), colour


def without_border(photo):
    """The part of a photo inside all borders of one colour, such as a backdrop or a frame, never empty.

    Returns
    -------
    ndarray
        A view; the photo itself where it has no border.
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


def _sparse(length):
    """Every fourth place of a line, which tell its colour as well, alike from both ends."""
    places = np.arange(0, (length + 1) // 2, 4)
    return np.union1d(places, length - 1 - places)


def _plain(pixels, axis):
    """Which lines of pixels along an axis are of one colour. pixels : (height, width, 3) → bool, one a line"""
    values = pixels.astype(np.float32)
    apart = np.abs(values - values.mean(axis=axis, keepdims=True)).max(axis=2) > SAME_COLOUR
    return apart.mean(axis=axis) <= SPECKS
