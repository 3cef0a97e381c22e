"""AVIF, GIF, TIFF and BMP are read like other photos; what costs more, or is of a rare kind, is refused."""

import io
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from photo_files import SIZE, encode, refusal, scene
from PIL import Image, features

from productcat import ListingError
from productcat.listings.photos import decoded, pixels_of, read_photo

KINDS = {
    "GIF": ("GIF", "RGB", {}),
    "GIF that moves": ("GIF", "RGB", {"save_all": True, "append_images": [Image.new("RGB", (60, 80))]}),
    "BMP": ("BMP", "RGB", {}),
    "BMP with a palette": ("BMP", "P", {}),
    "TIFF": ("TIFF", "RGB", {}),
    "TIFF by LZW": ("TIFF", "RGB", {"compression": "tiff_lzw"}),
    "TIFF by deflate": ("TIFF", "RGBA", {"compression": "tiff_adobe_deflate"}),
    "TIFF by PackBits": ("TIFF", "RGB", {"compression": "packbits"}),
    "TIFF of two pages": ("TIFF", "RGB", {"save_all": True, "append_images": [Image.new("RGB", (60, 80))]}),
    "TIFF of CMYK": ("TIFF", "CMYK", {}),
    "AVIF": ("AVIF", "RGB", {"quality": 90}),
    "AVIF with transparency": ("AVIF", "RGBA", {"quality": 90}),
    "AVIF in full colour": ("AVIF", "RGB", {"quality": 90, "subsampling": "4:4:4"}),
}
if not features.check("avif"):
    KINDS = {name: each for name, each in KINDS.items() if each[0] != "AVIF"}

each_kind = pytest.mark.parametrize("kind", KINDS)


def made(kind, pixels=None):
    format, mode, options = KINDS[kind]
    return encode(scene() if pixels is None else pixels, format, mode, **options)


@each_kind
def test_it_shows_the_scene(kind):
    mean = 12.0 if KINDS[kind][0] == "GIF" or KINDS[kind][1] == "P" else 4.0  # 256 colours
    seen = read_photo(made(kind), SIZE)
    assert np.abs(seen.astype(float) - read_photo(scene(), SIZE)).mean() < mean
    assert pixels_of(made(kind)) == 80 * 60


@each_kind
@pytest.mark.parametrize("shape", [(1, 1), (333, 41)])
def test_any_shape_is_read(kind, shape):
    content = made(kind, scene(*shape))
    assert read_photo(content, SIZE).shape == (*SIZE, 3)
    assert pixels_of(content) == shape[0] * shape[1]


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_tiff_is_turned_upright_once(orientation, compression):
    def turned(format, **options):
        tags = Image.Exif()
        tags[0x0112] = orientation
        return read_photo(encode(scene(), format, exif=tags, **options), SIZE)

    np.testing.assert_array_equal(turned("TIFF", compression=compression), turned("PNG"))


def test_a_gray_tiff_of_16_bits_and_a_transparent_gif_show_what_their_pngs_show():
    gray = np.asarray(Image.fromarray(scene()).convert("L"))
    deep = Image.fromarray(gray.astype(np.uint16) << 8)
    np.testing.assert_array_equal(read_photo(encode(deep, "TIFF"), SIZE), read_photo(encode(deep, "PNG"), SIZE))
    clear = Image.new("P", (30, 40), 0)
    clear.putpalette([9, 9, 9, 200, 0, 0])
    clear.paste(1, (0, 0, 30, 20))
    pixels = read_photo(encode(clear, "GIF", transparency=0), SIZE)
    assert pixels[0, 0].tolist() == [200, 0, 0]
    assert pixels[-1, -1].tolist() == [255, 255, 255]


@each_kind
@pytest.mark.parametrize("share", [0.05, 0.3, 0.7])
def test_a_truncated_one_is_read_or_refused_by_name(kind, share):
    content = made(kind, np.random.default_rng(0).integers(0, 255, (80, 60, 3), np.uint8))
    read_or_refused(content[: int(len(content) * share)])


