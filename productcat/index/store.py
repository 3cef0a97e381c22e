"""Keep photos in a LanceDB table, and find the nearest: what `ListingIndex` has on disk.

Putting a batch of listings is one transaction: it is there whole or not at all. A listing that is there already is
first put a second time, then its older rows are removed. Until then the rows put last count. So whenever a process is
killed, what was put is there, and no listing is half there. This needs nothing but adding and deleting rows, the
plainest operations of the store. `merge_insert`, which could do both at once, has failed in silence where its key was
indexed (https://github.com/lancedb/lancedb/pull/3612).

Below INDEX_FROM photos every vector is compared. From there on an inverted file (Jégou et al. 2011, "Product
quantization for nearest neighbor search") with four bits a dimension (Gao & Long 2024, "RaBitQ"; Gao et al. 2025,
"Practical and Asymptotically Optimal Quantization") proposes, and the stored vectors of what it proposes decide. Photos
that came after it was made are compared one by one until `tidy` takes them in.

Each change makes a new version of the table. The files of older ones go some time after the change, when readers that
have opened them are done. That happens beside later changes, so an index that is changed for ever does not grow.
"""

import functools
import itertools
import os
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Lock, RLock
from typing import Any, Concatenate, ParamSpec, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from productcat.errors import ProductcatError
from productcat.index.rows import (
    ADDED,
    FEATURES,
    FIRST_PHOTOS,
    LISTING,
    MADE_OF,
    PHOTO,
    PHOTOS,
    PRICE,
    SEAL,
    THUMBNAIL,
    TITLE,
    VECTOR,
    DamagedRowError,
    Kept,
    Nearest,
    PhotoRows,
    about_listings,
    by_listing,
    check,
    conditions,
    newest,
    schema,
)

TABLE = "photos"
ONCE = "each-listing-once"
"""Name of an empty file. It is there as long as the table surely has no older rows of a listing."""

INDEX_FROM = 50_000
"""Number of photos from which on there is an approximate index."""

PHOTOS_PER_PARTITION = 1_000
"""Number of photos in a part of the approximate index, about."""

BITS = 4
"""Number of bits of a dimension there. Those of 0.1.0 have one, until the next change, which makes them again."""

PROBED, PARTS_PROBED_OF = 24, 400
"""Number of parts that a search looks into, of so many. It grows as their square root, but never falls."""

REFINE_FACTOR, REFINE_FACTOR_OF_ONE_BIT = 1, 3
"""Number of photos compared by their stored vectors, for each photo that is wanted. Reading these takes time."""

GROWTH = 4
"""Number of times that the photos must have multiplied before the approximate index is made again."""

SMALL_FILE = 10_000
"""Number of photos below which a file is small: each file slows down a search."""

SMALL_FILES_LEFT = 24
"""Number of small files above which they are put together."""

KEPT = timedelta(minutes=10)
"""How long a reader may go on with what it opened, before files that are no longer needed are removed."""

OLD_VERSIONS_LEFT = 32
"""Number of versions older than that, above which their files are removed beside a change."""

SHORTEST = timedelta(milliseconds=1)
"""Instead of 0, of which LanceDB warns."""

TRIES = 5
"""Number of times that listings are counted quickly while another process writes."""

SAMPLED_AT_ONCE = 4_096
"""Number of photos that are drawn together for a sample."""

_ROOM = "make room; what was in the index stays"

CAUSES = {
    "Permission denied": "get the right to read and to write all of that folder",
    "Read-only file system": "get the right to write to that folder",
    "No space left on device": _ROOM,
    "Disk quota exceeded": _ROOM,
    "File too large": "raise the limit of the size of files; what was in the index stays",
    "Too many open files": "raise the limit of open files, as by ulimit -n",
}
"""What the operating system says where nothing is wrong with an index → the way out."""

PANICS = {"RustPanic", "PanicException"}
"""Names of the errors that compiled modules raise where they panic. They have no class to import, and one of them is no
Exception."""

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
            except DamagedRowError as error:
                raise ProductcatError(
                    f"index {store.path}: what it has of listing {error.listing!r} is damaged (its checksum does not "
                    "fit); remove that listing, or add it again"
                ) from None
            except BaseException as error:
                if not _is_complaint(error):
                    raise
                said, way_out = _cause(f"{error}")
                raise ProductcatError(f"index {store.path}: cannot be {doing} ({said}); {way_out}") from error

        return wrapped

    return decorate


def _is_complaint(error: BaseException) -> bool:
    """Tell whether LanceDB complains. Where it meets what it thought impossible, it panics."""
    return isinstance(error, RuntimeError | ValueError | OSError | LookupError) or type(error).__name__ in PANICS


