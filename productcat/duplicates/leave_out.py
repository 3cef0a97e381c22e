"""Compare photos in a space that was made of all photos except themselves.

A background that was adapted to a catalogue holds the very photos that are compared in it. Each photo brings the
direction in which it differs from all others, and whitening takes away what photos of the background vary in. In a
catalogue of twenty listings two copies of one photo would look as if they had nothing in common. So each pair of
listings is judged by the background without the two. No background is computed again for that: what leaving out rows
changes in inner products under an inverse covariance has a closed form (Sherman & Morrison 1950; Woodbury 1950), as in
leave-one-out residuals of a regression.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

Marks: TypeAlias = NDArray[np.uint64]
Shares: TypeAlias = NDArray[np.float64]

Known: TypeAlias = Mapping[int, tuple[float, int]]
"""The photos of a background: mark → (share of the background, number of photos with that mark)."""


@dataclass(frozen=True)
class OwnShares:
    """What photos are themselves of a background.

    marks : ndarray of shape (n_photos,), uint64
        Fingerprints of their features; the same where the features are the same.
    shares : ndarray of shape (n_photos,)
        Share of the background, in [0, 1), that all its photos of that mark have together.
    times : ndarray of shape (n_photos,)
        Number of photos of that mark in the background.
    """

    marks: Marks
    shares: Shares
    times: Shares

    @classmethod
    def of(cls, marks: Marks, known: Known) -> Self:
        """Look photos up by their marks."""
        found = [known.get(int(mark), (0.0, 0)) for mark in marks]
        shares, times = np.array(found, float).reshape(-1, 2).T
        return cls(marks, shares, times)

    def at(self, rows: NDArray[np.intp]) -> tuple[Marks, Shares, Shares]:
        """Return marks, shares and times of some photos, each of the shape of `rows`."""
        return self.marks[rows], self.shares[rows], self.times[rows]


def marks_of(features: NDArray[np.int8]) -> Marks:
    """Fingerprint the features of photos.

    features : ndarray of shape (n_photos, n_bytes), int8 → ndarray of shape (n_photos,), uint64
    """
    digests = (hashlib.blake2b(row, digest_size=8).digest() for row in np.ascontiguousarray(features))
    return np.frombuffer(b"".join(digests), np.uint64)


def add_known(known: Known, marks: Marks, shares: Shares, before: float) -> dict[int, tuple[float, int]]:
    """Add photos to those that a background has. before: the share that the earlier photos keep"""
    found = {mark: (share * before, times) for mark, (share, times) in known.items()}
    for mark, share in zip(marks.tolist(), shares.tolist(), strict=True):
        earlier, times = found.get(mark, (0.0, 0))
        found[mark] = earlier + share, times + 1
    return found


def _without_own(products: NDArray[np.float64], shares: Shares) -> NDArray[np.float64]:
    """Turn inner products of photos in a whitened space into those in the space whitened without these photos.

    Let Z be the photos in the space of a background of which they are the shares p, P their sum, and G = Z Z'. Without
    them the mean lies at -Z'p / (1 - P), and of the covariance, with its ridge the identity, Z'B Z is gone, where
    B = diag(p) + p p' / (1 - P). (The ridge and the choice of dimensions stay those of the whole.) So
    Z (I - Z'B Z)⁻¹ Z' = (I - G B)⁻¹ G, with Z moved by Z'p / (1 - P), is what is returned.

    Parameters
    ----------
    products : array of shape (..., n, n)
        G.
    shares : array of shape (..., n)
        p, each in [0, 1), with a sum below 1.

    Returns
    -------
    array of shape (..., n, n)
        Up to a factor, which cosines do not see.
    """
    one = np.eye(products.shape[-1])
    rest = 1.0 - shares.sum(axis=-1)[..., None, None]
    column, row = shares[..., :, None], shares[..., None, :]
    without: NDArray[np.float64] = np.linalg.solve(one - products @ (column * one + column * row / rest), products)
    column, row = column / rest, row / rest
    moved: NDArray[np.float64] = without + row @ without + without @ column + row @ without @ column
    return moved


def cosines_without(
    vectors: NDArray[np.float32], marks: Marks, shares: Shares, times: Shares, first: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compare the photos of pairs of listings in the space without the pair's own photos.

    Parameters
    ----------
    vectors : ndarray of shape (n_pairs, n, n_dimensions), float32
        The photos of both listings of each pair, not scaled to length 1.
    marks, shares, times : ndarray of shape (n_pairs, n)
        As `OwnShares` has them.
    first : int
        Number of the n photos that are of the first listing.

    Returns
    -------
    cosines : ndarray of shape (n_pairs, first, n - first)
        Of the first listing's photos with the other's.
    means : ndarray of shape (n_pairs,)
        Cosines of the means of both listings' unit vectors.
    """
    # In the order of the marks, so that neither the order of photos nor that of the listings changes a bit of float32.
    order = np.argsort(marks, axis=1, kind="stable")
    vectors, marks, shares, times = (_ordered(each, order) for each in (vectors, marks, shares, times))
    alike = (marks[:, :, None] == marks[:, None, :]).sum(axis=2)
    shares = shares / np.maximum(np.maximum(times, alike), 1)
    products = _without_own(np.matmul(vectors, vectors.transpose(0, 2, 1)).astype(np.float64), shares)
    products += products.transpose(0, 2, 1).copy()
    lengths = np.sqrt(np.maximum(np.einsum("pnn->pn", products), 1e-12))
    cosines = products / (lengths[:, :, None] * lengths[:, None, :])
    ours = (order < first).astype(float)
    inside = [np.einsum("pnm,pn,pm->p", cosines, side, side) for side in (ours, 1 - ours)]
    between = ours[:, :, None] != ours[:, None, :]
    means = (cosines * between).sum(axis=(1, 2)) / 2 / np.sqrt(np.maximum(inside[0] * inside[1], 1e-12))
    place = np.argsort(order, axis=1)
    cosines = np.take_along_axis(cosines, place[:, :first, None], axis=1)
    return np.take_along_axis(cosines, place[:, None, first:], axis=2), means


def _ordered(values: NDArray[Any], order: NDArray[np.intp]) -> NDArray[Any]:
    return np.take_along_axis(values, order.reshape(order.shape + (1,) * (values.ndim - 2)), axis=1)
