"""Photos of every kind become pixels of one size; what cannot is refused by name with the way out."""

import io
import os
import struct
import time
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from photo_files import SIZE, encode, png, refusal, rotated, scene
from PIL import Image

from productcat import Listing, ListingError
from productcat.listings.photo_limits import MAX_PIXELS
from productcat.listings.photos import decoded, pixels_of, read_photo

SECOND = {"save_all": True, "append_images": [Image.new("RGB", (60, 80))]}
"""A second, black picture in the same file."""
EXTENSIONS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}


def assert_alike(one, other, mean=3.0):
    assert one.shape == other.shape
    assert np.abs(one.astype(float) - other).mean() < mean


@pytest.mark.parametrize("format", EXTENSIONS)
def test_a_path_a_text_bytes_and_a_buffer_give_the_same_pixels(tmp_path, format):
    content = encode(scene(), format)
    path = tmp_path / f"photo.{EXTENSIONS[format]}"
    path.write_bytes(content)
    pixels = read_photo(path, SIZE)
    assert pixels.shape == (*SIZE, 3)
    assert pixels.dtype == np.uint8
    for other in (str(path), content, bytearray(content), memoryview(content)):
        np.testing.assert_array_equal(read_photo(other, SIZE), pixels)


def test_an_array_gives_the_pixels_of_its_lossless_file_and_is_not_changed():
    pixels = scene()
    before = pixels.copy()
    np.testing.assert_array_equal(read_photo(pixels, SIZE), read_photo(encode(pixels, "PNG"), SIZE))
    np.testing.assert_array_equal(read_photo(np.asfortranarray(pixels), SIZE), read_photo(pixels, SIZE))
    np.testing.assert_array_equal(pixels, before)


def test_a_photo_of_the_frames_size_keeps_its_pixels():
    np.testing.assert_array_equal(read_photo(scene(*SIZE), SIZE), scene(*SIZE))


@pytest.mark.parametrize(
    ("format", "mode", "options"),
    [
        ("JPEG", "RGB", {"progressive": True}),
        ("JPEG", "CMYK", {}),
        ("PNG", "RGBA", {}),
        ("PNG", "P", {}),
        ("WEBP", "RGB", {"lossless": True}),
        ("WEBP", "RGBA", {"lossless": True}),
        ("MPO", "RGB", SECOND),
        ("WEBP", "RGB", {**SECOND, "lossless": True}),
        ("PNG", "RGB", SECOND),
    ],
    ids=["progressive", "CMYK", "alpha", "palette", "WebP", "WebP alpha", "MPO", "animated WebP", "animated PNG"],
)
def test_every_kind_of_colour_file_shows_the_same_scene(format, mode, options):
    mean = 12.0 if mode == "P" else 3.0  # 256 "web" colours
    assert_alike(read_photo(encode(scene(), format, mode, **options), SIZE), read_photo(scene(), SIZE), mean)


@pytest.mark.parametrize("kind", ["L JPEG", "L PNG", "LA PNG", "16-bit", "16-bit with a transparent gray"])
def test_every_kind_of_gray_file_shows_the_same_scene(kind):
    gray = np.asarray(Image.fromarray(scene()).convert("L"))
    expected = read_photo(np.repeat(gray[:, :, None], 3, axis=2), SIZE)
    if kind.startswith("16-bit"):
        deep = (gray.astype(np.uint16) * 257).astype(">u2")
        extra = [(b"tRNS", b"\x12\x34")] if "transparent" in kind else []
        content = png(60, 80, 16, 0, b"".join(b"\0" + row.tobytes() for row in deep), *extra)
    else:
        mode, format = kind.split()
        content = encode(Image.fromarray(gray).convert(mode), format)
    assert_alike(read_photo(content, SIZE), expected)


def test_a_black_and_white_photo_is_black_and_white():
    pixels = read_photo(encode(Image.new("1", (30, 40), 1), "PNG"), SIZE)
    np.testing.assert_array_equal(pixels, np.full((*SIZE, 3), 255))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_pixels_lie_on_white(mode):
    photo = Image.new(mode, (30, 40), 0)
    np.testing.assert_array_equal(read_photo(encode(photo, "PNG"), SIZE), np.full((*SIZE, 3), 255))


def test_a_transparent_colour_of_a_palette_lies_on_white():
    photo = Image.new("P", (30, 40), 0)
    photo.putpalette([9, 9, 9, 200, 0, 0])
    photo.paste(1, (0, 0, 30, 20))
    pixels = read_photo(encode(photo, "PNG", transparency=0), SIZE)
    assert pixels[0, 0].tolist() == [200, 0, 0]
    assert pixels[-1, -1].tolist() == [255, 255, 255]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("height", [80, 800])
