"""Keep the photos of a catalogue on disk, and find the likely duplicates of a new listing at once.

An index is a folder. `search-space.safetensors` says what its numbers mean and by which vectors photos are looked for.
The rest is a LanceDB table of photos. The search vectors propose listings, and `DuplicateDetector.nearest` scores
them.
"""

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Self

import numpy as np
from numpy.typing import NDArray

from productcat.duplicates.detector import LISTINGS_AT_ONCE, DuplicateDetector
from productcat.duplicates.embedding import OLD_FORMAT, Embedding
from productcat.duplicates.pairs import DuplicatePair
from productcat.duplicates.thumbnails import LENGTH, OLD_SIDE, Thumbnails, as_format_2, of_format_2
from productcat.errors import BundleError, ListingError, ProductcatError
from productcat.index.rows import Kept, PhotoRows
from productcat.index.search_vectors import SearchSpace
from productcat.index.store import PhotoStore
from productcat.listings.fingerprint import fingerprint
from productcat.listings.listing import Listing, only
from productcat.problems import OnProblem, Problem, warn

SPACE = "search-space.safetensors"
LISTINGS_PER_TRANSACTION = 512
"""Number of listings put in together, about."""

NEAREST = 100
"""Number of nearest photos that propose candidates, for each photo of a listing."""

CANDIDATES = 30
"""Number of proposed listings that are scored, at least."""

SAMPLE_SIZE = 1_000
"""Number of listings of the index that the detector is adapted to."""


@dataclass(frozen=True)
class IndexStats:
    """How much an index holds. The bytes are those on disk, with what `tidy` has not removed yet."""

    listings: int
    photos: int
    bytes: int


@dataclass(frozen=True)
class Tidied:
    """How many files an index has, and their bytes: before it was tidied, and now."""

    files_before: int
    files: int
    bytes_before: int
    bytes: int


