"""Photos as files, made up, for tests: usual ones, and kinds that Pillow does not write."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from productcat import ListingError
from productcat.listings.photos import read_photo

SIZE = (40, 30)
"""A frame for photos."""


def scene(height=80, width=60):
    """A smooth picture without symmetry, left a quarter dark: pixels of shape (height, width, 3)."""
    down, across = np.linspace(0, 1, height)[:, None], np.linspace(0, 1, width)[None, :]
    channels = [255 * down * np.ones_like(across), 255 * across * np.ones_like(down), 200 * down * across]
    pixels = np.stack(channels, axis=2)
    pixels[: height // 2, : width // 2] *= 0.3
    return pixels.astype(np.uint8)


def encode(pixels, format, mode=None, **options):
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    file = io.BytesIO()
    (image.convert(mode) if mode else image).save(file, format, **options)
    return file.getvalue()


def png(width, height, depth, colour_type, rows, *extra):
    """A PNG file put together by hand, for kinds that Pillow does not write."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    chunks = [(b"IHDR", header), *extra, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)


def rotated(pixels, orientation):
    """A JPEG whose tag says how to turn it upright into `pixels`."""
    stored = {
        1: pixels,
        2: pixels[:, ::-1],
        3: pixels[::-1, ::-1],
        4: pixels[::-1],
        5: pixels.swapaxes(0, 1),
        6: np.rot90(pixels, 1),
        7: pixels[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(pixels, -1),
    }[orientation]
    tags = Image.Exif()
    tags[0x0112] = orientation
    return encode(np.ascontiguousarray(stored), "JPEG", quality=95, exif=tags)


def refusal(photo, size=SIZE):
    with pytest.raises(ListingError) as caught:
        read_photo(photo, size)
    return str(caught.value)
