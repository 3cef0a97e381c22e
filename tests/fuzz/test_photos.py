"""Whatever a file of a photo has become: it is a photo of the size that is wanted, or refused in one line."""

import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import bounded, changed_bytes, tried
from photo_files import encode, png, scene
from PIL import Image

from productcat import ListingError
from productcat.listings.photos import pixels_of, read_photo, thumbnail

SIZE = (48, 36)

NUMBERS = st.sampled_from([0, 1, 2, 3, 4, 7, 8, 15, 16, 17, 64, 100, 127, 128, 255, 256, 1000, 8000, 16383, 16384])
LARGE = st.sampled_from([0, 1, 65_535, 65_536, 2**24 - 1, 2**31 - 1, 2**31, 2**32 - 1])


def noise(height=90, width=70, channels=3):
    return np.random.default_rng(3).integers(0, 255, (height, width, channels), np.uint8)


def with_tags(orientation=6):
    tags = Image.Exif()
    tags[0x0112] = orientation
    tags[0x010E] = "a description"
    tags.get_ifd(0x8769)[0x9003] = "2026:01:01 00:00:00"
    return tags


def moving(format, **options):
    """A file of several pictures."""
    more = [Image.fromarray(noise(60, 40)), Image.fromarray(scene(60, 40))]
    return encode(Image.fromarray(scene(60, 40)), format, save_all=True, append_images=more, **options)


def rgba():
    return Image.fromarray(noise(channels=4))


def deep(mode="I;16"):
    return Image.fromarray(noise(channels=2).copy().view("<u2")[:, :, 0])


def interlaced():
    """A PNG of 8 by 8 gray pixels in seven passes."""
    content = bytearray(png(8, 8, 8, 0, bytes(15 + 64)))
    content[28] = 1
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    return bytes(content)


TEXTS = (b"tEXt", b"a\0b"), (b"zTXt", b"a\0\0" + zlib.compress(bytes(5000))), (b"gAMA", b"abcd")

JPEGS = {
    "baseline": lambda: encode(scene(), "JPEG"),
    "progressive": lambda: encode(noise(), "JPEG", progressive=True, exif=with_tags()),
    "gray": lambda: encode(scene(), "JPEG", "L", progressive=True),
    "four colours": lambda: encode(scene(), "JPEG", "CMYK"),
    "with restarts": lambda: encode(noise(), "JPEG", subsampling=0, restart_marker_blocks=3, comment=b"a comment"),
    "with a profile": lambda: encode(scene(), "JPEG", icc_profile=bytes(range(200)), dpi=(72, 72), optimize=True),
    "of several pictures": lambda: moving("MPO"),
}
PNGS = {
    "colour": lambda: encode(scene(), "PNG"),
    "transparent": lambda: encode(rgba(), "PNG", exif=with_tags(5)),
    "palette": lambda: encode(scene(), "PNG", "P", transparency=3, dpi=(72, 72)),
    "deep": lambda: encode(deep(), "PNG", icc_profile=bytes(100)),
    "black and white": lambda: encode(scene(), "PNG", "1", transparency=0),
    "interlaced": interlaced,
    "of several pictures": lambda: moving("PNG"),
    "with texts": lambda: png(8, 8, 8, 2, bytes(8 * 25), *TEXTS),
}
WEBPS = {
    "lossy": lambda: encode(scene(), "WEBP"),
    "transparent": lambda: encode(rgba(), "WEBP", quality=40, exif=with_tags(3)),
    "lossless": lambda: encode(rgba(), "WEBP", lossless=True),
    "of several pictures": lambda: moving("WEBP", icc_profile=bytes(100)),
}


def parts_of_jpeg(content):
    """Its segments, each with its marker and without its length; pixels are at the end of the segment before them."""
    found, place = [], 2
    while place < len(content) - 1:
        marker, length = content[place + 1], int.from_bytes(content[place + 2 : place + 4])
        end = place + 2 + (0 if marker in (0xD8, 0xD9) else length)
        inside = end
        if marker == 0xDA:
            while end < len(content) and not (content[end] == 0xFF and content[end + 1] not in (0, *range(0xD0, 0xD8))):
                end += 1
        found.append((marker, content[place + 4 : inside], content[inside:end]))
        place = end
    return found


def jpeg_of(parts):
    def whole(marker, inside, pixels):
        length = b"" if marker in (0xD8, 0xD9) else struct.pack(">H", min(len(inside) + 2, 65_535))
        return b"\xff" + bytes([marker]) + length + inside + pixels

    return b"\xff\xd8" + b"".join(whole(*each) for each in parts)


def parts_of_png(content):
    found, place = [], 8
    while place < len(content):
        length = int.from_bytes(content[place : place + 4])
        inside = content[place + 8 : place + 8 + length]
        kind = content[place + 4 : place + 8]
        found.append((kind, zlib.decompress(inside) if kind == b"IDAT" else inside, b""))
        place += 12 + length
    return found


