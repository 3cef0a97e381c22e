"""Products of rows, and rows scaled to length 1."""

import numpy as np

ROWS = 64
"""Rows that all others are multiplied with before the next come, so that they stay in the processor's cache."""


def unit(vectors):
    """Rows scaled to length 1; a row of zeros stays."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def products(left, right):
    """Inner products of all rows of two arrays, (n, k) and (m, k) → (n, m).

    Each is summed in the same order whatever the other rows are, so that a listing's figures stay the same to the
    bit in every batch and whichever categories stand beside. BLAS (`left @ right.T`) does not promise that.
    """
    left, right = np.ascontiguousarray(left), np.ascontiguousarray(right)  # the memory layout sets the order, too
    found = np.empty((len(left), len(right)), np.result_type(left, right))
    for start in range(0, len(right), ROWS):
        found[:, start : start + ROWS] = np.einsum("nk,mk->nm", left, right[start : start + ROWS])
    return found
