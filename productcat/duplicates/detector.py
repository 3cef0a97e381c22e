"""Do two listings show the same physical item? A learned metric between sets of photos.

`training/duplicates/metric.py` makes it. The image model sees each photo on several levels. The features of each level
are compared in a whitened space, in which what many photos share counts for little. A learned head turns what two sets
of photos have in common into a probability.
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from productcat.arithmetic.vectors import unit
from productcat.duplicates.checked_metric import load_metric, read_here
from productcat.duplicates.decisions import KnownItems
from productcat.duplicates.embedding import Embedding, Stacked, mark_of, marks
from productcat.duplicates.evidence import evidence, names, photo_cosines
from productcat.duplicates.found import LOWEST, Found, threshold_of
from productcat.duplicates.groups import DuplicateGroup
from productcat.duplicates.ignored import without_ignored
from productcat.duplicates.matches import PhotoMatch, PhotoMatches
from productcat.duplicates.metric import SetMetric
from productcat.duplicates.neighbours import scored_pairs
from productcat.duplicates.pairs import DuplicatePair
from productcat.duplicates.photo_sets import AdaptedPhotoSets, PhotoSets, Pictures
from productcat.duplicates.pictures import DETAILS, compared
from productcat.duplicates.preference import DEFAULT_ORDER, ListingFacts, Preference
from productcat.duplicates.shared_pictures import SharedPicture, without_shared
from productcat.duplicates.surroundings import NONE, Surroundings, distinct, seen_plainly
from productcat.duplicates.thumbnails import LENGTH, Thumbnails, thumbnails, unframed
from productcat.duplicates.title_neighbours import UNSEEN_BY_TITLE, pairs_by_title
from productcat.duplicates.titles import (
    PRICE_WEIGHT,
    Rarity,
    TitleTable,
    explain_titles,
    price_evidence,
    title_evidence,
    words_of,
)
from productcat.duplicates.whitening import Space, known_share
from productcat.duplicates.witnesses import with_witnesses
from productcat.errors import BundleError
from productcat.listings.listing import Listing, only
from productcat.listings.photos import decoded
from productcat.models.bundle import DEFAULT, Bundle
from productcat.models.image_model import ImageModel
from productcat.problems import OnProblem, Problem, warn

LISTINGS_AT_ONCE = 64
"""Number of listings embedded together: an iterable may be longer than memory."""

ADAPTED_TO = 4_000
"""Number of listings that a detector is adapted to, at most: what so many have in common, all have."""

RELATED = 1.0
"""How much likelier, in nats, other photos must make it that two listings are one item to call them related."""

FEWEST_SURE = 0.3
"""Score below which it is not worth it to look for more duplicates of a listing that has many."""

PHOTOS_AT_ONCE = 4_096
"""Number of photos projected together."""

Seen: TypeAlias = tuple[NDArray[np.bool_], NDArray[np.float32]]
"""Which of some pairs have photos on both sides, shape (n_pairs,), and the evidence of these, (n_seen, n_evidence)."""

NEIGHBOURS = 10
"""Number of most similar photos, and of most similar listings, that `find` scores for each at first."""


class DuplicateDetector:
    """Scores pairs of listings by their sets of photos.

    `DuplicateDetector.load` makes one. A listing without a photo that can be read is never a duplicate: its scores are
    0, and a warning names it. Where the bundle knows what titles count, `score` says what the titles alone say.

    Threads may share a detector.

    Attributes
    ----------
    image_model : ImageModel or None
        Without one the detector takes embeddings only.
    threshold : float
        Score from which `find` and `cluster` take a pair for duplicates, unless they are told otherwise.
    """

    def __init__(self, image_model: ImageModel | None, metric: SetMetric, threshold: float) -> None:
        self.image_model = image_model
        self.metric = metric
        self.threshold = threshold

    @cached_property
    def spaces(self) -> dict[str, Space]:
        """Where photos are compared, by level. They take seconds, so they are made when they are needed."""
        return {name: level.space() for name, level in self.metric.levels.items()}

    @cached_property
    def mark(self) -> str:
        """Hexadecimal sha256 of what makes an embedding what it is; `embedding.mark_of` says of what."""
        return mark_of(self._eyes(), self.metric)

    def _eyes(self) -> ImageModel:
        if self.image_model is None:
            raise ValueError("this detector has no image model; give it embeddings instead of listings")
        return self.image_model

    @classmethod
    def load(cls, bundle: str | os.PathLike[str] | None = None) -> Self:
        """Open a bundle with a duplicates part: a path, the name of a shipped one, or None for the default.

        The detector sees photos through the bundle's part "features" or, without it, through its image model.

        Raises
        ------
        BundleError
            The bundle is missing, damaged, of another format, or has no such part.
        """
        opened = Bundle.of_manifest(bundle)
        with opened.checking(read_here(opened)):
            if not opened.has("duplicates"):
                raise BundleError(
                    f"bundle {opened.path}: no 'duplicates' part in it; use one with it, such as {DEFAULT}"
                )
            image_model = ImageModel.load(opened.contents(opened.features_name()))
            metric = load_metric(opened.contents("duplicates"), image_model)
            return cls(image_model, metric, metric.threshold)

    def adapt(self, listings: Iterable[Listing | Embedding]) -> "DuplicateDetector":
        """Return a detector that knows a catalogue. What its listings share, such as one studio, is not evidence.

        No labels are needed. Some dozens of listings already help, and a few change little. A pair of listings of the
        catalogue is judged by the catalogue without the two.

        Parameters
        ----------
        listings : iterable of Listing or Embedding

        Returns
        -------
        DuplicateDetector
            It takes the embeddings of this one.
        """
        every = self.embed(listings)
        embeddings = [each for each in every if len(each)]
        titles = [each.title for each in every]
        if not embeddings and not any(titles):
            return self
        if not embeddings:  # how usual words are can be known all the same
            known = DuplicateDetector(self.image_model, self.metric, self.threshold)
            known.__dict__["_rarity"] = Rarity.of(titles)
            return known
        some = _sampled(embeddings)
        earlier = self.metric.surroundings
        spaces = self.spaces if earlier is None else earlier.spaces
        little = _thumbnails_of(some)
        rows = distinct(seen_plainly({name: Stacked(some, name)[:] for name in spaces}, spaces), little, marks(some))
        features = {name: np.concatenate([each.features[name] for each in some])[rows] for name in spaces}
        owners = np.repeat(np.arange(len(some)), [len(each) for each in some])[rows]
        weights = 1.0 / np.bincount(owners, minlength=len(some))[owners]
        share = known_share(len(rows))
        levels = {
            name: replace(
                level, background=level.background.adapted(unit(features[name].astype(np.float32)), weights, share)
            )
            for name, level in self.metric.levels.items()
        }
        found = Surroundings.of(spaces, features, little[rows], share * weights / weights.sum(), titles)
        surroundings = found if earlier is None else earlier.joined(found, 1 - share)
        n_listings = max(self.metric.n_listings, len(embeddings))
        metric = replace(self.metric, levels=levels, surroundings=surroundings, n_listings=n_listings)
        return DuplicateDetector(self.image_model, metric, self.threshold)

    def among(self, n_listings: int) -> "DuplicateDetector":
        """Return a detector that looks for duplicates among so many listings: of more, more look alike by chance."""
        found = DuplicateDetector(self.image_model, replace(self.metric, n_listings=n_listings), self.threshold)
        kept = "spaces", "_pictures", "_rarity"
        found.__dict__.update({name: each for name, each in self.__dict__.items() if name in kept})
        return found

    def embed(
        self, listings: Iterable[Listing | Embedding], on_problem: OnProblem = warn, titles_alone: bool = False
    ) -> list[Embedding]:
        """Look at the photos of listings.

        Parameters
        ----------
        listings : iterable of Listing or Embedding
            Embeddings are handed through.
        on_problem : callable
            Called with each Problem: a photo that cannot be read, or a listing without photos. By default a warning.
        titles_alone : bool
            A listing without photos is no problem if it has a title.
        """
        found = []
        for embedding, problems in self.look(listings, titles_alone):
            for problem in problems:
                on_problem(problem)
            found.append(embedding)
        return found

    def look(
        self, listings: Iterable[Listing | Embedding], titles_alone: bool = False
    ) -> Iterator[tuple[Embedding, list[Problem]]]:
        """Yield the embedding of each listing, and what is wrong with its photos. titles_alone: as for `embed`"""
        waiting: list[Listing] = []
        for each in only((Listing, Embedding), listings):
            if isinstance(each, Listing):
                waiting.append(each)
            if isinstance(each, Embedding) or len(waiting) == LISTINGS_AT_ONCE:
                yield from self._looked_at(waiting, titles_alone)
                waiting = []
            if isinstance(each, Embedding):
                yield each, []
        yield from self._looked_at(waiting, titles_alone)

    def _looked_at(self, listings: list[Listing], titles_alone: bool) -> Iterator[tuple[Embedding, list[Problem]]]:
        if not listings:
            return
        for listing, embedding, reasons in zip(listings, *self.look_at(listings), strict=True):
            if not len(embedding) and not (titles_alone and self.metric.titles and words_of(listing.title)):
                reasons = [f"{why}; it is never a duplicate" for why in reasons or ["no photo"]]
            yield embedding, [Problem(listing.id, why) for why in reasons]

    def look_at(self, listings: Sequence[Listing]) -> tuple[list[Embedding], list[list[str]]]:
        """Embed a batch. Return the embeddings, and for each the reasons why photos of it cannot be read."""
        model = self._eyes()
        problems: list[list[str]] = [[] for _ in listings]
        owners: list[int] = []
        parts: dict[str, list[NDArray[np.int8]]] = {name: [] for name in self.metric.levels}
        little = [_thumbnails_of(())]
        for some, pixels in decoded([each.photos for each in listings], model.size, problems):
            pixels = unframed(pixels)
            outputs = model.run(pixels)[1]
            owners += some
            little.append(thumbnails(pixels))
            for name, level in self.metric.levels.items():
                parts[name].append(level.compact(outputs[name]))
        small = np.concatenate(little)
        kept = {name: np.concatenate(part) for name, part in parts.items() if part}
        found = []
        for number, listing in enumerate(listings):
            rows = np.flatnonzero(np.array(owners) == number)
            features = {name: each[rows] for name, each in kept.items()}
            found.append(Embedding(listing.id, features, small[rows], listing.title, listing.price))
        return found, problems

    def score(self, left: Iterable[Listing | Embedding], right: Iterable[Listing | Embedding]) -> NDArray[np.float64]:
        """Return the probability that aligned pairs show the same item.

        Parameters
        ----------
        left, right : iterables of Listing or Embedding, equally long

        Returns
        -------
        ndarray of shape (n_pairs,), in [0, 1]
            score(a, b) == score(b, a).
        """
        lefts, rights = self.embed(left, titles_alone=True), self.embed(right, titles_alone=True)
        if len(lefts) != len(rights):
            raise ValueError(f"{len(lefts)} listings on the left, {len(rights)} on the right: expected equally many")
        pairs = np.stack([np.arange(len(lefts))] * 2, axis=1)
        return self._scores(self.sets(lefts), self.sets(rights), pairs)

    def score_matrix(
        self, left: Iterable[Listing | Embedding], right: Iterable[Listing | Embedding]
    ) -> NDArray[np.float64]:
        """Return the probabilities of all pairs, shape (n_left, n_right)."""
        lefts, rights = (self.sets(self.embed(each, titles_alone=True)) for each in (left, right))
        shape = len(lefts.counts), len(rights.counts)
        return self._scores(lefts, rights, np.indices(shape).reshape(2, -1).T).reshape(shape)

    def nearest(self, one: Embedding, candidates: Sequence[Embedding], k: int) -> list[DuplicatePair]:
        """Score a listing with candidates. → the k best pairs, best first; the listing is on the left"""
        lefts, rights = self.sets([one]), self.sets(candidates)
        pairs = np.indices((1, len(candidates))).reshape(2, -1).T
        seen = self._seen(lefts, rights, pairs)
        scores, kinds = self._scores(lefts, rights, pairs, seen), self._kinds(lefts, rights, pairs, seen)
        best = np.argsort(-scores, kind="stable")[:k]
        return [DuplicatePair(one.id, candidates[row].id, float(scores[row]), kinds[row]) for row in best]

    def find(
        self,
        listings: Iterable[Listing | Embedding],
        threshold: float | None = None,
        adapt: bool = True,
        decided: Iterable[tuple[str, str, bool]] = (),
        apart: Mapping[str, str] | None = None,
        together: Mapping[str, str] | None = None,
        ignore: Iterable[Listing | Embedding] = (),
        titles_alone: bool = False,
    ) -> list[DuplicatePair]:
        """Find the pairs of duplicates in a catalogue.

        The most similar listings of each are scored, by nearest photos and by nearest mean vectors: ten of each, and
        more as long as most of them are duplicates.

        Parameters
        ----------
        listings : iterable of Listing or Embedding
        threshold : float in [0, 1], optional
            Least score; the detector's own by default.
        adapt : bool
            First adapt to these listings, as `adapt` does.
        decided : iterable of (left, right, same)
            What somebody decided of pairs of ids. Pairs that are not the same are never returned. Those that are the
            same, directly or through others, always are, with the score 1.
        apart : mapping, id → value, optional
            Listings with different values, such as the seller's own references, are never duplicates. A missing or
            empty value says nothing. Decisions outrank it.
        together : mapping, id → value, optional
            Listings with the same value always are duplicates, unless `decided` or `apart` keeps them apart.
        ignore : iterable of Listing or Embedding
            Their photos are pictures that never count, such as size charts.
        titles_alone : bool
            Also find pairs of which a side has no photo, by their titles. Their kind is "title". Candidates are
            listings that share rare words.

        Returns
        -------
        list of DuplicatePair
            Best first, every pair once.

        Raises
        ------
        ListingError
            Decisions contradict each other, or a value of `together` is that of more than 1,000 listings.
        BundleError
            `titles_alone` is asked for, but the bundle does not know what titles count.
        """
        if titles_alone:
            self.needs_titles()
        embeddings = without_ignored(self.embed(listings, titles_alone=titles_alone), self.embed(ignore))
        known = KnownItems.of([each.id for each in embeddings], decided, apart, together)
        return self.search(embeddings, threshold, adapt, known, titles_alone=titles_alone).pairs

    def groups(
        self,
        listings: Iterable[Listing | Embedding],
        threshold: float | None = None,
        adapt: bool = True,
        keep: str | Preference = DEFAULT_ORDER,
        decided: Iterable[tuple[str, str, bool]] = (),
        apart: Mapping[str, str] | None = None,
        together: Mapping[str, str] | None = None,
        ignore: Iterable[Listing | Embedding] = (),
        titles_alone: bool = False,
    ) -> list[DuplicateGroup]:
        """Find the groups of listings that show one item.

        A group hangs together: the average of *all* pairs between its parts makes it, not one pair of duplicates.
        `productcat.duplicates.groups` says how.

        Parameters
        ----------
        listings, threshold, adapt, decided, apart, together, ignore, titles_alone
            As for `find`.
        keep : str or Preference
            Which listing of a group is to be kept, as an order of preference. By default the one with most photos; of
            several the one with the largest photo, then with the longest title, then with the oldest id.
            `Preference.of` tells what else there is. Of an Embedding the size of its photos is not known.

        Returns
        -------
        list of DuplicateGroup
            The largest first. A listing is in one group at most.

        Raises
        ------
        ListingError, BundleError
            As for `find`.
        ValueError
            `keep` cannot be understood.
        """
        if titles_alone:
            self.needs_titles()
        preference = Preference.of(keep) if isinstance(keep, str) else keep
        facts: list[ListingFacts] = []

        def noted() -> Iterator[Listing | Embedding]:
            for each in only((Listing, Embedding), listings):
                if isinstance(each, Listing | Embedding):  # which `only` has made sure of
                    known = ListingFacts(each.id, title=each.title, price=each.price)
                    facts.append(ListingFacts.of(each) if isinstance(each, Listing) else known)
                    yield each

        embeddings = without_ignored(self.embed(noted(), titles_alone=titles_alone), self.embed(ignore))
        known = KnownItems.of([each.id for each in embeddings], decided, apart, together)
        facts = [replace(each, n_photos=len(seen)) for each, seen in zip(facts, embeddings, strict=True)]
        found = self.search(embeddings, threshold, adapt, known, titles_alone=titles_alone)
        return found.groups(facts, preference)

    def cluster(
        self, listings: Iterable[Listing | Embedding], threshold: float | None = None, adapt: bool = True
    ) -> list[list[str]]:
        """Return the listings of each of `groups`, as lists of ids, the largest first."""
        groups = [sorted(group.ids) for group in self.groups(listings, threshold, adapt)]
        return sorted(groups, key=lambda group: (-len(group), group))

    def search(
        self,
        embeddings: Sequence[Embedding],
        threshold: float | None = None,
        adapt: bool = True,
        known: KnownItems | None = None,
        least: float | None = None,
        precision: float | None = None,
        titles_alone: bool = False,
    ) -> Found:
        """Search a catalogue for duplicates, for pairs and for groups of them.

        Parameters
        ----------
        embeddings, threshold, adapt, titles_alone
            As for `find`.
        known : KnownItems, optional
            Made of the same listings.
        least : float, optional
            Score of interest below the threshold: search as thoroughly for pairs that reach it.
        precision : float in (0, 1), optional
            Choose the lowest threshold, 0.5 or more, from which on this share of the pairs is expected to be right.

        Returns
        -------
        Found
        """
        threshold = self.threshold if threshold is None else threshold
        least = threshold if least is None else least
        ids = [each.id for each in embeddings]
        for id, times in Counter(ids).items():
            if times > 1:
                line = f"{times} listings have the id {id!r}, so pairs do not tell which of them is meant"
                warn(f"{line}; give each listing an id of its own")
        detector = (self.adapt(embeddings) if adapt else self).among(len(embeddings))
        seen, shared, pictures = detector._without_shared(embeddings)
        sets = detector.sets(seen, pictures)
        sure = max(least, FEWEST_SURE)  # with a low one, all of a catalogue's pairs would be scored

        ways: list[NDArray[np.float64]] = []
        asked: list[NDArray[np.intp]] = []

        def score(pairs: NDArray[np.intp]) -> NDArray[np.float64]:
            return detector._scores(sets, sets, pairs)

        def noted(pairs: NDArray[np.intp]) -> NDArray[np.float64]:
            asked.append(pairs)
            ways.append(detector._ways(sets, sets, pairs, detector._seen(sets, sets, pairs)))
            return _probabilities(np.logaddexp(*ways[-1].T) + detector.metric.rarer)

        def kinds(pairs: NDArray[np.intp]) -> list[str]:
            return detector._kinds(sets, sets, pairs)

        pairs, _ = scored_pairs(sets, NEIGHBOURS, noted, sure)
        # each pair was asked for once, and they come back in ascending order
        order = np.lexsort(np.concatenate([np.empty((0, 2), np.intp), *asked])[:, ::-1].T)
        every = np.concatenate([np.empty((0, 2)), *ways])[order]
        scores = _probabilities(detector.metric.in_catalogue(pairs, every, sets.counts))
        if titles_alone:  # all of these pairs are new: those above are of listings with photos
            by_title = pairs_by_title(sets.titles, sets.counts == 0)
            pairs, scores = np.concatenate([pairs, by_title]), np.append(scores, score(by_title))
            order = np.lexsort((pairs[:, 1], pairs[:, 0]))
            pairs, scores = pairs[order], scores[order]
        if precision is not None:
            threshold = threshold_of(scores, precision)
        if threshold >= LOWEST:  # what a low threshold takes for duplicates is no witness
            pairs, scores = with_witnesses(pairs, scores, threshold, sets.counts == 1)
        return Found(ids, pairs, scores, score, kinds, threshold, known or KnownItems.of(ids), shared)

    def needs_titles(self) -> None:
        """Raise BundleError if the bundle does not know what titles count."""
        if self.metric.titles is None:
            raise BundleError(
                "this bundle does not know what titles count, so nothing is found by titles alone; "
                "use one that learnt it, or leave titles_alone (--titles-alone) out"
            )

    def without_shared(self, embeddings: Sequence[Embedding]) -> tuple[list[Embedding], list[SharedPicture]]:
        """Leave out pictures that lie in many listings that otherwise differ. → the listings without them, what it was

        The detector is one that was adapted to these listings; another one only knows pictures that are the same to the
        bit.
        """
        return self._without_shared(embeddings)[:2]

    def _without_shared(
        self, embeddings: Sequence[Embedding]
    ) -> tuple[list[Embedding], list[SharedPicture], NDArray[np.intp]]:
        """Do as `without_shared`. Return also the numbers of the catalogue's pictures that the photos left show."""
        pictures = self._pictures_of(embeddings)

        def related(left: Sequence[Embedding], right: Sequence[Embedding]) -> NDArray[np.bool_]:
            pairs = np.stack([np.arange(len(left))] * 2, axis=1)
            lefts, rights = self.sets(left), self.sets(right)
            likelier = self._beside(lefts, rights, pairs)
            some, of_photos = self._seen(lefts, rights, pairs)
            likelier[some] += np.logaddexp(*self.metric.ways(of_photos).T) - self.metric.unseen
            # other photos must speak for it; where there are none, it is enough that the titles do not contradict
            found: NDArray[np.bool_] = likelier >= np.where(some, RELATED, -RELATED)
            return found

        seen, shared, stays = without_shared(embeddings, pictures, related)
        return seen, shared, pictures[stays]

    def _pictures_of(self, embeddings: Sequence[Embedding]) -> NDArray[np.intp]:
        """Return the number of the catalogue's picture that each photo shows, or NONE, shape (n_photos,)."""
        known, some = self.metric.surroundings, [each for each in embeddings if len(each)]
        if known is None or not some:
            return np.full(sum(map(len, some)), NONE)
        return known.of_photos({name: Stacked(some, name) for name in self.spaces}, _thumbnails_of(some))

    def explain(self, left: Listing | Embedding, right: Listing | Embedding) -> PhotoMatches:
        """Tell which photos of two listings match, and what each word of their titles counts.

        Parameters
        ----------
        left, right : Listing or Embedding
            An embedding knows no photos to show.

        Returns
        -------
        PhotoMatches
            A list of PhotoMatch, best first, one for each photo of the smaller set. A notebook shows it as photos. Its
            `title_words` are empty where a title is missing, or where the bundle knows nothing of titles.
        """
        lefts, rights = (self.sets(self.embed([each], titles_alone=True)) for each in (left, right))
        cosines = {level: photo_cosines(lefts, rights, level) for level in self.spaces}
        shape = len(lefts.thumbnails), len(rights.thumbnails)
        rows, columns = np.indices(shape).reshape(2, -1)
        copies = compared(lefts.thumbnails[rows], rights.thumbnails[columns])[:, DETAILS].reshape(shape)
        total = sum(cosines.values(), copies)
        words = explain_titles(left.title, right.title, self._rarity, self.metric.titles) if self.metric.titles else ()
        matches = PhotoMatches((), getattr(left, "photos", ()), getattr(right, "photos", ()), words)
        for _ in range(min(shape)):
            i, j = np.unravel_index(np.argmax(total), shape)
            levels = {level: float(cosine[i, j]) for level, cosine in cosines.items()}
            matches.append(PhotoMatch(int(i), int(j), levels, float(copies[i, j])))
            total[i], total[:, j] = -np.inf, -np.inf
        return matches

    def sets(self, embeddings: Sequence[Embedding], pictures: NDArray[np.intp] | None = None) -> PhotoSets:
        """Project embeddings into the spaces of this detector. pictures : as `_pictures_of` finds them, if known"""
        seen = [each for each in embeddings if len(each)]
        n_photos = sum(map(len, seen))
        # half precision is enough for cosines, and a large catalogue fits into half the memory
        units = {name: np.empty((n_photos, space.matrix.shape[1]), np.float16) for name, space in self.spaces.items()}
        lengths = {name: np.empty(n_photos, np.float32) for name in units}
        for name, space in self.spaces.items():
            features = Stacked(seen, name)
            for start in range(0, n_photos, PHOTOS_AT_ONCE):
                some = slice(start, start + PHOTOS_AT_ONCE)
                vectors = space.project(features[some])
                units[name][some], lengths[name][some] = unit(vectors), np.linalg.norm(vectors, axis=1)
        little = _thumbnails_of(embeddings)
        counts = np.array([len(each) for each in embeddings], int)
        known = self.metric.surroundings
        titles = TitleTable.of([each.title for each in embeddings], self._rarity)
        prices = np.array([np.nan if each.price is None else each.price for each in embeddings], float)
        if known is None:
            return PhotoSets(units, little, counts, titles, prices)
        pictures = self._pictures_of(seen) if pictures is None else pictures
        return AdaptedPhotoSets(units, little, counts, titles, prices, lengths, marks(seen), self._pictures, pictures)

    @cached_property
    def _rarity(self) -> Rarity:
        """How rare words are in the catalogue that this detector was adapted to."""
        known = self.metric.surroundings
        return known.rarity if known else Rarity.empty()

    @cached_property
    def _pictures(self) -> Pictures:
        """The pictures of the catalogue that this detector was adapted to, as it compares them."""
        known = self.metric.surroundings
        if known is None:
            raise ValueError("this detector was not adapted to a catalogue")
        vectors = {
            name: space.project(unit(known.features[name].astype(np.float32))) for name, space in self.spaces.items()
        }
        return Pictures(vectors, known.shares)

    def _seen(self, left: PhotoSets, right: PhotoSets, pairs: NDArray[np.intp]) -> Seen:
        """Compare the photos of pairs."""
        some = (left.counts[pairs[:, 0]] > 0) & (right.counts[pairs[:, 1]] > 0)
        wanted = self.metric.wanted | (np.array(names(left.vectors)) == "copy")
        return some, evidence(left, right, pairs[some], wanted)

    def _scores(
        self, left: PhotoSets, right: PhotoSets, pairs: NDArray[np.intp], seen: Seen | None = None
    ) -> NDArray[np.float64]:
        """Return the probabilities of pairs, 0 for those of which nothing can be compared."""
        return _probabilities(self._logits(left, right, pairs, seen or self._seen(left, right, pairs)))

    def _logits(self, left: PhotoSets, right: PhotoSets, pairs: NDArray[np.intp], seen: Seen) -> NDArray[np.float64]:
        """Weigh what the photos and titles of pairs have in common; -inf where nothing can be compared."""
        # what titles count was learnt among the nearest titles, however many others there are
        rarer = np.where(seen[0], self.metric.rarer, 0.0)
        found: NDArray[np.float64] = np.logaddexp(*self._ways(left, right, pairs, seen).T) + rarer
        return found

    def _ways(self, left: PhotoSets, right: PhotoSets, pairs: NDArray[np.intp], seen: Seen) -> NDArray[np.float64]:
        """Weigh the same for each way to be one item, as if the catalogue were small. → (n_pairs, 2)"""
        some, of_photos = seen
        titled = (left.titles.counts[pairs[:, 0]] > 0) & (right.titles.counts[pairs[:, 1]] > 0)
        ways = np.full((len(pairs), 2), -np.inf)
        ways[some] = self.metric.ways(of_photos)
        if self.metric.titles:
            ways[titled & ~some, 0] = UNSEEN_BY_TITLE
        return ways + self._beside(left, right, pairs)[:, None]

    def _beside(self, left: PhotoSets, right: PhotoSets, pairs: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return how much likelier, in nats, titles and prices of pairs make it that they are one item."""
        likelier = np.zeros(len(pairs)) + PRICE_WEIGHT * price_evidence(left.prices, right.prices, pairs)[:, 0]
        if self.metric.titles:
            likelier += self.metric.titles.logits(title_evidence(left.titles, right.titles, pairs))
        return likelier

    def _kinds(self, left: PhotoSets, right: PhotoSets, pairs: NDArray[np.intp], seen: Seen | None = None) -> list[str]:
        """Say what kind of duplicates pairs are: "copy", "same item" or "title"."""
        some, of_photos = seen or self._seen(left, right, pairs)
        kinds = np.full(len(pairs), "title", object)
        kinds[some] = np.where(of_photos[:, names(left.vectors).index("copy")] > 0, "copy", "same item")
        found: list[str] = kinds.tolist()
        return found


def _probabilities(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-logits))
    return found


def _sampled(embeddings: Sequence[Embedding]) -> Sequence[Embedding]:
    """Return at most ADAPTED_TO listings, chosen by their marks, so that neither chance nor their order matters."""
    if len(embeddings) <= ADAPTED_TO:
        return embeddings
    first = marks([_first_photo(each) for each in embeddings])
    return [embeddings[number] for number in np.argsort(first, kind="stable")[:ADAPTED_TO]]


def _first_photo(embedding: Embedding) -> Embedding:
    features = {name: each[:1] for name, each in embedding.features.items()}
    return replace(embedding, features=features, thumbnails=embedding.thumbnails[:1])


def _thumbnails_of(embeddings: Sequence[Embedding]) -> Thumbnails:
    return np.concatenate([np.empty((0, LENGTH), np.int8), *(each.thumbnails for each in embeddings)])
