"""A catalogue's photos on disk: put listings in, and find the likely duplicates of a new one at once.

An index is a folder: `search-space.safetensors` says what its numbers mean and by which vectors photos are looked for;
the rest is a LanceDB table of photos. What is found by the search vectors is scored as `DuplicateDetector.score` does.
"""

import shutil
import tempfile
import warnings
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from productcat.duplicates.detector import LISTINGS_AT_ONCE as BATCH
from productcat.duplicates.embedding import Embedding
from productcat.duplicates.pairs import DuplicatePair
from productcat.duplicates.thumbnails import SIDE
from productcat.errors import BundleError, ListingError, ProductcatError
from productcat.index.rows import PhotoRows
from productcat.index.search_space import SearchSpace
from productcat.index.store import PhotoStore
from productcat.listings.listing import Listing, only

SPACE = "search-space.safetensors"
TRANSACTION = 512
"""Listings put at a time, about."""

NEAREST = 100
"""So many of its nearest photos propose candidates, for each photo of a listing."""

CANDIDATES = 30
"""Listings that are scored, at least, if so many are proposed."""

SAMPLE = 1_000
"""Listings of the index that the detector is adapted to."""


@dataclass(frozen=True)
class IndexStats:
    """How much an index holds. bytes: on disk, with what `settle` has not removed yet."""

    listings: int
    photos: int
    bytes: int