class ListingIndex:
    """The photos of a catalogue of listings on disk. Made by `ListingIndex.open`.

    One process may write while others read. Each reading sees the newest state. Threads may share an index: they search
    side by side and write one after the other. Whenever a process is killed, what `add` or `remove` returned from is
    done, and no listing is half there.
    """

    def __init__(self, path: Path, detector: DuplicateDetector | None, space: SearchSpace, store: PhotoStore) -> None:
        self.path, self.detector, self.space, self.store = path, detector, space, store
        self._adapted: DuplicateDetector | None = None
        self._adapted_at = 0
        self._adapting = Lock()

    @classmethod
    def open(cls, path: str | os.PathLike[str], detector: DuplicateDetector | None = None) -> Self:
        """Open an index, or make an empty one where there is none.

        Parameters
        ----------
        path : str | os.PathLike
            A folder. For a new index, it is new or empty.
        detector : DuplicateDetector, optional
            Without one, the index must be there, and listings can only be counted and removed.

        Raises
        ------
        BundleError
            The index was made with another image model, or other levels of it.
        ProductcatError
            LanceDB is not installed, or the folder is not an index, or it is damaged.
        """
        path = Path(path)
        if not (path / SPACE).exists():
            if detector is None and not path.exists():
                raise ProductcatError(f"index {path}: no such folder; productcat index add makes one")
            if detector is None:
                raise ProductcatError(f"index {path}: no {SPACE} in it; give the folder of an index")
            _make(path, detector)
        try:
            space = SearchSpace.load(path / SPACE)
        except ValueError as error:
            raise ProductcatError(f"index {path}: {error}; make the index again") from None
        if detector is not None and space.made_by != detector.mark:
            raise BundleError(
                f"index {path}: made with another image model than that of this detector; "
                "open it with the bundle that it was made with, or make it again"
            )
        path = path.absolute()  # it is used later, when another directory may be the current one
        index = cls(path, detector, space, PhotoStore(path))
        n_pixels = OLD_SIDE * OLD_SIDE if space.format == OLD_FORMAT else LENGTH
        widths = index.store.widths()  # so that a damaged table is reported now
        if widths != (space.n_dimensions, sum(map(len, space.means.values())), n_pixels):
            raise ProductcatError(f"index {path}: {SPACE} does not fit its table of photos; make the index again")
        return index

    def add(self, listings: Iterable[Listing | Embedding], on_problem: OnProblem = warn) -> int:
        """Put listings in. One whose id is there already is replaced.

        A listing without an id, or without a photo that can be read, is left out, even if it has a title: the index is
        searched by photos. What is there under its id stays.
        Some hundreds of listings are put in at a time: all of them or, after a kill, none.

        Parameters
        ----------
        listings : iterable of Listing or Embedding
            It may be longer than memory.
        on_problem : callable, optional
            Is called with the Problem of each photo that cannot be read and of each listing that is left out. By
            default it warns.

        Returns
        -------
        int
            The number of listings that were put in.
        """
        detector, listings = self._needed_detector(), only((Listing, Embedding), listings)
        waiting: dict[str, tuple[Embedding, str | None]] = {}
        count = 0
        while some := list(islice(listings, LISTINGS_AT_ONCE)):
            usable = list(_with_id(some, on_problem))
            prints = list(map(_print_of, usable))  # before they are read: what changes meanwhile counts as changed
            for each, made_of in zip(detector.embed(usable, on_problem), prints, strict=True):
                if len(each):
                    waiting[each.id] = each, made_of  # the last of an id counts
                elif each.id in self:
                    on_problem(Problem(each.id, "what the index has of it stays"))
            if len(waiting) >= LISTINGS_PER_TRANSACTION:
                count += self._put(waiting)
                waiting = {}
                self.store.keep_tidy(growing=True)
        count += self._put(waiting)
        if count:
            self.store.keep_tidy()
        return count

    def changed(self, listings: Iterable[Listing]) -> Iterator[tuple[Listing, bool]]:
        """Yield the listings that the index lacks, or has with another title, price or photos; and whether it has them.

        Files of photos count with their paths, sizes and times. What was put in as an `Embedding`, or by an earlier
        version, counts as unchanged: nothing is known of its photos.
        """
        listings = only(Listing, listings)
        while some := list(islice(listings, LISTINGS_PER_TRANSACTION)):
            known = self.store.made_of([each.id for each in some])
            for each in some:
                if each.id not in known or known[each.id] not in (None, _print_of(each)):
                    yield each, each.id in known

    def remove(self, ids: Iterable[str]) -> None:
        """Remove listings by their ids. Ids that are not there are ignored."""
        if isinstance(ids, str):
            raise ValueError(f"ids is the text {ids!r}, expected a sequence of ids; write [{ids!r}]")
        ids = iter(ids)
        while some := list(islice(ids, LISTINGS_PER_TRANSACTION)):
            for each in some:
                if not isinstance(each, str):
                    raise ValueError(f"the id {each!r} is {type(each).__name__}, expected text; write {str(each)!r}")
            self.store.remove(some)
            self.store.keep_tidy()

    def search(
        self, listings: Iterable[Listing | Embedding], k: int = 10, adapt: bool = True, on_problem: OnProblem = warn
    ) -> list[list[DuplicatePair]]:
        """Find the likely duplicates of listings.

        Parameters
        ----------
        listings : iterable of Listing or Embedding
            They need not be in the index. What is in it under the same id is not a duplicate.
        k : int
            The largest number of duplicates of each listing.
        adapt : bool
            First adapt the detector to listings of this index, as `DuplicateDetector.find` does to its catalogue.
        on_problem : callable, optional
            Is called with the Problem of each photo that cannot be read and of each listing without any. By default it
            warns.

        Returns
        -------
        list of list of DuplicatePair, length n_listings
            `left` is the id of the listing, `right` one of the index; best first. The kind is "copy" or "same item".
        """
        detector = self._needed_detector()
        if k < 1:
            raise ValueError(f"k is {k}, expected at least 1")
        judge = self._adapt(detector) if adapt else detector.among(len(self))
        listings = only((Listing, Embedding), listings)
        found: list[list[DuplicatePair]] = []
        while some := list(islice(listings, LISTINGS_AT_ONCE)):
            found += self._search(judge, detector.embed(some, on_problem), k)
        return found

    def sample(self, n: int = SAMPLE_SIZE) -> list[Embedding]:
        """Return listings of the index. They are drawn at random, the same ones until the index is changed."""
        return list(self._embeddings(self.store.sample(n)).values())

    def ids(self, among: Iterable[str] | None = None) -> set[str]:
        """Return the ids of all listings, or those of `among` that are there, which is quicker."""
        return self.store.ids(among)

    def tidy(self, now: bool = False) -> Tidied:
        """Put small files together, take new photos into the approximate index, remove what nobody needs.

        `add` and `remove` do so by themselves when it is due. It takes time and disk in proportion to the index. First
        the checksum of each photo is compared, which a search does only for those that it reads.

        Parameters
        ----------
        now : bool
            Remove the files of older versions at once. Otherwise they are kept for ten minutes, for readers that have
            opened them; a later change or `tidy` removes them. With `now`, nobody else may have the index open.

        Returns
        -------
        Tidied
            How many files and bytes there were, and how many there are. These can be more: what was put together, and
            what it was put together from.
        """
        before = self._sizes()
        self.store.check()
        self.store.tidy(now)
        after = self._sizes()
        return Tidied(len(before), len(after), sum(before), sum(after))

    def stats(self) -> IndexStats:
        """Return how much the index holds."""
        return IndexStats(*self.store.counts(), sum(self._sizes()))

    def _sizes(self) -> list[int]:
        """Return the bytes of each file."""
        return [size for each in self.path.rglob("*") if (size := _size(each)) is not None]

    @property
    def threshold(self) -> float:
        """Score from which a listing found here is a duplicate. The scores know how many listings the index holds."""
        return self._needed_detector().threshold

    def __len__(self) -> int:
        """Return the number of listings."""
        return self.store.counts()[0]

    def __contains__(self, id: object) -> bool:
        return isinstance(id, str) and self.store.has(id)

    def _put(self, waiting: Mapping[str, tuple[Embedding, str | None]]) -> int:
        """Put in listings with their fingerprints, given by their ids, in one transaction. Return how many they are."""
        if waiting:
            every, made_of = zip(*waiting.values(), strict=True)
            features = {name: np.concatenate([each.features[name] for each in every]) for name in self.space.means}
            rows = PhotoRows(
                {each.id: len(each) for each in every},
                self.space.project(features).astype(np.float16),
                np.concatenate(list(features.values()), axis=1),
                self._stored(np.concatenate([each.thumbnails for each in every])),
                [each.title for each in every],
                [each.price for each in every],
                list(made_of),
            )
            self.store.put(rows)
        return len(waiting)

    def _search(
        self, detector: DuplicateDetector, embeddings: Sequence[Embedding], k: int
    ) -> list[list[DuplicatePair]]:
        proposed = [self._proposed(each, k) if len(each) else {} for each in embeddings]
        rows = {id: place for each in proposed for id, place in each.items()}
        known = self._embeddings(self.store.listings(list(rows), rows))
        found = []
        for each, ids in zip(embeddings, proposed, strict=True):
            candidates = [known[id] for id in ids if id in known]
            found.append(detector.nearest(each, candidates, k) if candidates else [])
        return found

    def _proposed(self, embedding: Embedding, k: int) -> dict[str, range]:
        """Return the listings whose photos are nearest, best first: id → the rows that it most likely has."""
        vectors = self.space.project(embedding.features)
        n = max(NEAREST, 10 * k) + len(embedding)  # its own photos may be there too
        best: dict[str, float] = {}
        rows: dict[str, range] = {}
        for nearest in self.store.nearest(vectors, n):
            for id, cosine, place in zip(nearest.listings, nearest.cosines, nearest.rows, strict=True):
                best[id], rows[id] = max(cosine, best.get(id, -np.inf)), place
        best.pop(embedding.id, None)
        chosen = sorted(best, key=best.__getitem__, reverse=True)[: max(CANDIDATES, 3 * k)]
        return {id: rows[id] for id in chosen}

    def _embeddings(self, listings: Mapping[str, Kept]) -> dict[str, Embedding]:
        """Turn what the table has of listings into embeddings, by their ids."""
        ends = np.cumsum([len(mean) for mean in self.space.means.values()])[:-1]
        found = {}
        for id, kept in listings.items():
            features = dict(zip(self.space.means, np.split(kept.features, ends, axis=1), strict=True))
            found[id] = Embedding(id, features, self._loaded(kept.thumbnails), kept.title, kept.price)
        return found

    def _stored(self, thumbnails: Thumbnails) -> NDArray[np.int8]:
        """Return thumbnails as this index has room for."""
        return as_format_2(thumbnails) if self.space.format == OLD_FORMAT else thumbnails

    def _loaded(self, thumbnails: NDArray[np.int8]) -> Thumbnails:
        return of_format_2(thumbnails) if self.space.format == OLD_FORMAT else thumbnails

    def _needed_detector(self) -> DuplicateDetector:
        if self.detector is None:
            raise ProductcatError(f"index {self.path}: opened without a detector; give one to ListingIndex.open")
        return self.detector

    def _adapt(self, detector: DuplicateDetector) -> DuplicateDetector:
        """Return the detector that knows this index. It is adapted again when the index has become another."""
        n_photos = self.store.n_rows()
        with self._adapting:
            if self._adapted is None or not 0.5 * self._adapted_at <= n_photos <= 2 * self._adapted_at:
                self._adapted = detector.adapt(self.sample()).among(len(self))
                self._adapted_at = n_photos
            return self._adapted


