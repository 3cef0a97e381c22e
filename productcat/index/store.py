"""Keep photos in a LanceDB table, and find the nearest: what `ListingIndex` has on disk.

Putting a batch of listings is one transaction: it is there whole or not at all. A listing that is there already is
first put a second time, then its older rows are removed. Until then the rows put last count. So whenever a process is
killed, what was put is there, and no listing is half there. This needs nothing but adding and deleting rows, the
plainest operations of the store. `merge_insert`, which could do both at once, has failed in silence where its key was
indexed (https://github.com/lancedb/lancedb/pull/3612).

Below INDEX_FROM photos every vector is compared. From there on an inverted file (Jégou et al. 2011, "Product
quantization for nearest neighbor search") with one bit a dimension (Gao & Long 2024, "RaBitQ") proposes, and the stored
vectors decide. Photos that came after it was made are compared one by one until `settle` takes them in.
"""

import functools
import os
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Lock, RLock
from typing import Any, Concatenate, ParamSpec, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from productcat.errors import ProductcatError
from productcat.index.rows import (
    ADDED,
    FEATURES,
    LISTING,
    PHOTO,
    THUMBNAIL,
    VECTOR,
    PhotoRows,
    Photos,
    by_listing,
    conditions,
    newest,
    schema,
)

TABLE = "photos"
INDEX_FROM = 50_000
"""Number of photos from which on there is an approximate index."""

PHOTOS_PER_PARTITION = 1_000
"""Number of photos in a part of the approximate index, about."""

PARTITIONS_PROBED = 24
"""Number of parts that a search looks into."""

REFINE_FACTOR = 2
"""Number of photos compared by their stored vectors, for each photo that is wanted."""

GROWTH = 4
"""Number of times that the photos must have multiplied before the approximate index is made again."""

SMALL_FILE = 10_000
"""Number of photos below which a file is small: each file slows down a search."""

SMALL_FILES_LEFT = 24
"""Number of small files above which they are put together."""

KEPT = timedelta(minutes=10)
"""How long a reader may go on with what it opened, before files that are no longer needed are removed."""

ALWAYS = np.iinfo(np.int64).max

P = ParamSpec("P")
Result = TypeVar("Result")
Method: TypeAlias = Callable[Concatenate[Any, P], Result]
"""A method of PhotoStore."""


def _reported(doing: str) -> Callable[[Method[P, Result]], Method[P, Result]]:
    """Decorate a method of PhotoStore: report what LanceDB complains of in one line, with the path."""

    def decorate(method: Method[P, Result]) -> Method[P, Result]:
        @functools.wraps(method)
        def wrapped(store: Any, /, *arguments: P.args, **options: P.kwargs) -> Result:
            try:
                return method(store, *arguments, **options)
            except (RuntimeError, ValueError, OSError) as error:
                said = f"{error}".partition("\n")[0].partition(", /")[0][:200]
                way_out = "if it stays like that, make the index again"
                if "Permission denied" in str(error):  # LanceDB has no error of its own for it
                    way_out = "get the right to read and to write all of that folder"
                raise ProductcatError(f"index {store.path}: cannot be {doing} ({said}); {way_out}") from error

        return wrapped

    return decorate