class ListingIndex:
    """Photos of a catalogue of listings on disk. Made by `ListingIndex.open`.

    One process may write while others read; each reading sees the newest state. Whenever a process is killed, what
    `add` or `remove` returned from is done, and no listing is half there.
    """

    def __init__(self, path, detector, space, store):
        self.path, self.detector, self.space, self.store = path, detector, space, store
        self._adapted, self._adapted_at = None, 0

    @classmethod
    def open(cls, path, detector=None):
        """Open an index, or make an empty one where there is none.

        Parameters
        ----------
        path : str | os.PathLike
            A folder; a new or an empty one for a new index.
        detector : DuplicateDetector, optional
            Without one, the index must be there, and listings can be counted and removed only.

        Raises
        ------
        BundleError
            The index was made with another image model, or other levels of it.
        ProductcatError
            LanceDB is not installed, or the folder is no index or a damaged one.
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
            raise ProductcatError(f"index {path}: {error}; make it anew") from None
        if detector is not None and space.made_by != detector.mark:
            raise BundleError(
                f"index {path}: made with another image model than that of this detector; "
                "open it with the bundle that it was made with, or make it anew"
            )
        path = path.absolute()  # it is used later, when another directory may be the current one
        index = cls(path, detector, space, PhotoStore(path))
        index.store.n_rows()  # so that a damaged table is told of now
        return index

    def add(self, listings):
        """Put listings in. One whose id is there already is replaced.

        A listing without an id, or without a photo that can be read, is named in a warning and left out; what is there
        under its id stays. Some hundreds of listings are put at a time, all of them or, after a kill, none.

        Parameters
        ----------
        listings : iterable of Listing or Embedding
            It may be longer than memory.

        Returns
        -------
        int
            How many listings were put in.
        """
        self._need_detector()
        listings, waiting, count = only((Listing, Embedding), listings), {}, 0
        while some := list(islice(listings, BATCH)):
            for each in self.detector.embed(_named(some)):
                if len(each):
                    waiting[each.id] = each  # the last of an id counts
                elif each.id in self:
                    warnings.warn(f"listing {each.id!r}: what the index has of it stays", UserWarning, stacklevel=2)
            if len(waiting) >= TRANSACTION:
                count += self._put(waiting)
                waiting = {}
                self.store.tidy(growing=True)
        count += self._put(waiting)
        if count:
            self.store.tidy()
        return count

    def remove(self, ids):
        """Remove listings by their ids. Ids that are not there are passed over."""
        if isinstance(ids, str):
            raise ValueError(f"ids is the text {ids!r}, expected a sequence of ids; write [{ids!r}]")
        ids = iter(ids)
        while some := list(islice(ids, TRANSACTION)):
            for each in some:
                if not isinstance(each, str):
                    raise ValueError(f"the id {each!r} is {type(each).__name__}, expected text; write {str(each)!r}")
            self.store.remove(some)

    def search(self, listings, k=10, adapt=True):
        """The likely duplicates of listings.

        Parameters
        ----------
        listings : iterable of Listing or Embedding
            They need not be in the index. What is in it under the same id is no duplicate.
        k : int
            Duplicates of each, at most.
        adapt : bool
            First adapt the detector to listings of this index, as `DuplicateDetector.find` does to its catalogue.

        Returns
        -------
        list of list of DuplicatePair, length n_listings
            `left` is the id of the listing, `right` one of the index; best first.
        """
        self._need_detector()
        if k < 1:
            raise ValueError(f"k is {k}, expected at least 1")
        listings, found = only((Listing, Embedding), listings), []
        detector = self._adapt() if adapt else self.detector
        while some := list(islice(listings, BATCH)):
            found += self._search(detector, self.detector.embed(some), k)
        return found

    def sample(self, n=SAMPLE):
        """Listings of the index, drawn at random but always alike. → list of Embedding"""
        ids = sorted(self.store.counts())
        if len(ids) > n:
            ids = [ids[place] for place in np.random.default_rng(0).choice(len(ids), n, replace=False)]
        return list(self._embeddings(ids).values())

    def ids(self):
        """The ids of all listings. → set of str"""
        return set(self.store.counts())

    def settle(self):
        """Tidy up: put files together, take new photos into the approximate index, remove what nobody needs.

        `add` does so by itself when much has come. It takes time and disk in proportion to the index.
        """
        self.store.settle()

    def stats(self):
        """→ IndexStats"""
        counts = self.store.counts()
        return IndexStats(len(counts), sum(counts.values()), sum(map(_size, self.path.rglob("*"))))

    def __len__(self):
        """The number of listings."""
        return len(self.store.counts())

    def __contains__(self, id):
        return isinstance(id, str) and self.store.has(id)

    def _put(self, embeddings):
        """Put listings in one transaction. embeddings : dict, id → Embedding. → how many"""
        if embeddings:
            every = embeddings.values()
            features = {name: np.concatenate([each.features[name] for each in every]) for name in self.space.means}
            rows = PhotoRows(
                {each.id: len(each) for each in every},
                self.space.project(features).astype(np.float16),
                np.concatenate(list(features.values()), axis=1),
                np.concatenate([each.thumbnails for each in every]),
            )
            self.store.put(rows)
        return len(embeddings)

    def _search(self, detector, embeddings, k):
        proposed = [self._proposed(each, k) if len(each) else [] for each in embeddings]
        known, found = self._embeddings({id for ids in proposed for id in ids}), []
        for each, ids in zip(embeddings, proposed, strict=True):
            candidates = [known[id] for id in ids if id in known]
            scores = detector.score_matrix([each], candidates)[0] if candidates else np.empty(0)
            best = np.argsort(-scores, kind="stable")[:k]
            found.append([DuplicatePair(each.id, candidates[i].id, float(scores[i])) for i in best])
        return found

    def _proposed(self, embedding, k):
        """Ids of the listings whose photos are nearest, best first."""
        vectors = self.space.project(embedding.features)
        n = max(NEAREST, 10 * k) + len(embedding)  # its own photos may be there too
        best = {}
        for ids, cosines in self.store.nearest(vectors, n):
            for id, cosine in zip(ids, cosines, strict=True):
                best[id] = max(cosine, best.get(id, -np.inf))
        best.pop(embedding.id, None)
        return sorted(best, key=best.get, reverse=True)[: max(CANDIDATES, 3 * k)]

    def _embeddings(self, ids):
        """Of listings of the index. → dict, id → Embedding"""
        found, widths = {}, [len(mean) for mean in self.space.means.values()]
        for id, (features, thumbnails) in self.store.photos(list(ids)).items():
            parts = np.split(features, np.cumsum(widths)[:-1], axis=1)
            found[id] = Embedding(id, dict(zip(self.space.means, parts, strict=True)), thumbnails)
        return found

    def _need_detector(self):
        if self.detector is None:
            raise ProductcatError(f"index {self.path}: opened without a detector; give one to ListingIndex.open")

    def _adapt(self):
        """The detector that knows this index; made anew when the index has become another."""
        n_photos = self.store.n_rows()
        if self._adapted is None or not 0.5 * self._adapted_at <= n_photos <= 2 * self._adapted_at:
            self._adapted, self._adapted_at = self.detector.adapt(self.sample()), n_photos
        return self._adapted


def _named(listings):
    """Listings that have an id; others are named in a warning."""
    for each in listings:
        if isinstance(each.id, str) and each.id:
            yield each
        else:
            why = f"its id is {type(each.id).__name__}, expected text" if each.id else "no id"
            reason = f"listing with the id {each.id!r} and the title {getattr(each, 'title', '')!r}: {why}"
            warnings.warn(f"{reason}; left out of the index", UserWarning, stacklevel=4)


def _size(path):
    """Bytes of a file; 0 of a folder, or of what another process has removed just now."""
    try:
        return path.stat().st_size if path.is_file() else 0
    except FileNotFoundError:
        return 0


def _make(path, detector):
    """Make an empty index, whole or not at all, unless another process does; the description comes last."""
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
            PhotoStore.create(folder, space.n_dimensions, sum(map(len, space.means.values())), SIDE * SIDE)
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
