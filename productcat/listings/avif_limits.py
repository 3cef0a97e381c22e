"""What decoding an AVIF costs, read from its file before a decoder sees it.

An AVIF says its size twice: in the properties of its items (ISO/IEC 23008-12) and in the sequence headers of the AV1
streams in them (AV1 Bitstream & Decoding Process Specification 1.0.0, 5.5). Decoders reserve memory by the second, and
a stream may have many pictures that are never shown. So both are read, and pictures are counted. One picture with its
transparency is read. Animations, and pictures put together from others, are refused.
"""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from productcat.errors import ListingError

PICTURE, STREAM = 8, (8, 14, 14)
"""Number of bytes a pixel: of the picture and its copy, and of the planes of each AV1 stream, by its profile."""

MOST_BOXES, MOST_ITEMS, MOST_PICTURES = 1_000, 16, 8
"""Number of boxes of a file, of its items, and of the pictures in a stream, at most."""

LARGEST_META = 4_000_000
"""Number of bytes of the head of a file, at most."""

SEQUENCE, PICTURES = 1, (3, 6)
"""Types of AV1 units: the sequence header; the head of a picture, alone and with its content."""

ONCE = (b"meta", b"iprp", b"iloc", b"iinf")
"""Kinds of boxes of which a file has one."""

ODD = "an AVIF of a kind that is not read; save it as PNG or JPEG"
DAMAGED = "an AVIF that does not fit together; the file is damaged, get it again"


class Readable(Protocol):
    """A file of which a few bytes are read here and there."""

    length: int

    def read(self, start: int, n_bytes: int) -> bytes:
        """Return some bytes, fewer where the file ends before."""


class Box(NamedTuple):
    """A part of the file. start, end : of what it holds"""

    kind: bytes
    start: int
    end: int


def is_avif(start: bytes) -> bool:
    """Return whether a file that starts so is an AVIF with one picture."""
    return start[4:12] == b"ftypavif" or (start[4:8] == b"ftyp" and b"avif" in start[16:32])


def avif_cost(reader: Readable) -> tuple[tuple[int, int], int]:
    """Return the (width, height), and the bytes that decoding takes. Raises ListingError for what is not read."""
    top = _by_kind(_boxes(reader, 0, reader.length))
    meta = top.get(b"meta")
    if meta is None or b"moov" in top or meta.end - meta.start > LARGEST_META:
        raise ListingError(ODD)
    head = reader.read(meta.start, meta.end - meta.start)
    parts = {kind: head[box.start : box.end] for kind, box in _by_kind(_boxes(_Bytes(head), 4, len(head))).items()}
    try:
        size, places = _size(parts[b"iprp"]), _places(parts[b"iloc"])
        kinds = _kinds(parts[b"iinf"])
    except (KeyError, IndexError):
        raise ListingError(DAMAGED) from None
    if len(kinds) > MOST_ITEMS or set(kinds.values()) - {b"av01", b"Exif", b"mime"}:
        raise ListingError(ODD)
    memory = PICTURE * size[0] * size[1] + 2 * reader.length
    for item in [number for number, kind in kinds.items() if kind == b"av01"]:
        if item not in places:
            raise ListingError(DAMAGED)
        memory += _cost_of_stream(reader, *places[item], size)
    return size, memory


def _by_kind(boxes: Iterator[Box]) -> dict[bytes, Box]:
    """Return boxes by their kinds. Of one that is read there is only one."""
    found: dict[bytes, Box] = {}
    for box in boxes:
        if found.setdefault(box.kind, box) is not box and box.kind in ONCE:
            raise ListingError(DAMAGED)
    return found


class _Bytes:
    def __init__(self, content: bytes) -> None:
        self.length, self._content = len(content), content

    def read(self, start: int, n_bytes: int) -> bytes:
        return self._content[start : start + n_bytes]


def _boxes(reader: Readable, place: int, end: int) -> Iterator[Box]:
    """Yield the boxes between two places."""
    for _ in range(MOST_BOXES):
        if place + 8 > end:
            return
        head = reader.read(place, 16)
        length, start = int.from_bytes(head[:4]), place + 8
        if length == 1:
            length, start = int.from_bytes(head[8:16]), place + 16
        stop = end if length == 0 else place + length
        if stop < start or stop > end:
            raise ListingError(DAMAGED)
        yield Box(head[4:8], start, stop)
        place = stop
    raise ListingError(ODD)


def _size(properties: bytes) -> tuple[int, int]:
    """Return the (width, height) that all items have."""
    sizes = set()
    for container in _boxes(_Bytes(properties), 0, len(properties)):
        if container.kind == b"ipco":
            for box in _boxes(_Bytes(properties), container.start, container.end):
                if box.kind == b"ispe":
                    found = properties[box.start : box.end]
                    sizes.add((int.from_bytes(found[4:8]), int.from_bytes(found[8:12])))
    if len(sizes) != 1:
        raise ListingError(ODD if sizes else DAMAGED)
    return sizes.pop()


