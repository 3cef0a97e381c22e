"""Decoded photos become upright RGB pictures of the size that is wanted, without a second copy of a large one.

Turning a photo, laying it on white and converting it take a copy each. Small photos are treated whole. Large ones are
treated and shrunk strip by strip, and not one pixel of the result is another.
"""

import math
import struct
from collections.abc import Callable
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from productcat.listings.photo_limits import LYING

Pixels: TypeAlias = NDArray[np.uint8]
"""RGB pixels of one photo, shape (height, width, 3), or of several, shape (n_photos, height, width, 3)."""

Size: TypeAlias = tuple[int, int]
"""(height, width) in pixels."""

Box: TypeAlias = tuple[int, int, int, int]
"""(left, top, right, bottom) in pixels."""

STRIP = 1_000_000
"""Number of pixels that are treated together."""

FRAME_GAP, THUMBNAIL_GAP = 3.0, 2.0
"""How many times the final size a photo is at least before it is interpolated, after blocks of pixels became their
means: the `reducing_gap` of Pillow."""

WHITE = (255, 255, 255)

TURNS: dict[object, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""The operation that puts a photo upright, by the value of its EXIF orientation."""

FROM_THE_END = (3, 4, 7, 8)
"""Orientations where the last rows or columns of the file come first."""


class Upright:
    """A photo as one looks at it. size : (width, height)"""

    def __init__(
        self, stored: tuple[int, int], orientation: object, cut: Callable[[Box], Image.Image], plain: bool = False
    ) -> None:
        self._stored, self._orientation, self._cut = stored, orientation, cut
        self._plain = plain and orientation not in TURNS  # nothing is to be treated
        self.size = stored[::-1] if orientation in LYING else stored

    @classmethod
    def of_image(cls, image: Image.Image) -> Self:
        """Make one of a decoded photo."""
        whole, plain = (0, 0, *image.size), image.mode == "RGB" and not image.has_transparency_data
        return cls(image.size, _orientation(image), lambda box: image if box == whole else image.crop(box), plain)

    @classmethod
    def of_array(cls, array: NDArray[np.uint8]) -> Self:
        """Make one of pixels, of shape (height, width) or (height, width, 1, 3 or 4)."""
        array = array[:, :, 0] if array.ndim == 3 and array.shape[2] == 1 else array
        height, width = array.shape[:2]
        return cls((width, height), None, lambda box: Image.fromarray(array[box[1] : box[3], box[0] : box[2]]))

    def fitted(self, size: Size) -> Image.Image:
        """Return the photo scaled to fit inside a frame."""
        return self._scaled(_inner(self.size, size), FRAME_GAP)

    def thumbnail(self, side: int) -> Image.Image:
        """Return the photo with `side` pixels at most on its longer side, as `thumbnail` of Pillow makes it."""
        return self._scaled(_within(self.size, side), THUMBNAIL_GAP)

    def _scaled(self, size: tuple[int, int], gap: float) -> Image.Image:
        """Return the photo in RGB with another (width, height)."""
        width, height = self.size
        if width * height <= STRIP or self._plain:
            image = self._strip(0, height)
            return image if image.size == size else image.resize(size, Image.Resampling.BICUBIC, reducing_gap=gap)
        # What `resize` does with a gap, but strip by strip: blocks of pixels become their means first.
        across, down = (max(1, int(full / wanted / gap)) for full, wanted in zip(self.size, size, strict=True))
        means = Image.new("RGB", (-(-width // across), -(-height // down)))
        n_rows = max(1, STRIP // width // down) * down
        for top in range(0, height, n_rows):
            means.paste(self._strip(top, min(top + n_rows, height)).reduce((across, down)), (0, top // down))
        return means.resize(size, Image.Resampling.BICUBIC, box=(0, 0, width / across, height / down))

    def _strip(self, top: int, bottom: int) -> Image.Image:
        """Return some rows of the upright photo in RGB."""
        turn, last = TURNS.get(self._orientation), self.size[1]
        if self._orientation in FROM_THE_END:
            top, bottom = last - bottom, last - top
        width, height = self._stored
        part = self._cut((top, 0, bottom, height) if self._orientation in LYING else (0, top, width, bottom))
        return _rgb(part if turn is None else part.transpose(turn))


def fit(image: Image.Image, size: Size) -> Pixels:
    """Scale an image in RGB to fit inside a frame, centred on white."""
    inner = _inner(image.size, size)
    if image.size != inner:
        image = image.resize(inner, Image.Resampling.BICUBIC, reducing_gap=FRAME_GAP)
    return on_white(image, size)


def _inner(size: tuple[int, int], frame: Size) -> tuple[int, int]:
    """Return the (width, height) of a photo that fills a frame without distortion."""
    height, width = frame
    scale = min(width / size[0], height / size[1])
    return min(width, max(1, round(size[0] * scale))), min(height, max(1, round(size[1] * scale)))


def _within(size: tuple[int, int], side: int) -> tuple[int, int]:
    """Return the (width, height) of a thumbnail: of the whole numbers around it, the one that distorts less."""
    if max(size) <= side:
        return size
    aspect = size[0] / size[1]

    def whole(length: float, distortion: Callable[[int], float]) -> int:
        return max(min(math.floor(length), math.ceil(length), key=distortion), 1)

    if aspect <= 1:
        return whole(side * aspect, lambda n: abs(aspect - n / side)), side
    return side, whole(side / aspect, lambda n: abs(aspect - side / n) if n else 0)


def on_white(image: Image.Image, size: Size) -> Pixels:
    """Fill an image in RGB up to a frame."""
    height, width = size
    if image.size == (width, height):
        return np.asarray(image)
    frame = np.full((height, width, 3), 255, np.uint8)  # white
    top, left = (height - image.height) // 2, (width - image.width) // 2
    frame[top : top + image.height, left : left + image.width] = np.asarray(image)
    return frame


def _rgb(image: Image.Image) -> Image.Image:
    """Reduce 16-bit grays to 8 bits, and lay transparent pixels on white."""
    if image.mode.startswith("I"):
        # Pillow clips deep grays at 255 instead of scaling them.
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode == "La":
        image = image.convert("LA")  # all that Pillow makes of it
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        image = Image.new("RGB", rgba.size, WHITE)
        image.paste(rgba, mask=rgba.getchannel("A"))
    return image if image.mode == "RGB" else image.convert("RGB")


def _orientation(image: Image.Image) -> object:
    """Return the EXIF orientation, 1 to 8 in a sound tag. A photo with a damaged tag counts as upright."""
    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1)
    except (OSError, SyntaxError, ValueError, TypeError, LookupError, struct.error):
        return 1
