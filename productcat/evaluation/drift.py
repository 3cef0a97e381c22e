"""How far listings are from those that a bundle was trained on, as far as the bundle says what these were."""

import numpy as np

from productcat.arithmetic.distributions import entropy

SHOWN = 10
"""So many classes are named whose shares differ most."""

ROUNDS, USUAL = 500, 0.95
"""Samples of the training mix that tell how far one of this size usually is from it."""

COMPARED = ("top1", "top5", "expected_calibration_error")
"""Figures of the manifest's test listings that are compared with those here."""

ORDERS = ("top1", "top5")
"""Those of them that do not depend on calibration."""


def jensen_shannon(left, right):
    """Jensen-Shannon divergence of rows of probabilities, in bits: 0 for the same, 1 for nothing in common.

    Lin (1991). It is symmetric and finite where classes are missing on one side, unlike the divergence of Kullback and
    Leibler that it is made of.

    left, right : ndarray of shape (n, n_classes)
    """
    middle = entropy((left + right) / 2) - (entropy(left) + entropy(right)) / 2
    return np.maximum(middle, 0.0) / np.log(2)


def usual_divergence(mix, n_listings):
    """The divergence from a mix that 95 % of the samples of so many listings from it stay below."""
    samples = np.random.default_rng(0).multinomial(n_listings, mix, ROUNDS) / n_listings
    return float(np.quantile(jensen_shannon(samples, mix[None]), USUAL))


def mix_drift(training, here, classes):
    """Two mixes of classes compared.

    Parameters
    ----------
    training, here : ndarray of shape (n_classes,), sums to 1
    classes : list of str

    Returns
    -------
    dict
        jensen_shannon; moved: the share of the listings that would have to be of another class; differences: list of
        dict, the classes whose shares differ most.
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


def training_mix(manifest, classes):
    """Shares of the classes in the training listings, shape (n_classes,), or None where the manifest lacks them."""
    counts = manifest.get("training_mix")
    if not isinstance(counts, dict) or not counts or not set(counts) <= set(classes):
        return None
    found = np.array([counts.get(name, 0) for name in classes], float)
    return found / found.sum() if found.sum() > 0 else None


def drift(evaluation, figures):
    """What can be said honestly; None stands for what the bundle does not know.

    Parameters
    ----------
    evaluation : productcat.evaluation.evaluate.Evaluation
    figures : dict, kind of evidence → dict, figure → float

    Returns
    -------
    dict
        mix: of the classes that the models see and, where the categories are the classes, of the labels.
        figures: rows of a table, those of the bundle's own test listings beside those here, of listings with such
        evidence: titles that are missing are no sign that titles are of another kind.
        confidence: mean of the highest confidence, of the bundle's test listings and here.
    """
    tests = evaluation.manifest.get("metrics", {}).get("test", {}) if evaluation.categories_are_classes else {}
    if evaluation.manifest.get("calibration"):  # its confidences are no more those that were measured
        tests = {use: {name: tests[use][name] for name in ORDERS} for use in figures if use in tests}
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


def _mixes(evaluation):
    training = training_mix(evaluation.manifest, evaluation.classes)
    if training is None:
        return None
    found = {"seen": mix_drift(training, evaluation.mix, evaluation.classes)}
    if evaluation.categories_are_classes:
        counts = np.bincount(evaluation.labels, minlength=len(evaluation.classes))
        usual = usual_divergence(training, len(evaluation.labels))
        found["labels"] = {**mix_drift(training, counts / counts.sum(), evaluation.classes), "usual": usual}
    return found


def _compared(tests, figures, known):
    """known : dict, kind of evidence → share of the listings that have it"""
    rows = []
    for use, measured in figures.items():
        before = tests.get(use, {})
        # Listings without evidence count as wrong in what was measured.
        here = measured | {name: measured[name] / known[use] for name in ORDERS if name in measured and known[use]}
        rows += [
            {"evidence": use, "figure": name, "test": before[name], "here": here[name]}
            for name in COMPARED
            if name in before
        ]
    return rows