def _kinds(content: bytes) -> dict[int, bytes]:
    """Return the kind of each item, from the box "iinf"."""
    found = {}
    for box in _boxes(_Bytes(content), 6 if content[0] == 0 else 8, len(content)):
        entry = content[box.start : box.end]
        wide = 4 if entry[0] >= 3 else 2
        found[int.from_bytes(entry[4 : 4 + wide])] = entry[6 + wide : 10 + wide]
    return found


def _places(content: bytes) -> dict[int, tuple[int, int]]:
    """Return where each item starts in the file and how long it is, from the box "iloc"."""
    version, sizes = content[0], (content[4] >> 4, content[4] & 15, content[5] >> 4, content[5] & 15)
    offset_size, length_size, base_size, index_size = sizes
    numbers = _Numbers(content, 6)
    wide = 4 if version == 2 else 2
    found = {}
    for _ in range(min(numbers.next(wide), MOST_ITEMS + 1)):
        item = numbers.next(wide)
        in_file = numbers.next(2) & 15 == 0 if version else True
        numbers.next(2)  # the file is this one, as libavif requires
        base = numbers.next(base_size)
        if numbers.next(2) != 1 or not in_file:
            raise ListingError(ODD)
        if version and index_size:
            numbers.next(index_size)
        start = base + numbers.next(offset_size)
        found[item] = start, numbers.next(length_size)
    return found


class _Numbers:
    def __init__(self, content: bytes, place: int) -> None:
        self._content, self._place = content, place

    def next(self, n_bytes: int) -> int:
        found = self._content[self._place : self._place + n_bytes]
        if len(found) < n_bytes:
            raise ListingError(DAMAGED)
        self._place += n_bytes
        return int.from_bytes(found)


def _cost_of_stream(reader: Readable, start: int, length: int, size: tuple[int, int]) -> int:
    """Return the bytes that decoding an AV1 stream takes. Raise ListingError if it has many pictures."""
    place, end = start, min(start + length, reader.length)
    n_pictures = cost = 0
    for _ in range(MOST_BOXES):
        if place >= end:
            break
        head = reader.read(place, 16)
        kind, has_extension, has_size = head[0] >> 3 & 15, head[0] >> 2 & 1, head[0] >> 1 & 1
        place += 1 + has_extension
        n_bytes = end - place
        if has_size:
            n_bytes, n_read = _leb128(reader.read(place, 8))
            place += n_read
        if kind == SEQUENCE:
            profile, (width, height), most = _sequence(reader.read(place, min(n_bytes, 64)))
            if width > size[0] or height > size[1]:
                raise ListingError(DAMAGED)
            cost = max(cost, STREAM[profile] * most)
        n_pictures += kind in PICTURES
        place += n_bytes
    else:
        raise ListingError(ODD)
    if n_pictures > MOST_PICTURES or not cost:
        raise ListingError(ODD if cost else DAMAGED)
    return cost


def _leb128(content: bytes) -> tuple[int, int]:
    """Read a number as AV1 writes it. → the number, and how many bytes it takes"""
    found = 0
    for place, byte in enumerate(content):
        found |= (byte & 127) << 7 * place
        if byte < 128:
            return found, place + 1
    raise ListingError(DAMAGED)


class _Bits:
    def __init__(self, content: bytes) -> None:
        self._bits, self._left = int.from_bytes(content), 8 * len(content)

    def next(self, n_bits: int) -> int:
        self._left -= n_bits
        if self._left < 0:
            raise ListingError(DAMAGED)
        return self._bits >> self._left & (1 << n_bits) - 1


def _sequence(content: bytes) -> tuple[int, tuple[int, int], int]:
    """Return the profile of a sequence header, its greatest (width, height), and the pixels of its largest picture.

    It must be one of a still picture. Unless it is a reduced one, a picture may say a size of its own, which decoders
    do not compare with the greatest: only the bits in which sizes are written bound it.
    """
    bits = _Bits(content)
    profile = bits.next(3)
    if profile >= len(STREAM):
        raise ListingError(DAMAGED)
    still, reduced = bits.next(1), bits.next(1)
    if reduced:
        bits.next(5)  # level
    elif still:
        _skip_operating_points(bits)
    else:
        raise ListingError(ODD)
    n_width, n_height = bits.next(4) + 1, bits.next(4) + 1
    width, height = bits.next(n_width) + 1, bits.next(n_height) + 1
    return profile, (width, height), width * height if reduced else 1 << n_width + n_height


def _skip_operating_points(bits: _Bits) -> None:
    if bits.next(1):  # times, which a still picture has no use for
        raise ListingError(ODD)
    display_delay = bits.next(1)
    for _ in range(bits.next(5) + 1):
        bits.next(12)
        if bits.next(5) > 7:
            bits.next(1)
        if display_delay and bits.next(1):
            bits.next(4)
