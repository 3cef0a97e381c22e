"""From what a caller calls a photo (path, bytes, array) to pixels of one size, safely and fast.

Photos are fitted into the frame without distortion. The rest is filled with white, the background of catalogue photos.
JPEGs are decoded at the smallest scale that still covers the frame (libjpeg's scaled decoding through Pillow's
`draft`). On a 12-megapixel phone photo that is several times faster.
"""

import io
import os
import re
import stat
import struct
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from productcat.errors import ListingError

Photo: TypeAlias = str | os.PathLike[str] | bytes | bytearray | memoryview | NDArray[np.uint8]
"""A path, the bytes of an image file, or RGB pixels of shape (height, width, 3)."""

Pixels: TypeAlias = NDArray[np.uint8]
"""RGB pixels of one photo, shape (height, width, 3), or of several, shape (n_photos, height, width, 3)."""

Size: TypeAlias = tuple[int, int]
"""(height, width) in pixels."""

Result = TypeVar("Result")

PHOTOS_AT_ONCE = 64
"""Number of photos decoded together."""

FORMATS = ("JPEG", "PNG", "WEBP")
MAX_PIXELS = 64_000_000
"""Number of pixels above which a photo is refused before it is decoded: a small file may unpack to gigabytes."""

THUMBNAIL_QUALITY = 70
"""Quality of JPEG thumbnails, enough for people to compare photos."""

WHITE = (255, 255, 255)

_TURNS: dict[object, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""The operation that puts a photo upright, by the value of its EXIF orientation."""


def read_photo(photo: Photo, size: Size) -> Pixels:
    """Decode one photo and fit it into a frame.

    Parameters
    ----------
    photo : str | os.PathLike | bytes | ndarray of shape (h, w, 3), dtype uint8
        A path, the bytes of a JPEG, PNG or WebP file, or pixels in RGB order.
    size : (height, width)
        The frame, in pixels.

    Returns
    -------
    ndarray of shape (height, width, 3), dtype uint8

    Raises
    ------
    ListingError
        The photo is missing, of another format, truncated, larger than `MAX_PIXELS`, or an array of another shape or
        type. The message names the photo.
    """
    return _decoded(photo, max(size), lambda image: fit(image, size))


def thumbnail(photo: Photo, side: int, quality: int = THUMBNAIL_QUALITY) -> bytes:
    """Return a small copy of a photo as a JPEG file, whose longer side has at most `side` pixels.

    It raises the errors of `read_photo`.
    """

    def encoded(image: Image.Image) -> bytes:
        file = io.BytesIO()
        image.thumbnail((side, side))
        image.save(file, "JPEG", quality=quality, comment="")  # not the comment of the photo
        return file.getvalue()

    return _decoded(photo, side, encoded)


def thumbnail_or_reason(photo: Photo, side: int, quality: int = THUMBNAIL_QUALITY) -> tuple[bytes | None, str]:
    """Return the thumbnail and "", or None and the reason why the photo cannot be read."""
    try:
        return thumbnail(photo, side, quality), ""
    except ListingError as error:
        return None, str(error)


def pixels_of(photo: Photo) -> int:
    """Return the number of pixels of a photo, from the beginning of its file. 0 if it cannot be read."""
    if isinstance(photo, np.ndarray):
        return photo.shape[0] * photo.shape[1] if photo.ndim == 3 else 0
    try:
        _, source = _open_source(photo)
        if isinstance(source, Path) and not source.is_file():
            return 0
        with Image.open(source, formats=FORMATS) as image:
            return image.width * image.height
    except (ListingError, OSError, SyntaxError, ValueError, Image.DecompressionBombError, struct.error):
        return 0


def name_of(photo: Photo) -> str:
    """Return the name of a photo's file, "" for bytes and arrays."""
    return Path(photo).name if isinstance(photo, str | os.PathLike) else ""


def _decoded(photo: Photo, side: int, finish: Callable[[Image.Image], Result]) -> Result:
    """Return what `finish` makes of a photo in RGB, decoded at a scale that covers `side` pixels square."""
    if isinstance(photo, np.ndarray):
        return finish(_from_array(photo))
    name, source = _open_source(photo)
    try:
        if isinstance(source, Path) and not _is_plain(source.stat().st_mode):
            # Opening a pipe into which nobody writes never ends, and a pipe cannot be read twice.
            raise ListingError(f"{name}: a pipe or a device; save the photo to a file first")
        with Image.open(source, formats=FORMATS) as image:
            pixels = image.width * image.height
            if pixels > MAX_PIXELS:
                raise ListingError(
                    f"{name}: {pixels / 1e6:.0f} megapixels, the limit is {MAX_PIXELS / 1e6:.0f}; scale it down first"
                )
            # Rotated photos swap their sides after decoding. A square covers both ways.
            image.draft("RGB", (side, side))
            return finish(_upright_rgb(image))
    except UnidentifiedImageError:
        raise ListingError(f"{name}: not a JPEG, PNG or WebP photo; convert it or leave it out") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):  # the latter where warnings are errors
        raise ListingError(
            f"{name}: too many pixels, the limit is {MAX_PIXELS / 1e6:.0f} megapixels; scale it down first"
        ) from None
    except FileNotFoundError:
        raise ListingError(f"{name}: no such file; {_way_to(str(name))}") from None
    except (OSError, SyntaxError, ValueError) as error:
        if isinstance(error, OSError) and error.errno:
            raise ListingError(f"{name}: cannot be opened ({error.strerror}); check the path") from None
        # Pillow reports damage as OSError without a number, and as SyntaxError or ValueError from some readers.
        raise ListingError(f"{name}: cannot be decoded ({error}); the file is damaged, get it again") from None


