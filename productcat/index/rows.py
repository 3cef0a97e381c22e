"""Photos as rows of a table, a row a photo: NumPy arrays to Arrow and back, and which rows of a listing count."""

from dataclasses import dataclass

import numpy as np

LISTING, PHOTO, ADDED, VECTOR, FEATURES, THUMBNAIL = "listing", "photo", "added", "vector", "features", "thumbnail"
"""The columns: the listing's id, the photo's number, when it was added in nanoseconds since 1970, then the numbers."""

TOGETHER = 1_000
"""Ids named in one statement."""


@dataclass(frozen=True)
class PhotoRows:
    """Photos of many listings, one below the other.

    counts : dict, id → int, at least 1
        The photos of each listing, in the order of the rows.
    vectors : ndarray of shape (n_photos, n_dimensions), float16
        By which photos are looked for; unit vectors.
    features : ndarray of shape (n_photos, n_features), int8
    thumbnails : ndarray of shape (n_photos, n_pixels), int8
    """

    counts: dict[str, int]
    vectors: np.ndarray
    features: np.ndarray
    thumbnails: np.ndarray

    def table(self):
        """As a pyarrow.Table, added at 0."""
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
        return pyarrow.table(
            columns, schema(*(part.shape[1] for part in (self.vectors, self.features, self.thumbnails)))
        )


def schema(n_dimensions, n_features, n_pixels):
    """The pyarrow.Schema of the rows."""
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


def newest(rows):
    """Those rows of each listing in a pyarrow.Table that were added last."""
    import pyarrow.compute as compute

    last = rows.group_by(LISTING).aggregate([(ADDED, "max")])
    place = compute.index_in(rows[LISTING], last[LISTING].combine_chunks())
    return rows.filter(compute.equal(rows[ADDED], last[f"{ADDED}_max"].combine_chunks().take(place)))


def by_listing(rows):
    """The photos in a pyarrow.Table, in their order. → dict, id → (features, thumbnails)"""
    if not len(rows):
        return {}
    rows = rows.sort_by([(LISTING, "ascending"), (PHOTO, "ascending")])
    numbers = rows[PHOTO].to_numpy()
    starts = np.flatnonzero(numbers == 0)
    names = rows[LISTING].take(starts).to_pylist()
    features, thumbnails = (np.split(_array(rows[name]), starts[1:]) for name in (FEATURES, THUMBNAIL))
    return dict(zip(names, zip(features, thumbnails, strict=True), strict=True))


def conditions(ids):
    """SQL conditions that together name some listings; at least one."""
    quoted = ["'" + each.replace("'", "''") + "'" for each in ids]
    for start in range(0, max(len(quoted), 1), TOGETHER):
        some = ", ".join(quoted[start : start + TOGETHER])
        yield f"{LISTING} IN ({some})" if some else "false"


def _lists(array):
    """ndarray of shape (n, length) → pyarrow.FixedSizeListArray"""
    import pyarrow

    return pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(array.ravel()), array.shape[1])


def _array(column):
    """pyarrow.ChunkedArray of lists of one length → ndarray of shape (n, length)"""
    return column.combine_chunks().flatten().to_numpy(zero_copy_only=False).reshape(len(column), -1)