def test_photos_are_turned_upright_by_their_tag(orientation, height):
    pixels = scene(height, height * 3 // 4)
    assert_alike(read_photo(rotated(pixels, orientation), SIZE), read_photo(pixels, SIZE))


@pytest.mark.parametrize("tag", [0, 9, 700])
def test_a_senseless_rotation_tag_is_ignored(tag):
    tags = Image.Exif()
    tags[0x0112] = tag
    assert_alike(read_photo(encode(scene(), "JPEG", exif=tags), SIZE), read_photo(scene(), SIZE))


@pytest.mark.parametrize(
    "value",
    [(2, 2, b"6\0\0\0"), (11, 1, struct.pack("<f", 6.5)), (11, 1, struct.pack("<f", float("inf")))],
    ids=["text", "a fraction", "infinite"],
)
def test_a_rotation_tag_of_another_type_is_ignored(value):
    entry = struct.pack("<2sHIHHHI4sI", b"II", 42, 8, 1, 0x0112, *value, 0)
    assert_alike(read_photo(encode(scene(), "JPEG", exif=b"Exif\0\0" + entry), SIZE), read_photo(scene(), SIZE))


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's own notes on damaged tags
@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=4), st.sampled_from(list(EXTENSIONS)))
def test_a_damaged_head_is_read_or_refused_but_never_anything_else(changes, format):
    tags = Image.Exif()
    tags[0x0112], tags[0x010F], tags[0x011A] = 6, "maker", 72.0
    content = bytearray(encode(scene(20, 16), format, exif=tags))
    for place, value in changes:
        content[place] = value
    try:
        assert read_photo(bytes(content), SIZE).shape == (*SIZE, 3)
    except ListingError as error:
        assert f"photo of {len(content)} bytes: " in str(error)  # noqa: PT017 both ends are right


@pytest.mark.parametrize("turned", [False, True], ids=["upright", "on its side"])
def test_scaled_decoding_of_a_large_photo_is_nearly_the_same_as_full_decoding_and_faster(turned):
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 255, (60, 45, 3), np.uint8))
    pixels = np.asarray(coarse.resize((2400, 3200), Image.Resampling.BICUBIC))
    content = rotated(pixels, 6) if turned else encode(pixels, "JPEG", quality=90)
    started = time.thread_time()
    drafted = read_photo(content, (112, 84))
    middle = time.thread_time()
    full = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    full = read_photo(np.ascontiguousarray(np.rot90(full, -1)) if turned else full, (112, 84))
    assert_alike(drafted, full, mean=2.0)
    assert middle - started < time.thread_time() - middle


@given(st.integers(1, 400), st.integers(1, 400), st.integers(1, 90), st.integers(1, 90))
def test_nothing_is_distorted_and_the_rest_of_the_frame_is_white(height, width, frame_height, frame_width):
    pixels = read_photo(np.zeros((height, width, 3), np.uint8), (frame_height, frame_width))
    assert pixels.shape == (frame_height, frame_width, 3)
    dark = (pixels == 0).all(axis=2)
    assert (dark | (pixels == 255).all(axis=2)).all()
    rows, columns = np.flatnonzero(dark.any(axis=1)), np.flatnonzero(dark.any(axis=0))
    inner = len(rows), len(columns)
    assert dark.sum() == inner[0] * inner[1]  # one rectangle
    scale = min(frame_height / height, frame_width / width)
    assert abs(inner[0] - max(1, height * scale)) <= 0.5 + 1e-9
    assert abs(inner[1] - max(1, width * scale)) <= 0.5 + 1e-9
    assert abs(rows[0] - (frame_height - 1 - rows[-1])) <= 1  # centred
    assert abs(columns[0] - (frame_width - 1 - columns[-1])) <= 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 1000), (1000, 1), (65, 65000)])
@pytest.mark.parametrize("format", ["array", "JPEG", "PNG"])
def test_photos_of_extreme_shapes_are_read(shape, format):
    pixels = np.zeros((*shape, 3), np.uint8)
    assert read_photo(pixels if format == "array" else encode(pixels, format), SIZE).shape == (*SIZE, 3)


