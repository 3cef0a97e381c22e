"""The photos of many listings, as a detector compares them."""

from dataclasses import dataclass

import numpy as np

from productcat.arithmetic.vectors import unit
from productcat.duplicates.leave_out import OwnShares


@dataclass(frozen=True)
class PhotoSets:
    """The photos of many listings, one below the other.

    vectors : dict, level → ndarray of shape (n_photos, n_dimensions), float32
        Unit vectors in the space of each level.
    lengths : dict, level → ndarray of shape (n_photos,), float32
        What they were before they were scaled to unit length.
    thumbnails : ndarray of shape (n_photos, SIDE * SIDE), int8
        As `thumbnails` makes them.
    counts : ndarray of shape (n_listings,), int
        Photos of each listing.
    own : OwnShares, optional
        Where the spaces were adapted to a catalogue, which may hold these photos.
    """

    vectors: dict[str, np.ndarray]
    lengths: dict[str, np.ndarray]
    thumbnails: np.ndarray
    counts: np.ndarray
    own: OwnShares | None = None

    @property
    def starts(self):
        """The row of each listing's first photo, shape (n_listings,)."""
        return np.cumsum(self.counts) - self.counts

    def means(self, level):
        """The mean vector of each listing, scaled to length 1; zeros without photos. (n_listings, n_dimensions)"""
        sums = np.zeros((len(self.counts), self.vectors[level].shape[1]), np.float32)
        some = self.counts > 0
        if some.any():
            sums[some] = np.add.reduceat(self.vectors[level], self.starts[some])
        return unit(sums)
