"""Learns the metric between sets of photos: backgrounds without labels, the head of `siamese.py`, its level."""

from dataclasses import dataclass

import numpy as np

from productcat.arithmetic.vectors import unit
from productcat.duplicates.metric import Head, Level, SetMetric, compact
from productcat.duplicates.whitening import Background
from productcat.evaluation.pair_figures import recall_at_precision


@dataclass(frozen=True)
class MetricConfig:
    """Settings of the metric; the `[metric]` table of a training configuration.

    features: kept of each level; of a network's wider output the directions that vary most. dimensions: of the spaces.
    precision: `threshold` is the lowest score at which this share of the pairs above it are duplicates, among the most
    similar pairs of held-out halves in known catalogues.
    """

    features: tuple[int, ...] = (1024, 512)
    dimensions: int = 384
    precision: float = 0.985


def bases(table, config):
    """Directions that are kept of each level's output. → dict, level → (n_outputs, n_features) or None"""
    found = {}
    for (name, outputs), n_features in zip(table.outputs.items(), config.features, strict=True):
        if outputs.shape[1] <= n_features:
            found[name] = None
            continue
        features = compact(outputs.astype(np.float32)).astype(np.float64)
        features /= np.linalg.norm(features, axis=1, keepdims=True)
        # not centred: the directions serve vectors that have not been centred either
        _, directions = np.linalg.eigh((features * table.weights[:, None]).T @ features)
        found[name] = directions[:, ::-1][:, :n_features].astype(np.float32)
    return found


def metric_of(table, known_bases, head, config, threshold=0.5, compared=None):
    """What a head and the photos of a table tell.

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


def calibrated(head, seen, same, precision):
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
        The lowest probability at which this share of the pairs above it are duplicates, where the catalogue is known.
    """
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=1e6).fit(seen, same)
    line, known = Head(fitted.coef_[0], float(fitted.intercept_[0])), seen[:, 1] > 0
    _, threshold = recall_at_precision(line.probabilities(seen[known]), same[known], precision)
    weights = head.weights * line.weights[0]
    weights[-1] += line.weights[1]  # the last piece of evidence is how well the catalogue is known
    return Head(weights, head.bias * line.weights[0] + line.bias), min(float(threshold), 1.0)
