"""Do two listings show the same physical item? A learned metric between sets of photos.

Made by `training/duplicates/metric.py`. Each photo is seen on several levels of the image model; the levels' features
are compared in a whitened space, in which what many photos share counts for little; a learned head turns what two sets
of photos have in common into a probability.
"""

import warnings
from collections import Counter
from dataclasses import replace
from functools import cached_property

import numpy as np

from productcat.arithmetic.vectors import unit
from productcat.duplicates.embedding import Embedding, marks, stacked
from productcat.duplicates.evidence import evidence, photo_cosines
from productcat.duplicates.leave_out import OwnShares, add_known
from productcat.duplicates.matches import PhotoMatch, PhotoMatches
from productcat.duplicates.metric import SetMetric, raised
from productcat.duplicates.neighbours import scored_pairs
from productcat.duplicates.pairs import DuplicatePair
from productcat.duplicates.photo_sets import AdaptedPhotoSets, PhotoSets
from productcat.duplicates.thumbnails import SIDE, correlations, thumbnails, unframed
from productcat.duplicates.whitening import known_share
from productcat.errors import BundleError
from productcat.listings.listing import Listing, only
from productcat.listings.photos import decoded
from productcat.models.bundle import DEFAULT, Bundle
from productcat.models.image_model import ImageModel

BATCH = 64
"""Listings embedded at a time: an iterable may be longer than memory."""

NEIGHBOURS = 10
"""So many of its most similar photos, and of its most similar listings, are what `find` scores for each at first."""


