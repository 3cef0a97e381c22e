"""Whatever is uploaded as a photo, it takes bounded memory and time, and the other photos are still read."""

import io
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from commands import environment
from hypothesis import given
from hypothesis import strategies as st
from photo_files import encode, png, refusal, scene
from PIL import Image, features

from productcat.listings import shrinking
from productcat.listings.photo_limits import MAX_FILE, MAX_RATIO, MAX_SCANS, MAX_SEGMENTS, Room
from productcat.listings.photos import decoded, pixels_of, read_photo, thumbnail

SIZE = (224, 224)
MOST_MEMORY = 300
"""Number of megabytes that photos may take, whatever they are."""

CHILD = """
import resource, sys
from pathlib import Path
import numpy as np
from productcat.listings.photos import decoded

def used():
    status = Path("/proc/self/status")  # a process begins with the ru_maxrss of the one that started it
    if status.exists():
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)

def read(photos):
    problems = [[]]
    return sum(len(pixels) for _, pixels in decoded([photos], (224, 224), problems)), problems[0]

read([np.eye(8, dtype=np.uint8)[:, :, None].repeat(3, 2) * 200])
photos = [Path(each) for each in sys.argv[1:]]
"""


def child(code, *arguments):
    """What code prints, in a process of its own that has the photos given by its arguments."""
    pytest.importorskip("resource")
    command = [sys.executable, "-c", CHILD + code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def webp_head(width, height):
    """A WebP of 38 bytes that claims a size and has no pixels: one colour everywhere."""
    bits = (width - 1) | (height - 1) << 14 | 1 << 28
    pixels = b"\x2f" + bits.to_bytes(4, "little") + b"\x88\x88\x08\x00\x00\x00\x00\x00"
    chunk = b"VP8L" + len(pixels).to_bytes(4, "little") + pixels + b"\0" * (len(pixels) % 2)
    return b"RIFF" + (4 + len(chunk)).to_bytes(4, "little") + b"WEBP" + chunk


def flat_png(side, depth, colours, channels, *extra):
    row = b"\0" + b"\x7f" * (side * channels * depth // 8)
    return png(side, side, depth, colours, row * side, *extra)


def lying(side):
    """A transparent PNG that lies on its side."""
    tags = Image.Exif()
    tags[0x0112] = 6
    return flat_png(side, 8, 6, 4, (b"eXIf", tags.tobytes()[6:]))


def packed_and_lying(side):
    tags = Image.Exif()
    tags[0x0112] = 6
    return encode(Image.new("RGBA", (side, side), (1, 2, 3, 4)), "TIFF", compression="tiff_lzw", exif=tags)


def many_scans(n_extra, content=None):
    """A progressive JPEG whose last scan is there so many times more."""
    content = content or encode(scene(), "JPEG", progressive=True)
    last = content.rindex(b"\xff\xda")
    return content[:-2] + content[last:-2] * n_extra + content[-2:]


HEAVY = {
    "a tiny WebP": lambda: webp_head(8000, 8000),
    "a WebP as large as allowed": lambda: encode(Image.new("RGBA", (4000, 3400), (1, 2, 3, 4)), "WEBP", method=0),
    "a PNG of 64 megapixels": lambda: flat_png(8000, 8, 2, 3),
    "a transparent PNG on its side": lambda: lying(5000),
    "a PNG of deep grays": lambda: flat_png(6400, 16, 0, 1),
    "a packed TIFF": lambda: encode(Image.new("RGB", (6000, 5000)), "TIFF", compression="tiff_adobe_deflate"),
    "a packed TIFF on its side": lambda: packed_and_lying(4200),
    "a GIF": lambda: encode(Image.new("P", (6000, 6000)), "GIF"),
    "an AVIF": lambda: encode(Image.new("RGB", (3700, 3700)), "AVIF", speed=10),
    "a cut-off JPEG": lambda: encode(Image.new("RGB", (5500, 5500)), "JPEG", progressive=True, subsampling=0)[:-2],
    "a progressive JPEG": lambda: encode(Image.new("RGB", (7000, 7000)), "JPEG", progressive=True, subsampling=0),
}


@pytest.mark.parametrize("kind", HEAVY)
def test_photos_that_unpack_to_much_take_bounded_memory_together(tmp_path, kind):
    if kind == "an AVIF" and not features.check("avif"):
        pytest.skip("Pillow was built without AVIF")
    photo = tmp_path / "heavy"
    photo.write_bytes(HEAVY[kind]())
    good = tmp_path / "good.jpg"
    good.write_bytes(encode(scene(), "JPEG"))
    code = "before = used(); n, problems = read(photos); print(used() - before, n + len(problems), n)"
    grown, told, n_read = map(float, child(code, *[photo] * 3, good))
    assert grown < MOST_MEMORY
    assert told == 4
    assert n_read >= 1


def test_arrays_are_not_copied_whole_and_have_the_limits_of_files():
    code = """
photos = [np.zeros((6000, 7000, 3), np.uint8)] * 4
photos[0][::2000] = 255
photos[0][:3000, :3000] = 90
before = used(); n, problems = read(photos); print(used() - before, n)
"""
    grown, n_read = map(float, child(code))
    assert grown < 100
    assert n_read == 4
    assert "megapixels" in refusal(np.broadcast_to(np.uint8(0), (9000, 9000, 3)))
    assert "strip" in refusal(np.zeros((1, MAX_RATIO + 1, 3), np.uint8))


def test_a_photo_for_which_memory_is_short_is_named_and_the_others_are_read(tmp_path):
    (tmp_path / "large.png").write_bytes(flat_png(7000, 8, 2, 3))
    (tmp_path / "small.png").write_bytes(encode(scene(), "PNG"))
    code = """
mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (mapped + (100 << 20),) * 2)
n, problems = read(photos)
print(n, *problems)
"""
    if not os.path.exists("/proc/self/statm"):
        pytest.skip("no way to know the memory of this process")
    n_read, name, *_ = said = child(code, tmp_path / "large.png", tmp_path / "small.png")
    assert n_read == "1"
    assert name == f"{tmp_path / 'large.png'}:"
    assert "memory" in said


@pytest.mark.parametrize("shape", [(1, 1001), (1001, 1)])
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_a_strip_is_refused_by_name(format, shape):
    photo = encode(np.zeros((*shape, 3), np.uint8), format)
    assert refusal(photo).startswith(f"photo of {len(photo)} bytes: {shape[1]} by {shape[0]} pixels")


def test_a_jpeg_of_very_many_scans_is_refused_before_it_is_decoded():
    assert f"more than {MAX_SCANS} scans" in refusal(many_scans(5000))
    assert refusal(many_scans(5000)).endswith("; save it again as an ordinary one")


def test_a_jpeg_of_many_scans_is_read_and_only_scans_count():
    plain = encode(scene(), "JPEG", progressive=True)
    assert read_photo(many_scans(80, plain), SIZE).shape == (*SIZE, 3)
    expected = read_photo(plain, SIZE)
    comment = b"\xff\xfe\x04\x00" + b"\xff\xda" * 511
    for content in (plain[:2] + comment + plain[2:], plain + b"\xff\xda\0\2" * 500):
        np.testing.assert_array_equal(read_photo(content, SIZE), expected)


def test_scans_of_single_colours_count_too():
    """A JPEG that is not progressive may have a scan for each colour, as often as it wants."""
    plain = encode(scene(), "JPEG", subsampling=0)
    start = plain.index(b"\xff\xda")
    scans = b"".join(b"\xff\xda\0\x08\1" + bytes([colour]) + b"\0\0\x3f\0" + b"\0" * 40 for colour in (1, 2, 3))
    assert "scans" in refusal(plain[:start] + scans * 40 + b"\xff\xd9")


@pytest.mark.parametrize(
    "photo",
    [
        b"\xff\xd8" + b"\xff\xe5\0\2" * (MAX_SEGMENTS + 1) + encode(scene(), "JPEG")[2:],
        b"\xff\xd8\xff" + b"\xd8\xff" * 40_000 + encode(scene(), "JPEG")[1:],
        png(8, 8, 8, 0, b"\0" * 72, *[(b"prIv", b"")] * MAX_SEGMENTS),
        encode(scene(), "WEBP") + b"abcd\0\0\0\0" * (MAX_SEGMENTS + 1),
    ],
    ids=["JPEG", "JPEG of markers", "PNG", "WebP"],
)
def test_a_file_of_very_many_parts_is_refused(photo):
    assert "; save" in refusal(photo)


def test_a_file_that_is_too_long_is_refused_before_it_is_read(tmp_path):
    with open(tmp_path / "long.jpg", "wb") as file:
        file.truncate(1 << 40)  # it has no blocks on disk
    assert refusal(tmp_path / "long.jpg").endswith("limit is 64 MB; scale the photo down first")
    assert "limit" in refusal(b"\xff\xd8\xff" + bytes(MAX_FILE))
    assert pixels_of(tmp_path / "long.jpg") == 0


def test_a_file_that_says_two_sizes_is_refused():
    twice = png(8, 8, 8, 0, b"\0" * 72, (b"IHDR", b"\0\0\x1f\x40\0\0\x1f\x40\x08\x06\0\0\0"))
    assert "two sizes" in refusal(twice)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_the_number_of_pixels_is_that_of_the_file(format):
    options = [{}, {"lossless": True}, {"exact": True}] if format == "WEBP" else [{}]
    for each in options:
        assert pixels_of(encode(scene(31, 57), format, **each)) == 31 * 57
        assert pixels_of(encode(scene(31, 57), format, "RGBA" if format != "JPEG" else None, **each)) == 31 * 57


@given(
    st.integers(1, 70),
    st.integers(1, 70),
    st.sampled_from(["RGB", "RGBA", "L", "LA", "P", "1", "I;16"]),
    st.integers(1, 8),
    st.integers(1, 600),
)
def test_a_photo_treated_strip_by_strip_has_the_pixels_of_one_treated_whole(height, width, mode, orientation, strip):
    noise = np.random.default_rng(height * 100 + width).integers(0, 255, (height, width, 4), np.uint8)
    image = Image.fromarray(noise[:, :, :2].copy().view("<u2")[:, :, 0] if mode == "I;16" else noise)
    tags = Image.Exif()
    tags[0x0112] = orientation
    photo = encode(image if mode == "I;16" else image.convert(mode), "PNG", exif=tags)
    array = noise[:, :, :3]
    whole = read_photo(photo, (9, 7)), thumbnail(photo, 8), read_photo(array, (9, 7))
    usual = shrinking.STRIP
    try:
        shrinking.STRIP = strip
        parts = read_photo(photo, (9, 7)), thumbnail(photo, 8), read_photo(array, (9, 7))
    finally:
        shrinking.STRIP = usual
    assert all(map(np.array_equal, whole, parts))


@given(st.integers(1, 500), st.integers(1, 500), st.integers(1, 200))
def test_a_thumbnail_has_the_size_that_pillow_gives_it(height, width, side):
    expected = Image.new("RGB", (width, height))
    expected.thumbnail((side, side))
    assert Image.open(io.BytesIO(thumbnail(np.zeros((height, width, 3), np.uint8), side))).size == expected.size


class Noted(os.PathLike):
    """A path that notes which threads open it."""

    def __init__(self, path, threads, then=lambda: None):
        self.path, self.threads, self.then = path, threads, then

    def __fspath__(self):
        self.threads.append(threading.get_ident())
        self.then()
        return os.fspath(self.path)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity here")
def test_as_many_threads_decode_as_the_process_has_cores(tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(encode(scene(), "PNG"))
    threads, allowed = [], os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert len(list(decoded([[Noted(path, threads)] * 50], SIZE, [[]]))) == 1
    finally:
        os.sched_setaffinity(0, allowed)
    assert len(set(threads)) == 1


def test_after_an_interrupt_no_more_photos_are_opened(tmp_path):
    path, opened, slow = tmp_path / "photo.png", [], threading.Event()
    path.write_bytes(encode(scene(), "PNG"))

    def interrupt():
        if len(set(opened)) and not slow.is_set():
            slow.set()
            signal.raise_signal(signal.SIGINT)
        slow.wait(0.01)
        threading.Event().wait(0.01)

    # a shell that starts the tests in the background has Ctrl-C ignored
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            list(decoded([[Noted(path, opened, interrupt)] * 60], SIZE, [[]]))
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(opened) < 120


def test_no_more_is_taken_than_there_is_room_for():
    room, lock, held, most = Room(100), threading.Lock(), [0], [0]

    def take(n_bytes):
        with room.taken(n_bytes):
            with lock:
                held[0] += min(n_bytes, 100)
                most[0] = max(most[0], held[0])
            with lock:
                held[0] -= min(n_bytes, 100)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(take, [30, 60, 0, 100, 250, 7] * 50))
    assert held == [0]
    assert 0 < most[0] <= 100
    with room.taken(100):
        pass  # all is given back


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_has_all_the_room():
    code = """
import os, warnings
from productcat.listings.photo_limits import Room
warnings.simplefilter("ignore")
room = Room(10)
with room.taken(10):
    if (number := os.fork()) == 0:
        with room.taken(10):
            os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]))
"""
    assert child(code) == ["0"]
