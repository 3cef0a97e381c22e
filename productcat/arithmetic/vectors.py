"""Products of rows, and rows scaled to length 1."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

ROWS = 64
"""Number of rows that are multiplied with all others at a time, so that they stay in the processor's cache."""

Real = TypeVar("Real", bound=np.floating)


def unit(vectors: NDArray[Real]) -> NDArray[Real]:
    """Scale rows to length 1; a row of zeros stays."""
    scaled: NDArray[Real] = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
    return scaled


def products(left: NDArray[Real], right: NDArray[Real]) -> NDArray[Real]:
    """Return the inner products of all rows of two arrays, (n, k) and (m, k) → (n, m).

    Each is summed in the same order whatever the other rows are. So a listing's figures stay the same to the bit in
    every batch, whatever categories are beside it. BLAS (`left @ right.T`) does not promise that.
    """
    left, right = np.ascontiguousarray(left), np.ascontiguousarray(right)  # the memory layout sets the order, too
    found = np.empty((len(left), len(right)), np.result_type(left, right))
    for start in range(0, len(right), ROWS):
        found[:, start : start + ROWS] = np.einsum("nk,mk->nm", left, right[start : start + ROWS])
    return found
