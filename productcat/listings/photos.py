"""From what a caller calls a photo (path, bytes, image, array) to pixels of one size, safely and fast.

Photos are fitted into the frame without distortion. The rest is filled with white, the background of catalogue photos.
JPEGs are decoded at the smallest scale that still covers the frame (libjpeg's scaled decoding through Pillow's
`draft`). On a 12-megapixel phone photo that is several times faster. Whatever the photos are, those that are decoded at
the same time take little more than MAX_DECODED bytes of memory together.
"""

import io
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import BinaryIO, TypeVar

import numpy as np
from PIL import Image, UnidentifiedImageError

from productcat.errors import ListingError
from productcat.listings.blank import LOOKED_AT, shows_nothing
from productcat.listings.mending import mended, without_missing_rows
from productcat.listings.photo_kinds import Buffer, Photo, name_of_array, photo_of, refuse_mode
from productcat.listings.photo_limits import MAX_DECODED, Room, claim_of, cores, refuse_size
from productcat.listings.photo_root import RootedPhoto
from productcat.listings.shrinking import Pixels, Size, Upright, on_white
from productcat.wording import shortened

PHOTOS_AT_ONCE = 64
"""Number of photos decoded together."""

THUMBNAIL_QUALITY = 70
"""Quality of JPEG thumbnails, enough for people to compare photos."""

Found = TypeVar("Found")

NAME_SHOWN = 300
"""Number of characters of a photo's path that a message has."""

_room = Room(MAX_DECODED)
"""Bounds what the photos that all threads decode take together."""

_loading = Lock()
"""Held while a PIL image reads its file: threads that share one would read each other's parts."""


def read_photo(photo: Photo, size: Size) -> Pixels:
    """Decode one photo and fit it into a frame.

    Parameters
    ----------
    photo : str | os.PathLike | bytes | PIL image | ndarray of shape (h, w), (h, w, 3) or (h, w, 4), dtype uint8
        A path, the bytes of an image file, or pixels: gray, RGB or RGBA. What is transparent lies on white.
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
    return _use(photo, max(size), lambda upright: on_white(upright.fitted(size), size))[0]


def is_blank(photo: Photo) -> bool:
    """Return whether a photo shows nothing, so that it is left out. It raises the errors of `read_photo`."""
    return _use(photo, LOOKED_AT, lambda upright: shows_nothing(upright, upright.thumbnail(LOOKED_AT)))[0]


def thumbnail(photo: Photo, side: int, quality: int = THUMBNAIL_QUALITY) -> bytes:
    """Return a small copy of a photo as a JPEG file, whose longer side has at most `side` pixels.

    It raises the errors of `read_photo`.
    """

    def draw(upright: Upright) -> bytes:
        file = io.BytesIO()
        upright.thumbnail(side).save(file, "JPEG", quality=quality, comment="")  # not the comment of the photo
        return file.getvalue()

    return _use(photo, side, draw)[0]


def thumbnail_or_reason(photo: Photo, side: int, quality: int = THUMBNAIL_QUALITY) -> tuple[bytes | None, str]:
    """Return the thumbnail and "", or None and the reason why the photo cannot be read."""
    try:
        return thumbnail(photo, side, quality), ""
    except ListingError as error:
        return None, str(error)


def pixels_of(photo: Photo) -> int:
    """Return the number of pixels of a photo, as its file says. 0 if it cannot be read."""
    if isinstance(photo, np.ndarray):
        return photo.shape[0] * photo.shape[1] if photo.ndim in (2, 3) else 0
    if isinstance(photo, Image.Image):
        return photo.width * photo.height
    try:
        with _named(photo), _file(photo) as file:
            width, height = claim_of(file, 1).size
    except ListingError:
        return 0
    return width * height


def name_of(photo: Photo) -> str:
    """Return the name of a photo's file, "" for bytes, images and arrays."""
    return Path(photo).name if isinstance(photo, str | os.PathLike) else ""


def _use(photo: Photo, side: int, use: Callable[[Upright], Found]) -> tuple[Found, str]:
    """Decode a photo at a scale that covers `side` pixels square, and call `use` on it.

    Returns
    -------
    What `use` returned, and what is wrong with the photo though it could be read, "" for nothing. What goes wrong
    otherwise becomes a ListingError.
    """
    photo = photo_of(photo)
    with _named(photo):
        if isinstance(photo, np.ndarray):
            refuse_size(photo.shape[1::-1])
            return use(Upright.of_array(photo)), ""
        if isinstance(photo, Image.Image):
            refuse_size(photo.size)
            return use(_upright_of(photo)), ""
        with _file(photo) as file:
            try:
                return _use_file(file, side, use), ""
            except (OSError, SyntaxError, ValueError) as error:
                if isinstance(error, OSError) and error.errno:
                    raise
                why = _why(error)  # and not the error, which would keep what was decoded
            return _use_mended(file, side, use, why)


