"""Which pictures show nothing: a white page, one pixel, one colour in a frame. They are no evidence of anything."""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from productcat.listings.borders import WIDEST, without_frame
from productcat.listings.shrinking import Pixels, Upright

LOOKED_AT = 112
"""Number of pixels of the longer side of the picture that is looked at, and less than twice as many: so a photo shows
nothing to all models or to none."""

FLAT = 3.0
"""Standard deviation of the values of a photo, of 255, below which it shows nothing."""

SPECKS = 1_000
"""One pixel in so many may be much lighter and one much darker, so that a speck of dust is not a picture."""

EDGE = 0.05
"""Share of a photo's sides in which a thin frame is not a picture either."""

SMALL = 20
"""Number of pixels of a side up to which nothing of it is left out."""

STEP = 12
"""Difference, of 255, of pixels one below the other that noise does not make."""

FRAMES = 6
"""Number of rows that the edges of frames may fill with such steps."""

BUSY = 0.03
"""Share of such steps from which a photo surely shows something. Hardly any photo has fewer, so most need no closer
look, which takes many times longer."""

LEVELS = np.arange(256, dtype=np.float64)


def shows_nothing(photo: Upright, fitted: Image.Image) -> bool:
    """Tell whether a photo has one colour, or nearly, perhaps in a frame.

    fitted : the photo in RGB in any size, which saves work if it is large enough
    """
    image = fitted if max(fitted.size) >= LOOKED_AT else photo.thumbnail(LOOKED_AT)
    times = max(image.size) // LOOKED_AT
    return _has_one_colour(np.asarray(image.reduce(times) if times > 1 else image))


def _has_one_colour(photo: Pixels) -> bool:
    if _steps(photo) >= BUSY:
        return False
    if _is_flat(_middle(photo, EDGE)):
        return True
    if not _is_flat(_middle(photo, WIDEST)):
        return False  # no frame is so wide, and to look for one takes longer
    inside = without_frame(photo)
    return inside is not photo and _is_flat(inside)


def _middle(photo: Pixels, share: float) -> Pixels:
    """Cut a share of the height and of the width off on each side, if a photo is so large that something is left."""
    down, across = (math.ceil(side * share) if side > SMALL else 0 for side in photo.shape[:2])
    return photo[down : photo.shape[0] - down, across : photo.shape[1] - across]


def _steps(photo: Pixels) -> float:
    """Return the share of steps in the green of a photo, without the rows that have most."""
    green = photo[::2, ::2, 1].astype(np.int16)
    rows = (np.abs(green[1:] - green[:-1]) > STEP).mean(axis=1)
    return float(np.sort(rows)[:-FRAMES].mean()) if len(rows) > FRAMES else 0.0


def _is_flat(inside: Pixels) -> bool:
    values = inside[::2, ::2].reshape(-1, 3)
    cut = len(values) // SPECKS
    return all(_deviation(np.bincount(channel, minlength=256), cut) < FLAT for channel in values.T)


def _deviation(counts: NDArray[np.intp], cut: int) -> float:
    """Return the standard deviation of values that are counted, without so many at each end. (256,) → one number"""
    up_to = np.cumsum(counts)
    ends = np.concatenate([[0], up_to]).clip(cut, up_to[-1] - cut).astype(np.float64)
    kept = ends[1:] - ends[:-1]
    n = up_to[-1] - 2 * cut
    mean = kept @ LEVELS / n
    return math.sqrt(max(float(kept @ LEVELS**2 / n - mean**2), 0.0))
