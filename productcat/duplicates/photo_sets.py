"""The photos of many listings, as a detector compares them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from productcat.arithmetic.vectors import unit
from productcat.duplicates.leave_out import OwnShares


@dataclass(frozen=True)
class PhotoSets:
    """The photos of many listings, one below the other.

    vectors : dict, level → ndarray of shape (n_photos, n_dimensions), float32
        Unit vectors in the space of each level.
    thumbnails : ndarray of shape (n_photos, SIDE * SIDE), int8
        As `thumbnails` makes them.
    counts : ndarray of shape (n_listings,), int
        Number of photos of each listing.
    """

    vectors: dict[str, NDArray[np.float32]]
    thumbnails: NDArray[np.int8]
    counts: NDArray[np.intp]

    @cached_property
    def starts(self) -> NDArray[np.intp]:
        """The row of each listing's first photo, shape (n_listings,)."""
        return np.cumsum(self.counts) - self.counts

    @cached_property
    def means(self) -> dict[str, NDArray[np.float32]]:
        """The mean vector of each listing, scaled to length 1; zeros without photos.

        dict, level → ndarray of shape (n_listings, n_dimensions), float32
        """
        return {level: self._means(vectors) for level, vectors in self.vectors.items()}

    def _means(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        sums = np.zeros((len(self.counts), vectors.shape[1]), np.float32)
        some = self.counts > 0
        if some.any():
            sums[some] = np.add.reduceat(vectors, self.starts[some])
        return unit(sums)

    def rows(self, listings: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the rows of the photos of listings that have equally many. → (n_listings, n_photos of each)"""
        return self.starts[listings, None] + np.arange(self.counts[listings[0]])


@dataclass(frozen=True)
class AdaptedPhotoSets(PhotoSets):
    """Photos in spaces that were adapted to a catalogue, which may hold the photos themselves.

    lengths : dict, level → ndarray of shape (n_photos,), float32
        Lengths of the vectors before they were scaled to unit length.
    own : OwnShares
        What the photos are themselves of the background.
    """

    lengths: dict[str, NDArray[np.float32]]
    own: OwnShares

    def unscaled(self, level: str, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return the vectors of some photos with their own lengths. → (*rows.shape, n_dimensions)"""
        return self.vectors[level][rows] * self.lengths[level][rows][..., None]
