"""The learned parts of the duplicate detector: levels of features, and the head that turns evidence into a probability.

`training/duplicates/metric.py` makes them; the "duplicates" part of a bundle holds them.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from productcat.arithmetic.vectors import unit
from productcat.duplicates.commonness import how_common
from productcat.duplicates.evidence import names
from productcat.duplicates.rivals import Contrast, rivals
from productcat.duplicates.surroundings import Surroundings
from productcat.duplicates.titles import TitleHead
from productcat.duplicates.whitening import Background, Space

OLD_COPY = 2.3
"""Times that the evidence of a copy went further before 0.2 than `pictures.picture_evidence` does: to 3.7 of 1.6."""

NEVER = 1e-300
"""Share of a way in the odds that is as good as none."""

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
class Weights:
    """The weight of each column of evidence, and the bias, of a probability's logit.

    weights : ndarray of shape (n_evidence,); bias : float
    """

    weights: NDArray[np.float64]
    bias: float

    def logits(self, evidence: NDArray[np.floating]) -> NDArray[np.float64]:
        """Weigh evidence. (n_pairs, n_evidence) → (n_pairs,)"""
        # einsum, unlike a matrix product, gives a row the same bits whatever rows are beside it
        found: NDArray[np.float64] = np.einsum("ne,e->n", evidence.astype(np.float64), self.weights) + self.bias
        return found


@dataclass(frozen=True)
class Experts:
    """What evidence counts for each of the two ways in which listings show one item.

    The odds are the sum of the odds of both. One expert for both would have to compromise: of edited copies the looks
    say little, and of an item's other photos everything. (A mixture of experts, Jacobs et al. 1991, whose odds add up.)

    items : Weights
        They show it in other photos.
    copies : Weights
        They show it in the same photos, however edited.
    """

    items: Weights
    copies: Weights

    def logits(self, evidence: NDArray[np.floating]) -> NDArray[np.float64]:
        """Weigh evidence. (n_pairs, n_evidence) → (n_pairs,)"""
        found: NDArray[np.float64] = np.logaddexp(self.items.logits(evidence), self.copies.logits(evidence))
        return found

    def shares(self, evidence: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the share that each way has in the odds. (n_pairs, n_evidence) → (n_pairs, 2), items and copies"""
        both = np.stack([self.items.logits(evidence), self.copies.logits(evidence)], axis=1)
        found: NDArray[np.float64] = np.exp(both - np.logaddexp(*both.T)[:, None])
        return found

    @classmethod
    def one(cls, weights: Weights) -> Self:
        """Weigh all evidence the same, whichever way it is."""
        return cls(weights, Weights(np.zeros_like(weights.weights), -math.inf))

    @property
    def weighs(self) -> NDArray[np.bool_]:
        """Which columns count anything, shape (n_evidence,)."""
        weighs: NDArray[np.bool_] = self.items.weights.astype(bool) | self.copies.weights.astype(bool)
        return weighs

    def settings(self, columns: Sequence[str]) -> dict[str, Any]:
        """Return them as they are stored, without one that never speaks. columns : names of the evidence"""
        both = {"items": self.items, "copies": self.copies}
        return {name: _settings(each, columns) for name, each in both.items() if math.isfinite(each.bias)}

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], columns: Sequence[str]) -> Self:
        """Read them as they are stored."""
        items = _weights(settings["items"], columns)
        return cls(items, _weights(settings["copies"], columns)) if "copies" in settings else cls.one(items)


@dataclass(frozen=True)
class Head:
    """What evidence counts in a catalogue that is known, and where nothing is known.

    A catalogue is known more or less; the logits of both are averaged by how well it is.

    contrast : Contrast, optional
        What it counts in a catalogue that a match stands out.
    """

    known: Experts
    unknown: Experts
    contrast: Contrast | None = None

    def logits(self, evidence: NDArray[np.floating]) -> NDArray[np.float64]:
        """Weigh evidence; its last column is how well the catalogue is known. (n_pairs, n_evidence + 1) → (n_pairs,)"""
        share = evidence[:, -1].astype(np.float64)
        seen = evidence[:, :-1]
        return share * self.known.logits(seen) + (1.0 - share) * self.unknown.logits(seen)

    def ways(self, evidence: NDArray[np.floating]) -> NDArray[np.float64]:
        """Weigh evidence for each way to be one item, such that the odds of both add up to those of `logits`.

        (n_pairs, n_evidence + 1) → (n_pairs, 2), items and copies
        """
        share = evidence[:, -1:].astype(np.float64)
        seen = evidence[:, :-1]
        parts = share * self.known.shares(seen) + (1.0 - share) * self.unknown.shares(seen)
        found: NDArray[np.float64] = self.logits(evidence)[:, None] + np.log(np.maximum(parts, NEVER))
        return found

    def probabilities(self, evidence: NDArray[np.floating]) -> NDArray[np.float64]:
        """Turn evidence into probabilities. (n_pairs, n_evidence + 1) → (n_pairs,), in [0, 1]"""
        return 1.0 / (1.0 + np.exp(-self.logits(evidence)))

    def settings(self, columns: Sequence[str]) -> dict[str, Any]:
        """Return it as it is stored. columns : names of the evidence"""
        found = {"known": self.known.settings(columns), "unknown": self.unknown.settings(columns)}
        return found | ({"contrast": self.contrast.settings()} if self.contrast else {})

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], columns: Sequence[str]) -> Self:
        """Read it as it is stored, or as bundles before 0.2 have it."""
        if "known" in settings:
            contrast = Contrast.from_settings(settings["contrast"]) if "contrast" in settings else None
            known, unknown = settings["known"], settings["unknown"]
            return cls(Experts.from_settings(known, columns), Experts.from_settings(unknown, columns), contrast)
        *weights, share = settings["weights"]
        # One head for all, which weighed how well the catalogue is known, and thumbnails that were only correlated.
        old = [*(name for name in columns if "/" in name), "copy", "pairs"]
        named = dict(zip(old, weights, strict=True))
        named["copy"] *= OLD_COPY
        unknown = _weights({"weights": named, "bias": settings["bias"]}, columns)
        return cls(Experts.one(replace(unknown, bias=unknown.bias + share)), Experts.one(unknown))


