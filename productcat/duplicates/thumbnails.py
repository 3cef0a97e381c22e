"""Small pictures that are kept of photos: copies of a picture are found by them, and colours are compared.

A thumbnail is a row of LENGTH whole numbers: SIDE × SIDE gray values without brightness and contrast, then COLOUR_SIDE
× COLOUR_SIDE values each of luma, blue and red chroma (ITU-R BT.601). Borders of one colour (frames, backdrops) are cut
off, and what is inside is stretched to a square, since a crop changes the shape of a photo anyway.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from productcat.listings.borders import without_border, without_frame
from productcat.listings.shrinking import Pixels, fit

SIDE = 24
"""Number of pixels of a side of the gray part."""

COLOUR_SIDE = 8
"""Number of pixels of a side of the coloured part."""

LENGTH = SIDE * SIDE + 3 * COLOUR_SIDE * COLOUR_SIDE

OLD_SIDE = 16
"""Number of pixels of a side of the thumbnails of format 2, which are gray, not stretched, and nothing else."""

Thumbnails = NDArray[np.int8]
"""Shape (n_photos, LENGTH)."""


def unframed(photos: Pixels) -> Pixels:
    """Cut off the frames that sellers put around photos, and scale them back. (n, height, width, 3), uint8"""
    inside = [without_frame(each) for each in photos]
    if all(each is photo for each, photo in zip(inside, photos, strict=True)):
        return photos
    height, width = photos.shape[1:3]
    return np.stack([fit(Image.fromarray(each), (height, width)) for each in inside])


def thumbnails(photos: Pixels) -> Thumbnails:
    """Make thumbnails. (n, height, width, 3), uint8 → (n, LENGTH), int8"""
    return np.stack([_thumbnail(Image.fromarray(without_border(each)).convert("YCbCr")) for each in photos])


def _thumbnail(inside: Image.Image) -> NDArray[np.int8]:
    gray = np.asarray(inside.getchannel(0).resize((SIDE, SIDE), Image.Resampling.BOX), np.float32)
    gray = gray - gray.mean()
    steps = np.round(gray * (127 / max(float(np.abs(gray).max()), 1.0)))
    colours = np.asarray(inside.resize((COLOUR_SIDE, COLOUR_SIDE), Image.Resampling.BOX), np.int16) - 128
    return np.concatenate([steps.ravel(), colours.transpose(2, 0, 1).ravel()]).astype(np.int8)


def of_format_2(old: NDArray[np.int8]) -> Thumbnails:
    """Turn thumbnails of format 2 into what they would be: as sharp as they are, and without colours."""
    rows = [np.asarray(Image.fromarray(_square(each)).resize((SIDE, SIDE), Image.Resampling.BILINEAR)) for each in old]
    gray = np.array(rows, np.int16).reshape(-1, SIDE * SIDE) - 128
    return np.pad(gray, [(0, 0), (0, LENGTH - SIDE * SIDE)]).astype(np.int8)


def as_format_2(kept: Thumbnails) -> NDArray[np.int8]:
    """Turn thumbnails into what an index of format 2 has room for. (n, LENGTH) → (n, OLD_SIDE * OLD_SIDE)"""
    pictures = (grays(kept) + 128).astype(np.uint8)
    size = (OLD_SIDE, OLD_SIDE)
    rows = [np.asarray(Image.fromarray(each).resize(size, Image.Resampling.BOX)).ravel() for each in pictures]
    return (np.array(rows, np.int16).reshape(-1, OLD_SIDE * OLD_SIDE) - 128).astype(np.int8)


def _square(old: NDArray[np.int8]) -> NDArray[np.uint8]:
    return (old.reshape(OLD_SIDE, OLD_SIDE).astype(np.int16) + 128).astype(np.uint8)


def grays(kept: Thumbnails) -> NDArray[np.float32]:
    """Return the gray pictures, shape (n, SIDE, SIDE)."""
    return kept[:, : SIDE * SIDE].reshape(-1, SIDE, SIDE).astype(np.float32)


def colours(kept: Thumbnails) -> NDArray[np.float32]:
    """Return luma, blue and red, shape (n, 3, COLOUR_SIDE, COLOUR_SIDE)."""
    return kept[:, SIDE * SIDE :].reshape(-1, 3, COLOUR_SIDE, COLOUR_SIDE).astype(np.float32)