def read_or_refused(content):
    try:
        assert read_photo(content, SIZE).shape == (*SIZE, 3)
    except ListingError as error:
        assert f"photo of {len(content)} bytes: " in str(error)  # noqa: PT017 both ends are right


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's own notes on damaged tags
@given(
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=6),
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), max_size=4),
    st.sampled_from(list(KINDS)),
)
def test_mutated_bytes_are_read_or_refused(anywhere, in_head, kind):
    content = bytearray(made(kind, scene(20, 16)))
    for place, value in [*((int(share * len(content)), value) for share, value in anywhere), *in_head]:
        if place < len(content):
            content[place] = value
    read_or_refused(bytes(content))


def tiff(*entries, body=b""):
    """A TIFF of some tags (number, type, count, value) before a body, which begins at byte 8."""
    table = b"".join(struct.pack("<HHII", *each) for each in sorted(entries))
    return b"II*\0" + struct.pack("<I", 8 + len(body)) + body + struct.pack("<H", len(entries)) + table + b"\0" * 4


def photo_tiff(width, height, **changes):
    tags = {256: (4, 1, width), 257: (4, 1, height), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1), 273: (4, 1, 8)}
    tags |= {277: (3, 1, 1), 278: (4, 1, height), 279: (4, 1, width * height)}
    tags |= {int(name.removeprefix("tag_")): each for name, each in changes.items()}
    return tiff(*((tag, *each) for tag, each in tags.items()), body=b"\x40" * 64)


@pytest.mark.parametrize(
    ("photo", "message"),
    [
        (photo_tiff(9000, 9000), "megapixels"),
        (photo_tiff(60_000, 20), "strip that shows nothing"),
        (photo_tiff(8, 8, tag_322=(3, 1, 60_000), tag_323=(3, 1, 60_000)), "in tiles"),
        (photo_tiff(8, 8, tag_259=(3, 1, 34_925)), "of compression 34925"),
        (photo_tiff(8, 8, tag_259=(3, 1, 7)), "of compression 7"),
        (photo_tiff(8, 8, tag_277=(3, 1, 60_000)), "60000 samples"),
        (photo_tiff(8, 8, tag_258=(3, 1, 64)), "64 bits"),
        (photo_tiff(8, 8, tag_273=(4, 1_000_000, 8)), "more strips"),
        (photo_tiff(8, 8, tag_700=(1, 3_000_000_000, 8)), "tags that no camera"),
        (photo_tiff(8, 8, tag_256=(2, 1, 8)), "tag 256"),
        (tiff((256, 4, 1, 8), (256, 4, 1, 9)), "tags that no camera"),
        (b"II*\0\xff\xff\xff\x7f", "ends too early"),
        (photo_tiff(7000, 7000, tag_277=(3, 1, 4), tag_262=(3, 1, 2)), "MB to decode"),
        (b"II+\0\x08\0\0\0" + b"\0" * 40, "not a JPEG"),
    ],
)
def test_a_tiff_that_costs_more_than_a_photo_or_is_of_a_rare_kind_is_refused(photo, message):
    assert message in refusal(photo)


def bmp(width, height, bits=24, compression=0):
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + head


@pytest.mark.parametrize(
    ("photo", "message"),
    [
        (bmp(9000, 9000), "megapixels"),
        (bmp(9000, -9000), "megapixels"),
        (bmp(7800, 7800), "MB to decode"),
        (bmp(80, 60, 8, 1), "compressed BMP"),
        (bmp(80, 60, 4, 2), "compressed BMP"),
        (b"GIF89a" + struct.pack("<HH", 9000, 9000) + b"\0\0\0,", "megapixels"),
        (b"GIF89a" + struct.pack("<HH", 8, 8) + b"\0\0\0" + b"!\xfe\1a\0" * 100_001, "segments"),
        (b"GIF89a" + struct.pack("<HH", 8, 8) + b"\0\0\0!\xfe" + b"\1a" * 100_001, "segments"),
    ],
)
def test_a_bmp_or_gif_that_costs_more_than_a_photo_is_refused(photo, message):
    assert message in refusal(photo)


