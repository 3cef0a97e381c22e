"""What a photo may be in Python, and the refusal of what is none. Pillow is not imported for it."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

import numpy as np
from numpy.typing import NDArray

from productcat.errors import ListingError

if TYPE_CHECKING:
    from PIL import Image

Buffer: TypeAlias = bytes | bytearray | memoryview
"""The content of an image file."""

Photo: TypeAlias = "str | os.PathLike[str] | Buffer | NDArray[np.uint8] | Image.Image"
"""A path, the bytes of an image file, a PIL image, or pixels of shape (height, width) or (height, width, 1, 3 or 4)."""

CHANNELS = 1, 3, 4
"""Numbers of channels of an array: gray, RGB, RGBA."""

UNSCALED = ("I", "F")
"""Modes of PIL images of which nobody knows which value is white."""

EXPECTED = "a path, the bytes of an image file, a PIL image or a uint8 array"


def photo_of(given: object) -> Photo:
    """Return a photo in the form in which it is kept: of a BytesIO its bytes, nearly all others as they are.

    A memoryview that is no row of bytes becomes bytes, a path in bytes becomes text.

    Raises
    ------
    ListingError
        It is no photo, whatever its content.
    """
    if isinstance(given, io.BytesIO | memoryview):
        try:
            return given.getvalue() if isinstance(given, io.BytesIO) else _row_of_bytes(given)
        except ValueError:
            closed = "BytesIO is closed" if isinstance(given, io.BytesIO) else "memoryview is released"
            raise ListingError(f"a photo whose {closed}; give its bytes") from None
    if isinstance(given, np.ndarray):
        refuse_array(given)
        return given
    if isinstance(given, os.PathLike):
        return os.fsdecode(given) if isinstance(os.fspath(given), bytes) else given
    if isinstance(given, str | bytes | bytearray):
        return given
    if is_image(given):
        if 0 in given.size:
            raise ListingError("a PIL image without pixels; leave it out")
        refuse_mode(given)
        return given
    way_out = "read it, and give its bytes" if hasattr(given, "read") else "convert it"
    raise ListingError(f"a photo is {EXPECTED}, not {type(given).__name__}; {way_out}")


def _row_of_bytes(view: memoryview) -> bytes | memoryview:
    return view if view.c_contiguous and view.ndim == 1 and view.itemsize == 1 else view.tobytes()


def refuse_mode(image: Image.Image) -> None:
    """Raise ListingError for a PIL image whose values nobody can read as colours."""
    if image.mode in UNSCALED:
        raise ListingError(f"a picture of mode {image.mode}, in which white has no fixed value; convert it to L or RGB")


def is_image(given: object) -> TypeGuard[Image.Image]:
    """Return whether something is a PIL image."""
    pillow: Any = sys.modules.get("PIL.Image")  # whoever has an image has imported it
    return pillow is not None and isinstance(given, pillow.Image)


def refuse_array(array: NDArray[Any]) -> None:
    """Raise ListingError for an array that cannot be pixels."""
    right = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in CHANNELS)
    if array.dtype != np.uint8 or not right or 0 in array.shape:
        raise ListingError(
            f"{name_of_array(array)}: expected uint8 of shape (h, w), (h, w, 3) or (h, w, 4): gray, RGB or RGBA; "
            "convert it"
        )


def name_of_array(array: NDArray[Any]) -> str:
    """Return how messages name an array."""
    return f"photo array of shape {array.shape}, {array.dtype}"
