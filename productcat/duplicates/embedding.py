"""What the duplicate detector and the index keep of the photos of a listing."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from productcat.arithmetic.vectors import unit
from productcat.duplicates.leave_out import marks_of
from productcat.duplicates.metric import SetMetric
from productcat.models.bundle import sha256
from productcat.models.image_model import ImageModel

FORMAT = 2
"""Number of the layout of stored embeddings and of an index on disk. Raise it when a reader of the old number could
misread new ones, also when photos are prepared in another way before they are embedded."""


@dataclass(frozen=True, eq=False)
class Embedding:
    """What is kept of one listing's photos, less than 2 KB a photo.

    id : str
    features : dict, level → ndarray of shape (n_photos, n_features), int8
        Unit vectors, each in steps of its own.
    thumbnails : ndarray of shape (n_photos, 256), int8
    """

    id: str
    features: dict[str, NDArray[np.int8]]
    thumbnails: NDArray[np.int8]

    def __len__(self) -> int:
        """Return the number of photos that can be read."""
        return len(self.thumbnails)


def stacked(embeddings: Sequence[Embedding], level: str) -> NDArray[np.float32]:
    """Return the features of one level, photo below photo, as unit vectors, shape (n_photos, n_features)."""
    return unit(np.concatenate([each.features[level] for each in embeddings]).astype(np.float32))


def marks(embeddings: Sequence[Embedding]) -> NDArray[np.uint64]:
    """Return the marks of all photos, photo below photo, shape (n_photos,). `leave_out.OwnShares` explains marks."""
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