def _settings(weights: Weights, columns: Sequence[str]) -> dict[str, Any]:
    named = {name: float(each) for name, each in zip(columns, weights.weights, strict=True) if each}
    return {"weights": named, "bias": float(weights.bias)}


def _weights(settings: Mapping[str, Any], columns: Sequence[str]) -> Weights:
    named = settings["weights"]
    return Weights(np.array([named.get(name, 0.0) for name in columns]), settings["bias"])


@dataclass(frozen=True)
class SetMetric:
    """All that is learned.

    levels : dict, name of an output of the image model → Level
    head : Head
    threshold : float
        The score from which a pair counts as found.
    surroundings : Surroundings, optional
        The pictures of the catalogue that the backgrounds were adapted to.
    compared : float, optional
        Mean number of others with which each listing was compared where the probabilities were calibrated.
    titles : TitleHead, optional
        What titles count.
    n_listings : int
        Among how many listings duplicates are looked for; 0 where nobody knows.
    """

    levels: dict[str, Level]
    head: Head
    threshold: float
    surroundings: Surroundings | None = None
    compared: float | None = None
    titles: TitleHead | None = None
    n_listings: int = 0

    def ways(self, evidence: NDArray[np.float32]) -> NDArray[np.float64]:
        """Weigh evidence, as `duplicates.evidence.evidence` gives it, for each way to be one item. → (n_pairs, 2)

        `rarer` is not in it.
        """
        return self.head.ways(self.all_evidence(evidence))

    def in_catalogue(
        self, pairs: NDArray[np.intp], ways: NDArray[np.float64], counts: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """Return the logits of all pairs that are compared in a catalogue, `rarer` included.

        Parameters
        ----------
        pairs : ndarray of shape (n_pairs, 2), int
            Numbers of listings.
        ways : ndarray of shape (n_pairs, 2)
            As `ways` gives them.
        counts : ndarray of shape (n_listings,), int
            Number of photos of each listing.

        Returns
        -------
        ndarray of shape (n_pairs,)
        """
        items, copies = ways.T + self.rarer
        if self.head.contrast is not None:
            single = (counts[pairs] == 1).all(axis=1)
            against = rivals(pairs, ways, len(counts))
            items = self.head.contrast.logits(ways[:, 0], against, self.share, single) + self.rarer
            items = items + math.log(how_common(items, copies, len(counts)))
        found: NDArray[np.float64] = np.logaddexp(items, copies)
        return found

    @property
    def rarer(self) -> float:
        """What is added to the logit of a pair since so many listings are searched; 0 or less.

        In a large catalogue more pairs are not duplicates. The odds of a pair fall with the number of others that a
        listing is compared with (Saerens et al. 2002, "Adjusting the outputs of a classifier to new a priori
        probabilities").
        """
        times = (self.n_listings - 1) / self.compared if self.compared else 0.0
        return -math.log(times) if times > 1 else 0.0

    @property
    def unseen(self) -> float:
        """The logit of a pair of which nothing is known: of those compared, one is a duplicate."""
        return -math.log(self.compared) if self.compared else 0.0

    def all_evidence(self, evidence: NDArray[np.float32]) -> NDArray[np.float32]:
        """Add how well the catalogue is known as one more column: in a known one the same cosine means more."""
        return np.column_stack([evidence, np.full(len(evidence), self.share, np.float32)])

    @property
    def wanted(self) -> NDArray[np.bool_]:
        """The columns of `duplicates.evidence.evidence` that the head does not weigh 0, shape (n_evidence,)."""
        return self.head.known.weighs | self.head.unknown.weighs

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
            "head": self.head.settings(names(self.levels)),
            "threshold": self.threshold,
        }
        if self.compared is not None:
            settings["compared"] = self.compared
        if self.titles is not None:
            settings["titles"] = self.titles.settings()
        (folder / SETTINGS).write_text(json.dumps(settings, indent=1), "utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the "duplicates" part of a bundle."""
        from safetensors.numpy import load_file

        settings = json.loads((folder / SETTINGS).read_text("utf-8"))
        tensors = load_file(folder / TENSORS)
        levels = {name: _level(name, tensors, n_dimensions) for name, n_dimensions in settings["levels"].items()}
        head = Head.from_settings(settings["head"], names(levels))
        titles = TitleHead.from_settings(settings["titles"]) if "titles" in settings else None
        return cls(levels, head, settings["threshold"], compared=settings.get("compared"), titles=titles)


def _level(name: str, tensors: Mapping[str, NDArray[Any]], n_dimensions: int) -> Level:
    mean = tensors[f"{name}/mean"]
    covariance = np.zeros((len(mean), len(mean)))
    covariance[np.triu_indices(len(mean))] = tensors[f"{name}/covariance"]
    covariance += np.triu(covariance, 1).T
    basis = tensors.get(f"{name}/basis")
    return Level(None if basis is None else basis.astype(np.float32), Background(mean, covariance), n_dimensions)
