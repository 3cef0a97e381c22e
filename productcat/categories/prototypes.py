"""Prototypes: what the examples of a category have in common, told from what varies among them.

A prototype is the mean of the features of a category's examples (imprinting, Qi et al. 2018, "Low-shot learning with
imprinted weights"). What all prototypes have in common tells none from the others, and neither do the features in which
examples of one category differ, so both are made to count for less, as in linear discriminant analysis (Fisher 1936),
regularised since examples are few (Friedman 1989). That takes no training: the examples say it.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from productcat.arithmetic.vectors import products, unit

OF_ONE, OF_ALL = 32, 1_024
"""Deviations of examples that are kept of one category, and of all together: 4 MB of 2,048 features.

What is cut as categories come is not given back when some of them go.
"""

NOTHING = 1e-6
"""Variance below which examples are the same but for rounding; unit vectors of different photos vary by some tenths."""


@dataclass(frozen=True)
class Prototype:
    """What a category's examples have in common.

    vector : ndarray of shape (n_features,), float32
        Mean of the unit vectors of the examples; so it is the longer, the more alike they are.
    examples : int
        0: of the training listings of a class that is a category. The models know these better than any mean does, so
        they say nothing of their own; examples of other categories must be more alike than they.
    deviations : ndarray of shape (n_kept, n_features), float16, or None
        The unit vectors of some examples less the mean of all. None: they are not kept.
    """

    vector: np.ndarray
    examples: int
    deviations: np.ndarray | None = None

    @classmethod
    def of(cls, vectors, deviations=True):
        """vectors : ndarray of shape (n_examples, n_features); deviations : bool, whether they are kept"""
        mean = vectors.mean(axis=0)
        kept = deviations and len(vectors) > 1
        return cls(mean, len(vectors), (vectors[:OF_ONE] - mean).astype(np.float16) if kept else None)


@dataclass(frozen=True)
class Prototypes:
    """Those of one kind of all categories.

    vectors : ndarray of shape (n_categories, n_features), float32
        Rows of zeros for categories without.
    examples : ndarray of shape (n_categories,), int
        As `Prototype` has them.
    deviations : ndarray of shape (n_kept, n_features), float16
        Those of the first category, then those of the second, and so on.
    kept : ndarray of shape (n_categories,), int
        How many of them are of each category.
    """

    vectors: np.ndarray
    examples: np.ndarray
    deviations: np.ndarray
    kept: np.ndarray

    @classmethod
    def of(cls, prototypes):
        """prototypes : list of Prototype or None, one a category"""
        width = max((len(each.vector) for each in prototypes if each), default=0)
        none = Prototype(np.zeros(width, np.float32), 0)
        prototypes = [each or none for each in prototypes]
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
    def present(self):
        """Which categories have one. → ndarray of shape (n_categories,), bool"""
        return self.vectors.any(axis=1)

    @cached_property
    def _ends(self):
        return self.kept.cumsum()

    def prototype(self, number):
        """That of one category. → Prototype"""
        end = self._ends[number]
        own = self.deviations[end - self.kept[number] : end] if self.kept[number] else None
        return Prototype(self.vectors[number], int(self.examples[number]), own)

    def likeness(self, vectors, scale, neutral, settling, ridge):
        """What prototypes say of listings, in the logarithm of the score; 0 where there is none.

        vectors : ndarray of shape (n_listings, n_features) → (n_listings, n_categories)
        """
        known = self.present & (self.examples > 0)
        centre, directions, of_classes = self._space(ridge)
        if ridge:
            vectors = unit(vectors - centre)
        if len(of_classes):
            neutral = np.maximum(neutral, products(vectors, of_classes).max(axis=1, keepdims=True))
        found = np.zeros((len(vectors), len(known)))
        trust = self.examples[known] / (self.examples[known] + settling)
        found[:, known] = scale * trust * (products(vectors, directions) - neutral)
        return np.nan_to_num(found)

    def _space(self, ridge):
        """What is taken from a listing's features, and the direction in which each category lies from there.

        With v the prototypes, centred by c = Σ v / (n + 1) and scaled to length 1, and S the covariance of the
        deviations, the directions are those of linear discriminant analysis, √λ S⁻¹v / √(vᵀS⁻¹v), which tend to v as λ
        grows. λ = ridge · trace(S) / degrees of freedom is added to the diagonal of S: the more deviations, the more
        they count. S⁻¹ itself, n_features², is never made (Woodbury identity).

        → (ndarray of shape (n_features,), the directions of categories with examples, those of classes), float32
        """
        found = self._spaces.get(ridge)
        if found is None:  # threads may both come here, and find the same
            known = self.examples[self.present] > 0
            centre, directions = self._centred(ridge) if ridge else (0.0, unit(self.vectors[self.present]))
            found = centre, directions[known], directions[~known]
            self._spaces.clear()
            self._spaces[ridge] = found
        return found

    @cached_property
    def _spaces(self):
        """The last space, by its ridge."""
        return {}

    @cached_property
    def _within(self):
        """Deviations D such that S = DᵀD, their Gram matrix DDᵀ, and the degrees of freedom.

        The mean of n examples takes a share of 1/n of their variance along.
        """
        free = float((self.kept * (1 - 1 / np.maximum(self.examples, 1))).sum())
        deviations = self.deviations.astype(np.float32) / np.float32(np.sqrt(free or 1))
        return deviations, (deviations @ deviations.T).astype(np.float64), free

    def _centred(self, ridge):
        centre = self.vectors.sum(axis=0) / (self.present.sum() + 1)
        apart = unit(self.vectors[self.present] - centre)
        deviations, gram, free = self._within
        variance, directions = np.trace(gram), apart
        if variance > NOTHING:
            inverse = np.linalg.solve(gram + ridge * variance / free * np.eye(len(gram)), deviations @ apart.T)
            directions = apart - inverse.T.astype(np.float32) @ deviations
            directions /= np.sqrt(np.maximum((apart * directions).sum(axis=1, keepdims=True), 1e-12))
        return centre, directions


def _shares(wanted):
    """How many deviations each category keeps: the first of each, then the second of each, and so on, up to OF_ALL.

    wanted : list of int → ndarray of the same length, int
    """
    owners = np.repeat(np.arange(len(wanted)), wanted)
    positions = np.concatenate([np.empty(0, int), *map(np.arange, wanted)])
    return np.bincount(owners[np.lexsort((owners, positions))[:OF_ALL]], minlength=len(wanted))
