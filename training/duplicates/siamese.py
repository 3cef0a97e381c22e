"""Learns the head of the duplicate detector from pairs: how much each piece of evidence counts.

Both listings of a pair go through the same spaces, and only symmetric evidence of the two sets leaves them. So neither
the order of the photos nor that of the listings can matter. After Bromley et al. 1993, "Signature verification using a
Siamese time delay neural network"; sets as in Zaheer et al. 2017, "Deep Sets". The towers are the whitened spaces of
`productcat.duplicates.detector`, and the evidence is that of `productcat.duplicates.evidence`. Learning a weight for
each dimension too, or a hidden layer, was not better on unseen domains.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from productcat.duplicates.detector import NEIGHBOURS, DuplicateDetector
from productcat.duplicates.embedding import Embedding
from productcat.duplicates.evidence import evidence
from productcat.duplicates.metric import Experts, Head, Weights
from productcat.duplicates.neighbours import scored_pairs
from productcat.duplicates.rivals import LEAST, Contrast, rivals
from productcat.jobs.progress import Progress
from training.duplicates.metric import AMONG, Bases, MetricConfig, metric_of
from training.duplicates.photo_table import PhotoTable
from training.duplicates.remembered import remembered

ITEM_BIAS, COPY_BIAS = -6.0, -9.0
"""Logits, before training, of two listings that have nothing in common, as other photos of an item and as copies."""

MOST_COPY_BIAS = -7.0
"""The greatest of these, since looks alone make no copy."""

AGAIN, MOST_AGAIN = 0.2, 4
"""Share of the items that some catalogues show again, and in how many listings at most."""

DIFFERENCES = ("hue", "light")
"""The last columns of `pictures.EVIDENCE`: how unlike pictures are."""

NOTHING = Weights(np.empty(0), 0.0)
UNLEARNT = Head(Experts(NOTHING, NOTHING), Experts(NOTHING, NOTHING))
"""Head of a detector of which only the evidence is wanted."""


@dataclass(frozen=True)
class SiameseConfig:
    """Settings of the head; the `[siamese]` table of a training configuration.

    catalogues: number of catalogues drawn of each domain, each of two listings of `items` items at most; and of others,
    which show a fifth of the items again.
    most_photos: number of photos of a listing there, at most.
    prior: what the means of each level count before training.
    pictures: what each column of `pictures.EVIDENCE` counts before training, of copies.
    l2: this times half the squared distance from the prior is added to the mean cross-entropy. It matters where the
    domains to learn from are few.
    shops: how many times as much as a domain of items a large catalogue counts.
    again: how many times as much as catalogues that show every item twice those count that show few again.
    """

    catalogues: int = 2
    items: int = 300
    most_photos: int = 4
    prior: tuple[float, ...] = (10.0, 3.0)
    pictures: tuple[float, ...] = (0.0, 2.0, 4.0, -0.6, -1.0)
    l2: float = 1e-4
    shops: float = 0.6
    again: float = 0.3

    def __post_init__(self) -> None:
        least = {"catalogues": 1, "items": 2, "most_photos": 1, "l2": 0}
        for name, value in least.items():
            if not getattr(self, name) >= value:
                raise ValueError(f"{name} is {getattr(self, name)}: expected {value} or more")
        if not all(each >= 0 for each in self.prior) or not any(self.prior):
            raise ValueError(f"prior is {list(self.prior)}: expected only numbers from 0 up, and one above 0")


@dataclass(frozen=True)
class Samples:
    """Pairs of listings to learn from: those that `find` would score in catalogues.

    seen : ndarray of shape (n_pairs, n_evidence), float32
        The last column is how well the catalogue is known.
    same : ndarray of shape (n_pairs,), bool
    pairs : ndarray of shape (n_pairs, 2), int
        Numbers of the listings, each of one catalogue only.
    domains : ndarray of shape (n_pairs,), int
    listings : ndarray of shape (n_pairs,), int
        Number of listings in the catalogue of each pair.
    twice : ndarray of shape (n_pairs,), bool
        Whether that catalogue shows every item twice.
    """

    seen: NDArray[np.float32]
    same: NDArray[np.bool_]
    pairs: NDArray[np.intp]
    domains: NDArray[np.intp]
    listings: NDArray[np.intp]
    twice: NDArray[np.bool_]

    @classmethod
    def of(
        cls, detector: DuplicateDetector, listings: Sequence[Embedding], items: NDArray[np.generic], number: int
    ) -> Self:
        """Take the pairs of one catalogue. items : what each listing shows; number : of the domain"""
        seen, same, pairs = candidates(detector, listings, items)
        _, times = np.unique(items, return_counts=True)
        every = (np.full(len(same), each) for each in (number, len(listings), bool((times > 1).all())))
        return cls(seen, same, pairs, *every)

    @classmethod
    def joined(cls, parts: Sequence["Samples"]) -> Self:
        """Take all pairs of several."""
        first = np.cumsum([0, *(int(each.pairs.max(initial=-1)) + 1 for each in parts)])
        parts = [replace(each, pairs=each.pairs + start) for each, start in zip(parts, first, strict=False)]
        return cls(*(np.concatenate([getattr(each, name.name) for each in parts]) for name in fields(cls)))

    @classmethod
    def drawn(
        cls, table: PhotoTable, bases: Bases, config: MetricConfig, siamese: SiameseConfig, seed: int = 0
    ) -> Self:
        """Draw catalogues of each domain. The domain is new to the detector, before and after it adapts to it.

        Parameters
        ----------
        table : PhotoTable
            As `PhotoTable.kept` gives it.
        bases : dict
            As `training.duplicates.metric.bases` gives them.
        config : MetricConfig
        siamese : SiameseConfig
        """
        rng, drawn, domains = np.random.default_rng(seed), [], np.unique(table.domains)
        with Progress("catalogues to learn from", len(domains) * siamese.catalogues, "catalogues") as progress:
            for number, domain in enumerate(domains):
                mine = table.domains == domain
                rows = [np.flatnonzero(table.items == item) for item in np.unique(table.items[mine])]
                unaware = DuplicateDetector(None, metric_of(table.rows(~mine), bases, UNLEARNT, config), 0.5)
                detector = unaware.adapt(table.listings(rows))
                for _ in range(siamese.catalogues):
                    items, sets = _twice(rows, siamese, rng)
                    drawn += [cls.of(each, table.listings(sets), items, number) for each in (detector, unaware)]
                    items, sets = _again(rows, siamese, rng)
                    drawn.append(cls.of(detector, table.listings(sets), items, number))
                    progress.advance(1)
        return cls.joined(drawn)

    def rows(self, where: NDArray[np.bool_] | NDArray[np.intp]) -> "Samples":
        """Return some of the pairs. where : which, ndarray of shape (n_pairs,), bool; or their numbers"""
        return Samples(*(getattr(self, each.name)[where] for each in fields(self)))

    @property
    def known(self) -> NDArray[np.bool_]:
        """Whether the catalogue of each pair is known, shape (n_pairs,)."""
        known: NDArray[np.bool_] = self.seen[:, -1] > 0
        return known

    @property
    def rarer(self) -> NDArray[np.float64]:
        """What is added to the logit of each pair since so many listings are searched, shape (n_pairs,)."""
        rarer: NDArray[np.float64] = -np.log(np.maximum((self.listings - 1) / AMONG, 1.0))
        return rarer

    @property
    def weights(self) -> NDArray[np.float64]:
        """Weights that make all domains count the same, shape (n_pairs,), with a sum of 1."""
        times = np.bincount(self.domains)
        return 1 / (np.count_nonzero(times) * times[self.domains])


def _twice(
    rows: Sequence[NDArray[np.intp]], config: SiameseConfig, rng: np.random.Generator
) -> tuple[NDArray[np.intp], list[NDArray[np.intp]]]:
    """Make two listings of each item, of random photos. rows : photos of each item → items, rows of each listing"""
    items = rng.permutation(len(rows))[: config.items]
    return np.repeat(items, 2), [side for item in items for side in _halves(rows[item], config.most_photos, rng)]


def _again(
    rows: Sequence[NDArray[np.intp]], config: SiameseConfig, rng: np.random.Generator
) -> tuple[NDArray[np.intp], list[NDArray[np.intp]]]:
    """Make one listing of most items, and two to four of a few. → as `_twice`"""
    items, sets = [], []
    for item in rng.permutation(len(rows))[: config.items]:
        shuffled = rng.permutation(rows[item])
        n_listings = min(len(shuffled), int(rng.integers(2, MOST_AGAIN + 1))) if rng.random() < AGAIN else 1
        parts = np.array_split(shuffled if n_listings > 1 else shuffled[: (len(shuffled) + 1) // 2], n_listings)
        sets += [part[: config.most_photos] for part in parts]
        items += [item] * n_listings
    return np.array(items), sets


def _halves(rows: NDArray[np.intp], most: int, rng: np.random.Generator) -> list[NDArray[np.intp]]:
    shuffled = rng.permutation(rows)
    cut = rng.integers(1, len(rows))
    return [_shown(side, rng)[:most] for side in (shuffled[:cut], shuffled[cut:])]


def _shown(rows: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.intp]:
    """Return all of them or, just as often, a part: listings show few photos or many."""
    return rows if rng.random() < 0.5 else rows[: rng.integers(1, len(rows) + 1)]


def candidates(
    detector: DuplicateDetector, listings: Sequence[Embedding], items: NDArray[np.generic]
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.intp]]:
    """Return the pairs that `find` would score in an adapted detector's catalogue, where few are duplicates.

    Parameters
    ----------
    detector : DuplicateDetector
    listings : list of Embedding
    items : ndarray of shape (n_listings,)
        What each listing shows.

    Returns
    -------
    seen : ndarray of shape (n_pairs, n_evidence), float32
        With how well the catalogue is known as the last column.
    same : ndarray of shape (n_pairs,), bool
    pairs : ndarray of shape (n_pairs, 2), int
    """
    sets = detector.sets(listings)
    pairs, _ = scored_pairs(sets, NEIGHBOURS, lambda pairs: np.zeros(len(pairs)), np.inf)
    seen = detector.metric.all_evidence(evidence(sets, sets, pairs, compare=remembered))
    return seen, items[pairs[:, 0]] == items[pairs[:, 1]], pairs


def fit_head(samples: Samples, shops: Samples, config: SiameseConfig) -> Head:
    """Fit what evidence counts in known catalogues, and where nothing is known.

    Parameters
    ----------
    samples : Samples
        Of items with several photos.
    shops : Samples
        Of large catalogues with copies.
    config : SiameseConfig

    Returns
    -------
    Head
        Its probabilities are right among AMONG listings. A pair among more is rarer, see `SetMetric.rarer`.
    """
    twice = samples.rows(samples.twice)
    known, unknown = (
        _fit(twice.rows(twice.known == way), shops.rows(shops.known == way), config) for way in (True, False)
    )
    head = Head(known, unknown)
    return replace(head, contrast=fit_contrast(head, samples.rows(samples.known), config))


def fit_contrast(head: Head, samples: Samples, config: SiameseConfig) -> Contrast:
    """Fit what it counts that a match stands out, by logistic regression on known catalogues.

    Pairs that are copies are left out. Those of items that were shown twice and those of items that few were shown
    again have their own weight, since the contrast is greatest where every listing has just one other.
    """
    from scipy.optimize import minimize
    from scipy.special import expit

    ways = head.ways(samples.seen)
    against = rivals(samples.pairs, ways, int(samples.pairs.max(initial=-1)) + 1)
    some = ~np.isnan(against) & (ways[:, 1] <= 0)
    samples, own, against = samples.rows(some), ways[some, 0], np.maximum(against[some], LEAST)
    share, signs = samples.seen[:, -1].astype(np.float64), np.where(samples.same, 1.0, -1.0)
    seen = share[:, None] * np.stack([own, -against, np.ones(len(own))], axis=1)
    offset = (1.0 - share) * own + samples.rarer
    counted = np.where(samples.twice, 1.0, config.again)
    for kind in (True, False):
        counted[samples.twice == kind] *= samples.rows(samples.twice == kind).weights

    def loss(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margins = signs * (seen @ values + offset)
        pull = config.l2 * (values - start)
        return float(counted @ np.logaddexp(0, -margins) + pull @ (values - start) / 2), pull - (
            counted * signs * expit(-margins)
        ) @ seen

    start = np.array([1.0, 0.0, 0.0])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0.0, None), (0.0, None), (None, None)])
    return Contrast(*map(float, found.x))


def _fit(samples: Samples, shops: Samples, config: SiameseConfig) -> Experts:
    """Fit both experts together, from where the settings say to where the likelihood is greatest.

    No similarity counts against a pair, and no difference for it. Two articles often look alike from one side, one item
    from all sides. So without this bound the mean of the best photos would count against a pair, and average precision
    would be 0.01 higher. But then two listings that share four photos could score less than with two, and copied photos
    are the first thing to be found. How many photos there are is not learnt: it tells domains apart. But of many pairs
    of photos one may agree by chance, so the odds that it is a copy are divided by their number.

    The copies' expert takes the cosines as the settings weigh them beside each other, and pictures. The items' expert
    does not look for copies. To it, outlines that lie over each other count against a pair: an item is hardly shown
    twice in the same place, but sister articles of a studio are.
    """
    from scipy.optimize import minimize
    from scipy.special import expit

    n_cosines = 3 * len(config.prior)
    if n_cosines + len(config.pictures) + 1 != samples.seen.shape[1] - 1:
        raise ValueError(f"prior is {list(config.prior)}: expected a number for each level of the image model")
    every = np.concatenate([samples.seen, shops.seen]).astype(np.float64)
    seen, n_photo_pairs = every[:, :-2], every[:, -2]
    signs = np.where(np.concatenate([samples.same, shops.same]), 1.0, -1.0)
    rarer = np.concatenate([samples.rarer, shops.rarer])
    counted = np.concatenate([samples.weights, config.shops * shops.weights])
    counted /= counted.sum()

    prior = np.array([value for each in config.prior for value in (each, 0.0, 0.0)])
    looks = prior / prior.sum()
    cosines, pictures, ones = seen[:, :n_cosines], seen[:, n_cosines:], np.ones((len(seen), 1))
    n_differences = len(DIFFERENCES)
    items = np.concatenate([cosines, pictures[:, :1], pictures[:, -n_differences:], ones], axis=1)
    copies = np.concatenate([cosines @ looks[:, None], pictures, ones], axis=1)
    n_items = items.shape[1]
    start = np.array([*prior, 0.0, *config.pictures[-n_differences:], ITEM_BIAS, 3.0, *config.pictures, COPY_BIAS])
    similar, different, free = (0.0, None), (None, 0.0), (None, None)
    n_similar = len(config.pictures) - n_differences
    bounds: list[tuple[float | None, float | None]] = [
        *[similar] * n_cosines, *[different] * (1 + n_differences), free,
        *[similar] * (1 + n_similar), *[different] * n_differences, (None, MOST_COPY_BIAS),
    ]  # fmt: skip

    def loss(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        of_items, of_copies = items @ values[:n_items], copies @ values[n_items:] - n_photo_pairs
        margins = signs * (np.logaddexp(of_items, of_copies) + rarer)
        slopes = -counted * signs * expit(-margins)
        share = expit(of_items - of_copies)
        pull = config.l2 * (values - start)
        both = np.concatenate([(slopes * share) @ items, (slopes * (1.0 - share)) @ copies])
        return float(counted @ np.logaddexp(0, -margins) + pull @ (values - start) / 2), both + pull

    tight = {"maxiter": 5000, "maxfun": 10_000, "ftol": 1e-13, "gtol": 1e-9}
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=tight)
    if not found.success:
        raise ValueError(f"no head fits the {len(signs)} pairs ({found.message}); raise l2")
    of_items, of_copies = found.x[:n_items], found.x[n_items:]
    unseen = np.zeros(n_similar - 1)
    item_weights = [*of_items[: n_cosines + 1], *unseen, *of_items[n_cosines + 1 : -1], 0.0]
    copy_weights = [*of_copies[0] * looks, *of_copies[1:-1], -1.0]
    return Experts(
        Weights(np.array(item_weights), float(of_items[-1])), Weights(np.array(copy_weights), float(of_copies[-1]))
    )