@pytest.mark.parametrize(("format", "share"), [("JPEG", 0.3), ("PNG", 0.3), ("PNG", 0.9), ("WEBP", 0.3), ("WEBP", 0.9)])
def test_a_truncated_photo_is_refused_by_name(tmp_path, format, share):
    noise = np.random.default_rng(0).integers(0, 255, (80, 60, 3), np.uint8)
    content = encode(noise, format)
    path = tmp_path / f"cut.{EXTENSIONS[format]}"
    path.write_bytes(content[: int(len(content) * share)])
    message = refusal(path)
    assert message.startswith(f"{path}: cannot be decoded (")
    assert message.endswith("; the file is damaged, get it again")


def read_with_problems(photo):
    """What is seen of one photo, if it counts, and what is said of it."""
    problems = [[]]
    found = [pixels[0] for _, pixels in decoded([[photo]], SIZE, problems)]
    return found, problems[0]


@pytest.mark.parametrize("n_bytes", [1, 2, 10, 40])
@pytest.mark.parametrize("options", [{}, {"progressive": True}], ids=["baseline", "progressive"])
def test_a_jpeg_without_its_end_counts_and_is_said_to_be_cut_off(n_bytes, options):
    whole = encode(scene(), "JPEG", quality=90, **options)
    (pixels,), problems = read_with_problems(whole[:-n_bytes])
    assert problems == [
        f"photo of {len(whole) - n_bytes} bytes: cut off, so what it lacks does not count; get it again"
    ]
    assert_alike(pixels, read_photo(whole, SIZE), mean=3.0 if n_bytes <= 10 else 12.0)


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_the_rows_that_a_jpeg_lacks_are_left_out(orientation):
    noise = np.random.default_rng(0).integers(0, 100, (160, 120, 3), np.uint8)
    content = rotated(noise, orientation)
    (pixels,), problems = read_with_problems(content[: int(len(content) * 0.8)])
    assert "cut off" in problems[0]
    gray = (np.abs(pixels.astype(int) - 128) < 3).all(axis=2)  # as what is missing is
    assert gray.mean() < 0.2  # one row of blocks may be there in part


def test_a_whole_photo_with_gray_rows_at_its_end_keeps_them():
    pixels = scene()
    pixels[60:] = 128
    (seen,), problems = read_with_problems(encode(pixels, "JPEG", quality=95))
    assert not problems
    assert_alike(seen, read_photo(pixels, SIZE))


@pytest.mark.parametrize("kind", ["texts", "a profile", "many texts"])
def test_a_png_with_more_metadata_than_pillow_reads_is_read(kind):
    huge = zlib.compress(b"a" * (3 << 20), 9)
    extra = {
        "texts": [(b"zTXt", b"note\0\0" + huge)],
        "a profile": [(b"iCCP", b"profile\0\0" + huge)],
        "many texts": [(b"zTXt", b"note\0\0" + zlib.compress(b"a" * 1_000_000))] * 80,
    }[kind]
    rows = b"".join(b"\0" + row.tobytes() for row in scene())
    (pixels,), problems = read_with_problems(png(60, 80, 8, 2, rows, *extra))
    assert not problems
    np.testing.assert_array_equal(pixels, read_photo(scene(), SIZE))


@pytest.mark.parametrize("content", [b"", b"this is text\n", b"\xff\xd8\xff"], ids=["empty", "text", "head only"])
def test_what_is_no_photo_is_refused_by_name(tmp_path, content):
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    assert refusal(path).startswith(f"{path}: ")
    assert refusal(content).startswith(f"photo of {len(content)} bytes: ")


@pytest.mark.parametrize("format", ["PPM", "ICO", "PCX", "JPEG2000"])
def test_other_formats_are_refused_even_under_a_jpegs_name(tmp_path, format):
    path = tmp_path / "photo.jpg"
    path.write_bytes(encode(scene(), format))
    read = "JPEG, PNG, WebP, AVIF, GIF, TIFF or BMP"
    assert refusal(path) == f"{path}: not a {read} photo; convert it or leave it out"


def test_a_missing_file_a_directory_and_an_impossible_name_are_refused_by_name(tmp_path):
    assert refusal(tmp_path / "gone.jpg") == f"{tmp_path / 'gone.jpg'}: no such file; check the path"
    assert refusal("front.jpg;back.jpg").endswith(
        'no such file; check the path, and write "|" between the photos of a cell'
    )
    assert refusal(tmp_path) == f"{tmp_path}: cannot be opened (Is a directory); check the path"
    assert refusal("x" * 5000).endswith(": cannot be opened (File name too long); check the path")
    assert "x\0y" in refusal("x\0y")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_is_refused_instead_of_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    assert (
        refusal(tmp_path / "pipe.jpg") == f"{tmp_path / 'pipe.jpg'}: a pipe or a device; save the photo to a file first"
    )


