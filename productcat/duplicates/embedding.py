"""What the duplicate detector and the index keep of the photos of a listing."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from productcat.arithmetic.vectors import unit
from productcat.duplicates.metric import SetMetric
from productcat.duplicates.surroundings import marks_of
from productcat.duplicates.thumbnails import Thumbnails
from productcat.models.bundle import sha256
from productcat.models.image_model import ImageModel

FORMAT = 3
"""Number of the layout of stored embeddings and of an index on disk. Raise it when a reader of the old number could
misread new ones, also when photos are prepared in another way before they are embedded."""

OLD_FORMAT = 2
"""Format before thumbnails had colours. `thumbnails.of_format_2` and `as_format_2` translate."""


@dataclass(frozen=True, eq=False)
class Embedding:
    """What is kept of one listing: of its photos, 2.3 KB a photo, and of what is written of it.

    id : str
    features : dict, level → ndarray of shape (n_photos, n_features), int8
        Unit vectors, each in steps of its own.
    thumbnails : ndarray of shape (n_photos, LENGTH), int8
        As `thumbnails.thumbnails` makes them.
    title : str
    price : float, optional
    """

    id: str
    features: dict[str, NDArray[np.int8]]
    thumbnails: Thumbnails
    title: str = ""
    price: float | None = None

    def __len__(self) -> int:
        """Return the number of photos that can be read."""
        return len(self.thumbnails)

    def with_photos(self, rows: NDArray[np.intp]) -> Self:
        """Return the listing with some of its photos only, by their numbers."""
        features = {name: each[rows] for name, each in self.features.items()}
        return replace(self, features=features, thumbnails=self.thumbnails[rows])


class Stacked:
    """The features of one level, photo below photo, as unit vectors. They are made when a slice of rows is read.

    embeddings : sequence of Embedding
        Each has photos.
    """

    def __init__(self, embeddings: Sequence[Embedding], level: str) -> None:
        self._features = [each.features[level] for each in embeddings]
        self._ends = np.cumsum([len(each) for each in self._features])
        self.shape = sum(map(len, self._features)), self._features[0].shape[1] if self._features else 0

    def __len__(self) -> int:
        """Return the number of photos."""
        return self.shape[0]

    def __getitem__(self, rows: slice) -> NDArray[np.float32]:
        """Return rows from a start to a stop, shape (n_rows, n_features)."""
        start, stop, _ = rows.indices(len(self))
        first, last = np.searchsorted(self._ends, (start, stop - 1), "right")
        before = start - (self._ends[first - 1] if first else 0)
        features = np.concatenate(self._features[first : last + 1])[before : before + stop - start]
        return unit(features.astype(np.float32))


def marks(embeddings: Sequence[Embedding]) -> NDArray[np.uint64]:
    """Return the marks of all photos, photo below photo, shape (n_photos,). They tell photos apart."""
    levels = sorted({level for each in embeddings for level in each.features})
    found = [
        marks_of(np.hstack([*(each.features[level] for level in levels), each.thumbnails]))
        for each in embeddings
        if len(each)
    ]
    return np.concatenate([np.empty(0, np.uint64), *found])


def mark_of(image_model: ImageModel, metric: SetMetric) -> str:
    """Return a sha256 of all that makes a photo's stored numbers what they are: the image model and its kept levels.

    How they are compared is not in it: an adapted detector, or one with another head, takes the same embeddings.
    """
    found = hashlib.sha256(sha256(image_model.graph).encode())
    found.update(repr(tuple(image_model.size)).encode())
    for name, level in metric.levels.items():
        found.update(f" {name} {len(level.background.mean)} ".encode())
        if level.basis is not None:  # in the precision of a bundle, so that a metric just learnt has the same mark
            found.update(np.ascontiguousarray(level.basis, np.float16).tobytes())
    return found.hexdigest()


def joined(embeddings: Sequence[Embedding]) -> Embedding:
    """Return the photos of several embeddings as those of one listing."""
    seen = [each for each in embeddings if len(each)]
    levels = seen[0].features if seen else ()
    features = {name: np.concatenate([each.features[name] for each in seen]) for name in levels}
    return Embedding("", features, np.concatenate([each.thumbnails for each in embeddings]))
