"""What decoding a photo costs, read from its file before a decoder sees it, and how much is decoded at the same time.

A few bytes may ask for gigabytes of memory or for minutes of a processor. Sizes, and numbers of scans and segments,
that no camera or editor writes are refused. The bytes of memory a pixel are those that Pillow's decoders take.
"""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from threading import Condition
from typing import BinaryIO, Literal, NamedTuple, TypeAlias, TypeVar

from productcat.errors import ListingError
from productcat.listings.avif_limits import avif_cost, is_avif

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

GIF_PIXEL, BMP_PIXEL = 6, 4
"""Number of bytes a pixel: of a GIF, the picture and what lies below it; of a BMP, Pillow's picture."""

BMP_HEADS = {number.to_bytes(4, "little") for number in (12, 40, 52, 56, 64, 108, 124)}
"""How the second part of a BMP begins: with its own length."""

PLAIN_BMP = 0, 3
"""What a BMP says of its compression when there is none. Pillow unpacks the others one pixel after another."""

MAX_TAG_DATA = 8_000_000
"""Number of bytes of tags above which a TIFF is refused."""

TIFF_TYPES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
"""Number of bytes of one value, by the number of its type."""

TIFF_NUMBERS = {3: 2, 4: 4}
"""Types of the values that are read here."""

PLAIN_TIFF, TIFF_COMPRESSIONS = 1, (1, 5, 8, 32773, 32946)
"""None, LZW, deflate (two numbers) and PackBits: their memory does not depend on what is packed."""

MOST_SAMPLES, MOST_BITS = 5, 32
"""Number of samples of a pixel of a TIFF, and of their bits, at most."""

WEBP_PIXEL = 16
"""Number of bytes a pixel of a WebP: two pictures of libwebp, a copy, and Pillow's picture."""

UNPACKED = 1 << 20
"""Number of bytes to which Pillow unpacks a compressed text or profile of a PNG at most."""

DRAFT_SCALES = 8, 4, 2, 1
"""What the sides of a JPEG can be divided by while it is decoded, as Pillow's `draft` chooses."""

JPEG_MARKER = re.compile(rb"\xff[\x02-\xcf\xd9-\xfe]", re.DOTALL)
"""Begins a segment that has a length, or ends the picture."""

LYING = (5, 6, 7, 8)
"""Orientations where rows of the upright photo are columns of the file."""

FRAMES, PROGRESSIVE = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}, (0xC2, 0xCA)
END, SCAN = 0xD9, 0xDA


Segment = TypeVar("Segment")

Cost: TypeAlias = tuple[tuple[int, int], int]
"""(width, height), and the bytes that decoding takes."""


class Claim(NamedTuple):
    """What a file says of its photo.

    format : as Pillow names it, "" for one that is not read
    size : (width, height), (0, 0) if it says nothing
    memory : number of bytes that decoding takes
    """

    format: str
    size: tuple[int, int]
    memory: int


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
    format = _format_of(reader.read(0, 32))
    claim = Claim(format, (0, 0), 0)
    if format:
        # where it ends within its head, the decoder will say so
        with suppress(IndexError):
            claim = Claim(format, *(_jpeg_claim(reader, side) if format == "JPEG" else CLAIMS[format](reader)))
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


def _format_of(start: bytes) -> str:
    """Return the format of a file that starts so, as Pillow names it, "" for one that is not read."""
    if start.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if start.startswith(b"\x89PNG\r\n\x1a\n") and start[8:16].endswith(b"IHDR"):
        return "PNG"
    if start.startswith(b"RIFF") and start[8:12] == b"WEBP":
        return "WEBP"
    if start.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if start.startswith(b"BM") and start[14:18] in BMP_HEADS:
        return "BMP"
    if is_avif(start):
        return "AVIF"
    return "TIFF" if start.startswith((b"II*\0", b"MM\0*")) else ""


def _jpeg_claim(reader: Reader, side: int) -> Cost:
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
    return (width, height), int(head + drafted + gathered)


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


def _png_claim(reader: Reader) -> Cost:
    head = reader.read(16, 10)
    width, height, depth, colours = int.from_bytes(head[:4]), int.from_bytes(head[4:8]), head[8], head[9]
    pixel = 4 if colours in (2, 4, 6) else 2 if depth == 16 else 1
    others = 0
    for kind, length in _limited(_chunks(reader, 8, "big")):
        others += (0 if kind == b"IDAT" else length) + (UNPACKED if kind in (b"zTXt", b"iTXt", b"iCCP") else 0)
    return (width, height), pixel * width * height + others


def _webp_claim(reader: Reader) -> Cost:
    for _ in _limited(_chunks(reader, 12, "little")):
        pass
    width, height = _webp_size(reader.read(12, 18))
    return (width, height), WEBP_PIXEL * width * height + 3 * reader.length


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


def _gif_claim(reader: Reader) -> Cost:
    head = reader.read(6, 7)
    width, height, flags = head[0] | head[1] << 8, head[2] | head[3] << 8, head[4]
    place = 13 + (3 << (flags & 7) + 1 if flags & 128 else 0)
    for _ in _limited(_gif_blocks(reader, place)):
        pass
    return (width, height), GIF_PIXEL * width * height


