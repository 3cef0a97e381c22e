"""Prototypes: what the examples of a category have in common.

A prototype is the mean of the features of a category's examples (imprinting, Qi et al. 2018, "Low-shot learning with
imprinted weights"). Two things count for less: what all prototypes have in common, and the features in which examples
of one category differ. That is linear discriminant analysis (Fisher 1936), regularised because examples are few
(Friedman 1989). It needs no training: the examples say it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from productcat.arithmetic.vectors import products, unit

OF_ONE, OF_ALL = 32, 1_024
"""Number of deviations that are kept for one category, and for all together: 4 MB of 2,048 features.

What is cut when categories come does not return when some of them go.
"""

NOTHING = 1e-6
"""Threshold for the variance: below it, examples differ by rounding only. Photos vary by some tenths."""


@dataclass(frozen=True)
class Prototype:
    """What a category's examples have in common.

    vector : ndarray of shape (n_features,), float32
        Mean of the unit vectors of the examples. It is longer if they are more alike.
    examples : int
        Number of examples. 0: the prototype is of the training listings of a class. The models know these better than
        any mean does, so it says nothing of its own; a listing must be more like other prototypes than like it.
    deviations : ndarray of shape (n_kept, n_features), float16, or None
        The unit vectors of some examples less the mean of all. None: they are not kept.
    """

    vector: NDArray[np.float32]
    examples: int
    deviations: NDArray[np.float16] | None = None

    @classmethod
    def of(cls, vectors: NDArray[np.float32], deviations: bool = True) -> Self:
        """Make the prototype of vectors of shape (n_examples, n_features). deviations : whether they are kept"""
        mean = vectors.mean(axis=0)
        kept = deviations and len(vectors) > 1
        return cls(mean, len(vectors), (vectors[:OF_ONE] - mean).astype(np.float16) if kept else None)


@dataclass(frozen=True)
class Prototypes:
    """The prototypes of all categories, of their photos or of their titles.

    vectors : ndarray of shape (n_categories, n_features), float32
        Rows of zeros for categories without a prototype.
    examples : ndarray of shape (n_categories,), int
        As in `Prototype`.
    deviations : ndarray of shape (n_kept, n_features), float16
        Those of the first category, then those of the second, and so on.
    kept : ndarray of shape (n_categories,), int
        Number of deviations of each category.
    """

    vectors: NDArray[np.float32]
    examples: NDArray[np.int_]
    deviations: NDArray[np.float16]
    kept: NDArray[np.int_]

    @classmethod
    def of(cls, known: Sequence[Prototype | None]) -> Self:
        """Collect the prototypes of the categories, one or none each."""
        width = max((len(each.vector) for each in known if each), default=0)
        none = Prototype(np.zeros(width, np.float32), 0)
        prototypes = [each or none for each in known]
        nothing = np.empty((0, width), np.float16)
        deviations = [nothing if each.deviations is None else each.deviations for each in prototypes]
        kept = _shares([*map(len, deviations)])
        return cls(
            np.array([each.vector for each in prototypes], np.float32).reshape(len(prototypes), width),
            np.array([each.examples for each in prototypes], int),
            np.concatenate([nothing, *(each[:n] for each, n in zip(deviations, kept, strict=True))]),
            kept,
        )

    @cached_property
    def present(self) -> NDArray[np.bool_]:
        """Which categories have one, shape (n_categories,)."""
        return np.asarray(self.vectors.any(axis=1))

    @cached_property
    def _ends(self) -> NDArray[np.int_]:
        return self.kept.cumsum()

    def prototype(self, number: int) -> Prototype:
        """Return the prototype of one category."""
        end = self._ends[number]
        own = self.deviations[end - self.kept[number] : end] if self.kept[number] else None
        return Prototype(self.vectors[number], int(self.examples[number]), own)

    def likeness(
        self, vectors: NDArray[np.float32], scale: float, neutral: float, settling: float, ridge: float
    ) -> NDArray[np.float64]:
        """Return what prototypes add to the logarithm of the score, shape (n_listings, n_categories).

        It is 0 where there is no prototype. vectors : ndarray of shape (n_listings, n_features)
        """
        known = self.present & (self.examples > 0)
        centre, directions, of_classes = self._space(ridge)
        if ridge:
            vectors = unit(vectors - centre)
        neutrals: float | NDArray[np.float64] = neutral
        if len(of_classes):
            neutrals = np.maximum(neutral, products(vectors, of_classes).max(axis=1, keepdims=True))
        found = np.zeros((len(vectors), len(known)))
        trust = self.examples[known] / (self.examples[known] + settling)
        found[:, known] = scale * trust * (products(vectors, directions) - neutrals)
        return np.nan_to_num(found)

    def _space(self, ridge: float) -> "_Space":
        """Return the centre of the features, and the direction in which each category lies from there.

        With v the prototypes, centred by c = Σ v / (n + 1) and scaled to length 1, and S the covariance of the
        deviations, the directions are those of linear discriminant analysis, √λ S⁻¹v / √(vᵀS⁻¹v), which tend to v as λ
        grows. λ = ridge · trace(S) / degrees of freedom is added to the diagonal of S, so more deviations count more.
        S⁻¹ itself, n_features², is never made (Woodbury identity).

        Returns
        -------
        centre : ndarray of shape (n_features,), float32
        directions of categories with examples, directions of classes : ndarrays of shape (n, n_features), float32
        """
        found = self._spaces.get(ridge)
        if found is None:  # two threads may both come here; they find the same
            known = self.examples[self.present] > 0
            centre, directions = self._centred(ridge) if ridge else (0.0, unit(self.vectors[self.present]))
            found = centre, directions[known], directions[~known]
            self._spaces.clear()
            self._spaces[ridge] = found
        return found

    @cached_property
    def _spaces(self) -> dict[float, "_Space"]:
        """The last space, by its ridge."""
        return {}

    @cached_property
    def _within(self) -> tuple[NDArray[np.float32], NDArray[np.float64], float]:
        """Deviations D such that S = DᵀD, their Gram matrix DDᵀ, and the degrees of freedom.

        The mean of n examples takes 1/n of their variance with it.
        """
        free = float((self.kept * (1 - 1 / np.maximum(self.examples, 1))).sum())
        deviations = self.deviations.astype(np.float32) / np.float32(np.sqrt(free or 1))
        return deviations, (deviations @ deviations.T).astype(np.float64), free

    def _centred(self, ridge: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        centre = self.vectors.sum(axis=0) / (self.present.sum() + 1)
        apart = unit(self.vectors[self.present] - centre)
        deviations, gram, free = self._within
        variance, directions = np.trace(gram), apart
        if variance > NOTHING:
            inverse = np.linalg.solve(gram + ridge * variance / free * np.eye(len(gram)), deviations @ apart.T)
            directions = apart - inverse.T.astype(np.float32) @ deviations
            directions /= np.sqrt(np.maximum((apart * directions).sum(axis=1, keepdims=True), 1e-12))
        return centre, directions


_Space = tuple[NDArray[np.float32] | float, NDArray[np.float32], NDArray[np.float32]]


def _shares(wanted: list[int]) -> NDArray[np.int_]:
    """Return how many deviations each category keeps: the first of each, then the second of each, up to OF_ALL."""
    owners = np.repeat(np.arange(len(wanted)), wanted)
    positions = np.concatenate([np.empty(0, int), *map(np.arange, wanted)])
    return np.bincount(owners[np.lexsort((owners, positions))[:OF_ALL]], minlength=len(wanted))
