"""What reading a Parquet file costs, read from the heads of its pages before PyArrow unpacks them.

A few bytes may stand for gigabytes: a page of zeros, a long value that many rows share, values that share their
beginning (DELTA_BYTE_ARRAY), a list without end. What the file says of itself as a whole may be a lie; the head of a
page is what the reader goes by, too.

Heads are Thrift's compact protocol: https://parquet.apache.org/docs/file-format/data-pages/
"""

import os
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple

from productcat.wording import shortened

INFLATED = 48 << 20
"""Number of bytes to which the largest pages of the columns may unpack together, however few they take in the file."""

TIMES = 10
"""Number of times that a page may grow when it is unpacked, without counting as inflated."""

PAGES = 100_000
"""Number of pages of one column in a row group above which they are refused."""

VALUES = 16_000_000
"""Number of values in the lists of a row group above which they are refused."""

EXPANDED = 256 << 20
"""Number of bytes that the values of lists may take together, if each were as long as their page."""

HEAD = 1 << 20
"""Number of bytes of the head of a page, at most."""

DATA, DICTIONARY, DATA_V2 = 0, 2, 3
"""Kinds of pages that have values."""

TRUE, FALSE, BYTE, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = 1, 2, 3, 7, 8, 9, 10, 11, 12
"""Types of Thrift. Whole numbers are 4, 5 and 6."""

DELTA_BYTE_ARRAY = 7
"""Encoding whose values share their beginnings."""


class UnfitPagesError(Exception):
    """Pages that cannot be read, or cost too much. The message says what is wrong, and the way out."""


class Cost(NamedTuple):
    """What a column costs in a row group.

    name : str
    value : bytes of its longest value, at most
    inflated : bytes of its largest page, unpacked, that takes few bytes in the file
    sharing : whether many values of few bytes may each be as long as the longest, even if it is read as a dictionary
    shared : bytes of its dictionary
    n_values : number of values of a column of lists, 0 of any other
    """

    name: str
    value: int
    inflated: int
    sharing: bool
    shared: int
    n_values: int


class Page(NamedTuple):
    """The head of a page: its kind and encoding, its bytes unpacked and in the file, and the number of its values."""

    kind: int
    encoding: int
    unpacked: int
    packed: int
    values: int


def cost_of(stream: BinaryIO, chunk: Any, length: int, is_list: bool) -> Cost:
    """Return what a column costs in a row group.

    Parameters
    ----------
    stream : binary stream
        The file.
    chunk : pyarrow.parquet.ColumnChunkMetaData
    length : int
        Number of bytes of each value, where all have as many; else 0.
    is_list : bool
        Whether a row may have several values.

    Raises
    ------
    UnfitPagesError
    """
    name = shortened(chunk.path_in_schema)
    value = inflated = n_values = shared = 0
    sharing = False
    for n_pages, page in enumerate(_pages(stream, chunk)):
        if n_pages == PAGES:
            raise UnfitPagesError(f"column {name!r}: more than {PAGES:,} pages; write it with larger pages")
        value = max(value, page.unpacked)
        inflated = max(inflated, page.unpacked if page.unpacked > TIMES * page.packed else 0)
        if page.kind == DICTIONARY:
            shared = page.unpacked
        else:
            n_values += page.values
            sharing = sharing or page.encoding == DELTA_BYTE_ARRAY
    value = length or value  # no value is longer than its page
    if is_list and n_values > VALUES:
        raise UnfitPagesError(f"column {name!r}: {n_values:,} values in lists; write smaller row groups")
    if is_list and (sharing or length) and n_values * value > EXPANDED:
        raise UnfitPagesError(f"column {name!r}: lists of values that share their bytes; write it with other encodings")
    return Cost(name, value, inflated, sharing or bool(length), shared, n_values if is_list else 0)


