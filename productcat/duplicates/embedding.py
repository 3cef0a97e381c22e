"""What the duplicate detector and the index keep of the photos of a listing."""

import hashlib
import warnings
from dataclasses import dataclass

import numpy as np

from productcat.arithmetic.vectors import unit
from productcat.duplicates.leave_out import marks_of
from productcat.models.bundle import sha256

FORMAT = 2
"""The number of the layout of an index on disk. Raise it when a reader of the old number could misread a new index,
also when photos are prepared in another way before they are embedded."""


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


def mark_of(detector):
    """Hexadecimal sha256 of all that makes a photo's stored numbers what they are: the image model and its kept levels.

    Not of what they are compared by: a detector that was adapted to a catalogue, or has another head, takes them too.
    """
    found = hashlib.sha256(sha256(detector.image_model.graph).encode())
    found.update(repr(tuple(detector.image_model.size)).encode())
    for name, level in detector.metric.levels.items():
        found.update(f" {name} {len(level.background.mean)} ".encode())
        if level.basis is not None:  # in the precision of a bundle, so that a metric just learnt has the same mark
            found.update(np.ascontiguousarray(level.basis, np.float16).tobytes())
    return found.hexdigest()


def embed_quietly(detector, listings):
    """Embed listings without a warning. → list of Embedding, list of str: what is wrong with their photos"""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        embeddings = detector.embed(listings)
    said = [str(each.message) for each in caught]
    return embeddings, [line for line in said if line.startswith("listing ")]  # Pillow warns too


def joined(embeddings):
    """The photos of several embeddings as those of one listing. → Embedding"""
    seen = [each for each in embeddings if len(each)]
    levels = seen[0].features if seen else ()
    features = {name: np.concatenate([each.features[name] for each in seen]) for name in levels}
    return Embedding("", features, np.concatenate([each.thumbnails for each in embeddings]))