def _cause(complaint: str) -> tuple[str, str]:
    """Return in one line what LanceDB complains of, and the way out. It has no errors of its own for most causes."""
    for cause, way_out in CAUSES.items():
        if cause in complaint:
            return cause, way_out
    return complaint.partition("\n")[0].partition(", /")[0][:200], "if it stays like that, make the index again"


class PhotoStore:
    """The table in the folder `path`. Each reading sees the newest version, whoever wrote it.

    Threads may share a store. They read side by side and write one after the other.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = path
        self._table: Any = None
        self._opening = Lock()
        self._writing = RLock()  # `keep_tidy` calls `tidy`
        self._once = Path(path) / ONCE
        self._has_all = self._has_seals = False

    @classmethod
    def create(cls, path: str | os.PathLike[str], n_dimensions: int, n_features: int, n_pixels: int) -> None:
        """Make an empty table in an existing folder."""
        lancedb().connect(path).create_table(TABLE, schema=schema(n_dimensions, n_features, n_pixels))
        (Path(path) / ONCE).touch()

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
        """Add listings, or replace them, in one transaction.

        A table of an earlier version first gets the columns that it lacks. They are empty, which rewrites no photo.
        """
        with self._writing:
            self._remove_older()
            there = self.table.schema.names
            if lacking := [each for each in about_listings() if each.name not in there]:
                self.table.add_columns(lacking)
            before = self._read(rows.counts, [LISTING, ADDED])
            self._write(rows.table(), set(before[LISTING].to_pylist()), max(before[ADDED].to_pylist(), default=0))

    def _write(self, rows: Any, ids: Collection[str], last: int) -> None:
        """Add rows of a pyarrow.Table, then remove the older ones of `ids`, of which the last was added at `last`."""
        import pyarrow

        added = max(time.time_ns(), last + 1)  # a clock may be turned back
        stamps = pyarrow.array(np.full(len(rows), added))
        rows = rows.set_column(rows.schema.get_field_index(ADDED), rows.schema.field(ADDED), stamps)
        if not ids:
            self.table.add(rows)
            return
        self._once.unlink(missing_ok=True)
        self.table.add(rows)
        self._delete(ids, added)
        self._once.touch()

    @_reported("written")
    def remove(self, ids: Collection[str]) -> None:
        """Remove listings. Ids that are not there are ignored."""
        with self._writing:
            self._delete(ids, ALWAYS)

    def _delete(self, ids: Collection[str], before: int) -> None:
        for condition in conditions(ids) if ids else ():
            self.table.delete(f"{condition} AND {ADDED} < {before}")

    def _complete(self) -> bool:
        """Tell whether the table has the columns that tables of 0.1.0 lack. Once it has them, it keeps them."""
        self._has_all = self._has_all or PHOTOS in self.table.schema.names
        return self._has_all

    def _sealed(self) -> bool:
        """Tell whether the table has a column of checksums. Once it has it, it keeps it."""
        self._has_seals = self._has_seals or SEAL in self.table.schema.names
        return self._has_seals

    @_reported("read")
    def nearest(self, vectors: NDArray[np.float32], n: int) -> list[Nearest]:
        """Find the n nearest photos of each.

        vectors : ndarray of shape (n_queries, n_dimensions), float32
            Unit vectors.
        """
        table, complete = self.table, self._complete()
        n_parts = table.count_rows() / PHOTOS_PER_PARTITION
        n_probes = max(PROBED, round(PROBED * (n_parts / PARTS_PROBED_OF) ** 0.5))
        refine = REFINE_FACTOR if complete else REFINE_FACTOR_OF_ONE_BIT
        columns = [LISTING, "_distance", *([PHOTO, PHOTOS] if complete else [])]

        def search(vector: NDArray[np.float32]) -> Nearest:
            query = table.search(vector, vector_column_name=VECTOR).distance_type("cosine").limit(n)
            query = query.nprobes(n_probes).refine_factor(refine).select(columns).with_row_id(True)
            rows = query.to_arrow()
            listings, cosines = rows[LISTING].to_pylist(), (1.0 - rows["_distance"].to_numpy()).tolist()
            if not complete:
                return Nearest(listings, cosines, [range(0)] * len(listings))
            firsts = rows["_rowid"].to_numpy().astype(np.int64) - rows[PHOTO].to_numpy()
            ends = firsts + rows[PHOTOS].fill_null(0).to_numpy()
            return Nearest(listings, cosines, list(map(range, firsts.tolist(), ends.tolist())))

        if len(vectors) == 1:
            return [search(vectors[0])]
        with ThreadPoolExecutor() as pool:
            return list(pool.map(search, vectors))

    @_reported("read")
    def listings(self, ids: Collection[str], rows: Mapping[str, range] | None = None) -> dict[str, Kept]:
        """Return what is there of some listings: id → Kept.

        rows : mapping, id → range, optional
            Those of `Nearest`, with which a listing is read faster than by its id.
        """
        columns = [LISTING, FEATURES, THUMBNAIL, *([TITLE, PRICE] if self._complete() else [])]
        columns += [PHOTOS, SEAL] if self._sealed() else []
        found = self._taken({id: rows[id] for id in ids if rows[id]}, columns) if rows else {}
        rest = [id for id in ids if id not in found]
        return found | (by_listing(self._read(rest, [*columns, PHOTO, ADDED])) if rest else {})

    def _taken(self, places: Mapping[str, range], columns: Sequence[str]) -> dict[str, Kept]:
        """Return the listings that rows with these ids have, or none if the rows are no longer theirs.

        The rows of a listing are written one after the other and stay so, except where a file ends between them. Rows
        that are not there are left out by LanceDB, and the others are in the order of their ids.
        """
        import pyarrow

        ids = sorted(places, key=lambda id: places[id].start)
        if not ids or not self._once.exists():
            return {}
        rows = self.table.take_row_ids([row for id in ids for row in places[id]]).select(columns).to_arrow()
        if rows[LISTING].to_pylist() != [id for id in ids for _ in places[id]]:
            return {}
        numbers = np.concatenate([np.arange(len(places[id])) for id in ids])
        return by_listing(rows.append_column(PHOTO, pyarrow.array(numbers)))

    @_reported("read")
    def widths(self) -> tuple[int, int, int]:
        """Return how many numbers a search vector, the features and a thumbnail of one photo have."""
        schema = self.table.schema
        n_dimensions, n_features, n_pixels = (
            getattr(schema.field(name).type, "list_size", 0) for name in (VECTOR, FEATURES, THUMBNAIL)
        )
        return n_dimensions, n_features, n_pixels

    @_reported("read")
    def check(self) -> None:
        """Compare the checksums of all rows, search vectors and all. Raises ProductcatError at the first that differs.

        A search compares those of the rows that it reads. It reads no search vectors.
        """
        if not self._sealed():
            return
        columns = [LISTING, PHOTO, VECTOR, FEATURES, THUMBNAIL, TITLE, PRICE, PHOTOS, SEAL]
        for start in range(0, n_rows := self.table.count_rows(), SAMPLED_AT_ONCE):
            some = list(range(start, min(start + SAMPLED_AT_ONCE, n_rows)))
            check(self.table.take_offsets(some).select(columns).to_arrow())

    @_reported("read")
    def counts(self) -> tuple[int, int]:
        """Return the numbers of listings and of photos.

        They are known from the numbers of rows while each listing is there once. Else all ids are read: after a kill
        until the next change, and when another process goes on replacing listings all the time.
        """
        for _ in range(TRIES):
            version = self.table.version
            if not self._once.exists():
                break
            counts = self.table.count_rows(FIRST_PHOTOS), self.table.count_rows()
            if self.table.version == version:
                return counts
        rows = newest(self.table.search().select([LISTING, PHOTO, ADDED]).to_arrow())
        return int(np.count_nonzero(rows[PHOTO].to_numpy() == 0)), len(rows)

    @_reported("read")
    def ids(self, among: Iterable[str] | None = None) -> set[str]:
        """Return the ids of all listings, or those of `among` that are there."""
        every = self.table.search().where(FIRST_PHOTOS).select([LISTING])
        rows = every.to_arrow() if among is None else self._read(among, [LISTING])
        return set(rows[LISTING].unique().to_pylist())

    @_reported("read")
    def made_of(self, ids: Iterable[str]) -> dict[str, str | None]:
        """Return the fingerprints of those of some listings that are there: id → fingerprint, None if not known."""
        if MADE_OF not in self.table.schema.names:
            return dict.fromkeys(self.ids(ids))
        rows = newest(self._read(ids, [LISTING, PHOTO, ADDED, MADE_OF]))
        rows = rows.filter(np.equal(rows[PHOTO].to_numpy(), 0))
        return dict(zip(rows[LISTING].to_pylist(), rows[MADE_OF].to_pylist(), strict=True))

    @_reported("read")
    def sample(self, n: int) -> dict[str, Kept]:
        """Return n listings, or all if there are fewer: id → Kept. They are the same until the table is changed."""
        drawn: dict[str, None] = {}
        places = np.random.default_rng(0).permutation(self.table.count_rows())
        for start in range(0, len(places), SAMPLED_AT_ONCE):
            some = self.table.take_offsets(places[start : start + SAMPLED_AT_ONCE].tolist()).select([LISTING, PHOTO])
            rows = some.to_arrow()
            drawn |= dict.fromkeys(rows[LISTING].filter(np.equal(rows[PHOTO].to_numpy(), 0)).to_pylist())
            if len(drawn) >= n:
                break
        return self.listings(list(itertools.islice(drawn, n)))

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
    def keep_tidy(self, growing: bool = False) -> None:
        """Do what keeps searches fast and the folder small, as far as that is due. It is to follow each change.

        growing : bool
            More is about to come, so it is worth waiting until the new photos are as many as those in the index.
        """
        with self._writing:
            self._remove_older()
            names = self._approximate()
            n_rows = self.table.count_rows()
            n_new = self.table.index_stats(names[-1]).num_unindexed_rows if names else n_rows
            if n_new >= max(INDEX_FROM, (n_rows - n_new) * growing) or not all(map(_up_to_date, names)):
                self.tidy()
                return
            outdated = self._outdated()
            # `optimize` also rewrites files that lie beside small ones; when these are together, that is little
            if outdated or (not growing and self._n_small_files() > SMALL_FILES_LEFT):
                self._gather()
            if outdated:
                self._optimize(KEPT)

    def _n_small_files(self) -> int:
        return int(self.table.stats()["fragment_stats"]["num_small_fragments"])

    def _outdated(self) -> bool:
        """Tell whether the files of older versions are worth removing. It is so once in KEPT, at most."""
        files = self._once.parent.glob(f"{TABLE}.lance/_versions/*.manifest")
        ages = [time.time() - each.stat().st_mtime for each in files]
        kept = KEPT.total_seconds()
        return max(ages) > 2 * kept and sum(age > kept for age in ages) > OLD_VERSIONS_LEFT

    def _gather(self) -> None:
        """Put the listings of small files into one file, so that the small ones are empty and go.

        A file that is large beside all smaller ones stays. So a photo is not written again with each few that come, but
        about as often as the number of photos in its file can double. `optimize` would rewrite larger files too.
        """
        rows = self.table.search().select([LISTING]).with_row_id(True).to_arrow()
        _, place, counts = np.unique(rows["_rowid"].to_numpy() >> 32, return_inverse=True, return_counts=True)
        small = np.sort(counts[counts < SMALL_FILE])
        alike = small[small <= 2 * (np.cumsum(small) - small)]
        if not len(alike):
            return
        ids = rows[LISTING].filter(counts[place] <= alike[-1]).unique().to_pylist()
        scattered = newest(self._read(ids, self.table.schema.names))
        self._write(scattered, ids, max(scattered[ADDED].to_pylist()))

    @_reported("written")
    def tidy(self, now: bool = False) -> None:
        """Put small files together, take new photos into the approximate index, and remove what nobody needs.

        now : bool
            No reader goes on with what it opened.
        """
        kept = timedelta(0) if now else KEPT
        with self._writing:
            self._remove_older()
            self._optimize(kept)
            n_rows = self.table.count_rows()
            if n_rows >= INDEX_FROM:
                self._index(n_rows)
            else:
                self._drop(self._approximate())
            for _ in range(2):  # `optimize` first removes files, then writes indexes again; the second has little to do
                self._optimize(kept)

    def _optimize(self, kept: timedelta) -> None:
        self.table.optimize(cleanup_older_than=max(kept, SHORTEST))

    def _remove_older(self) -> None:
        """Remove the older rows of listings that were put again by a process that was killed before it could do so."""
        if self._once.exists():
            return
        rows = self.table.search().select([LISTING, ADDED]).to_arrow()
        put = rows.group_by(LISTING).aggregate([(ADDED, "min"), (ADDED, "max")])
        for id, first, last in zip(*(column.to_pylist() for column in put.columns), strict=True):
            if first < last:
                self._delete([id], last)
        self._once.touch()

    def _index(self, n_rows: int) -> None:
        from lancedb.index import BTree, IvfRq

        if not any(each.columns == [LISTING] for each in self.table.list_indices()):
            self.table.create_index(LISTING, config=BTree())
        names = self._approximate()
        if not names or n_rows >= GROWTH * _made_of(names[-1]) or not _up_to_date(names[-1]):
            n_parts = max(n_rows // PHOTOS_PER_PARTITION, 1)
            config = IvfRq("cosine", num_partitions=n_parts, num_bits=BITS, max_iterations=20, sample_rate=64)
            self.table.create_index(VECTOR, config=config, name=f"{VECTOR}_{BITS}bit_{n_rows}")
        self._drop(self._approximate()[:-1])

    def _drop(self, names: Iterable[str]) -> None:
        for name in names:
            self.table.drop_index(name)

    def _approximate(self) -> list[str]:
        """Return the names of the approximate indexes, normally one. The one made of most photos comes last."""
        names = (each.name for each in self.table.list_indices() if each.columns == [VECTOR])
        return sorted(names, key=lambda name: (_up_to_date(name), _made_of(name)))


def _up_to_date(name: str) -> bool:
    """Tell whether an approximate index has BITS bits a dimension. Its name says it."""
    return name.startswith(f"{VECTOR}_{BITS}bit_")


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