def _print_of(listing: Listing | Embedding) -> str | None:
    """Return the fingerprint of all that the index keeps of a listing; None where its photos are not known."""
    if isinstance(listing, Embedding):
        return None
    return fingerprint(listing.photos, listing.title, listing.price)


def _with_id(listings: Iterable[Listing | Embedding], on_problem: OnProblem) -> Iterator[Listing | Embedding]:
    """Yield the listings that have an id. The others are problems."""
    for each in listings:
        if isinstance(each.id, str) and each.id:
            yield each
        else:
            why = f"its id is {type(each.id).__name__}, expected text" if each.id else "no id"
            name = f"listing with the id {each.id!r} and the title {getattr(each, 'title', '')!r}"
            on_problem(Problem("", f"{name}: {why}; left out of the index"))


def _size(path: Path) -> int | None:
    """Return the bytes of a file, None for a folder or for what another process has just removed."""
    try:
        return path.stat().st_size if path.is_file() else None
    except FileNotFoundError:
        return None


def _make(path: Path, detector: DuplicateDetector) -> None:
    """Make an empty index, whole or not at all, unless another process does. The search space comes last."""
    from safetensors import SafetensorError

    try:
        there = path.exists()
        names = {each.name for each in path.iterdir() if not each.name.startswith(f".{path.name}-")} if there else ()
        if names and SPACE not in names:
            raise ProductcatError(f"index {path}: no {SPACE} in it; give the folder of an index, or a new one")
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path if there else path.parent))
        try:
            space = SearchSpace.of(detector)
            PhotoStore.create(folder, space.n_dimensions, sum(map(len, space.means.values())), LENGTH)
            space.save(folder / SPACE)
            folder.chmod(0o755)  # mkdtemp made it private, and safetensors its file
            (folder / SPACE).chmod(0o644)
            if there:
                for each in sorted(folder.iterdir(), key=lambda each: each.name == SPACE):
                    each.rename(path / each.name)
            else:
                folder.rename(path)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    except (OSError, SafetensorError, RuntimeError) as error:
        if not (path / SPACE).exists():
            why = getattr(error, "strerror", None) or error
            raise ListingError(f"index {path}: cannot be made ({why}); choose another folder") from None