@pytest.mark.parametrize("side", [10_000, 20_000, 60_000])
def test_a_photo_of_too_many_pixels_is_refused_before_it_is_decoded(side):
    claimed = png(side, side, 8, 2, b"")  # decoding it would fail in another way
    started = time.thread_time()
    message = refusal(claimed)
    assert time.thread_time() - started < 1
    assert f"photo of {len(claimed)} bytes: " in message
    assert f"the limit is {MAX_PIXELS // 10**6}" in message
    assert message.endswith("; scale it down first")


def test_a_photo_just_below_the_limit_is_read():
    rows = (b"\0" + b"\xff" * 1000) * 8000  # one bit a pixel
    assert read_photo(png(8000, 8000, 1, 0, rows), SIZE).max() == 255


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((3,), np.uint8),
        np.zeros((4, 3, 5), np.uint8),
        np.zeros((3, 4, 2), np.uint8),
        np.zeros((4, 3, 3), np.float32),
        np.zeros((4, 3), np.int64),
        np.zeros((0, 3, 3), np.uint8),
        np.zeros((1, 4, 3, 3), np.uint8),
        np.array(None),
    ],
    ids=lambda array: f"{array.shape} {array.dtype}",
)
def test_an_array_of_another_shape_or_type_is_refused_with_what_it_is(array):
    what = f"photo array of shape {array.shape}, {array.dtype}"
    for message in (refusal(array), refused_by_listing(array).removeprefix("listing 'L7': ")):
        assert (
            message == f"{what}: expected uint8 of shape (h, w), (h, w, 3) or (h, w, 4): gray, RGB or RGBA; convert it"
        )


@pytest.mark.parametrize(
    "photo",
    [None, 5, ["a.jpg"], {"bytes": b""}, io.StringIO("a"), Image.new("RGB", (0, 4))],
    ids=["None", "int", "list", "dict", "text stream", "no pixels"],
)
def test_anything_else_is_refused_at_once(photo):
    assert refusal(photo).startswith("a ")
    assert refused_by_listing(photo).startswith("listing 'L7': a ")


def refused_by_listing(photo):
    with pytest.raises(ListingError) as caught:
        Listing("L7", photos=["a.jpg", photo])
    return str(caught.value)


def test_an_open_file_is_refused_with_the_way_out(tmp_path):
    (tmp_path / "a.jpg").write_bytes(encode(scene(), "JPEG"))
    with open(tmp_path / "a.jpg", "rb") as file:
        assert refused_by_listing(file).endswith("not BufferedReader; read it, and give its bytes")


def as_given(pixels):
    """Pixels as what callers have in Python, name → photo."""
    buffer = io.BytesIO(encode(pixels, "PNG"))
    buffer.seek(0, io.SEEK_END)  # as it is after saving
    return {
        "image": Image.fromarray(pixels),
        "file of an image": Image.open(io.BytesIO(encode(pixels, "PNG"))),
        "BytesIO": buffer,
        "RGBA image": Image.fromarray(pixels).convert("RGBA"),
        "RGBA array": np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)]),
    }


