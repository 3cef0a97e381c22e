"""Kullback-Leibler divergence of listings from categories, in nats (Kullback & Leibler 1951).

KL_c = KL(p‖q) is the divergence of a listing p from category c, whose projection is mixed with a share of the uniform
distribution, its floor: q = (1 − floor) · projection + floor / n_classes. So no divergence is infinite.

KL_none = −H(p) + log(n_classes / floor) is that from a category that shares nothing with the listing. The nearness of
a category is KL_none − KL_c. The entropy H(p) cancels, so nearness is one product, Σ p · lift.
"""

import numpy as np
from numpy.typing import NDArray

from productcat.arithmetic.distributions import entropy
from productcat.arithmetic.vectors import products


def lift(projections: NDArray[np.float64], floor: float) -> NDArray[np.float64]:
    """Return log(q) + log(n_classes / floor), exactly 0 where a projection is 0. (n_categories, n_classes)"""
    return np.asarray(np.log1p((1.0 - floor) / floor * projections.shape[1] * projections))


def nearness(distributions: NDArray[np.float64], lift: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return KL_none − KL_c, shape (n_listings, n_categories)."""
    return products(distributions, lift)


def divergences(distributions: NDArray[np.float64], nearness: NDArray[np.float64], floor: float) -> NDArray[np.float64]:
    """Return KL_c, shape (n_listings, n_categories); NaN rows where the distribution is NaN."""
    none = np.log(distributions.shape[1] / floor) - entropy(distributions)
    # Rounding can leave -1e-17 for equal rows. NaN stays NaN.
    return np.asarray(np.maximum(none[:, None] - nearness, 0.0))