def _gif_blocks(reader: Reader, place: int) -> Iterator[int]:
    """Yield the place of each block before the first picture of a GIF; of an extension, of all its parts."""
    while reader.read(place, 1) == b"!":
        place += 2
        yield place
        while length := reader.read(place, 1)[0]:
            place += 1 + length
            yield place
        place += 1


def _bmp_claim(reader: Reader) -> Cost:
    head = reader.read(14, 20)
    if head[0] == 12:
        width, height = (int.from_bytes(head[start : start + 2], "little") for start in (4, 6))
    else:
        width = int.from_bytes(head[4:8], "little")
        height = abs(int.from_bytes(head[8:12], "little", signed=True))
        if int.from_bytes(head[16:20], "little") not in PLAIN_BMP:
            raise ListingError("a compressed BMP, which hardly anybody writes; save it as PNG or JPEG")
    return (width, height), BMP_PIXEL * width * height


def _tiff_claim(reader: Reader) -> Cost:
    tags = _TiffTags(reader)
    width, height = tags.number(256, 0), tags.number(257, 0)
    n_samples, bits, compression = tags.number(277, 1), tags.most(258, 1), tags.number(259, PLAIN_TIFF)
    if compression not in TIFF_COMPRESSIONS or tags.has(322):
        kind = "in tiles" if tags.has(322) else f"of compression {compression}"
        raise ListingError(f"a TIFF {kind}, which is not read; save it as PNG or JPEG")
    if n_samples > MOST_SAMPLES or bits > MOST_BITS:
        raise ListingError(f"a TIFF of {n_samples} samples with {bits} bits each, not a photo; save it as PNG or JPEG")
    planes = n_samples if tags.number(284, 1) == 2 else 1
    if tags.count(273) > planes * -(-height // max(tags.number(278, height), 1)):
        raise ListingError("a TIFF of more strips than it has room for; the file is damaged, get it again")
    turned = tags.number(274, 1)
    upright = (height, width) if turned in LYING else (width, height)
    pixel = n_samples * -(-bits // 8) + (4 if turned == 1 else 8)
    return upright, pixel * width * height + 3 * reader.length


class _TiffTags:
    """The tags of the first picture of a TIFF. Raises ListingError if there are too many, or one twice."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._order: Literal["big", "little"] = "little" if reader.read(0, 2) == b"II" else "big"
        place = self._whole(4, 4)
        self._entries: dict[int, tuple[int, int, int]] = {}
        data = 0
        for start in range(place + 2, place + 2 + 12 * self._whole(place, 2), 12):
            tag, kind, count = self._whole(start, 2), self._whole(start + 2, 2), self._whole(start + 4, 4)
            n_bytes = count * TIFF_TYPES.get(kind, 0)
            data += n_bytes
            if tag in self._entries or data > MAX_TAG_DATA:
                raise ListingError("a TIFF with tags that no camera or editor writes; save it again")
            self._entries[tag] = kind, count, self._whole(start + 8, 4) if n_bytes > 4 else start + 8

    def has(self, tag: int) -> bool:
        """Return whether a tag is there."""
        return tag in self._entries

    def count(self, tag: int) -> int:
        """Return how many values a tag has, 0 if it is not there."""
        return self._entries[tag][1] if tag in self._entries else 0

    def number(self, tag: int, default: int) -> int:
        """Return the first value of a tag."""
        if tag not in self._entries:
            return default
        kind, count, place = self._entries[tag]
        if kind not in TIFF_NUMBERS or not count:
            raise ListingError(f"a TIFF whose tag {tag} is not a whole number; the file is damaged, get it again")
        return self._whole(place, TIFF_NUMBERS[kind])

    def most(self, tag: int, default: int) -> int:
        """Return the greatest value of a tag that has one for each sample."""
        first = self.number(tag, default)
        kind, count, place = self._entries.get(tag, (3, 1, 0))
        step = TIFF_NUMBERS[kind]
        return max([first, *(self._whole(place + n * step, step) for n in range(1, min(count, 2 * MOST_SAMPLES)))])

    def _whole(self, place: int, n_bytes: int) -> int:
        found = self._reader.read(place, n_bytes)
        if len(found) < n_bytes:
            raise ListingError("a TIFF that ends too early; the file is damaged, get it again")
        return int.from_bytes(found, self._order)


CLAIMS = {
    "PNG": _png_claim,
    "WEBP": _webp_claim,
    "GIF": _gif_claim,
    "BMP": _bmp_claim,
    "TIFF": _tiff_claim,
    "AVIF": avif_cost,
}


def _chunks(reader: Reader, place: int, order: Literal["big", "little"]) -> Iterator[tuple[bytes, int]]:
    """Yield the kind and the length of each chunk: of a PNG, whose numbers are big-endian, or of a WebP."""
    while len(head := reader.read(place, 8)) == 8:
        kind, length = (head[4:], head[:4]) if order == "big" else (head[:4], head[4:])
        n_bytes = int.from_bytes(length, order)
        yield kind, min(n_bytes, reader.length)
        place += 12 + n_bytes if order == "big" else 8 + n_bytes + n_bytes % 2  # a checksum, or a byte to fill up


def png_chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Yield the kind of each chunk of a PNG, and where it starts and ends."""
    place = 8
    for kind, length in _chunks(Reader(file), place, "big"):
        yield kind, place, place + 12 + length
        place += 12 + length


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
