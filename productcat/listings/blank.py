"""Which pictures show nothing: a white page, one pixel, one colour in a frame. They are no evidence of anything."""

import numpy as np
from PIL import Image

from productcat.listings.borders import without_frame
from productcat.listings.shrinking import Pixels, Upright

LOOKED_AT = 112
"""Number of pixels of the longer side of the picture that is looked at, and less than twice as many: so a photo shows
nothing to all models or to none."""

FLAT = 3.0
"""Standard deviation of the values of a photo, of 255, below which it shows nothing."""

SPECKS = 1_000
"""One pixel in so many may be much lighter and one much darker, so that a speck of dust is not a picture."""

EDGE = 20
"""The part of a photo's sides, one in so many, in which a thin frame is not a picture either."""

STEP = 12
"""Difference, of 255, of pixels one below the other that noise does not make."""

FRAMES = 6
"""Number of rows that the edges of frames may fill with such steps."""

BUSY = 0.03
"""Share of such steps from which a photo surely shows something. Hardly any photo has fewer, so most need no closer
look, which takes many times longer."""


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
    down, across = (-(-side // EDGE) if side > EDGE else 0 for side in photo.shape[:2])
    if _is_flat(photo[down : photo.shape[0] - down, across : photo.shape[1] - across]):
        return True
    inside = without_frame(photo)
    return inside is not photo and _is_flat(inside)


def _steps(photo: Pixels) -> float:
    """Return the share of steps in the green of a photo, without the rows that have most."""
    green = photo[::2, ::2, 1].astype(np.int16)
    rows = (np.abs(green[1:] - green[:-1]) > STEP).mean(axis=1)
    return float(np.sort(rows)[:-FRAMES].mean()) if len(rows) > FRAMES else 0.0


def _is_flat(inside: Pixels) -> bool:
    ordered = np.sort(inside[::2, ::2].reshape(-1, 3), axis=0)
    cut = len(ordered) // SPECKS
    return bool(ordered[cut : len(ordered) - cut].astype(np.float32).std(axis=0).max() < FLAT)
