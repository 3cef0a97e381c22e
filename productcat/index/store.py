"""Photos in a LanceDB table: what `ListingIndex` keeps on disk, and how it finds the nearest.

Putting a batch of listings is one transaction, there whole or not at all. A listing that is there already is first put
a second time, then its older rows are removed; the rows put last count, also before that is done. So whenever a process
is killed, what was put is there, and no listing is half there. This needs nothing but adding and deleting rows, the
plainest operations of the store; `merge_insert`, which could do both at once, has failed in silence where its key was
indexed (https://github.com/lancedb/lancedb/pull/3612).

Below INDEX_FROM photos every vector is compared. From there on an inverted file (Jégou et al. 2011, "Product
quantization for nearest neighbor search") with one bit a dimension (Gao & Long 2024, "RaBitQ") proposes, and the stored
vectors decide. Photos that came after it was made are compared one by one until `settle` takes them in.
"""

import functools
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import numpy as np

from productcat.errors import ProductcatError
from productcat.index.rows import (
    ADDED,
    FEATURES,
    LISTING,
    PHOTO,
    THUMBNAIL,
    VECTOR,
    by_listing,
    conditions,
    newest,
    schema,
)

TABLE = "photos"
INDEX_FROM = 50_000
"""Photos from which on there is an approximate index."""

PARTITION = 1_000
"""Photos in a part of the approximate index, about."""

PROBED = 24
"""Parts that a search looks into."""

REFINED = 2
"""So many times the photos that are wanted are compared by their stored vectors."""

GROWTH = 4
"""The approximate index is made anew when there are so many times the photos that it was made of."""

FILES, SMALL = 24, 10_000
"""When there are more files than this, those of fewer photos than SMALL are put together: each slows down a search."""

KEPT = timedelta(minutes=10)
"""How long a reader may go on with what it opened, before files that are no longer needed are removed."""

ALWAYS = np.iinfo(np.int64).max


def _told(doing):
    """Decorate a method of PhotoStore: what LanceDB complains of is told in one line, with the path."""

    def decorate(method):
        @functools.wraps(method)
        def wrapped(store, *arguments, **options):
            try:
                return method(store, *arguments, **options)
            except (RuntimeError, ValueError, OSError) as error:
                said = f"{error}".partition("\n")[0].partition(", /")[0][:200]
                way_out = "if that stays so, make it anew"
                if "Permission denied" in str(error):  # LanceDB has no error of its own for it
                    way_out = "get the right to read and to write all of that folder"
                raise ProductcatError(f"index {store.path}: cannot be {doing} ({said}); {way_out}") from error

        return wrapped

    return decorate


