"""Tell cheaply whether a listing is as it was: a short text that becomes another when its title or its photos do."""

import hashlib
import json
import os
from collections.abc import Iterable

import numpy as np

from productcat.listings.photo_kinds import Photo
from productcat.listings.photo_root import RootedPhoto

LENGTH = 32
"""Number of hexadecimal digits: enough that nobody finds two listings with the same ones."""


def fingerprint(photos: Iterable[Photo], *more: str | float | None) -> str:
    """Return `LENGTH` hexadecimal digits of the photos of a listing, and of more that counts, such as its title.

    Files of photos count with their paths, sizes and times, and are not opened. So a photo that was saved again counts
    as another, even if it looks the same.
    """
    said = json.dumps([*more, *map(_photo, photos)])
    return hashlib.sha256(said.encode()).hexdigest()[:LENGTH]


def _photo(photo: Photo) -> list[str | int]:
    if isinstance(photo, np.ndarray):
        return [hashlib.sha256(photo.tobytes()).hexdigest(), str(photo.dtype), *photo.shape]
    if isinstance(photo, bytes | bytearray | memoryview):
        return [hashlib.sha256(photo).hexdigest()]
    if not isinstance(photo, str | os.PathLike):  # a PIL image
        return [photo.mode, *_photo(np.asarray(photo))]
    path = os.fsdecode(photo)
    try:
        status = os.stat(photo.resolved() if isinstance(photo, RootedPhoto) else photo)
    except (OSError, ValueError):  # it is not there, or may not be looked at
        return [path]
    return [path, status.st_size, status.st_mtime_ns]