def png_of(parts):
    chunks = ((kind, zlib.compress(inside) if kind == b"IDAT" else inside) for kind, inside, _ in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(inside)) + kind + inside + struct.pack(">I", zlib.crc32(kind + inside))
        for kind, inside in chunks
    )


def parts_of_webp(content):
    found, place = [], 12
    while place < len(content):
        length = int.from_bytes(content[place + 4 : place + 8], "little")
        found.append((content[place : place + 4], content[place + 8 : place + 8 + length], b""))
        place += 8 + length + length % 2
    return found


def webp_of(parts):
    chunks = b"".join(
        kind + struct.pack("<I", len(inside)) + inside + bytes(len(inside) % 2) for kind, inside, _ in parts
    )
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks


JPEG_KINDS = [*range(0xC0, 0xF0), 0xFE]
PNG_KINDS = [b"IHDR", b"PLTE", b"tRNS", b"eXIf", b"acTL", b"fcTL", b"fdAT", b"iCCP", b"abcd"]
WEBP_KINDS = [b"VP8 ", b"VP8L", b"VP8X", b"ANIM", b"ANMF", b"ALPH", b"EXIF", b"abcd"]

WAYS = {
    "JPEG": (JPEGS, parts_of_jpeg, jpeg_of, JPEG_KINDS),
    "PNG": (PNGS, parts_of_png, png_of, PNG_KINDS),
    "WEBP": (WEBPS, parts_of_webp, webp_of, WEBP_KINDS),
}
"""Real files of each format, how they are taken apart and put together, and kinds of parts."""


@st.composite
def changed_parts(draw, format):
    """A file put together well, whose parts are others: each has the length and the checksum that it needs."""
    files, apart, together, kinds = WAYS[format]
    parts = apart(draw(st.sampled_from(list(files.values())))())
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(parts) - 1))
        kind, inside, pixels = parts[place]
        change = draw(st.sampled_from(["inside", "number", "number", "kind", "gone", "often", "elsewhere", "pixels"]))
        if change == "inside":
            parts[place] = kind, draw(changed_bytes(inside)), pixels
        elif change == "number" and inside:
            width = draw(st.sampled_from([1, 2, 3, 4]))
            number = draw(NUMBERS | LARGE) % 256**width
            start = draw(st.integers(0, min(len(inside), 24)))
            raw = number.to_bytes(width, draw(st.sampled_from(["big", "little"])))
            parts[place] = kind, inside[:start] + raw + inside[start + width :], pixels
        elif change == "kind":
            parts[place] = draw(st.sampled_from(kinds)), inside, pixels
        elif change == "gone" and len(parts) > 1:
            del parts[place]
        elif change == "often":
            parts[place:place] = [parts[place]] * draw(st.sampled_from([1, 2, 20, 120, 3000]))
        elif change == "elsewhere":
            parts.insert(draw(st.integers(0, len(parts) - 1)), parts.pop(place))
        else:
            parts[place] = kind, inside, draw(changed_bytes(pixels))
    return together(parts)


def seen_or_refused(look, photo, size):
    """What is seen of a photo, or one line."""
    try:
        return look(photo, size)
    except ListingError as error:
        return str(error)


def use(photo):
    """Do with a photo what listings are looked at for."""
    with bounded(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of which the command line says nothing either
        assert pixels_of(photo) >= 0
        for look, size in ((read_photo, SIZE), (thumbnail, 40)):
            seen = seen_or_refused(look, photo, size)
            if isinstance(seen, str):
                assert "\n" not in seen
                assert len(seen) < 1_000
            elif look is read_photo:
                assert (seen.shape, seen.dtype) == ((*SIZE, 3), np.uint8)


@pytest.mark.parametrize("format", WAYS)
def test_every_file_to_begin_with_is_a_photo(format):
    files, apart, together, _ = WAYS[format]
    for each in files.values():
        expected = read_photo(each(), SIZE)
        np.testing.assert_array_equal(read_photo(together(apart(each())), SIZE), expected)
        assert Image.open(io.BytesIO(each())).size[0] * Image.open(io.BytesIO(each())).size[1] == pixels_of(each())


@pytest.mark.parametrize("format", WAYS)
@tried(60)
@given(data=st.data())
def test_any_bytes_of_a_photo_are_one_or_are_refused(format, data):
    files = WAYS[format][0]
    use(data.draw(changed_bytes(data.draw(st.sampled_from(list(files.values())))())))


@pytest.mark.parametrize("format", WAYS)
@tried(120)
@given(data=st.data())
def test_any_parts_of_a_photo_are_one_or_are_refused(format, data):
    use(data.draw(changed_parts(format)))
