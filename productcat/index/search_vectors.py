"""Make the short vectors by which an index looks for photos.

An index stores its search space, and with it the mark of what its numbers mean. It does not ask the detector for the
space again: the detector's spaces are made of eigenvectors, which another machine may turn. So every photo of an index
is projected by the same numbers, also when it is opened elsewhere or with a detector that was adapted to a catalogue.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from productcat.arithmetic.vectors import unit
from productcat.duplicates.detector import DuplicateDetector
from productcat.duplicates.embedding import FORMAT, OLD_FORMAT
from productcat.duplicates.metric import Level
from productcat.duplicates.thumbnails import LENGTH
from productcat.models.plain_files import UnfitFileError, size_of

BYTES_PER_PHOTO = 2_560
"""Number of bytes that a photo may take in an index."""

BYTES_BESIDE_ARRAYS = 96
"""Number of these bytes for the listing's id, twice, the photo's number, its checksum, and the entry in the approximate
index, which takes most of them."""

SEAL = "sha256"
"""Name of the checksum in a file of a search space."""

MOST_DIMENSIONS = 256
"""Number of dimensions above which hardly more is found."""

DIMENSION_STEP = 8
"""Number of dimensions that the approximate index wants a multiple of."""


@dataclass(frozen=True)
class SearchSpace:
    """A few dimensions of a detector's spaces: those that vary most.

    Attributes
    ----------
    made_by : str
        The `mark` of the detector.
    means : dict, level → ndarray of shape (n_features,)
    matrices : dict, level → ndarray of shape (n_features, n_kept)
        The n_kept of all levels sum to n_dimensions.
    format : int
        Of the embeddings that the index holds: FORMAT, or OLD_FORMAT for one that an earlier version made.
    """

    made_by: str
    means: dict[str, NDArray[Any]]
    matrices: dict[str, NDArray[Any]]
    format: int = FORMAT

    @classmethod
    def of(cls, detector: DuplicateDetector) -> Self:
        """Return the space for a detector, with as many dimensions as fit beside a photo's features and thumbnail."""
        levels = detector.metric.levels
        n_bytes = sum(len(each.background.mean) for each in levels.values()) + LENGTH
        n_wanted = (BYTES_PER_PHOTO - BYTES_BESIDE_ARRAYS - n_bytes) // 2 // DIMENSION_STEP * DIMENSION_STEP
        n_dimensions = int(np.clip(n_wanted, DIMENSION_STEP, MOST_DIMENSIONS))
        variances = {name: _variances(each, detector.spaces[name].matrix) for name, each in levels.items()}
        ordered = np.sort(np.concatenate(list(variances.values())))[::-1]
        least = ordered[min(n_dimensions, len(ordered)) - 1]
        matrices = {name: detector.spaces[name].matrix[:, variances[name] >= least] for name in levels}
        return cls(detector.mark, {name: detector.spaces[name].mean for name in levels}, matrices)

    @property
    def n_dimensions(self) -> int:
        """Length of the vectors."""
        n_kept: int = sum(matrix.shape[1] for matrix in self.matrices.values())
        return -(-n_kept // DIMENSION_STEP) * DIMENSION_STEP

    def project(self, features: Mapping[str, NDArray[np.int8]]) -> NDArray[np.float32]:
        """Return the search vectors of photos.

        Parameters
        ----------
        features : dict, level → ndarray of shape (n_photos, n_features), int8
            Those of an `Embedding`.

        Returns
        -------
        ndarray of shape (n_photos, n_dimensions), float32
            Unit vectors. Each level has the same weight.
        """
        parts = []
        for name, matrix in self.matrices.items():
            parts.append(unit((unit(features[name].astype(np.float32)) - self.means[name]) @ matrix))
        vectors = unit(np.concatenate(parts, axis=1))
        return np.pad(vectors, [(0, 0), (0, self.n_dimensions - vectors.shape[1])])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the space to a file of safetensors, with a checksum of all that it says."""
        from safetensors.numpy import save_file

        tensors = {f"{name}/mean": mean for name, mean in self.means.items()}
        tensors |= {f"{name}/matrix": np.ascontiguousarray(matrix) for name, matrix in self.matrices.items()}
        about = {"format": str(self.format), "made_by": self.made_by, "levels": json.dumps(list(self.means))}
        save_file(tensors, path, about | {SEAL: _seal(about, tensors)})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read what `save` wrote. Raises ValueError, which says why, when the file cannot be used.

        Files of before 0.2.0 have no checksum, and are read without one.
        """
        from safetensors import SafetensorError, safe_open

        try:
            size_of(path)
            with safe_open(path, "np") as file:
                about = dict(file.metadata())
                known = {str(each): each for each in (OLD_FORMAT, FORMAT)}
                if about["format"] not in known:
                    raise ValueError(f"its format is {about['format']}, this productcat reads format {FORMAT}")
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is not a dict
            seal = about.pop(SEAL, None)
            if seal not in (None, _seal(about, tensors)):
                raise KeyError(SEAL)
            names = json.loads(about["levels"])
            means = {name: tensors[f"{name}/mean"] for name in names}
            matrices = {name: tensors[f"{name}/matrix"] for name in names}
            if not all(_fit(means[name], matrices[name]) for name in names):
                raise KeyError("levels")
            return cls(about["made_by"], means, matrices, known[about["format"]])
        except (OSError, SafetensorError, UnfitFileError, LookupError, TypeError, AttributeError, RecursionError):
            raise ValueError(f"{Path(path).name} is damaged") from None


def _seal(about: Mapping[str, str], tensors: Mapping[str, NDArray[Any]]) -> str:
    """Return the hexadecimal sha256 of what a file of a search space says."""
    found = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name])
        found.update(f"{name} {array.dtype} {array.shape}".encode())
        found.update(array.tobytes())
    return found.hexdigest()


def _fit(mean: NDArray[Any], matrix: NDArray[Any]) -> bool:
    """Tell whether a mean and a matrix are of one level, and of finite numbers."""
    return (
        (mean.ndim, matrix.ndim) == (1, 2)
        and len(mean) == len(matrix)
        and (mean.dtype.kind, matrix.dtype.kind) == ("f", "f")
        and bool(np.isfinite(mean).all() and np.isfinite(matrix).all())
    )


def _variances(level: Level, matrix: NDArray[Any]) -> NDArray[np.float64]:
    """Return the share of a level's variance in each dimension of its space, shape (n_dimensions,)."""
    found: NDArray[np.float64] = np.einsum("fd,fd->d", level.background.covariance @ matrix, matrix)
    found /= found.sum()
    return found
