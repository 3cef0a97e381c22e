"""What the duplicate detector and the index keep of the photos of a listing."""

from dataclasses import dataclass

import numpy as np

from productcat.duplicates.leave_out import marks_of
from productcat.duplicates.whitening import unit


@dataclass(frozen=True, eq=False)
class Embedding:
    """What is kept of one listing's photos, less than 2 KB a photo.

    id : str
    features : dict, level → ndarray of shape (n_photos, n_features), int8
        Unit vectors in steps of their own.
    thumbnails : ndarray of shape (n_photos, 256), int8
    """

    id: str
    features: dict[str, np.ndarray]
    thumbnails: np.ndarray

    def __len__(self):
        """The number of photos that can be read."""
        return len(self.thumbnails)


def stacked(embeddings, level):
    """The features of one level, photo below photo, as unit vectors, shape (n_photos, n_features), float32."""
    return unit(np.concatenate([each.features[level] for each in embeddings]).astype(np.float32))


def marks(embeddings):
    """The marks of all photos, photo below photo; see `duplicates.leave_out.OwnShares`. → (n_photos,), uint64"""
    levels = sorted({level for each in embeddings for level in each.features})
    found = [
        marks_of(np.hstack([*map(each.features.get, levels), each.thumbnails])) for each in embeddings if len(each)
    ]
    return np.concatenate([np.empty(0, np.uint64), *found])