class PhotoStore:
    """The table in the folder `path`. Each reading sees the newest version, whoever wrote it."""

    def __init__(self, path):
        self.path = path
        self._table = None

    @classmethod
    def create(cls, path, n_dimensions, n_features, n_pixels):
        """Make an empty table in an existing folder."""
        lancedb().connect(path).create_table(TABLE, schema=schema(n_dimensions, n_features, n_pixels))

    @property
    def table(self):
        """The LanceDB table."""
        if self._table is None:
            connection = lancedb().connect(self.path, read_consistency_interval=timedelta(0))
            self._table = connection.open_table(TABLE)
        return self._table

    @_told("written")
    def put(self, rows):
        """Add listings, or replace them, in one transaction. rows : PhotoRows"""
        before = self._read(rows.counts, [LISTING, ADDED])
        self._write(rows.table(), set(before[LISTING].to_pylist()), max(before[ADDED].to_pylist(), default=0))

    def _write(self, rows, ids, last):
        """Add rows of a pyarrow.Table, then remove the older ones of `ids`, of which the last was added at `last`."""
        import pyarrow

        added = max(time.time_ns(), last + 1)  # a clock may be turned back
        stamps = pyarrow.array(np.full(len(rows), added))
        self.table.add(rows.set_column(rows.schema.get_field_index(ADDED), rows.schema.field(ADDED), stamps))
        self._delete(ids, added)

    @_told("written")
    def remove(self, ids):
        """Remove listings. Ids that are not there are passed over."""
        self._delete(ids, ALWAYS)

    def _delete(self, ids, before):
        for condition in conditions(ids) if ids else ():
            self.table.delete(f"{condition} AND {ADDED} < {before}")

    @_told("read")
    def nearest(self, vectors, n):
        """The nearest photos.

        Parameters
        ----------
        vectors : ndarray of shape (n_queries, n_dimensions), float32
            Unit vectors.
        n : int

        Returns
        -------
        list of (list of str, list of float), length n_queries
            Ids of the listings of the n nearest photos, and their cosines, best first. A listing may be there with
            several photos.
        """
        table = self.table

        def search(vector):
            query = table.search(vector, vector_column_name=VECTOR).distance_type("cosine").limit(n)
            rows = query.nprobes(PROBED).refine_factor(REFINED).select([LISTING, "_distance"]).to_arrow()
            return rows[LISTING].to_pylist(), (1.0 - rows["_distance"].to_numpy()).tolist()

        if len(vectors) == 1:
            return [search(vectors[0])]
        with ThreadPoolExecutor() as pool:
            return list(pool.map(search, vectors))

    @_told("read")
    def photos(self, ids):
        """The photos of some listings. → dict, id → (features, thumbnails), those that are there"""
        return by_listing(newest(self._read(ids, [LISTING, PHOTO, ADDED, FEATURES, THUMBNAIL])))

    @_told("read")
    def counts(self):
        """How many photos each listing has. → dict, id → int"""
        rows = newest(self.table.search().select([LISTING, ADDED]).to_arrow())
        found = rows.group_by(LISTING).aggregate([(ADDED, "count")])
        return dict(zip(found[LISTING].to_pylist(), found[f"{ADDED}_count"].to_pylist(), strict=True))

    @_told("read")
    def n_rows(self):
        """About how many photos there are; quick."""
        return self.table.count_rows()

    @_told("read")
    def has(self, id):
        """Whether a listing is there."""
        return self.table.count_rows(next(conditions([id]))) > 0

    def _read(self, ids, columns):
        import pyarrow

        parts = [self.table.search().where(each).select(columns).to_arrow() for each in conditions(ids)]
        return pyarrow.concat_tables(parts)

    @_told("written")
    def tidy(self, growing=False):
        """Do what keeps searches fast: `settle` when many photos have come, put files together when many files have.

        growing: more is about to come, so that it is worth waiting until there is as much as is settled.
        """
        names = self._approximate()
        n_rows = self.table.count_rows()
        n_new = self.table.index_stats(names[-1]).num_unindexed_rows if names else n_rows
        if n_new >= max(INDEX_FROM, (n_rows - n_new) * growing):
            self.settle()
        elif not growing and self.table.stats()["fragment_stats"]["num_small_fragments"] > FILES:
            self._gather()

    def _gather(self):
        """Put the listings in small files again, all together, so that these files are empty and go.

        `optimize` would do, but it rewrites larger files too.
        """
        rows = self.table.search().select([LISTING]).with_row_id(True).to_arrow()
        _, place, counts = np.unique(rows["_rowid"].to_numpy() >> 32, return_inverse=True, return_counts=True)
        ids = rows[LISTING].filter(counts[place] < SMALL).unique().to_pylist()
        scattered = newest(self._read(ids, self.table.schema.names))
        self._write(scattered, ids, max(scattered[ADDED].to_pylist(), default=0))

    @_told("written")
    def settle(self):
        """Put small files together, take new photos into the approximate index, and remove what nobody needs."""
        self._remove_older()
        self.table.optimize(cleanup_older_than=KEPT)
        n_rows = self.table.count_rows()
        if n_rows >= INDEX_FROM:
            self._index(n_rows)

    def _remove_older(self):
        """Rows of listings that were put again, by a process that was killed before it removed them."""
        rows = self.table.search().select([LISTING, ADDED]).to_arrow()
        put = rows.group_by(LISTING).aggregate([(ADDED, "min"), (ADDED, "max")])
        for id, first, last in zip(*(column.to_pylist() for column in put.columns), strict=True):
            if first < last:
                self._delete([id], last)

    def _index(self, n_rows):
        from lancedb.index import BTree, IvfRq

        if not any(each.columns == [LISTING] for each in self.table.list_indices()):
            self.table.create_index(LISTING, config=BTree())
        names = self._approximate()
        if not names or n_rows >= GROWTH * _made_of(names[-1]):
            n_parts = max(n_rows // PARTITION, 1)
            config = IvfRq(distance_type="cosine", num_partitions=n_parts, max_iterations=20, sample_rate=64)
            self.table.create_index(VECTOR, config=config, name=f"{VECTOR}_{n_rows}")
        for name in self._approximate()[:-1]:
            self.table.drop_index(name)

    def _approximate(self):
        """Names of the approximate indexes, that made of most photos last; normally one."""
        return sorted((each.name for each in self.table.list_indices() if each.columns == [VECTOR]), key=_made_of)


def _made_of(name):
    """How many photos an approximate index was made of, by its name."""
    return int(name.rpartition("_")[2])


def lancedb():
    """The module. Raises ProductcatError when it is not installed."""
    try:
        import lancedb
    except ImportError:
        raise ProductcatError("an index needs LanceDB; run pip install lancedb") from None
    return lancedb
