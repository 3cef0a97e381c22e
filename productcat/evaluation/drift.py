"""How far listings are from those that a bundle was trained on, as far as the bundle knows these."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from productcat.arithmetic.distributions import entropy
from productcat.categories.ensemble import Modality
from productcat.evaluation.evaluate import Evaluation
from productcat.evaluation.metrics import ComparedFigure, Drift, MixDrift, Mixes

SHOWN = 10
"""Number of classes that are named, those whose shares differ most."""

ROUNDS = 500
"""Number of samples of the training mix that tell how far one of this size usually is from it."""

USUAL = 0.95
"""Share of these samples that count as usual."""

COMPARED = ("top1", "top5", "expected_calibration_error")
"""Figures of the manifest's test listings that are compared with those here."""

ORDERS = ("top1", "top5")
"""Those of them that do not depend on calibration."""


def jensen_shannon(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the Jensen-Shannon divergence of rows of probabilities, in bits: 0 the same, 1 nothing in common.

    Lin (1991). Unlike the divergence of Kullback and Leibler, of which it is made, it is symmetric, and finite where
    classes are missing on one side.

    left, right : ndarray of shape (n, n_classes)
    """
    middle = entropy((left + right) / 2) - (entropy(left) + entropy(right)) / 2
    divergences: NDArray[np.float64] = np.maximum(middle, 0.0) / np.log(2)
    return divergences


def usual_divergence(mix: NDArray[np.float64], n_listings: int) -> float:
    """Return the divergence from a mix that 95 % of the samples of so many listings from it stay below."""
    samples = np.random.default_rng(0).multinomial(n_listings, mix, ROUNDS) / n_listings
    return float(np.quantile(jensen_shannon(samples, mix[None]), USUAL))


def mix_drift(training: NDArray[np.float64], here: NDArray[np.float64], classes: Sequence[str]) -> MixDrift:
    """Compare two mixes of classes.

    Parameters
    ----------
    training, here : ndarray of shape (n_classes,), sums to 1
    classes : list of str
    """
    order = np.argsort(-np.abs(training - here), kind="stable")[:SHOWN]
    return {
        "jensen_shannon": float(jensen_shannon(training[None], here[None])[0]),
        "moved": float(np.abs(training - here).sum() / 2),
        "differences": [
            {"class": classes[i], "training": float(training[i]), "here": float(here[i])}
            for i in order
            if training[i] != here[i]
        ],
    }


def training_mix(manifest: Mapping[str, Any], classes: Sequence[str]) -> NDArray[np.float64] | None:
    """Return the shares of the classes in the training listings, shape (n_classes,), None where they are not known."""
    counts = manifest.get("training_mix")
    if not isinstance(counts, dict) or not counts or not set(counts) <= set(classes):
        return None
    found = np.array([counts.get(name, 0) for name in classes], float)
    return found / found.sum() if found.sum() > 0 else None


def drift(evaluation: Evaluation, figures: Mapping[Modality, Mapping[str, float]]) -> Drift:
    """Return what can be said honestly; None stands for what the bundle does not know.

    Figures are compared for the listings that have evidence: titles that are missing are no sign that titles are of
    another kind.

    Parameters
    ----------
    evaluation : Evaluation
    figures : dict, modality → dict, figure → float
    """
    tests = evaluation.manifest.get("metrics", {}).get("test", {}) if evaluation.categories_are_classes else {}
    if evaluation.manifest.get("calibration"):  # its confidences are no longer those that were measured
        tests = {
            use: {name: tests[use][name] for name in ORDERS if name in tests[use]} for use in figures if use in tests
        }
    return {
        "mix": _mixes(evaluation),
        "figures": _compared(tests, figures, {use: each.known.mean() for use, each in evaluation.answers.items()}),
        "confidence": {
            use: {"test": tests.get("mean_confidence", {}).get(use), "here": mean}
            for use, each in evaluation.answers.items()
            if not np.isnan(mean := each.mean_confidence)
        },
        "titles_without_known_word": evaluation.titles_without_known_word,
    }


def _mixes(evaluation: Evaluation) -> Mixes | None:
    training = training_mix(evaluation.manifest, evaluation.classes)
    if training is None:
        return None
    found: Mixes = {"seen": mix_drift(training, evaluation.mix, evaluation.classes)}
    if evaluation.categories_are_classes:
        counts = np.bincount(evaluation.labels, minlength=len(evaluation.classes))
        usual = usual_divergence(training, len(evaluation.labels))
        found["labels"] = {**mix_drift(training, counts / counts.sum(), evaluation.classes), "usual": usual}
    return found


def _compared(
    tests: Mapping[str, Mapping[str, float]],
    figures: Mapping[Modality, Mapping[str, float]],
    known: Mapping[Modality, float],
) -> list[ComparedFigure]:
    """Compare figures. known: dict, modality → share of the listings that have it"""
    rows: list[ComparedFigure] = []
    for use, measured in figures.items():
        before = tests.get(use, {})
        # What was measured counts listings without evidence as wrong.
        of_known = {name: measured[name] / known[use] for name in ORDERS if name in measured and known[use]}
        here = {**measured, **of_known}
        rows += [
            {"evidence": use, "figure": name, "test": before[name], "here": here[name]}
            for name in COMPARED
            if name in before
        ]
    return rows