def test_a_gif_whose_picture_is_larger_than_it_says_is_refused():
    content = bytearray(encode(scene(), "GIF"))
    content[6:10] = struct.pack("<HH", 8, 8)
    assert "two sizes" in refusal(bytes(content))


needs_avif = pytest.mark.skipif(not features.check("avif"), reason="Pillow was built without AVIF")


@needs_avif
def test_an_avif_that_moves_or_is_put_together_is_refused():
    moving = encode(scene(), "AVIF", save_all=True, append_images=[Image.new("RGB", (60, 80))])
    assert "kind that is not read" in refusal(moving)
    assert "kind that is not read" in refusal(made("AVIF").replace(b"av01Color", b"gridColor"))


@needs_avif
def test_an_avif_whose_stream_is_larger_than_it_says_is_refused():
    content = made("AVIF")
    place = content.index(b"ispe") + 8
    smaller = content[:place] + struct.pack(">II", 8, 8) + content[place + 8 :]
    larger = content[:place] + struct.pack(">II", 12_000, 12_000) + content[place + 8 :]
    assert "does not fit together" in refusal(smaller)
    assert "megapixels" in refusal(larger)


@needs_avif
def test_an_avif_stream_of_many_pictures_is_refused():
    content = made("AVIF")
    start = content.index(b"mdat") + 4
    frame = bytes([6 << 3 | 2, 1, 0])  # a picture of one byte
    stream = content[start:] + frame * 20
    many = content[:start] + stream
    length = struct.pack(">I", len(content) - start)
    head = many[:start].replace(length, struct.pack(">I", len(stream)), 1)
    assert head != many[:start]
    fixed = head[:-8] + struct.pack(">I", len(stream) + 8) + b"mdat"
    assert "kind that is not read" in refusal(fixed + stream)


def in_bits(*fields):
    """Bytes of fields (value, number of bits), filled up with zeros."""
    text = "".join(format(value, f"0{n_bits}b") for value, n_bits in fields)
    text += "0" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8)


@needs_avif
def test_an_avif_whose_picture_may_have_a_size_of_its_own_costs_what_its_bits_allow():
    still = (0, 3), (1, 1), (0, 1), (0, 1), (0, 1), (0, 5), (0, 12), (0, 5)  # and not reduced
    sizes = (15, 4), (15, 4), (59, 16), (79, 16)  # 60 by 80 pixels, each side in 16 bits
    sequence = in_bits(*still, *sizes, *[(0, 1)] * 20, (1, 1))
    stream = bytes([1 << 3 | 2, len(sequence)]) + sequence + bytes([6 << 3 | 2, 1, 0])
    content = made("AVIF")
    start = content.index(b"mdat") + 4
    lengths = (struct.pack(">I", len(each)) for each in (content[start:], stream))
    head = content[: start - 8].replace(*lengths, 1)
    assert "60 by 80 pixels of this kind take" in refusal(head + struct.pack(">I", len(stream) + 8) + b"mdat" + stream)


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_a_tiff_whose_white_is_not_known_is_refused_and_not_called_blank(dtype):
    gray = np.asarray(Image.fromarray(scene()).convert("L")).astype(dtype)
    assert "white has no fixed value" in refusal(encode(Image.fromarray(gray), "TIFF"))


def test_photos_of_all_formats_count_together():
    photos = [made(kind) for kind in KINDS]
    problems = [[]]
    assert sum(len(pixels) for _, pixels in decoded([photos], (112, 84), problems)) == len(photos)
    assert not problems[0]


def test_a_bytesio_of_any_format_is_a_photo():
    assert read_photo(io.BytesIO(made("TIFF")), SIZE).shape == (*SIZE, 3)