def _use_file(file: BinaryIO, side: int, use: Callable[[Upright], Found], cut_off: bool = False) -> Found:
    """Decode a file and call `use` on it. cut_off : whether rows may be missing at its end"""
    claim = claim_of(file, side)
    if not claim.format:
        read = "JPEG, PNG, WebP, AVIF, GIF, TIFF or BMP"
        raise ListingError(f"not a {read} photo; convert it or leave it out")
    with _room.taken(claim.memory), Image.open(file, formats=[claim.format]) as image:
        if image.size != claim.size:
            raise ListingError("it says two sizes; the file is damaged, get it again")
        refuse_mode(image)
        # Rotated photos swap their sides after decoding. A square covers both ways.
        image.draft("RGB", (side, side))
        if claim.format == "TIFF":
            image.load()  # which also turns it upright
        whole = without_missing_rows(image) if cut_off else image
        if whole is None:
            raise ValueError("most of it is missing")
        return use(Upright.of_image(whole))


def _use_mended(file: BinaryIO, side: int, use: Callable[[Upright], Found], why: str) -> tuple[Found, str]:
    """Do as `_use` with a photo that cannot be decoded as it is. why : what the decoder said"""
    file.seek(0)
    second = mended(file)
    if second:
        content, flaw = second
        try:
            return _use_file(io.BytesIO(content), side, use, cut_off=bool(flaw)), flaw
        except (OSError, SyntaxError, ValueError) as error:
            why = _why(error)
    if "MAX_TEXT" in why:  # Pillow names its own settings
        raise ListingError("its metadata is too large; save it again without")
    raise ListingError(f"cannot be decoded ({why}); the file is damaged, get it again")


def _why(error: Exception) -> str:
    """Return what a decoder said. Of a file that it does not know though it begins rightly, it says nothing."""
    return "its head is wrong" if isinstance(error, UnidentifiedImageError) else str(error)


def _upright_of(image: Image.Image) -> Upright:
    """Take a PIL image of the caller's, which may not have read its file yet."""
    try:
        with _loading:
            image.load()
            return Upright.of_image(image)
    except MemoryError:
        raise
    except Exception as error:  # as in `_named`
        why = str(error) or type(error).__name__
        raise ListingError(f"cannot be loaded ({why}); call its load() before its file is closed") from None


@contextmanager
def _named(photo: Photo) -> Iterator[None]:
    """Turn what is raised while a file is opened and decoded into ListingError, which names the photo."""
    name = _name(photo)
    try:
        yield
    except ListingError as error:
        raise ListingError(f"{name}: {error}") from None
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
        return name_of_array(photo)
    if isinstance(photo, Image.Image):
        return f"PIL image of {photo.width} by {photo.height} pixels, {photo.mode}"
    return f"photo of {len(photo)} bytes" if isinstance(photo, Buffer) else shortened(str(photo), NAME_SHOWN)


def _file(photo: str | os.PathLike[str] | Buffer) -> BinaryIO:
    if isinstance(photo, Buffer):
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
        Gets the reason for each photo that cannot be read, shows nothing or is cut off, under its listing.

    Yields
    ------
    owners : list of int, length n
        The number of the listing of each photo in the batch. Those that cannot be read or show nothing are left out.
    pixels : ndarray of shape (n, height, width, 3), dtype uint8
    """
    wanted = [(owner, photo) for owner, photos in enumerate(photo_sets) for photo in photos]

    def look(upright: Upright) -> Pixels | None:
        fitted = upright.fitted(size)
        return None if shows_nothing(upright, fitted) else on_white(fitted, size)

    def read(owned: tuple[int, Photo]) -> tuple[Pixels | None, str]:
        """Return the pixels if they count, and what is wrong: not as an error, which would keep the decoded photo."""
        photo = owned[1]
        try:
            pixels, flaw = _use(photo, max(*size, LOOKED_AT), look)
        except ListingError as error:
            return None, str(error)
        flaw = flaw if pixels is not None else "shows nothing but one colour, and is left out"
        return pixels, f"{_name(photo)}: {flaw}" if flaw else ""

    pool = ThreadPoolExecutor(cores())
    try:
        for start in range(0, len(wanted), PHOTOS_AT_ONCE):
            some = wanted[start : start + PHOTOS_AT_ONCE]
            pixels, owners = [], []
            for (owner, _), (seen, problem) in zip(some, pool.map(read, some), strict=True):
                if problem:
                    problems[owner].append(problem)
                if seen is not None:
                    pixels.append(seen)
                    owners.append(owner)
            if owners:
                yield owners, np.stack(pixels)
    finally:
        pool.shutdown(cancel_futures=True)  # after Ctrl-C those that wait are not read
