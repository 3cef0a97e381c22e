"""The learned parts of the duplicate detector: levels of features, and the head that turns evidence into a probability.

Made by `training/duplicates/metric.py`; the "duplicates" part of a bundle.
"""

import json
from dataclasses import dataclass, field

import numpy as np

from productcat.arithmetic.vectors import unit
from productcat.duplicates.whitening import Background

SETTINGS, TENSORS = "settings.json", "duplicates.safetensors"


@dataclass(frozen=True)
class Level:
    """One level of an image model's features, as they are kept.

    basis : ndarray of shape (n_outputs, n_features), or None
        Orthogonal directions that are kept of the network's output; None: all of it.
    background : Background
        Of the kept features.
    n_dimensions : int
        Of the space in which photos are compared.
    """

    basis: np.ndarray | None
    background: Background
    n_dimensions: int

    def compact(self, outputs):
        """The network's output as it is kept. → ndarray of shape (n, n_features), int8"""
        return compact(outputs, self.basis)

    def space(self):
        """Where photos are compared on this level. → Space"""
        return self.background.space(self.n_dimensions)


def compact(outputs, basis=None):
    """Unit vectors in steps of 1/127 of their greatest value, along the directions of a basis.

    outputs : ndarray of shape (n, n_outputs); basis : as `Level` has it → (n, n_features), int8
    """
    kept = unit(outputs) if basis is None else unit(unit(outputs) @ basis)
    return np.round(kept * (127 / np.maximum(np.abs(kept).max(axis=1, keepdims=True), 1e-12))).astype(np.int8)


@dataclass(frozen=True)
class Head:
    """Evidence → probability: what each column counts, and the rest.

    weights : ndarray of shape (n_evidence,); bias : float
    """

    weights: np.ndarray
    bias: float

    def probabilities(self, evidence):
        """(n_pairs, n_evidence) → (n_pairs,), in [0, 1]"""
        # einsum, unlike a matrix product, gives a row the same bits whatever rows are beside it
        logits = np.einsum("ne,e->n", evidence.astype(np.float64), self.weights) + self.bias
        return 1.0 / (1.0 + np.exp(-logits))


@dataclass(frozen=True)
class SetMetric:
    """Levels by the names of the image model's outputs, the head, and the score from which a pair counts as found.

    known : dict, mark → (share, times)
        The photos of the catalogue that the backgrounds were adapted to; see `duplicates.leave_out.OwnShares`.
    compared : float, optional
        With how many others each listing was compared, on average, where the threshold was chosen.
    """

    levels: dict[str, Level]
    head: Head
    threshold: float
    known: dict[int, tuple[float, int]] = field(default_factory=dict)
    compared: float | None = None

    def probabilities(self, evidence):
        """Evidence as `productcat.duplicates.evidence.evidence` gives it → ndarray of shape (n_pairs,), in [0, 1]."""
        return self.head.probabilities(self.all_evidence(evidence))

    def all_evidence(self, evidence):
        """With how well the catalogue is known as one more column: in a known one the same cosine means more."""
        return np.column_stack([evidence, np.full(len(evidence), self.share, np.float32)])

    @property
    def share(self):
        """How much of the backgrounds is of a catalogue that they were adapted to, in [0, 1)."""
        return min(level.background.share for level in self.levels.values())

    def save(self, folder):
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
        settings = {
            "levels": {name: level.n_dimensions for name, level in self.levels.items()},
            "head": {"weights": np.asarray(self.head.weights, float).tolist(), "bias": float(self.head.bias)},
            "threshold": self.threshold,
        }
        if self.compared is not None:
            settings["compared"] = self.compared
        (folder / SETTINGS).write_text(json.dumps(settings, indent=1), "utf-8")

    @classmethod
    def load(cls, folder):
        """The metric in the "duplicates" part of a bundle."""
        from safetensors.numpy import load_file

        settings = json.loads((folder / SETTINGS).read_text("utf-8"))
        tensors = load_file(folder / TENSORS)
        levels = {name: _level(name, tensors, n_dimensions) for name, n_dimensions in settings["levels"].items()}
        head = Head(np.array(settings["head"]["weights"]), settings["head"]["bias"])
        return cls(levels, head, settings["threshold"], compared=settings.get("compared"))


def raised(probability, times):
    """The probability whose odds are so many times those of another. 0 and 1 stay."""
    return probability * times / (probability * times + 1.0 - probability)


def _level(name, tensors, n_dimensions):
    mean = tensors[f"{name}/mean"]
    covariance = np.zeros((len(mean), len(mean)))
    covariance[np.triu_indices(len(mean))] = tensors[f"{name}/covariance"]
    covariance += np.triu(covariance, 1).T
    basis = tensors.get(f"{name}/basis")
    return Level(None if basis is None else basis.astype(np.float32), Background(mean, covariance), n_dimensions)
