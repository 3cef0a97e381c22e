"""The short vectors by which an index looks for photos, and the mark of what its numbers mean.

An index keeps its search space instead of asking the detector for it again: the detector's spaces are made of
eigenvectors, which another machine may turn. So every photo of an index is projected by the same numbers, also when it
is opened elsewhere, or by a detector that was adapted to a catalogue.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from productcat.arithmetic.vectors import unit
from productcat.duplicates.embedding import FORMAT
from productcat.duplicates.thumbnails import SIDE

ROW = 2_048
"""Bytes that a photo may take in an index."""

OTHERS = 80
"""Bytes of them for the listing's id, twice, for the photo's number and for the entry in the approximate index."""

MOST = 256
"""Dimensions at most: more find hardly more."""

STEP = 8
"""The approximate index wants a multiple of this."""


@dataclass(frozen=True)
class SearchSpace:
    """A few dimensions of a detector's spaces, those that vary most.

    made_by : str
        `mark_of` the detector.
    means : dict, level → ndarray of shape (n_features,)
    matrices : dict, level → ndarray of shape (n_features, n_kept)
        The n_kept of all levels sum to n_dimensions.
    """

    made_by: str
    means: dict[str, np.ndarray]
    matrices: dict[str, np.ndarray]

    @classmethod
    def of(cls, detector):
        """The space for a detector: as many dimensions as there is room for beside what is kept of a photo."""
        levels = detector.metric.levels
        n_bytes = sum(len(each.background.mean) for each in levels.values()) + SIDE * SIDE
        n_dimensions = int(np.clip((ROW - OTHERS - n_bytes) // 2 // STEP * STEP, STEP, MOST))
        variances = {name: _variances(each, detector.spaces[name].matrix) for name, each in levels.items()}
        ordered = np.sort(np.concatenate(list(variances.values())))[::-1]
        least = ordered[min(n_dimensions, len(ordered)) - 1]
        matrices = {name: detector.spaces[name].matrix[:, variances[name] >= least] for name in levels}
        return cls(detector.mark, {name: detector.spaces[name].mean for name in levels}, matrices)

    @property
    def n_dimensions(self):
        """Length of the vectors."""
        kept = sum(matrix.shape[1] for matrix in self.matrices.values())
        return -(-kept // STEP) * STEP

    def project(self, features):
        """Search vectors of photos.

        Parameters
        ----------
        features : dict, level → ndarray of shape (n_photos, n_features), int8
            As an Embedding has them.

        Returns
        -------
        ndarray of shape (n_photos, n_dimensions), float32
            Unit vectors. The levels count alike.
        """
        parts = []
        for name, matrix in self.matrices.items():
            parts.append(unit((unit(features[name].astype(np.float32)) - self.means[name]) @ matrix))
        vectors = unit(np.concatenate(parts, axis=1))
        return np.pad(vectors, [(0, 0), (0, self.n_dimensions - vectors.shape[1])])

    def save(self, path):
        """Write a file of safetensors."""
        from safetensors.numpy import save_file

        tensors = {f"{name}/mean": mean for name, mean in self.means.items()}
        tensors |= {f"{name}/matrix": np.ascontiguousarray(matrix) for name, matrix in self.matrices.items()}
        about = {"format": str(FORMAT), "made_by": self.made_by, "levels": json.dumps(list(self.means))}
        save_file(tensors, path, about)

    @classmethod
    def load(cls, path):
        """Read what `save` wrote. Raises ValueError, in words, when the file cannot be used."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, "np") as file:
                about = file.metadata()
                if about["format"] != str(FORMAT):
                    raise ValueError(f"its format is {about['format']}, this productcat reads format {FORMAT}")
                names = json.loads(about["levels"])
                means, matrices = ({name: file.get_tensor(f"{name}/{each}") for name in names} for each in _TENSORS)
                return cls(about["made_by"], means, matrices)
        except (OSError, SafetensorError, KeyError, TypeError):
            raise ValueError(f"{Path(path).name} is damaged") from None


_TENSORS = "mean", "matrix"


def _variances(level, matrix):
    """How much each dimension of a level's space varies, the whole level being 1. → (n_dimensions,)"""
    found = np.einsum("fd,fd->d", level.background.covariance @ matrix, matrix)
    return found / found.sum()