def rows_at_once(costs: Sequence[Cost], most: int) -> int:
    """Return the number of rows of a row group to read together, from what its columns cost.

    Raises
    ------
    UnfitPagesError
        Even one row costs too much.
    """
    if (inflated := sum(each.inflated for each in costs)) > INFLATED:
        name = max(costs, key=lambda each: each.inflated).name
        raise UnfitPagesError(f"column {name!r}: pages of few bytes unpack to {inflated:,}; write smaller pages")
    together = sum(each.value for each in costs if each.sharing)
    if together > INFLATED:
        raise UnfitPagesError(f"values that share their beginnings may have {together:,} bytes; write it without")
    return max(1, min(most, INFLATED // together)) if together else most


def _pages(stream: BinaryIO, chunk: Any) -> Iterator[Page]:
    """Read the heads of the pages of a column in a row group, as far as a reader goes."""
    place = chunk.data_page_offset
    if chunk.has_dictionary_page and 0 < chunk.dictionary_page_offset < place:
        place = chunk.dictionary_page_offset
    end = stream.seek(0, os.SEEK_END)
    left = chunk.num_values
    while left > 0:
        if not 0 < place < end:
            raise UnfitPagesError("a page lies outside the file; get the file again")
        stream.seek(place)
        head = _Head(stream.read(min(HEAD, end - place)))
        page = _page(head.struct())
        if page.unpacked < 0 or page.packed < 0 or page.values < 0:
            raise UnfitPagesError("a page has a negative size; get the file again")
        yield page
        place += head.place + page.packed
        if page.kind in (DATA, DATA_V2):
            left -= page.values


def _page(fields: dict[int, Any]) -> Page:
    """Take from the fields of a PageHeader, by their numbers, what a page costs."""
    kind = fields.get(1, -1)
    of_kind = fields.get({DATA: 5, DICTIONARY: 7, DATA_V2: 8}.get(kind, 0), {})
    values = of_kind.get(1, 0) if isinstance(of_kind, dict) else 0
    encoding = of_kind.get(4 if kind == DATA_V2 else 2, 0) if isinstance(of_kind, dict) else 0
    numbers = (kind, encoding, fields.get(2, -1), fields.get(3, -1), values)
    if not all(isinstance(each, int) for each in numbers):
        raise UnfitPagesError("the head of a page is damaged; get the file again")
    return Page(*numbers)


class _Head:
    """Reads structs of Thrift's compact protocol. place : the byte after what was read"""

    def __init__(self, data: bytes) -> None:
        self.data, self.place = data, 0

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """Read a struct. → dict, number of a field → value: a number, a struct, or None for anything else"""
        fields: dict[int, Any] = {}
        number = 0
        while first := self._byte():
            step, kind = first >> 4, first & 15
            number = number + step if step else self._signed()
            fields[number] = self._value(kind, depth, first)
        return fields

    def _value(self, kind: int, depth: int, first: int = 0) -> Any:
        if depth > 8:
            raise UnfitPagesError("the head of a page is damaged; get the file again")
        if kind in (TRUE, FALSE) and first:  # a field has its truth in its type, an entry of a list in a byte
            return None
        if kind in (TRUE, FALSE, BYTE):
            self._skip(1)
        elif kind in (4, 5, 6):
            return self._signed()
        elif kind == DOUBLE:
            self._skip(8)
        elif kind == BINARY:
            self._skip(self._number())
        elif kind in (LIST, SET):
            size = self._byte()
            for _ in range(self._number() if size >> 4 == 15 else size >> 4):
                self._value(size & 15, depth + 1)
        elif kind == STRUCT:
            return self.struct(depth + 1)
        else:  # a map, which no head has, or no type at all
            raise UnfitPagesError("the head of a page is damaged; get the file again")
        return None

    def _skip(self, n_bytes: int) -> None:
        self.place += n_bytes
        if self.place > len(self.data):
            raise UnfitPagesError("the head of a page is cut off; get the file again")

    def _byte(self) -> int:
        self._skip(1)
        return self.data[self.place - 1]

    def _number(self) -> int:
        number, shift = 0, 0
        while (byte := self._byte()) & 128 and shift < 64:
            number |= (byte & 127) << shift
            shift += 7
        return number | (byte & 127) << shift

    def _signed(self) -> int:
        number = self._number()
        return (number >> 1) ^ -(number & 1)
