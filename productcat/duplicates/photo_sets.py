"""The photos of many listings, as a detector compares them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from productcat.arithmetic.vectors import unit
from productcat.duplicates.surroundings import NONE
from productcat.duplicates.thumbnails import Thumbnails
from productcat.duplicates.titles import TitleTable

LISTINGS_AT_ONCE = 4_096
"""Number of listings whose means are computed together."""


@dataclass(frozen=True)
class PhotoSets:
    """The photos of many listings, one below the other.

    vectors : dict, level → ndarray of shape (n_photos, n_dimensions), float16 or float32
        Unit vectors in the space of each level.
    thumbnails : ndarray of shape (n_photos, LENGTH), int8
        As `thumbnails` makes them.
    counts : ndarray of shape (n_listings,), int
        Number of photos of each listing.
    titles : TitleTable
        Of the listings.
    prices : ndarray of shape (n_listings,), NaN where none is known
    """

    vectors: dict[str, NDArray[np.floating]]
    thumbnails: Thumbnails
    counts: NDArray[np.intp]
    titles: TitleTable
    prices: NDArray[np.float64]

    @cached_property
    def starts(self) -> NDArray[np.intp]:
        """The row of each listing's first photo, shape (n_listings,)."""
        return np.cumsum(self.counts) - self.counts

    @cached_property
    def means(self) -> dict[str, NDArray[np.float32]]:
        """The mean vector of each listing, scaled to length 1; zeros without photos.

        dict, level → ndarray of shape (n_listings, n_dimensions), as precise as the vectors
        """
        return {level: self._means(vectors) for level, vectors in self.vectors.items()}

    def _means(self, vectors: NDArray[np.floating]) -> NDArray[np.floating]:
        means = np.zeros((len(self.counts), vectors.shape[1]), vectors.dtype)
        seen = np.flatnonzero(self.counts)
        for start in range(0, len(seen), LISTINGS_AT_ONCE):
            some = seen[start : start + LISTINGS_AT_ONCE]
            first, end = self.starts[some[0]], self.starts[some[-1]] + self.counts[some[-1]]
            photos = vectors[first:end].astype(np.float32)
            means[some] = unit(np.add.reduceat(photos, self.starts[some] - first))
        return means

    def at(self, level: str, rows: NDArray[np.intp] | slice) -> NDArray[np.float32]:
        """Return the vectors of some photos. → (*rows.shape, n_dimensions)"""
        return self.vectors[level][rows].astype(np.float32, copy=False)

    def rows(self, listings: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the rows of the photos of listings that have equally many. → (n_listings, n_photos of each)"""
        return self.starts[listings, None] + np.arange(self.counts[listings[0]])


@dataclass(frozen=True)
class Pictures:
    """The distinct pictures of a catalogue, in the spaces that were adapted to it.

    vectors : dict, level → ndarray of shape (n_pictures, n_dimensions), float32
        Not scaled to length 1.
    shares : ndarray of shape (n_pictures,)
        Of the background.
    """

    vectors: dict[str, NDArray[np.float32]]
    shares: NDArray[np.float64]


@dataclass(frozen=True)
class AdaptedPhotoSets(PhotoSets):
    """Photos in spaces that were adapted to a catalogue, which may hold the photos themselves.

    lengths : dict, level → ndarray of shape (n_photos,), float32
        Lengths of the vectors before they were scaled to unit length.
    marks : ndarray of shape (n_photos,), uint64
        Tell photos apart.
    catalogue : Pictures
    pictures : ndarray of shape (n_photos,), int
        The number of the catalogue's picture that each photo shows, or NONE.
    """

    lengths: dict[str, NDArray[np.float32]]
    marks: NDArray[np.uint64]
    catalogue: Pictures
    pictures: NDArray[np.intp]

    def unscaled(self, level: str, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return the vectors of some photos with their own lengths. → (*rows.shape, n_dimensions)"""
        return self.at(level, rows) * self.lengths[level][rows][..., None]

    def own(self, level: str, rows: NDArray[np.intp]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Return what pictures photos show, (*rows.shape, n_dimensions), and their shares, 0 where there is none."""
        pictures = self.pictures[rows]
        return self.catalogue.vectors[level][pictures], np.where(pictures == NONE, 0.0, self.catalogue.shares[pictures])
