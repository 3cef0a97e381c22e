"""Learns the metric between sets of photos: backgrounds without labels, and the calibration of the head.

The head itself is learnt in `siamese.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from productcat.arithmetic.vectors import unit
from productcat.duplicates.metric import Head, Level, SetMetric, compact
from productcat.duplicates.whitening import Background
from productcat.evaluation.pair_figures import recall_at_precision
from training.duplicates.photo_table import PhotoTable

Bases = Mapping[str, NDArray[np.float32] | None]
"""Directions that are kept of each level's output, shape (n_outputs, n_features); None: all of it."""


@dataclass(frozen=True)
class MetricConfig:
    """Settings of the metric; the `[metric]` table of a training configuration.

    features: numbers of features that are kept of each level; where a network's output is wider, those are the
    directions that vary most. dimensions: number of dimensions of the spaces.
    precision: `threshold` is the lowest score above which this share of the pairs are duplicates, among the most
    similar pairs of held-out halves in known catalogues.
    """

    features: tuple[int, ...] = (1024, 512)
    dimensions: int = 384
    precision: float = 0.985


def bases(table: PhotoTable, config: MetricConfig) -> Bases:
    """Find the directions that are kept of each level's output."""
    found: dict[str, NDArray[np.float32] | None] = {}
    for (name, outputs), n_features in zip(table.outputs.items(), config.features, strict=True):
        if outputs.shape[1] <= n_features:
            found[name] = None
            continue
        features = compact(outputs.astype(np.float32)).astype(np.float64)
        features /= np.linalg.norm(features, axis=1, keepdims=True)
        # not centred, since the vectors that are projected onto these directions are not centred either
        _, directions = np.linalg.eigh((features * table.weights[:, None]).T @ features)
        found[name] = directions[:, ::-1][:, :n_features].astype(np.float32)
    return found


def metric_of(
    table: PhotoTable,
    known_bases: Bases,
    head: Head,
    config: MetricConfig,
    threshold: float = 0.5,
    compared: float | None = None,
) -> SetMetric:
    """Make the metric of a head and the photos of a table.

    Parameters
    ----------
    table : PhotoTable
        As `PhotoTable.kept` gives it.
    known_bases : dict
        As `bases` gives them.
    head : Head
    config : MetricConfig
    threshold, compared : float
        As `SetMetric` has them.
    """
    weights = table.weights
    levels = {
        name: Level(known_bases[name], Background.of(unit(each.astype(np.float32)), weights), config.dimensions)
        for name, each in table.outputs.items()
    }
    return SetMetric(levels, head, threshold, compared=compared)


def calibrated(head: Head, seen: NDArray[np.float64], same: NDArray[np.bool_], precision: float) -> tuple[Head, float]:
    """Bring a head's probabilities into line with held-out pairs (Platt 1999), in unknown and in known catalogues.

    Parameters
    ----------
    head : Head
    seen : ndarray of shape (n_pairs, 2)
        Logits that such heads made of the pairs, and how well the catalogue was known.
    same : ndarray of shape (n_pairs,), bool
    precision : float

    Returns
    -------
    head : Head
    threshold : float
        The lowest probability above which this share of the pairs are duplicates, where the catalogue is known.
    """
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=1e6).fit(seen, same)
    line = Head(fitted.coef_[0], float(fitted.intercept_[0]))
    known = seen[:, 1] > 0
    _, threshold = recall_at_precision(line.probabilities(seen[known]), same[known], precision)
    weights = head.weights * line.weights[0]
    weights[-1] += line.weights[1]  # the last piece of evidence is how well the catalogue is known
    return Head(weights, head.bias * line.weights[0] + line.bias), min(float(threshold), 1.0)
