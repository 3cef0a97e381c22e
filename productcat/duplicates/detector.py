"""Do two listings show the same physical item? A learned metric between sets of photos.

`training/duplicates/metric.py` makes it. The image model sees each photo on several levels. The features of each level
are compared in a whitened space, in which what many photos share counts for little. A learned head turns what two sets
of photos have in common into a probability.
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from productcat.arithmetic.vectors import unit
from productcat.duplicates.embedding import Embedding, mark_of, marks, stacked
from productcat.duplicates.evidence import evidence, photo_cosines
from productcat.duplicates.groups import connected
from productcat.duplicates.leave_out import OwnShares, add_known
from productcat.duplicates.matches import PhotoMatch, PhotoMatches
from productcat.duplicates.metric import SetMetric, raised
from productcat.duplicates.neighbours import scored_pairs
from productcat.duplicates.pairs import DuplicatePair
from productcat.duplicates.photo_sets import AdaptedPhotoSets, PhotoSets
from productcat.duplicates.thumbnails import SIDE, correlations, thumbnails, unframed
from productcat.duplicates.whitening import Space, known_share
from productcat.errors import BundleError
from productcat.listings.listing import Listing, only
from productcat.listings.photos import decoded
from productcat.models.bundle import DEFAULT, Bundle
from productcat.models.image_model import ImageModel
from productcat.problems import OnProblem, Problem, warn

LISTINGS_AT_ONCE = 64
"""Number of listings embedded together: an iterable may be longer than memory."""

NEIGHBOURS = 10
"""Number of most similar photos, and of most similar listings, that `find` scores for each at first."""


class DuplicateDetector:
    """Scores pairs of listings by their sets of photos.

    `DuplicateDetector.load` makes one. A listing without a photo that can be read is never a duplicate: its scores are
    0, and a warning names it.

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
        opened = Bundle.open(bundle)
        if not opened.has("duplicates"):
            raise BundleError(f"bundle {opened.path}: no 'duplicates' part in it; use one with it, such as {DEFAULT}")
        metric = SetMetric.load(opened.part("duplicates"))
        return cls(ImageModel.load(opened.features_part()), metric, metric.threshold)

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
        embeddings = [each for each in self.embed(listings) if len(each)]
        if not embeddings:
            return self
        weights = np.concatenate([np.full(len(each), 1 / len(each)) for each in embeddings])
        levels = {
            name: replace(level, background=level.background.adapted(stacked(embeddings, name), weights))
            for name, level in self.metric.levels.items()
        }
        share = known_share(len(embeddings))
        known = add_known(self.metric.known, marks(embeddings), share * weights / len(embeddings), 1 - share)
        return DuplicateDetector(self.image_model, replace(self.metric, levels=levels, known=known), self.threshold)

    def embed(self, listings: Iterable[Listing | Embedding], on_problem: OnProblem = warn) -> list[Embedding]:
        """Look at the photos of listings.

        Parameters
        ----------
        listings : iterable of Listing or Embedding
            Embeddings are handed through.
        on_problem : callable
            Called with each Problem: a photo that cannot be read, or a listing without photos. By default a warning.
        """
        found = []
        for embedding, problems in self.look(listings):
            for problem in problems:
                on_problem(problem)
            found.append(embedding)
        return found

    def look(self, listings: Iterable[Listing | Embedding]) -> Iterator[tuple[Embedding, list[Problem]]]:
        """Yield the embedding of each listing, and what is wrong with its photos."""
        waiting: list[Listing] = []
        for each in only((Listing, Embedding), listings):
            if isinstance(each, Listing):
                waiting.append(each)
            if isinstance(each, Embedding) or len(waiting) == LISTINGS_AT_ONCE:
                yield from self._looked_at(waiting)
                waiting = []
            if isinstance(each, Embedding):
                yield each, []
        yield from self._looked_at(waiting)

    def _looked_at(self, listings: list[Listing]) -> Iterator[tuple[Embedding, list[Problem]]]:
        if not listings:
            return
        for listing, embedding, reasons in zip(listings, *self.look_at(listings), strict=True):
            if not len(embedding):
                reasons = [f"{why}; it is never a duplicate" for why in reasons or ["no photo"]]
            yield embedding, [Problem(listing.id, why) for why in reasons]

    def look_at(self, listings: Sequence[Listing]) -> tuple[list[Embedding], list[list[str]]]:
        """Embed a batch. Return the embeddings, and for each the reasons why photos of it cannot be read."""
        model = self._eyes()
        problems: list[list[str]] = [[] for _ in listings]
        owners: list[int] = []
        parts: dict[str, list[NDArray[np.int8]]] = {name: [] for name in self.metric.levels}
        little = [_no_thumbnails()]
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
            found.append(Embedding(listing.id, {name: each[rows] for name, each in kept.items()}, small[rows]))
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
        lefts, rights = self.embed(left), self.embed(right)
        if len(lefts) != len(rights):
            raise ValueError(f"{len(lefts)} listings on the left, {len(rights)} on the right: expected equally many")
        pairs = np.stack([np.arange(len(lefts))] * 2, axis=1)
        return self._scores(self.sets(lefts), self.sets(rights), pairs)

    def score_matrix(
        self, left: Iterable[Listing | Embedding], right: Iterable[Listing | Embedding]
    ) -> NDArray[np.float64]:
        """Return the probabilities of all pairs, shape (n_left, n_right)."""
        lefts, rights = self.sets(self.embed(left)), self.sets(self.embed(right))
        shape = len(lefts.counts), len(rights.counts)
        return self._scores(lefts, rights, np.indices(shape).reshape(2, -1).T).reshape(shape)

    def find(
        self, listings: Iterable[Listing | Embedding], threshold: float | None = None, adapt: bool = True
    ) -> list[DuplicatePair]:
        """Find the pairs of duplicates in a catalogue.

        The most similar listings of each are scored, by nearest photos and by nearest mean vectors: ten of each, and
        more as long as most of them are duplicates.

        Parameters
        ----------
        listings : iterable of Listing or Embedding
        threshold : float in [0, 1], optional
            Least score; the detector's own by default. `threshold_among` gives one for a large catalogue.
        adapt : bool
            First adapt to these listings, as `adapt` does.

        Returns
        -------
        list of DuplicatePair
            Best first, every pair once.
        """
        ids, pairs, scores = self._found(self.embed(listings), threshold, adapt)
        return [DuplicatePair(ids[a], ids[b], float(score)) for (a, b), score in zip(pairs, scores, strict=True)]

    def cluster(
        self, listings: Iterable[Listing | Embedding], threshold: float | None = None, adapt: bool = True
    ) -> list[list[str]]:
        """Return groups of listings that are connected by duplicates, as lists of ids, the largest first."""
        ids, pairs, _ = self._found(self.embed(listings), threshold, adapt)
        groups = [sorted(ids[number] for number in group) for group in connected(pairs.tolist())]
        return sorted(groups, key=lambda group: (-len(group), group))

    def _found(
        self, embeddings: list[Embedding], threshold: float | None, adapt: bool
    ) -> tuple[list[str], NDArray[np.intp], NDArray[np.float64]]:
        """Find pairs. Return all ids, pairs of their numbers, best first, and the scores of the pairs."""
        threshold = self.threshold if threshold is None else threshold
        ids = [each.id for each in embeddings]
        for id, times in Counter(ids).items():
            if times > 1:
                line = f"{times} listings have the id {id!r}, so pairs do not tell which of them is meant"
                warn(f"{line}; give each listing an id of its own")
        detector = self.adapt(embeddings) if adapt else self
        sets = detector.sets(embeddings)
        sure = max(threshold, self.metric.threshold / 2)  # with a low one, all of a catalogue's pairs would be scored
        pairs, scores = scored_pairs(sets, NEIGHBOURS, lambda pairs: detector._scores(sets, sets, pairs), sure)
        order = np.argsort(-scores, kind="stable")
        order = order[scores[order] >= threshold]
        return ids, pairs[order], scores[order]

    def threshold_among(self, n_listings: int) -> float:
        """Return the threshold that is as strict among so many listings as `threshold` is in a small catalogue.

        In a large catalogue more pairs are not duplicates. The odds of a pair fall with the number of others that a
        listing is compared with, so the odds of the threshold rise with it (Saerens et al. 2002, "Adjusting the outputs
        of a classifier to new a priori probabilities"). The result is never below `threshold`. It is `threshold` itself
        for a bundle that does not say with how many others its threshold was chosen.
        """
        times = (n_listings - 1) / (self.metric.compared or np.inf)
        return raised(self.threshold, times) if times > 1 else self.threshold

    def explain(self, left: Listing | Embedding, right: Listing | Embedding) -> PhotoMatches:
        """Tell which photos of two listings match.

        Parameters
        ----------
        left, right : Listing or Embedding
            An embedding knows no photos to show.

        Returns
        -------
        PhotoMatches
            A list of PhotoMatch, best first, one for each photo of the smaller set. A notebook shows it as photos.
        """
        lefts, rights = (self.sets(self.embed([each])) for each in (left, right))
        cosines = {level: photo_cosines(lefts, rights, level) for level in self.spaces}
        shape = len(lefts.thumbnails), len(rights.thumbnails)
        rows, columns = np.indices(shape).reshape(2, -1)
        copies = correlations(lefts.thumbnails[rows], rights.thumbnails[columns]).reshape(shape)
        total = sum(cosines.values(), copies)
        matches = PhotoMatches((), getattr(left, "photos", ()), getattr(right, "photos", ()))
        for _ in range(min(shape)):
            i, j = np.unravel_index(np.argmax(total), shape)
            levels = {level: float(cosine[i, j]) for level, cosine in cosines.items()}
            matches.append(PhotoMatch(int(i), int(j), levels, float(copies[i, j])))
            total[i], total[:, j] = -np.inf, -np.inf
        return matches

    def sets(self, embeddings: Sequence[Embedding]) -> PhotoSets:
        """Project embeddings into the spaces of this detector."""
        seen = [each for each in embeddings if len(each)]
        vectors = {
            name: space.project(stacked(seen, name) if seen else np.empty((0, len(space.mean)), np.float32))
            for name, space in self.spaces.items()
        }
        units = {name: unit(each) for name, each in vectors.items()}
        little = np.concatenate([each.thumbnails for each in embeddings]) if embeddings else _no_thumbnails()
        counts = np.array([len(each) for each in embeddings], int)
        if not self.metric.known:
            return PhotoSets(units, little, counts)
        lengths = {name: np.linalg.norm(each, axis=1) for name, each in vectors.items()}
        return AdaptedPhotoSets(units, little, counts, lengths, OwnShares.of(marks(seen), self.metric.known))

    def _scores(self, left: PhotoSets, right: PhotoSets, pairs: NDArray[np.intp]) -> NDArray[np.float64]:
        scores = np.zeros(len(pairs))
        some = (left.counts[pairs[:, 0]] > 0) & (right.counts[pairs[:, 1]] > 0)
        scores[some] = self.metric.probabilities(evidence(left, right, pairs[some], self.metric.wanted))
        return scores


def _no_thumbnails() -> NDArray[np.int8]:
    return np.empty((0, SIDE * SIDE), np.int8)
