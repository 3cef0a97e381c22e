"""From what a caller calls a photo (path, bytes, array) to pixels of one size, safely and fast.

Photos are fitted into the frame without distortion. The rest is filled with white, the background of catalogue photos.
JPEGs are decoded at the smallest scale that still covers the frame (libjpeg's scaled decoding through Pillow's
`draft`). On a 12-megapixel phone photo that is several times faster. Whatever the photos are, those that are decoded at
the same time take little more than MAX_DECODED bytes of memory together.
"""

import io
import os
import re
import stat
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from productcat.errors import ListingError
from productcat.listings.photo_limits import MAX_DECODED, Room, claim_of, cores, refuse_size
from productcat.listings.photo_root import RootedPhoto
from productcat.listings.shrinking import Pixels, Size, Upright
from productcat.wording import shortened

Photo: TypeAlias = str | os.PathLike[str] | bytes | bytearray | memoryview | NDArray[np.uint8]
"""A path, the bytes of an image file, or RGB pixels of shape (height, width, 3)."""

PHOTOS_AT_ONCE = 64
"""Number of photos decoded together."""

FORMATS = ("JPEG", "PNG", "WEBP")
THUMBNAIL_QUALITY = 70
"""Quality of JPEG thumbnails, enough for people to compare photos."""

NAME_SHOWN = 300
"""Number of characters of a photo's path that a message has."""

_room = Room(MAX_DECODED)
"""Bounds what the photos that all threads decode take together."""


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
        The photo is missing, of another format, truncated, larger than `photo_limits` allows, or an array of another
        shape or type. The message names the photo.
    """
    with _opened(photo, max(size)) as upright:
        return upright.framed(size)


def thumbnail(photo: Photo, side: int, quality: int = THUMBNAIL_QUALITY) -> bytes:
    """Return a small copy of a photo as a JPEG file, whose longer side has at most `side` pixels.

    It raises the errors of `read_photo`.
    """
    with _opened(photo, side) as upright:
        file = io.BytesIO()
        upright.thumbnail(side).save(file, "JPEG", quality=quality, comment="")  # not the comment of the photo
        return file.getvalue()


def thumbnail_or_reason(photo: Photo, side: int, quality: int = THUMBNAIL_QUALITY) -> tuple[bytes | None, str]:
    """Return the thumbnail and "", or None and the reason why the photo cannot be read."""
    try:
        return thumbnail(photo, side, quality), ""
    except ListingError as error:
        return None, str(error)


def pixels_of(photo: Photo) -> int:
    """Return the number of pixels of a photo, as its file says. 0 if it cannot be read."""
    if isinstance(photo, np.ndarray):
        return photo.shape[0] * photo.shape[1] if photo.ndim == 3 else 0
    try:
        with _named(photo), _file(photo) as file:
            width, height = claim_of(file, 1).size
    except ListingError:
        return 0
    return width * height


def name_of(photo: Photo) -> str:
    """Return the name of a photo's file, "" for bytes and arrays."""
    return Path(photo).name if isinstance(photo, str | os.PathLike) else ""


@contextmanager
def _opened(photo: Photo, side: int) -> Iterator[Upright]:
    """Decode a photo at a scale that covers `side` pixels square. What goes wrong becomes a ListingError."""
    with _named(photo):
        if isinstance(photo, np.ndarray):
            _refuse_array(photo)
            yield Upright.of_array(photo)
            return
        with _file(photo) as file:
            claim = claim_of(file, side)
            with _room.taken(claim.memory), Image.open(file, formats=FORMATS) as image:
                if image.size != claim.size:
                    raise ListingError("it says two sizes; the file is damaged, get it again")
                # Rotated photos swap their sides after decoding. A square covers both ways.
                image.draft("RGB", (side, side))
                yield Upright.of_image(image)


@contextmanager
def _named(photo: Photo) -> Iterator[None]:
    """Turn what is raised while a file is opened and decoded into ListingError, which names the photo."""
    name = _name(photo)
    try:
        yield
    except ListingError as error:
        raise ListingError(f"{name}: {error}") from None
    except UnidentifiedImageError:
        raise ListingError(f"{name}: not a JPEG, PNG or WebP photo; convert it or leave it out") from None
    except FileNotFoundError:
        where = f" below {photo.root.path}" if isinstance(photo, RootedPhoto) else ""
        raise ListingError(f"{name}: no such file{where}; {_way_to(name)}") from None
    except MemoryError:
        raise ListingError(f"{name}: not enough memory to decode it; free some, or scale it down first") from None
    except Exception as error:  # decoders report damage in many ways
        if isinstance(error, OSError) and error.errno:
            raise ListingError(f"{name}: cannot be opened ({error.strerror}); check the path") from None
        raise ListingError(f"{name}: cannot be decoded ({error}); the file is damaged, get it again") from None


def _name(photo: Photo) -> str:
    if isinstance(photo, np.ndarray):
        return f"photo array of shape {photo.shape}, {photo.dtype}"
    if isinstance(photo, bytes | bytearray | memoryview):
        return f"photo of {len(photo)} bytes"
    if isinstance(photo, str | os.PathLike):
        return shortened(str(photo), NAME_SHOWN)
    raise ListingError(f"a photo is a path, bytes or an (h, w, 3) uint8 array, not {type(photo).__name__}; convert it")


def _file(photo: str | os.PathLike[str] | bytes | bytearray | memoryview) -> BinaryIO:
    if isinstance(photo, bytes | bytearray | memoryview):
        return io.BytesIO(photo)
    if isinstance(photo, RootedPhoto):
        photo = photo.resolved()
    if not _is_plain(os.stat(photo).st_mode):
        raise ListingError("a pipe or a device; save the photo to a file first")  # opening a pipe may never end
    return open(photo, "rb")


def _way_to(name: str) -> str:
    """Return what to do about a photo that is not there."""
    if re.search(r"https?:/", name):
        return "photos are not downloaded, get it first"
    if re.search(r"\w[;,]\s*\S", name):
        return 'check the path, and write "|" between the photos of a cell'
    return "check the path"


def _is_plain(mode: int) -> bool:
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)  # of a directory the system tells better what is wrong


def _refuse_array(array: Pixels) -> None:
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
        raise ListingError("expected (h, w, 3), uint8, RGB; convert it")
    refuse_size(array.shape[1::-1])


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

    pool = ThreadPoolExecutor(cores())
    try:
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
    finally:
        pool.shutdown(cancel_futures=True)  # after Ctrl-C those that wait are not read
