"""Compare photos in a space that was made of all pictures except their own.

No background is computed again for that: what leaving out rows changes in inner products under an inverse covariance
has a closed form (Sherman & Morrison 1950; Woodbury 1950), as in leave-one-out residuals of a regression.
`surroundings` says why it is done, and what a photo's own picture is.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def _without_own(products: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.float64]:
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
    vectors: NDArray[np.float32],
    marks: NDArray[np.uint64],
    own: NDArray[np.float32],
    shares: NDArray[np.float64],
    first: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compare the photos of pairs of listings in the space without the pictures of the pair.

    Parameters
    ----------
    vectors : ndarray of shape (n_pairs, n, n_dimensions), float32
        The photos of both listings of each pair, not scaled to length 1.
    marks : ndarray of shape (n_pairs, n), uint64
        Tell photos apart.
    own : ndarray of shape (n_pairs, n, n_dimensions), float32
        The pictures of the background that the photos show; the same one for photos that show the same.
    shares : ndarray of shape (n_pairs, n)
        Of the background, of each of these pictures; a picture that several photos show is divided among them. 0 for a
        photo that shows none of them.
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
    vectors, own, shares = (_ordered(each, order) for each in (vectors, own, shares))
    n = vectors.shape[1]
    every = np.concatenate([vectors, own], axis=1)
    products = np.matmul(every, every.transpose(0, 2, 1)).astype(np.float64)
    products = _without_own(products, np.concatenate([np.zeros_like(shares), shares], axis=1))[:, :n, :n]
    products = products + products.transpose(0, 2, 1)
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