class DuplicateDetector:
    """Scores pairs of listings by their sets of photos.

    Made by `DuplicateDetector.load`. A listing without a photo that can be read is never a duplicate: its scores are 0,
    and a warning names it.

    Attributes
    ----------
    threshold : float
        From here up `find` and `cluster` take a pair for duplicates, unless they are told otherwise.
    """

    def __init__(self, image_model, metric, threshold):
        self.image_model = image_model
        self.metric = metric
        self.threshold = threshold

    @cached_property
    def spaces(self):
        """Where photos are compared, by level. Seconds to make, so only once it is needed: `adapt` makes others."""
        return {name: level.space() for name, level in self.metric.levels.items()}

    @classmethod
    def load(cls, bundle=None):
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

    def adapt(self, listings):
        """A detector that knows a catalogue: what its listings have in common, such as one studio, is no evidence.

        No labels are needed. Some dozens of listings already help, and a few change little. A pair of its own listings
        is judged by the catalogue without the two.

        Parameters
        ----------
        listings : iterable of Listing or Embedding

        Returns
        -------
        DuplicateDetector
            Takes the embeddings of this one.
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

    def embed(self, listings):
        """Look at the photos of listings.

        Parameters
        ----------
        listings : iterable of Listing or Embedding
            Embeddings are handed through.

        Returns
        -------
        list of Embedding
        """
        found, batch = [], []
        for each in only((Listing, Embedding), listings):
            if isinstance(each, Embedding):
                found.extend([*self._embed(batch), each])
                batch = []
            else:
                batch.append(each)
            if len(batch) == BATCH:
                found.extend(self._embed(batch))
                batch = []
        found.extend(self._embed(batch))
        return found

    def score(self, left, right):
        """Probability that aligned pairs show the same item.

        Parameters
        ----------
        left, right : iterables of Listing or Embedding, equally long

        Returns
        -------
        ndarray of shape (n_pairs,), in [0, 1]
            score(a, b) == score(b, a).
        """
        left, right = self.embed(left), self.embed(right)
        if len(left) != len(right):
            raise ValueError(f"{len(left)} listings on the left, {len(right)} on the right: expected as many on both")
        pairs = np.stack([np.arange(len(left))] * 2, axis=1)
        return self._scores(self.sets(left), self.sets(right), pairs)

    def score_matrix(self, left, right):
        """Probabilities of all pairs, shape (n_left, n_right)."""
        left, right = self.sets(self.embed(left)), self.sets(self.embed(right))
        shape = len(left.counts), len(right.counts)
        return self._scores(left, right, np.indices(shape).reshape(2, -1).T).reshape(shape)

    def find(self, listings, threshold=None, adapt=True):
        """Pairs of duplicates in a catalogue.

        The most similar listings of each, by nearest photos and by nearest mean vectors, are scored: ten of each, and
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

    def cluster(self, listings, threshold=None, adapt=True):
        """Groups of listings that are connected by duplicates, the largest first. → list of lists of ids"""
        ids, pairs, _ = self._found(self.embed(listings), threshold, adapt)
        groups = {}
        for pair in pairs.tolist():
            joined, other = (groups.get(row, [row]) for row in pair)
            if joined is not other:
                joined += other
                groups.update(dict.fromkeys(joined, joined))
        different = {id(group): sorted(ids[row] for row in group) for group in groups.values()}.values()
        return sorted(different, key=lambda group: (-len(group), group))

    def _found(self, embeddings, threshold, adapt):
        """As `find`. → list of ids, pairs of their numbers, best first, and the pairs' scores"""
        threshold = self.threshold if threshold is None else threshold
        ids = [each.id for each in embeddings]
        for id, times in Counter(ids).items():
            if times > 1:
                line = f"{times} listings have the id {id!r}, so pairs do not tell which of them is meant"
                warnings.warn(f"{line}; give each listing an id of its own", UserWarning, stacklevel=3)
        detector = self.adapt(embeddings) if adapt else self
        sets = detector.sets(embeddings)
        sure = max(threshold, self.metric.threshold / 2)  # with a low one, all of a catalogue's pairs would be scored
        pairs, scores = scored_pairs(sets, NEIGHBOURS, lambda pairs: detector._scores(sets, sets, pairs), sure)
        order = np.argsort(-scores, kind="stable")
        order = order[scores[order] >= threshold]
        return ids, pairs[order], scores[order]

    def threshold_among(self, n_listings):
        """The threshold for a catalogue of so many listings that is as strict as `threshold` is for a small one.

        The more listings there are, the more pairs are no duplicates: the odds of each fall with the number of others
        that a listing is compared with, so those of the threshold rise with it (Saerens et al. 2002, "Adjusting the
        outputs of a classifier to new a priori probabilities"). It is never below `threshold`, and the same for a
        bundle that does not say with how many others its threshold was chosen.
        """
        times = (n_listings - 1) / (self.metric.compared or np.inf)
        return raised(self.threshold, times) if times > 1 else self.threshold

    def explain(self, left, right):
        """Which photos of two listings match.

        Parameters
        ----------
        left, right : Listing or Embedding
            An embedding knows no photos to show.

        Returns
        -------
        PhotoMatches
            A list of PhotoMatch, best first, one for each photo of the smaller set; a notebook shows it as photos.
        """
        known = [getattr(each, "photos", ()) for each in (left, right)]
        left, right = (self.sets(self.embed([each])) for each in (left, right))
        cosines = {level: photo_cosines(left, right, level) for level in self.spaces}
        shape = len(left.thumbnails), len(right.thumbnails)
        rows, columns = np.indices(shape).reshape(2, -1)
        copies = correlations(left.thumbnails[rows], right.thumbnails[columns]).reshape(shape)
        total, matches = sum(cosines.values(), copies), PhotoMatches((), *known)
        for _ in range(min(shape)):
            i, j = np.unravel_index(np.argmax(total), shape)
            levels = {level: float(cosine[i, j]) for level, cosine in cosines.items()}
            matches.append(PhotoMatch(int(i), int(j), levels, float(copies[i, j])))
            total[i], total[:, j] = -np.inf, -np.inf
        return matches

    def sets(self, embeddings):
        """Embeddings in the spaces of this detector. → PhotoSets"""
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

    def _embed(self, listings):
        """Embeddings of a batch; warns of photos that cannot be read and of listings without any."""
        if not listings:
            return []
        problems = [[] for _ in listings]
        owners, parts, little = [], {name: [] for name in self.metric.levels}, [_no_thumbnails()]
        for some, pixels in decoded(listings, self.image_model.size, problems):
            pixels = unframed(pixels)
            outputs = self.image_model.run(pixels)[1]
            owners += some
            little.append(thumbnails(pixels))
            for name, level in self.metric.levels.items():
                parts[name].append(level.compact(outputs[name]))
        little = np.concatenate(little)
        kept = {name: np.concatenate(part) for name, part in parts.items() if part}
        found = []
        for number, listing in enumerate(listings):
            rows = np.flatnonzero(np.array(owners) == number)
            for line in problems[number] or ([] if len(rows) else [f"listing {listing.id!r}: no photo"]):
                warnings.warn(f"{line}" if len(rows) else f"{line}; it is never a duplicate", UserWarning, stacklevel=4)
            found.append(Embedding(listing.id, {name: each[rows] for name, each in kept.items()}, little[rows]))
        return found

    def _scores(self, left, right, pairs):
        scores = np.zeros(len(pairs))
        some = (left.counts[pairs[:, 0]] > 0) & (right.counts[pairs[:, 1]] > 0)
        scores[some] = self.metric.probabilities(evidence(left, right, pairs[some], self.metric.wanted))
        return scores


def _no_thumbnails():
    return np.empty((0, SIDE * SIDE), np.int8)
