"""Photos whose file is not sound though their pixels are there: cut-off JPEGs, and PNGs with more words than pixels."""

import io
from typing import BinaryIO

import numpy as np
from PIL import Image

from productcat.listings.photo_limits import png_chunks

LARGEST = 16_000_000
"""Number of bytes above which a file is not mended, since that takes a copy of it."""

MISSING = 0.3
"""Greatest share of its rows that a photo may lack."""

ROWS_AT_ONCE = 64
"""Number of rows that are looked at together."""

UNWRITTEN = (127, 128)
"""Values, of 255, with which libjpeg fills what a file does not hold: where colours are inverted, as in CMYK, the
first."""

END = b"\xff\xd9"

PICTURE = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"eXIf")
"""Chunks of a PNG that decide what it looks like. Without the others there are neither texts nor a colour profile,
which nothing here reads."""

CUT_OFF = "cut off, so what it lacks does not count; get it again"


def mended(file: BinaryIO) -> tuple[bytes, str] | None:
    """Return the content of a photo that a decoder refused such that it may take it, and what is wrong.

    "" is wrong with a photo that shows all it has. None if nothing helps.
    """
    content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        return None
    if content.startswith(b"\xff\xd8\xff"):
        return content + END, CUT_OFF
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        kept = [content[:8]]
        kept += [content[start:end] for kind, start, end in png_chunks(io.BytesIO(content)) if kind in PICTURE]
        without = b"".join(kept)
        return (without, "") if len(without) < len(content) else None
    return None


def without_missing_rows(image: Image.Image) -> Image.Image | None:
    """Cut off the rows at the end of a JPEG that its file does not hold. None if too little would be left."""
    n_rows = image.height
    for start in range((image.height - 1) // ROWS_AT_ONCE * ROWS_AT_ONCE, -1, -ROWS_AT_ONCE):
        rows = np.asarray(image.crop((0, start, image.width, n_rows)))
        written = np.flatnonzero((~np.isin(rows, UNWRITTEN)).reshape(len(rows), -1).any(axis=1))
        n_rows = start + int(written[-1]) + 1 if len(written) else start
        if len(written):
            break
    if n_rows == image.height:
        return image
    return image.crop((0, 0, image.width, n_rows)) if n_rows >= (1 - MISSING) * image.height else None
