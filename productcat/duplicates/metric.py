"""The learned parts of the duplicate detector: levels of features, and the head that turns evidence into a probability.

`training/duplicates/metric.py` makes them; the "duplicates" part of a bundle holds them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from productcat.arithmetic.vectors import unit
from productcat.duplicates.leave_out import Known
from productcat.duplicates.whitening import Background, Space

SETTINGS, TENSORS = "settings.json", "duplicates.safetensors"


@dataclass(frozen=True)
class Level:
    """One level of an image model's features, as they are kept.

    basis : ndarray of shape (n_outputs, n_features), float32, optional
        Orthogonal directions that are kept of the network's output. None keeps all of it.
    background : Background
        Of the kept features.
    n_dimensions : int
        Number of dimensions of the space in which photos are compared.
    """

    basis: NDArray[np.float32] | None
    background: Background
    n_dimensions: int

    def compact(self, outputs: NDArray[np.float32]) -> NDArray[np.int8]:
        """Return the network's output as it is kept, shape (n, n_features)."""
        return compact(outputs, self.basis)

    def space(self) -> Space:
        """Make the space in which photos are compared on this level."""
        return self.background.space(self.n_dimensions)


def compact(outputs: NDArray[np.float32], basis: NDArray[np.float32] | None = None) -> NDArray[np.int8]:
    """Scale vectors to unit length, and round them to steps of 1/127 of their greatest value.

    outputs : ndarray of shape (n, n_outputs); basis : as `Level` has it → (n, n_features), int8
    """
    kept = unit(outputs) if basis is None else unit(unit(outputs) @ basis)
    steps: NDArray[np.float32] = np.round(kept * (127 / np.maximum(np.abs(kept).max(axis=1, keepdims=True), 1e-12)))
    return steps.astype(np.int8)


@dataclass(frozen=True)
class Head:
    """The weight of each column of evidence, and the bias, of a probability's logit.

    weights : ndarray of shape (n_evidence,); bias : float
    """

    weights: NDArray[np.float64]
    bias: float

    def probabilities(self, evidence: NDArray[np.floating]) -> NDArray[np.float64]:
        """Turn evidence into probabilities. (n_pairs, n_evidence) → (n_pairs,), in [0, 1]"""
        # einsum, unlike a matrix product, gives a row the same bits whatever rows are beside it
        logits: NDArray[np.float64] = np.einsum("ne,e->n", evidence.astype(np.float64), self.weights) + self.bias
        return 1.0 / (1.0 + np.exp(-logits))


@dataclass(frozen=True)
class SetMetric:
    """All that is learned.

    levels : dict, name of an output of the image model → Level
    head : Head
    threshold : float
        The score from which a pair counts as found.
    known : mapping, mark → (share, times)
        The photos of the catalogue that the backgrounds were adapted to; see `duplicates.leave_out.Known`.
    compared : float, optional
        Mean number of others with which each listing was compared where the threshold was chosen.
    """

    levels: dict[str, Level]
    head: Head
    threshold: float
    known: Known = field(default_factory=dict)
    compared: float | None = None

    def probabilities(self, evidence: NDArray[np.float32]) -> NDArray[np.float64]:
        """Turn evidence, as `duplicates.evidence.evidence` gives it, into probabilities, shape (n_pairs,)."""
        return self.head.probabilities(self.all_evidence(evidence))

    def all_evidence(self, evidence: NDArray[np.float32]) -> NDArray[np.float32]:
        """Add how well the catalogue is known as one more column: in a known one the same cosine means more."""
        return np.column_stack([evidence, np.full(len(evidence), self.share, np.float32)])

    @property
    def wanted(self) -> NDArray[np.bool_]:
        """The columns of `duplicates.evidence.evidence` that the head does not weigh 0, shape (n_evidence - 1,)."""
        return self.head.weights[:-1].astype(bool)

    @property
    def share(self) -> float:
        """The share of the backgrounds that comes from a catalogue that they were adapted to, in [0, 1)."""
        return min(level.background.share for level in self.levels.values())

    def save(self, folder: Path) -> None:
        """Write the "duplicates" part of a bundle. Covariances are kept as their upper triangles."""
        from safetensors.numpy import save_file

        folder.mkdir(exist_ok=True)
        tensors = {}
        for name, level in self.levels.items():
            covariance = level.background.covariance
            tensors[f"{name}/covariance"] = covariance[np.triu_indices(len(covariance))].astype(np.float32)
            tensors[f"{name}/mean"] = level.background.mean.astype(np.float32)
            if level.basis is not None:
                tensors[f"{name}/basis"] = level.basis.astype(np.float16)
        save_file({name: np.ascontiguousarray(each) for name, each in tensors.items()}, folder / TENSORS)
        settings: dict[str, Any] = {
            "levels": {name: level.n_dimensions for name, level in self.levels.items()},
            "head": {"weights": np.asarray(self.head.weights, float).tolist(), "bias": float(self.head.bias)},
            "threshold": self.threshold,
        }
        if self.compared is not None:
            settings["compared"] = self.compared
        (folder / SETTINGS).write_text(json.dumps(settings, indent=1), "utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the "duplicates" part of a bundle."""
        from safetensors.numpy import load_file

        settings = json.loads((folder / SETTINGS).read_text("utf-8"))
        tensors = load_file(folder / TENSORS)
        levels = {name: _level(name, tensors, n_dimensions) for name, n_dimensions in settings["levels"].items()}
        head = Head(np.array(settings["head"]["weights"]), settings["head"]["bias"])
        return cls(levels, head, settings["threshold"], compared=settings.get("compared"))


def raised(probability: float, times: float) -> float:
    """Return the probability whose odds are so many times those of another. 0 and 1 stay."""
    return probability * times / (probability * times + 1.0 - probability)


def _level(name: str, tensors: Mapping[str, NDArray[Any]], n_dimensions: int) -> Level:
    mean = tensors[f"{name}/mean"]
    covariance = np.zeros((len(mean), len(mean)))
    covariance[np.triu_indices(len(mean))] = tensors[f"{name}/covariance"]
    covariance += np.triu(covariance, 1).T
    basis = tensors.get(f"{name}/basis")
    return Level(None if basis is None else basis.astype(np.float32), Background(mean, covariance), n_dimensions)
