"""What a detector knows of a catalogue: its distinct pictures, and what of it a photo brings itself.

A background that is made of a catalogue holds the very photos that are compared in it, and their copies. Each photo
brings the direction in which it differs from all others, and whitening takes away what the photos of a background vary
in: what a seller posts forty times would look like what the catalogue has in common. So near copies count once in a
background, and each pair of listings is judged by the background without the pictures of the two (`leave_out`). Near
copies lie over each other; that two photos look alike is not enough, since all articles of one studio do.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from productcat.arithmetic.vectors import unit
from productcat.duplicates.pictures import DETAILS, compared
from productcat.duplicates.thumbnails import Thumbnails
from productcat.duplicates.titles import Rarity
from productcat.duplicates.whitening import Rows, Space

Features: TypeAlias = Mapping[str, NDArray[np.int8]]
"""Level → features of photos, shape (n_photos, n_features)."""

NEAR = 0.5
"""Cosine, in the space in which nothing is known, from which two photos are laid over each other."""

ONE_PICTURE = 0.92
"""Correlation of details from which two photos count as one picture: objects of one shape on one turntable reach 0.9.
"""

FIRST_COMPARED = 2
"""Number of photos most like a picture that are laid over it at first, then twice as many, as long as one agrees."""

ROWS_AT_ONCE = 2_048

NONE = -1
"""Number of the picture of a photo that is none of the catalogue's."""


@dataclass(frozen=True)
class Surroundings:
    """The distinct pictures of a catalogue.

    spaces : dict, level → Space
        In which nothing is known of the catalogue.
    features : dict, level → ndarray of shape (n_pictures, n_features), int8
    shares : ndarray of shape (n_pictures,)
        Of the background, each in [0, 1).
    vectors : ndarray of shape (n_pictures, n_dimensions), float32
        As `seen_plainly` gives them.
    thumbnails : ndarray of shape (n_pictures, LENGTH), int8
    rarity : Rarity
        Of the words of the catalogue's titles.
    """

    spaces: Mapping[str, Space]
    features: Features
    shares: NDArray[np.float64]
    vectors: NDArray[np.float32]
    thumbnails: Thumbnails
    rarity: Rarity

    @classmethod
    def of(
        cls,
        spaces: Mapping[str, Space],
        features: Features,
        thumbnails: Thumbnails,
        shares: NDArray[np.float64],
        titles: Iterable[str],
    ) -> Self:
        """Look at pictures that are distinct already, and at all titles of a catalogue."""
        seen = seen_plainly({name: unit(each.astype(np.float32)) for name, each in features.items()}, spaces)
        return cls(spaces, features, shares, seen, thumbnails, Rarity.of(titles))

    def joined(self, other: "Surroundings", before: float) -> "Surroundings":
        """Add those of another catalogue. before: the share that these keep"""
        features = {name: np.concatenate([each, other.features[name]]) for name, each in self.features.items()}
        shares = np.concatenate([self.shares * before, other.shares])
        vectors = np.concatenate([self.vectors, other.vectors])
        thumbnails = np.concatenate([self.thumbnails, other.thumbnails])
        return Surroundings(self.spaces, features, shares, vectors, thumbnails, other.rarity)

    def of_photos(self, features: Mapping[str, Rows], thumbnails: Thumbnails) -> NDArray[np.intp]:
        """Find photos among the pictures.

        Parameters
        ----------
        features : dict, level → unit vectors of photos, shape (n_photos, n_features)
        thumbnails : ndarray of shape (n_photos, LENGTH), int8

        Returns
        -------
        pictures : ndarray of shape (n_photos,), int
            The number of the picture that each photo shows, or NONE.
        """
        pictures = np.full(len(thumbnails), NONE)
        for start in range(0, len(thumbnails), ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            seen = seen_plainly({name: each[rows] for name, each in features.items()}, self.spaces)
            pictures[rows] = self._own(seen @ self.vectors.T, thumbnails[rows])
        return pictures

    def _own(self, cosines: NDArray[np.float32], thumbnails: Thumbnails) -> NDArray[np.intp]:
        """Return which picture each photo shows, or NONE: of the most similar ones the first that lies over it."""
        found = np.full(len(cosines), NONE)
        n_compared = min(FIRST_COMPARED, cosines.shape[1])
        nearest = np.argpartition(-cosines, n_compared - 1, axis=1)[:, :n_compared]
        nearest = np.take_along_axis(
            nearest, np.argsort(-np.take_along_axis(cosines, nearest, 1), axis=1, kind="stable"), 1
        )
        for pictures in nearest.T:
            some = np.flatnonzero((found == NONE) & (cosines[np.arange(len(cosines)), pictures] >= NEAR))
            same = one_picture(thumbnails[some], self.thumbnails[pictures[some]])
            found[some[same]] = pictures[some[same]]
        return found


def one_picture(first: Thumbnails, second: Thumbnails) -> NDArray[np.bool_]:
    """Tell which photos are near copies, however cropped, turned or lit. (n, LENGTH) twice → (n,)"""
    same: NDArray[np.bool_] = (first == second).all(axis=1)
    others = np.flatnonzero(~same)
    same[others] = compared(first[others], second[others])[:, DETAILS] >= ONE_PICTURE
    return same


def seen_plainly(features: Mapping[str, NDArray[np.float32]], spaces: Mapping[str, Space]) -> NDArray[np.float32]:
    """Return unit vectors of photos in which all levels count the same, shape (n_photos, n_dimensions).

    features : dict, level → unit vectors, shape (n_photos, n_features)
    """
    return unit(np.concatenate([unit(space.project(features[name])) for name, space in spaces.items()], axis=1))


def distinct(vectors: NDArray[np.float32], thumbnails: Thumbnails, marks: NDArray[np.uint64]) -> NDArray[np.intp]:
    """Choose photos such that each other one is a near copy of one of them.

    The order of the photos does not matter.

    Parameters
    ----------
    vectors : ndarray of shape (n_photos, n_dimensions), unit vectors
    thumbnails : ndarray of shape (n_photos, LENGTH), int8
    marks : ndarray of shape (n_photos,)

    Returns
    -------
    rows : ndarray of int
    """
    chosen: list[int] = []
    waiting = np.ones(len(vectors), bool)
    for row in np.argsort(marks, kind="stable"):
        if not waiting[row]:
            continue
        chosen.append(int(row))
        waiting[row] = False
        cosines = vectors @ vectors[row]
        near = np.flatnonzero(waiting & (cosines >= NEAR))
        near = near[np.argsort(-cosines[near], kind="stable")]
        start, n_compared = 0, FIRST_COMPARED
        while start < len(near):
            some = near[start : start + n_compared]
            same = one_picture(np.broadcast_to(thumbnails[row], thumbnails[some].shape), thumbnails[some])
            if not same.any():
                break
            waiting[some[same]] = False
            start, n_compared = start + n_compared, 2 * n_compared
    return np.array(chosen, np.intp)


def marks_of(features: NDArray[np.int8]) -> NDArray[np.uint64]:
    """Fingerprint the features of photos.

    features : ndarray of shape (n_photos, n_bytes), int8 → ndarray of shape (n_photos,), uint64
    """
    digests = (hashlib.blake2b(row, digest_size=8).digest() for row in np.ascontiguousarray(features))
    return np.frombuffer(b"".join(digests), np.uint64)