def fit(image: Image.Image, size: Size) -> Pixels:
    """Scale an image to fit inside a frame, centred on white."""
    height, width = size
    scale = min(width / image.width, height / image.height)
    inner = (min(width, max(1, round(image.width * scale))), min(height, max(1, round(image.height * scale))))
    if image.size != inner:
        image = image.resize(inner, Image.Resampling.BICUBIC, reducing_gap=3.0)
    if inner == (width, height):
        return np.asarray(image)
    frame = Image.new("RGB", (width, height), WHITE)
    frame.paste(image, ((width - inner[0]) // 2, (height - inner[1]) // 2))
    return np.asarray(frame)


def _way_to(name: str) -> str:
    """Return what to do about a photo that is not there."""
    if re.search(r"https?:/", name):
        return "photos are not downloaded, get it first"
    if re.search(r"\w[;,]\s*\S", name):
        return 'check the path, and write "|" between the photos of a cell'
    return "check the path"


def _open_source(photo: Photo) -> tuple[str, Path | io.BytesIO]:
    if isinstance(photo, bytes | bytearray | memoryview):
        return f"photo of {len(photo)} bytes", io.BytesIO(photo)
    if isinstance(photo, str | os.PathLike):
        return str(photo), Path(photo)
    raise ListingError(f"a photo is a path, bytes or an (h, w, 3) uint8 array, not {type(photo).__name__}; convert it")


def _is_plain(mode: int) -> bool:
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)  # of a directory the system tells better what is wrong


def _from_array(array: Pixels) -> Image.Image:
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
        raise ListingError(
            f"photo array of shape {array.shape}, {array.dtype}: expected (h, w, 3), uint8, RGB; convert it"
        )
    return Image.fromarray(array)


def _upright_rgb(image: Image.Image) -> Image.Image:
    """Apply the camera's rotation tag, reduce 16-bit grays to 8 bits, and lay transparent pixels on white."""
    turn = _TURNS.get(_orientation(image))
    if turn is not None:
        image = image.transpose(turn)
    if image.mode.startswith("I"):
        # Pillow clips deep grays at 255 instead of scaling them.
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
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


def decoded(
    photo_sets: Sequence[Sequence[Photo]], size: Size, problems: Sequence[list[str]]
) -> Iterator[tuple[list[int], Pixels]]:
    """Read the photos of some listings, side by side in threads.

    Parameters
    ----------
    photo_sets : sequence of length n_listings
        The photos of each listing.
    size : (height, width)
        The frame, as in `read_photo`.
    problems : sequence of list of str, length n_listings
        Gets the reason for each photo that cannot be read, under its listing.

    Yields
    ------
    owners : list of int, length n
        The number of the listing of each photo in the batch. Photos that cannot be read are left out.
    pixels : ndarray of shape (n, height, width, 3), dtype uint8
    """
    wanted = [(owner, photo) for owner, photos in enumerate(photo_sets) for photo in photos]

    def read(owned: tuple[int, Photo]) -> Pixels | ListingError:
        try:
            return read_photo(owned[1], size)
        except ListingError as error:
            return error

    with ThreadPoolExecutor() as pool:
        for start in range(0, len(wanted), PHOTOS_AT_ONCE):
            some = wanted[start : start + PHOTOS_AT_ONCE]
            pixels, owners = [], []
            for (owner, _), result in zip(some, pool.map(read, some), strict=True):
                if isinstance(result, ListingError):
                    problems[owner].append(str(result))
                else:
                    pixels.append(result)
                    owners.append(owner)
            if owners:
                yield owners, np.stack(pixels)
