"""Turn photos into rows of an Arrow table and back, one row for each photo, and tell which rows of a listing count."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

LISTING, PHOTO, ADDED, VECTOR, FEATURES, THUMBNAIL = "listing", "photo", "added", "vector", "features", "thumbnail"
"""Names of the columns: the listing's id, the photo's number, the time when it was added in nanoseconds since 1970, and
the arrays of `PhotoRows`."""

SEAL = "seal"
"""Name of the column of checksums. The lower 32 bits are of all that a listing is judged by, the upper ones of the
search vector. It is null in rows of before 0.2.0, which cannot be checked."""

TITLE, PRICE, PHOTOS = "title", "price", "photos"
"""Names of columns that say something of the listing: its title and price in the row of its first photo, and null in
the others; the number of its photos in all of them. Indexes of 0.1.0 lack them, and they are null in rows of 0.1.0."""

MADE_OF = "made_of"
"""Name of the column of fingerprints of listings, by which it is told whether one has changed: in the row of its first
photo. It is null where none is known, and in rows of before 0.2.0."""

FIRST_PHOTOS = f"{PHOTO} = 0"
"""SQL condition of the rows of which each listing has one."""

IDS_AT_ONCE = 1_000
"""Number of ids named in one SQL condition."""


class DamagedRowError(Exception):
    """A row does not have its checksum. listing : the id that it has now"""

    def __init__(self, listing: str) -> None:
        super().__init__(listing)
        self.listing = listing


@dataclass(frozen=True)
class Kept:
    """What the table has of one listing.

    features : ndarray of shape (n_photos, n_features), int8
    thumbnails : ndarray of shape (n_photos, n_pixels), int8
    title : str
        Empty without one.
    price : float, optional
    """

    features: NDArray[np.int8]
    thumbnails: NDArray[np.int8]
    title: str
    price: float | None


@dataclass(frozen=True)
class Nearest:
    """The photos that are nearest to one, best first.

    listings : list of str
        The ids of their listings. A listing may be there with several photos.
    cosines : list of float
    rows : list of range
        The ids of the rows that a listing most likely has. Empty where they are not known.
    """

    listings: list[str]
    cosines: list[float]
    rows: list[range]


@dataclass(frozen=True)
class PhotoRows:
    """Photos of many listings, one below the other.

    Attributes
    ----------
    counts : dict, id → int, at least 1
        The number of photos of each listing, in the order of the rows.
    vectors : ndarray of shape (n_photos, n_dimensions), float16
        The unit vectors by which photos are looked for.
    features : ndarray of shape (n_photos, n_features), int8
    thumbnails : ndarray of shape (n_photos, n_pixels), int8
    titles : list of str, length n_listings
        Empty without one.
    prices : list of float or None, length n_listings
    made_of : list of str or None, length n_listings
        Their fingerprints.
    """

    counts: dict[str, int]
    vectors: NDArray[np.float16]
    features: NDArray[np.int8]
    thumbnails: NDArray[np.int8]
    titles: list[str]
    prices: list[float | None]
    made_of: list[str | None]

    def table(self) -> Any:
        """Return them as a pyarrow.Table, added at 0."""
        import pyarrow

        counts = list(self.counts.values())
        firsts = np.cumsum(counts) - counts
        titles, prices, made_of = np.full((3, len(self.vectors)), None, object)
        titles[firsts] = [each or None for each in self.titles]
        prices[firsts], made_of[firsts] = self.prices, self.made_of
        columns = {
            LISTING: pyarrow.array(np.repeat(np.array(list(self.counts), object), counts), pyarrow.string()),
            PHOTO: pyarrow.array(np.concatenate([np.arange(count) for count in counts]), pyarrow.int16()),
            ADDED: pyarrow.array(np.zeros(len(self.vectors), np.int64)),
            VECTOR: _lists(self.vectors),
            FEATURES: _lists(self.features),
            THUMBNAIL: _lists(self.thumbnails),
            TITLE: pyarrow.array(titles, pyarrow.string()),
            PRICE: pyarrow.array(prices, pyarrow.float64()),
            PHOTOS: pyarrow.array(np.repeat(counts, counts), pyarrow.int16()),
            MADE_OF: pyarrow.array(made_of, pyarrow.string()),
        }
        rows = pyarrow.table(columns)
        columns[SEAL] = pyarrow.array(_seals(rows, self.vectors).view(np.int64))
        widths = self.vectors.shape[1], self.features.shape[1], self.thumbnails.shape[1]
        return pyarrow.table(columns, schema(*widths))


def schema(n_dimensions: int, n_features: int, n_pixels: int) -> Any:
    """Return the pyarrow.Schema of the rows."""
    import pyarrow

    kinds = {
        LISTING: pyarrow.string(),
        PHOTO: pyarrow.int16(),
        ADDED: pyarrow.int64(),
        VECTOR: pyarrow.list_(pyarrow.float16(), n_dimensions),
        FEATURES: pyarrow.list_(pyarrow.int8(), n_features),
        THUMBNAIL: pyarrow.list_(pyarrow.int8(), n_pixels),
    }
    fields = [pyarrow.field(name, kind, nullable=False) for name, kind in kinds.items()]
    return pyarrow.schema([*fields, *about_listings()])


def about_listings() -> list[Any]:
    """Return the fields of pyarrow that say something of the whole listing."""
    import pyarrow

    kinds = {TITLE: pyarrow.string(), PRICE: pyarrow.float64(), PHOTOS: pyarrow.int16()}
    kinds |= {MADE_OF: pyarrow.string(), SEAL: pyarrow.int64()}
    return [pyarrow.field(name, kind) for name, kind in kinds.items()]


def newest(rows: Any) -> Any:
    """Return the rows of a pyarrow.Table that were added last for their listing."""
    import pyarrow.compute as compute

    last = rows.group_by(LISTING).aggregate([(ADDED, "max")])
    place = compute.index_in(rows[LISTING], last[LISTING].combine_chunks())
    return rows.filter(compute.equal(rows[ADDED], last[f"{ADDED}_max"].combine_chunks().take(place)))


def check(rows: Any) -> None:
    """Raise DamagedRowError when a row of a pyarrow.Table does not have its checksum.

    Rows without one are not checked. The search vectors are checked where the table has them.
    """
    if SEAL not in rows.column_names or rows[SEAL].null_count == len(rows):
        return
    known = rows[SEAL].is_valid().to_numpy(zero_copy_only=False)
    expected = rows[SEAL].fill_null(0).to_numpy().view(np.uint64)
    vectors = _array(rows[VECTOR]) if VECTOR in rows.column_names else None
    differs = _seals(rows, vectors) ^ expected
    if vectors is None:
        differs &= np.uint64(2**32 - 1)
    if wrong := np.flatnonzero(known & (differs != 0)).tolist():
        raise DamagedRowError(rows[LISTING][wrong[0]].as_py())


def _seals(rows: Any, vectors: NDArray[np.float16] | None) -> NDArray[np.uint64]:
    """Return the checksums of rows of a pyarrow.Table, shape (n_rows,). Without vectors the upper bits are 0."""
    about = zip(*(rows[name].to_pylist() for name in (LISTING, PHOTO, PHOTOS, TITLE, PRICE)), strict=True)
    heads = (repr(each).encode("utf-8", "backslashreplace") for each in about)
    features, thumbnails = (np.ascontiguousarray(_array(rows[name])) for name in (FEATURES, THUMBNAIL))
    found = np.array(
        [
            crc32(small, crc32(large, crc32(head)))
            for head, large, small in zip(heads, features, thumbnails, strict=True)
        ],
        np.uint64,
    )
    if vectors is not None:
        searched = np.array([crc32(each) for each in np.ascontiguousarray(vectors)], np.uint64)
        found |= searched << np.uint64(32)
    return found


def by_listing(rows: Any) -> dict[str, Kept]:
    """Return what a pyarrow.Table has of each listing, as it was added last, the photos in their order: id → Kept.

    Raises DamagedRowError when a row does not have its checksum.
    """
    if not len(rows):
        return {}
    check(rows)
    names, numbers = np.array(rows[LISTING].to_pylist(), object), rows[PHOTO].to_numpy()
    ids, places = np.unique(names, return_inverse=True)
    if np.count_nonzero(numbers == 0) > len(ids):  # seldom, and slow
        return by_listing(newest(rows))
    order = np.lexsort((numbers, places))
    firsts = np.flatnonzero(numbers[order] == 0)
    features, thumbnails = (np.split(_array(rows[name])[order], firsts[1:]) for name in (FEATURES, THUMBNAIL))
    titles, prices = (_of_listings(rows, order[firsts], name) for name in (TITLE, PRICE))
    kept = map(Kept, features, thumbnails, [each or "" for each in titles], prices)
    return dict(zip(ids.tolist(), kept, strict=True))


def _of_listings(rows: Any, firsts: NDArray[np.intp], name: str) -> list[Any]:
    """Return a column in the rows of first photos. It is None in all of them where the table has no such column."""
    found: list[Any] = rows[name].take(firsts).to_pylist() if name in rows.column_names else [None] * len(firsts)
    return found


def conditions(ids: Iterable[str]) -> Iterator[str]:
    """Yield SQL conditions that together name some listings, at least one condition."""
    quoted = ["'" + each.replace("'", "''") + "'" for each in ids]
    for start in range(0, max(len(quoted), 1), IDS_AT_ONCE):
        some = ", ".join(quoted[start : start + IDS_AT_ONCE])
        yield f"{LISTING} IN ({some})" if some else "false"


def _lists(array: NDArray[Any]) -> Any:
    """Turn an ndarray of shape (n, length) into a pyarrow.FixedSizeListArray."""
    import pyarrow

    return pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(array.ravel()), array.shape[1])


def _array(column: Any) -> NDArray[Any]:
    """Turn a pyarrow.ChunkedArray of lists of one length into an ndarray of shape (n, length)."""
    array: NDArray[Any] = column.combine_chunks().flatten().to_numpy(zero_copy_only=False).reshape(len(column), -1)
    return array