@pytest.mark.parametrize("name", as_given(scene(2, 2)))
@pytest.mark.parametrize("height", [80, 1500])
def test_what_python_has_of_a_photo_gives_the_same_pixels(name, height):
    pixels = scene(height, height * 3 // 4)
    photo = as_given(pixels)[name]
    expected = read_photo(pixels, SIZE)
    np.testing.assert_array_equal(read_photo(photo, SIZE), expected)
    np.testing.assert_array_equal(read_photo(Listing(photos=[photo]).photos[0], SIZE), expected)
    assert pixels_of(Listing(photos=[photo]).photos[0]) == pixels.shape[0] * pixels.shape[1]


@pytest.mark.parametrize("shape", [(80, 60), (80, 60, 1)])
def test_a_gray_array_shows_what_its_file_shows(shape):
    gray = np.asarray(Image.fromarray(scene()).convert("L"))
    expected = read_photo(encode(gray, "PNG"), SIZE)
    np.testing.assert_array_equal(read_photo(gray.reshape(shape), SIZE), expected)
    np.testing.assert_array_equal(read_photo(Image.fromarray(gray), SIZE), expected)


def test_transparent_pixels_of_an_array_and_an_image_lie_on_white():
    clear = np.zeros((30, 40, 4), np.uint8)
    for photo in (clear, Image.fromarray(clear)):
        np.testing.assert_array_equal(read_photo(photo, SIZE), np.full((*SIZE, 3), 255))


def test_an_image_that_was_opened_is_turned_upright_like_its_file():
    content = rotated(scene(), 6)
    np.testing.assert_array_equal(read_photo(Image.open(io.BytesIO(content)), SIZE), read_photo(content, SIZE))


def test_threads_may_share_an_image_that_has_not_read_its_file_yet():
    content = encode(scene(800, 600), "PNG")
    image = Image.open(io.BytesIO(content))
    problems = [[] for _ in range(32)]
    found = list(decoded([[image]] * 32, SIZE, problems))
    assert not any(problems)
    for pixels in found[0][1]:
        np.testing.assert_array_equal(pixels, read_photo(content, SIZE))


def test_an_image_whose_file_is_closed_is_named_with_the_way_out(tmp_path):
    (tmp_path / "a.png").write_bytes(encode(scene(), "PNG"))
    with Image.open(tmp_path / "a.png") as image:
        pass
    message = refusal(image)
    assert message.startswith("PIL image of 60 by 80 pixels, RGB: cannot be loaded (")
    assert message.endswith("call its load() before its file is closed")


def test_images_and_arrays_have_the_limits_of_files():
    assert "megapixels" in refusal(np.broadcast_to(np.uint8(0), (9000, 9000)))
    assert "strip" in refusal(Image.new("L", (1, 2000)))


def test_listings_with_images_are_the_same_when_their_pixels_are():
    image = Image.fromarray(scene())
    assert Listing("a", photos=[image]) == Listing("a", photos=[image.copy()])
    assert len({Listing("a", photos=[image]), Listing("a", photos=[image.copy()])}) == 1
    for other in (Image.fromarray(scene()[::-1]), scene(), "a.jpg"):
        assert Listing("a", photos=[image]) != Listing("a", photos=[other])


def closed_bytesio():
    file = io.BytesIO(b"")
    file.close()
    return file


def released_view():
    view = memoryview(b"12")
    view.release()
    return view


@pytest.mark.parametrize(
    ("photo", "message"),
    [
        (closed_bytesio(), "BytesIO is closed"),
        (released_view(), "memoryview is released"),
        (Image.new("I", (30, 40)), "mode I"),
        (Image.new("F", (30, 40)), "mode F"),
    ],
    ids=["closed BytesIO", "released view", "I", "F"],
)
def test_what_cannot_be_seen_is_refused_when_the_listing_is_made(photo, message):
    with pytest.raises(ListingError, match=rf"listing '7': .*{message}"):
        Listing("7", photos=[photo])


def test_views_of_any_layout_and_paths_in_bytes_are_photos(tmp_path):
    class PathInBytes:
        def __fspath__(self):
            return os.fsencode(tmp_path / "photo.png")

    content = encode(scene(), "PNG")
    (tmp_path / "photo.png").write_bytes(content)
    spread = bytes(value for byte in content for value in (byte, 0))
    filled = content + bytes(-len(content) % 4)
    photos = [memoryview(spread)[::2], memoryview(filled).cast("I"), PathInBytes()]
    for photo in Listing(photos=photos).photos:
        np.testing.assert_array_equal(read_photo(photo, SIZE), read_photo(content, SIZE))


def test_a_gray_image_with_premultiplied_transparency_is_a_photo():
    gray = Image.fromarray(scene()).convert("LA")
    np.testing.assert_array_equal(read_photo(gray.convert("La"), SIZE), read_photo(gray, SIZE))


def test_a_listing_equals_itself_though_its_image_was_closed():
    image = Image.open(io.BytesIO(encode(scene(), "PNG")))
    listing = Listing("7", photos=[image])
    image.close()
    assert listing == Listing("7", photos=[image])


@pytest.mark.parametrize(("share", "message"), [(0.02, "most of it is missing"), (0.5, "most of it is missing")])
def test_a_cmyk_jpeg_without_most_of_its_rows_is_refused(share, message):
    content = encode(scene(400, 300), "JPEG", "CMYK", quality=95)
    assert message in refusal(content[: int(share * len(content))])


def test_a_png_with_a_wrong_checksum_in_its_words_is_read():
    content = encode(scene(), "PNG")
    words = struct.pack(">I", 3) + b"tEXta\0b" + bytes(4)
    np.testing.assert_array_equal(read_photo(content[:33] + words + content[33:], SIZE), read_photo(content, SIZE))


def test_a_file_that_begins_like_a_photo_is_called_damaged_and_not_of_another_format():
    assert "its head is wrong" in refusal(encode(scene(), "GIF")[:13] + b";")