class PhotoStore:
    """The table in the folder `path`. Each reading sees the newest version, whoever wrote it.

    Threads may share a store. They read side by side and write one after the other.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = path
        self._table: Any = None
        self._opening = Lock()
        self._writing = RLock()  # `tidy` calls `settle`

    @classmethod
    def create(cls, path: str | os.PathLike[str], n_dimensions: int, n_features: int, n_pixels: int) -> None:
        """Make an empty table in an existing folder."""
        lancedb().connect(path).create_table(TABLE, schema=schema(n_dimensions, n_features, n_pixels))

    @property
    def table(self) -> Any:
        """The LanceDB table. All threads use one handle, which LanceDB allows."""
        with self._opening:
            if self._table is None:
                connection = lancedb().connect(self.path, read_consistency_interval=timedelta(0))
                self._table = connection.open_table(TABLE)
            return self._table

    @_reported("written")
    def put(self, rows: PhotoRows) -> None:
        """Add listings, or replace them, in one transaction."""
        with self._writing:
            before = self._read(rows.counts, [LISTING, ADDED])
            self._write(rows.table(), set(before[LISTING].to_pylist()), max(before[ADDED].to_pylist(), default=0))

    def _write(self, rows: Any, ids: Collection[str], last: int) -> None:
        """Add rows of a pyarrow.Table, then remove the older ones of `ids`, of which the last was added at `last`."""
        import pyarrow

        added = max(time.time_ns(), last + 1)  # a clock may be turned back
        stamps = pyarrow.array(np.full(len(rows), added))
        self.table.add(rows.set_column(rows.schema.get_field_index(ADDED), rows.schema.field(ADDED), stamps))
        self._delete(ids, added)

    @_reported("written")
    def remove(self, ids: Collection[str]) -> None:
        """Remove listings. Ids that are not there are ignored."""
        with self._writing:
            self._delete(ids, ALWAYS)

    def _delete(self, ids: Collection[str], before: int) -> None:
        for condition in conditions(ids) if ids else ():
            self.table.delete(f"{condition} AND {ADDED} < {before}")

    @_reported("read")
    def nearest(self, vectors: NDArray[np.float32], n: int) -> list[tuple[list[str], list[float]]]:
        """Find the nearest photos.

        Parameters
        ----------
        vectors : ndarray of shape (n_queries, n_dimensions), float32
            Unit vectors.
        n : int

        Returns
        -------
        list of (list of str, list of float), length n_queries
            The ids of the listings of the n nearest photos, and the photos' cosines, best first. A listing may be there
            with several photos.
        """
        table = self.table

        def search(vector: NDArray[np.float32]) -> tuple[list[str], list[float]]:
            query = table.search(vector, vector_column_name=VECTOR).distance_type("cosine").limit(n)
            rows = (
                query.nprobes(PARTITIONS_PROBED).refine_factor(REFINE_FACTOR).select([LISTING, "_distance"]).to_arrow()
            )
            return rows[LISTING].to_pylist(), (1.0 - rows["_distance"].to_numpy()).tolist()

        if len(vectors) == 1:
            return [search(vectors[0])]
        with ThreadPoolExecutor() as pool:
            return list(pool.map(search, vectors))

    @_reported("read")
    def photos(self, ids: Iterable[str]) -> dict[str, Photos]:
        """Return the photos of those listings that are there: id → photos."""
        return by_listing(newest(self._read(ids, [LISTING, PHOTO, ADDED, FEATURES, THUMBNAIL])))

    @_reported("read")
    def counts(self) -> dict[str, int]:
        """Return the number of photos of each listing."""
        rows = newest(self.table.search().select([LISTING, ADDED]).to_arrow())
        found = rows.group_by(LISTING).aggregate([(ADDED, "count")])
        return dict(zip(found[LISTING].to_pylist(), found[f"{ADDED}_count"].to_pylist(), strict=True))

    @_reported("read")
    def n_rows(self) -> int:
        """Return about how many photos there are. It is quick."""
        return int(self.table.count_rows())

    @_reported("read")
    def has(self, id: str) -> bool:
        """Return whether a listing is there."""
        return bool(self.table.count_rows(next(conditions([id]))) > 0)

    def _read(self, ids: Iterable[str], columns: Sequence[str]) -> Any:
        import pyarrow

        parts = [self.table.search().where(each).select(columns).to_arrow() for each in conditions(ids)]
        return pyarrow.concat_tables(parts)

    @_reported("written")
    def tidy(self, growing: bool = False) -> None:
        """Do what keeps searches fast: `settle` when many photos have come, put files together when many files have.

        growing : bool
            More is about to come, so it is worth waiting until the new photos are as many as those that are settled.
        """
        with self._writing:
            names = self._approximate()
            n_rows = self.table.count_rows()
            n_new = self.table.index_stats(names[-1]).num_unindexed_rows if names else n_rows
            if n_new >= max(INDEX_FROM, (n_rows - n_new) * growing):
                self.settle()
            elif not growing and self.table.stats()["fragment_stats"]["num_small_fragments"] > SMALL_FILES_LEFT:
                self._gather()

    def _gather(self) -> None:
        """Put the listings of small files into one file, so that the small ones are empty and go.

        `optimize` would do it, but it rewrites larger files too.
        """
        rows = self.table.search().select([LISTING]).with_row_id(True).to_arrow()
        _, place, counts = np.unique(rows["_rowid"].to_numpy() >> 32, return_inverse=True, return_counts=True)
        ids = rows[LISTING].filter(counts[place] < SMALL_FILE).unique().to_pylist()
        scattered = newest(self._read(ids, self.table.schema.names))
        self._write(scattered, ids, max(scattered[ADDED].to_pylist(), default=0))

    @_reported("written")
    def settle(self) -> None:
        """Put small files together, take new photos into the approximate index, and remove what nobody needs."""
        with self._writing:
            self._remove_older()
            self.table.optimize(cleanup_older_than=KEPT)
            n_rows = self.table.count_rows()
            if n_rows >= INDEX_FROM:
                self._index(n_rows)

    def _remove_older(self) -> None:
        """Remove the older rows of listings that were put again by a process that was killed before it could do so."""
        rows = self.table.search().select([LISTING, ADDED]).to_arrow()
        put = rows.group_by(LISTING).aggregate([(ADDED, "min"), (ADDED, "max")])
        for id, first, last in zip(*(column.to_pylist() for column in put.columns), strict=True):
            if first < last:
                self._delete([id], last)

    def _index(self, n_rows: int) -> None:
        from lancedb.index import BTree, IvfRq

        if not any(each.columns == [LISTING] for each in self.table.list_indices()):
            self.table.create_index(LISTING, config=BTree())
        names = self._approximate()
        if not names or n_rows >= GROWTH * _made_of(names[-1]):
            n_parts = max(n_rows // PHOTOS_PER_PARTITION, 1)
            config = IvfRq(distance_type="cosine", num_partitions=n_parts, max_iterations=20, sample_rate=64)
            self.table.create_index(VECTOR, config=config, name=f"{VECTOR}_{n_rows}")
        for name in self._approximate()[:-1]:
            self.table.drop_index(name)

    def _approximate(self) -> list[str]:
        """Return the names of the approximate indexes, normally one. The one made of most photos comes last."""
        return sorted((each.name for each in self.table.list_indices() if each.columns == [VECTOR]), key=_made_of)


def _made_of(name: str) -> int:
    """Return how many photos an approximate index was made of. Its name says it."""
    return int(name.rpartition("_")[2])


def lancedb() -> Any:
    """Import LanceDB. Raises ProductcatError when it is not installed."""
    try:
        import lancedb
    except ImportError:
        raise ProductcatError("an index needs LanceDB; run pip install lancedb") from None
    return lancedb
