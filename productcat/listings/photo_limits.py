"""What decoding a photo costs, read from its file before a decoder sees it, and how much is decoded at the same time.

A few bytes may ask for gigabytes of memory or for minutes of a processor. Sizes, and numbers of scans and segments,
that no camera or editor writes are refused. The bytes of memory a pixel are those that Pillow's decoders take.
"""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Condition
from typing import BinaryIO, Literal, NamedTuple, TypeVar

from productcat.errors import ListingError

MAX_PIXELS = 64_000_000
"""Number of pixels above which a photo is refused, however few bytes each of them takes."""

MAX_RATIO = 1000
"""Number of times that the longer side of a photo may be the shorter one."""

MAX_FILE = 64_000_000
"""Number of bytes above which the file of a photo is refused."""

MAX_DECODED = 224_000_000
"""Number of bytes that decoding a photo may take."""

MAX_SCANS = 100
"""Number of passes over the pixels above which a JPEG is refused; editors write about ten."""

MAX_SEGMENTS = 100_000
"""Number of segments above which a file is refused: a decoder takes longer for each than for many bytes."""

MAX_GARBAGE = 65_536
"""Number of bytes that may lie between the segments of a JPEG's head: Pillow reads them one by one."""

BLOCK, SEARCHED = 4096, 65_536
"""Number of bytes that are read at once: to look at some of them, and to look for one among many."""

WEBP_PIXEL = 16
"""Number of bytes a pixel of a WebP: two pictures of libwebp, a copy, and Pillow's picture."""

UNPACKED = 1 << 20
"""Number of bytes to which Pillow unpacks a compressed text or profile of a PNG at most."""

DRAFT_SCALES = 8, 4, 2, 1
"""What the sides of a JPEG can be divided by while it is decoded, as Pillow's `draft` chooses."""

JPEG_MARKER = re.compile(rb"\xff[\x02-\xcf\xd9-\xfe]", re.DOTALL)
"""Begins a segment that has a length, or ends the picture."""

FRAMES, PROGRESSIVE = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}, (0xC2, 0xCA)
END, SCAN = 0xD9, 0xDA


Segment = TypeVar("Segment")


class Claim(NamedTuple):
    """What a file says of its photo: (width, height), (0, 0) if it says nothing, and the bytes that decoding takes."""

    size: tuple[int, int]
    memory: int


SAYS_NOTHING = Claim((0, 0), 0)


class Reader:
    """Reads a few bytes here and there of a file."""

    def __init__(self, file: BinaryIO) -> None:
        self.length = file.seek(0, os.SEEK_END)
        self._file, self._start, self._block = file, 0, b""

    def read(self, start: int, n_bytes: int) -> bytes:
        """Return some bytes, fewer where the file ends before."""
        end = start + n_bytes - self._start
        if start < self._start or end > len(self._block):
            self._file.seek(start)
            self._start, self._block, end = start, self._file.read(max(n_bytes, BLOCK)), n_bytes
        return self._block[start - self._start : end]


def claim_of(file: BinaryIO, side: int) -> Claim:
    """Find out what decoding a photo takes. The file is at its start afterwards.

    Parameters
    ----------
    file : binary stream that can be read anywhere
    side : int
        A JPEG is decoded at the smallest scale that covers a square of so many pixels.

    Raises
    ------
    ListingError
        It takes more than any real photo. The message does not name the photo.
    """
    reader = Reader(file)
    if reader.length > MAX_FILE:
        size, limit = reader.length / 1e6, MAX_FILE / 1e6
        raise ListingError(f"a file of {size:.0f} MB, the limit is {limit:.0f} MB; scale the photo down first")
    try:
        claim = _claim(reader, side)
    except IndexError:  # it ends within its head, as the decoder will say
        claim = SAYS_NOTHING
    file.seek(0)
    refuse_size(claim.size)
    if claim.memory > MAX_DECODED:
        raise ListingError(
            f"{claim.size[0]} by {claim.size[1]} pixels of this kind take {claim.memory / 1e6:.0f} MB to decode, the "
            f"limit is {MAX_DECODED / 1e6:.0f} MB; scale it down first"
        )
    return claim


def refuse_size(size: tuple[int, int]) -> None:
    """Raise ListingError for too many pixels, or a side that is too long beside the other."""
    width, height = size
    if width * height > MAX_PIXELS:
        megapixels = width * height / 1e6
        raise ListingError(f"{megapixels:.0f} megapixels, the limit is {MAX_PIXELS / 1e6:.0f}; scale it down first")
    if max(size) > MAX_RATIO * min(size) > 0:
        raise ListingError(f"{width} by {height} pixels, a strip that shows nothing; crop it or leave it out")


def _claim(reader: Reader, side: int) -> Claim:
    start = reader.read(0, 16)
    if start.startswith(b"\xff\xd8\xff"):
        return _jpeg_claim(reader, side)
    if start.startswith(b"\x89PNG\r\n\x1a\n") and start.endswith(b"IHDR"):
        return _png_claim(reader)
    if start.startswith(b"RIFF") and start[8:12] == b"WEBP":
        return _webp_claim(reader)
    return SAYS_NOTHING


