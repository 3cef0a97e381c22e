"""Learns the head of the duplicate detector from pairs: how much each piece of evidence counts.

Both listings of a pair go through the same spaces, and only symmetric evidence of the two sets leaves them. So neither
the order of the photos nor that of the listings can matter. After Bromley et al. 1993, "Signature verification using a
Siamese time delay neural network"; sets as in Zaheer et al. 2017, "Deep Sets". The towers are the whitened spaces of
`productcat.duplicates.detector`, and the evidence is that of `productcat.duplicates.evidence`. Learning a weight for
each dimension too, or a hidden layer, was not better on unseen domains.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from productcat.duplicates.detector import NEIGHBOURS, DuplicateDetector
from productcat.duplicates.embedding import Embedding
from productcat.duplicates.evidence import evidence
from productcat.duplicates.metric import Head
from productcat.duplicates.neighbours import scored_pairs
from productcat.jobs.progress import Progress
from training.duplicates.metric import Bases, MetricConfig, metric_of
from training.duplicates.photo_table import PhotoTable

BIAS = -6.0
"""Logit, before training, of two listings that have nothing in common."""

UNLEARNT = Head(np.empty(0), 0.0)
"""Head of a detector of which only the evidence is wanted."""


@dataclass(frozen=True)
class SiameseConfig:
    """Settings of the head; the `[siamese]` table of a training configuration.

    catalogues: number of catalogues drawn of each domain, each of two listings of `items` items at most.
    most_photos: number of photos of a listing there, at most.
    prior: what the means of each level count before training.
    l2: this times half the squared distance from the prior is added to the mean cross-entropy. It matters where the
    domains to learn from are few.
    copy_prior: what copied photos count. It is not learnt: most domains have no copies, and those that are made of
    copies only tell how they were made.
    """

    catalogues: int = 6
    items: int = 300
    most_photos: int = 4
    prior: tuple[float, ...] = (10.0, 3.0)
    copy_prior: float = 3.0
    l2: float = 3e-6

    def __post_init__(self) -> None:
        least = {"catalogues": 1, "items": 2, "most_photos": 1, "l2": 0}
        for name, value in least.items():
            if not getattr(self, name) >= value:
                raise ValueError(f"{name} is {getattr(self, name)}: expected {value} or more")
        if not all(each >= 0 for each in self.prior):
            raise ValueError(f"prior is {list(self.prior)}: expected only numbers from 0 up")


@dataclass(frozen=True)
class Samples:
    """Pairs of listings to learn from: those that `find` would score in catalogues that hold every item twice.

    seen : ndarray of shape (n_pairs, n_evidence), float32
        The last column is how well the catalogue is known.
    same : ndarray of shape (n_pairs,), bool
    domains : ndarray of shape (n_pairs,), int
    """

    seen: NDArray[np.float32]
    same: NDArray[np.bool_]
    domains: NDArray[np.intp]

    @classmethod
    def drawn(
        cls, table: PhotoTable, bases: Bases, config: MetricConfig, siamese: SiameseConfig, seed: int = 0
    ) -> Self:
        """Draw catalogues of each domain. The domain is new to the detector, which then adapts to it.

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
                    seen, same = candidates(detector, table.listings(sets), items)
                    drawn.append((seen, same, np.full(len(same), number)))
                    progress.advance(1)
        seen, same, numbers = (np.concatenate(each) for each in zip(*drawn, strict=True))
        return cls(seen, same, numbers)

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


def _halves(rows: NDArray[np.intp], most: int, rng: np.random.Generator) -> list[NDArray[np.intp]]:
    shuffled = rng.permutation(rows)
    cut = rng.integers(1, len(rows))
    return [_shown(side, rng)[:most] for side in (shuffled[:cut], shuffled[cut:])]


def _shown(rows: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.intp]:
    """Return all of them or, just as often, a part: listings show few photos or many."""
    return rows if rng.random() < 0.5 else rows[: rng.integers(1, len(rows) + 1)]


def candidates(
    detector: DuplicateDetector, listings: Sequence[Embedding], items: NDArray[np.generic]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
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
    """
    sets = detector.sets(listings)
    pairs, _ = scored_pairs(sets, NEIGHBOURS, lambda pairs: np.zeros(len(pairs)), np.inf)
    return detector.metric.all_evidence(evidence(sets, sets, pairs)), items[pairs[:, 0]] == items[pairs[:, 1]]


def fit_head(samples: Samples, config: SiameseConfig) -> Head:
    """Fit a logistic regression with normal priors. It is convex, so one solver call finds the answer.

    Every domain has an intercept of its own, and the head gets their mean. With one intercept for all, whatever tells
    the domains apart would pass for evidence: cars look alike, and come with many photos. `metric.calibrated` fits the
    level of the probabilities, and how much it counts that a catalogue is known.

    No similarity counts against a pair. Two articles often look alike from one side, one item from all sides. So
    without this bound the mean of the best photos would count against a pair, and average precision would be 0.01
    higher. But then two listings that share four photos could score less than with two, and copied photos are the
    first thing to be found.
    """
    from scipy.optimize import minimize
    from scipy.special import expit

    n_levels, n_domains = (samples.seen.shape[1] - 3) // 3, samples.domains.max() + 1
    if len(config.prior) != n_levels:
        raise ValueError(f"prior is {list(config.prior)}: expected {n_levels} numbers, one for each level")
    similar = [value for each in config.prior for value in (each, 0.0, 0.0)]
    start = np.array([*similar, config.copy_prior, 0.0, *[BIAS] * n_domains])
    free: tuple[float | None, float | None] = (None, None)
    fixed = config.copy_prior, config.copy_prior
    bounds = [*[(0.0, None)] * len(similar), fixed, free, *[free] * n_domains]
    seen, signs, weights = samples.seen[:, :-1], np.where(samples.same, 1.0, -1.0), samples.weights

    def loss(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margins = signs * (seen @ values[:-n_domains] + values[-n_domains:][samples.domains])
        slopes = -weights * signs * expit(-margins)
        slopes = np.append(slopes @ seen, np.bincount(samples.domains, slopes))
        pull = config.l2 * (values - start)
        return weights @ np.logaddexp(0, -margins) + pull @ (values - start) / 2, slopes + pull

    tight = {"maxiter": 5000, "maxfun": 10_000, "ftol": 1e-13, "gtol": 1e-9}
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=tight)
    if not found.success:
        raise ValueError(f"no head fits the {len(signs)} pairs ({found.message}); raise l2")
    # the catalogues of a domain are all known equally well; `calibrated` learns what that counts
    return Head(np.append(found.x[:-n_domains], 0.0), float(found.x[-n_domains:].mean()))
