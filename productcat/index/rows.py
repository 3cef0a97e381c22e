"""Turn photos into rows of an Arrow table and back, one row for each photo, and tell which rows of a listing count."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Photos: TypeAlias = tuple[NDArray[np.int8], NDArray[np.int8]]
"""Features and thumbnails of the photos of one listing, (n_photos, n_features) and (n_photos, n_pixels)."""

LISTING, PHOTO, ADDED, VECTOR, FEATURES, THUMBNAIL = "listing", "photo", "added", "vector", "features", "thumbnail"
"""Names of the columns: the listing's id, the photo's number, the time when it was added in nanoseconds since 1970, and
the arrays of `PhotoRows`."""

IDS_AT_ONCE = 1_000
"""Number of ids named in one SQL condition."""


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
    """

    counts: dict[str, int]
    vectors: NDArray[np.float16]
    features: NDArray[np.int8]
    thumbnails: NDArray[np.int8]

    def table(self) -> Any:
        """Return them as a pyarrow.Table, added at 0."""
        import pyarrow

        counts = list(self.counts.values())
        columns = {
            LISTING: pyarrow.array(np.repeat(np.array(list(self.counts), object), counts), pyarrow.string()),
            PHOTO: pyarrow.array(np.concatenate([np.arange(count) for count in counts]), pyarrow.int16()),
            ADDED: pyarrow.array(np.zeros(len(self.vectors), np.int64)),
            VECTOR: _lists(self.vectors),
            FEATURES: _lists(self.features),
            THUMBNAIL: _lists(self.thumbnails),
        }
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
    return pyarrow.schema([pyarrow.field(name, kind, nullable=False) for name, kind in kinds.items()])


def newest(rows: Any) -> Any:
    """Return the rows of a pyarrow.Table that were added last for their listing."""
    import pyarrow.compute as compute

    last = rows.group_by(LISTING).aggregate([(ADDED, "max")])
    place = compute.index_in(rows[LISTING], last[LISTING].combine_chunks())
    return rows.filter(compute.equal(rows[ADDED], last[f"{ADDED}_max"].combine_chunks().take(place)))


def by_listing(rows: Any) -> dict[str, Photos]:
    """Return the photos of each listing in a pyarrow.Table, in their order: id → photos."""
    if not len(rows):
        return {}
    rows = rows.sort_by([(LISTING, "ascending"), (PHOTO, "ascending")])
    numbers = rows[PHOTO].to_numpy()
    starts = np.flatnonzero(numbers == 0)
    names = rows[LISTING].take(starts).to_pylist()
    features, thumbnails = (np.split(_array(rows[name]), starts[1:]) for name in (FEATURES, THUMBNAIL))
    return dict(zip(names, zip(features, thumbnails, strict=True), strict=True))


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


def _array(column: Any) -> NDArray[np.int8]:
    """Turn a pyarrow.ChunkedArray of lists of one length into an ndarray of shape (n, length)."""
    array: NDArray[np.int8] = column.combine_chunks().flatten().to_numpy(zero_copy_only=False).reshape(len(column), -1)
    return array