def _jpeg_claim(reader: Reader, side: int) -> Claim:
    width = height = n_components = head = n_scans = 0
    samples, progressive = 0.0, False
    for kind, place in _limited(_jpeg_segments(reader)):
        if kind in FRAMES:
            frame = reader.read(place, 20)
            height, width, n_components = frame[3] << 8 | frame[4], frame[5] << 8 | frame[6], frame[7]
            samples, progressive = _samples_a_pixel(frame[9 : 8 + 3 * n_components : 3]), kind in PROGRESSIVE
        elif kind == SCAN:
            n_scans, head = n_scans + 1, head or place
            if not progressive and n_scans == 1 and reader.read(place, 3)[2] == n_components:
                break  # what follows is not decoded
            if n_scans > MAX_SCANS:
                raise ListingError(f"a JPEG of more than {MAX_SCANS} scans; save it again as an ordinary one")
    scale = next((each for each in DRAFT_SCALES if min(width, height) // side >= each), 1)
    drafted = 4 * -(-width // scale) * -(-height // scale)
    # Several scans are gathered at full size, two bytes a sample, before any of them becomes pixels.
    gathered = 2 * width * height * samples if progressive or n_scans > 1 else 0
    return Claim((width, height), int(head + drafted + gathered))


def _jpeg_segments(reader: Reader) -> Iterator[tuple[int, int]]:
    """Yield the kind of each segment of a JPEG and the place of its length. Pixels follow the head of a scan."""
    place, garbage, in_head = 2, 0, True
    while True:
        head = reader.read(place, 4)
        if len(head) < 4 or head[0] != 0xFF or not (2 <= head[1] <= 0xCF or 0xD9 <= head[1] <= 0xFE):
            marker = _next_marker(reader, place)
            if marker is None:
                return
            garbage, place = garbage + (marker - place if in_head else 0), marker
            head = reader.read(place, 4)
        kind = head[1]
        in_head = in_head and kind != SCAN
        if garbage > MAX_GARBAGE:
            raise ListingError("a JPEG with a head that no camera writes; save it again")
        if kind == END:
            return
        yield kind, place + 2
        place += 2 + max(head[2] << 8 | head[3], 2)


def _next_marker(reader: Reader, place: int) -> int | None:
    """Return where the next marker of a JPEG stands: here, as between segments, or behind pixels."""
    n_bytes = 2
    while len(some := reader.read(place, n_bytes)) > 1:
        if found := JPEG_MARKER.search(some):
            return place + found.start()
        place, n_bytes = place + len(some) - 1, SEARCHED
    return None


def _samples_a_pixel(factors: bytes) -> float:
    """Return how many samples a JPEG has for each pixel, from the sampling factors of its components."""
    across, down = [each >> 4 for each in factors], [each & 15 for each in factors]
    most = max(across, default=0) * max(down, default=0)
    return sum(x * y for x, y in zip(across, down, strict=True)) / most if most else 0.0


def _png_claim(reader: Reader) -> Claim:
    head = reader.read(16, 10)
    width, height, depth, colours = int.from_bytes(head[:4]), int.from_bytes(head[4:8]), head[8], head[9]
    pixel = 4 if colours in (2, 4, 6) else 2 if depth == 16 else 1
    others = 0
    for kind, length in _limited(_chunks(reader, 8, "big")):
        others += (0 if kind == b"IDAT" else length) + (UNPACKED if kind in (b"zTXt", b"iTXt", b"iCCP") else 0)
    return Claim((width, height), pixel * width * height + others)


def _webp_claim(reader: Reader) -> Claim:
    for _ in _limited(_chunks(reader, 12, "little")):
        pass
    width, height = _webp_size(reader.read(12, 18))
    return Claim((width, height), WEBP_PIXEL * width * height + 3 * reader.length)


def _webp_size(head: bytes) -> tuple[int, int]:
    """Read the size as https://developers.google.com/speed/webp/docs/riff_container has it, for each kind of file."""

    def number(start: int, end: int) -> int:
        return int.from_bytes(head[start:end], "little")

    if head.startswith(b"VP8X"):
        return number(12, 15) + 1, number(15, 18) + 1
    if head.startswith(b"VP8L"):
        return (number(9, 13) & 0x3FFF) + 1, (number(9, 13) >> 14 & 0x3FFF) + 1
    if head.startswith(b"VP8 "):
        return number(14, 16) & 0x3FFF, number(16, 18) & 0x3FFF
    return 0, 0


def _chunks(reader: Reader, place: int, order: Literal["big", "little"]) -> Iterator[tuple[bytes, int]]:
    """Yield the kind and the length of each chunk: of a PNG, whose numbers are big-endian, or of a WebP."""
    while len(head := reader.read(place, 8)) == 8:
        kind, length = (head[4:], head[:4]) if order == "big" else (head[:4], head[4:])
        n_bytes = int.from_bytes(length, order)
        yield kind, min(n_bytes, reader.length)
        place += 12 + n_bytes if order == "big" else 8 + n_bytes + n_bytes % 2  # a checksum, or a byte to fill up


def _limited(segments: Iterable[Segment]) -> Iterator[Segment]:
    """Yield the segments of a file. Raise ListingError if there are too many."""
    for number, each in enumerate(segments):
        if number == MAX_SEGMENTS:
            raise ListingError(f"a file of more than {MAX_SEGMENTS:,} segments; save the photo again")
        yield each


class Room:
    """Bounds the bytes that threads hold at the same time: who asks for more than is left waits."""

    def __init__(self, n_bytes: int) -> None:
        self.n_bytes = n_bytes
        self._reset()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._reset)  # threads that hold some are not in the child

    def _reset(self) -> None:
        self._left = self.n_bytes
        self._changed = Condition()

    @contextmanager
    def taken(self, n_bytes: int) -> Iterator[None]:
        """Hold some bytes, all of them at most."""
        n_bytes = min(n_bytes, self.n_bytes)
        with self._changed:
            self._changed.wait_for(lambda: self._left >= n_bytes)
            self._left -= n_bytes
        try:
            yield
        finally:
            with self._changed:
                self._left += n_bytes
                self._changed.notify_all()


def cores() -> int:
    """Return the number of processor cores that this process may use, which may be fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
