"""Makes the metric between sets of photos: backgrounds without labels. The head is learnt in `siamese.py`."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from productcat.arithmetic.vectors import unit
from productcat.duplicates.metric import Head, Level, SetMetric, compact
from productcat.duplicates.titles import TitleHead
from productcat.duplicates.whitening import Background
from training.duplicates.photo_table import PhotoTable

AMONG = 60
"""Number of listings among which a head's probabilities are right; `SetMetric.rarer` says what holds among more."""

Bases = Mapping[str, NDArray[np.float32] | None]
"""Directions that are kept of each level's output, shape (n_outputs, n_features); None: all of it."""


@dataclass(frozen=True)
class MetricConfig:
    """Settings of the metric; the `[metric]` table of a training configuration.

    features: numbers of features that are kept of each level; where a network's output is wider, those are the
    directions that vary most. dimensions: number of dimensions of the spaces.
    precision: `threshold` is the lowest probability from which on this share of the pairs is right, in catalogues of
    items that were held out.
    """

    features: tuple[int, ...] = (1024, 512)
    dimensions: int = 384
    precision: float = 0.96


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
    titles: TitleHead | None = None,
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
    threshold, titles
        As `SetMetric` has them.
    """
    weights = table.weights
    levels = {
        name: Level(known_bases[name], Background.of(unit(each.astype(np.float32)), weights), config.dimensions)
        for name, each in table.outputs.items()
    }
    return SetMetric(levels, head, threshold, compared=AMONG, titles=titles)
