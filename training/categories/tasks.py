"""Simulated marketplaces: categories known from few examples or their names, and listings to judge."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from productcat.arithmetic.vectors import unit
from productcat.categories.projections import CategoryProjections, FewShot, prototype_of
from productcat.categories.prototypes import Prototypes

SHOTS = (0, 1, 5, 10, 30)
"""Numbers of examples of a category; 0 is the name alone."""

QUERIES = 200
"""Number of listings judged in each task to learn from, which are enough to fit seven numbers."""


@dataclass(frozen=True)
class Labelled:
    """Listings as a categorizer sees them.

    distributions : ndarray of shape (n, n_classes)
    vectors : dict, "photos" | "title" → ndarray of shape (n, n_features)
    labels : ndarray of shape (n,), int, numbers of `names`
    names : list of str; named : ndarray of shape (n_names, n_classes), rows of NaN for names without a known word
    """

    distributions: NDArray[np.float64]
    vectors: dict[str, NDArray[np.float32]]
    labels: NDArray[np.intp]
    names: list[str]
    named: NDArray[np.float64]

    def rows(self, rows: NDArray[np.intp]) -> "Labelled":
        """Return some of the listings."""
        vectors = {modality: each[rows] for modality, each in self.vectors.items()}
        return Labelled(self.distributions[rows], vectors, self.labels[rows], self.names, self.named)


@dataclass(frozen=True)
class Task:
    """Categories known from some listings, `support`, and others to be judged. names: whether names count, too."""

    support: Labelled
    queries: Labelled
    names: bool = True

    def confidences(self, few_shot: FewShot, floor: float) -> NDArray[np.float64]:
        """Return the confidences of the queries, shape (n_queries, n_names)."""
        rows = zip(self.examples, self.support.named, strict=True)
        matrix = np.array([self._projection(own, named, few_shot.name_counts) for own, named in rows])
        projections = CategoryProjections(
            self.support.names, matrix, floor, few_shot.temperature, self.prototypes, few_shot
        )
        return projections.confidences(self.queries.distributions, self.queries.vectors)

    @cached_property
    def examples(self) -> list[NDArray[np.intp]]:
        """The rows of `support` of each category."""
        return [np.flatnonzero(self.support.labels == number) for number in range(len(self.support.names))]

    @cached_property
    def prototypes(self) -> dict[str, Prototypes]:
        """The prototypes of the categories by modality, "photos" or "title"."""
        return {
            modality: Prototypes.of([prototype_of(modality, each[own]) if len(own) else None for own in self.examples])
            for modality, each in self.support.vectors.items()
        }

    def _projection(self, own: NDArray[np.intp], named: NDArray[np.float64], name_counts: float) -> NDArray[np.float64]:
        counts = name_counts if len(own) else 1.0
        if np.isnan(named).any() or (len(own) and not self.names):
            counts, named = 0.0, np.zeros_like(named)
        if len(own) + counts == 0:
            return np.full_like(named, 1 / len(named))
        return (self.support.distributions[own].sum(axis=0) + counts * named) / (len(own) + counts)

    def nearest_mean(self) -> NDArray[np.intp]:
        """Return the answers of the plain rival, shape (n_queries,): the mean features with the greatest cosine."""
        means = [self.support.vectors["photos"][own].mean(axis=0) for own in self.examples]
        return np.argmax(self.queries.vectors["photos"] @ unit(np.stack(means)).T, axis=1)


def draw(
    labelled: Labelled,
    queries: Labelled | None,
    shots: Sequence[int] | NDArray[np.integer],
    rng: np.random.Generator,
    names: bool = True,
    most: int | None = None,
) -> Task:
    """Draw a task.

    Parameters
    ----------
    labelled : Labelled
        Examples are drawn from these.
    queries : Labelled or None
        None: the listings that are not drawn. Then at most half of a category's listings become examples.
    shots : sequence of int, length n_names
        Number of examples of each category.
    names : bool
        Whether the names count, too.
    most : int, optional
        Number of queries at most.
    """
    rows = [rng.permutation(np.flatnonzero(labelled.labels == number)) for number in range(len(shots))]
    limits = [len(each) // 2 if queries is None else len(each) for each in rows]
    chosen = [each[: min(n, limit)] for each, n, limit in zip(rows, shots, limits, strict=True)]
    support = np.concatenate(chosen)
    if queries is None:
        queries = labelled.rows(np.setdiff1d(np.arange(len(labelled.labels)), support))
    queries = queries.rows(rng.permutation(len(queries.labels))[:most])
    return Task(labelled.rows(support), queries, names)


def simulated(labelled: Labelled, seed: int, draws: int = 4) -> list[Task]:
    """Draw tasks to learn from.

    All categories have the same number of examples, or numbers of their own, with and without names. In the last tasks
    only one category has examples: it must not take what belongs to others of which no photo is known.
    """
    rng, n_names = np.random.default_rng(seed), len(labelled.names)

    def task(shots: Sequence[int] | NDArray[np.integer], names: bool = True) -> Task:
        return draw(labelled, None, shots, rng, names, QUERIES)

    tasks = []
    for _ in range(draws):
        tasks += [task([n] * n_names) for n in SHOTS]
        tasks.append(task(rng.choice(SHOTS, n_names)))
        tasks.append(task(rng.choice(SHOTS[1:], n_names), names=False))
        for own in rng.choice(n_names, 2, replace=False):
            tasks.append(task(np.where(np.arange(n_names) == own, rng.choice(SHOTS[1:]), 0)))
    return tasks
