"""Measures a bundle on labelled listings: overall figures, calibration, thresholds, and figures of each class."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from productcat.calibration.reliability import top_k
from productcat.categories.categorizer import Categorizer
from productcat.categories.ensemble import MODALITIES, Modality, ModelOutputs, combined
from productcat.evaluation.answers import Answers, per_label
from productcat.listings.listing import Listing
from training.metrics import mean_class_top_k, summary

FREQUENT = 20
"""Number of most frequent classes that form one group; the other classes form a second one."""


def evaluate(
    categorizer: Categorizer,
    listings: Sequence[Listing],
    labels: NDArray[np.intp],
    training_labels: NDArray[np.intp],
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Measure a categorizer.

    Parameters
    ----------
    categorizer : productcat.Categorizer
    listings : list of Listing, length n
    labels : ndarray of shape (n,), int
        Numbers of classes.
    training_labels : ndarray of int
        Tell which classes are frequent.

    Returns
    -------
    figures : dict
        What goes into the manifest. Where the bundle or the listings have no photos or no titles, the figures of that
        modality are left out, and those of both, too.
    per_class : list of dict
        One row for each class that occurs: support, and top-1 and top-5 from photos, title and both.
    """
    outputs = categorizer.look(listings, vectors=categorizer.projections.reads_vectors)
    seen = seen_by(categorizer, outputs)
    *alone, whole = seen  # the last is "both", or the only modality
    figures: dict[str, Any] = {modality: summary(each, labels) for modality, each in seen.items()}
    answers = {modality: Answers.of(each, labels) for modality, each in seen.items()}
    figures["listings"] = len(listings)
    figures["mean_confidence"] = {modality: each.mean_confidence for modality, each in answers.items()}
    if "photos" in seen:
        figures["photos_per_class"] = per_stage(seen["photos"], labels, training_labels)
    figures["parents"] = {level: parent_top1(categorizer, seen[whole], labels, level) for level in categorizer.parents}
    figures["decisions"] = decisions(categorizer, outputs, labels)
    if alone:
        figures["decisions_alone"] = {each: decisions(categorizer, outputs.alone(each), labels) for each in alone}
        figures["title_rescue"] = title_rescue(seen, labels)
    return figures, per_label(categorizer.classes, labels, answers, "class")


def seen_by(categorizer: Categorizer, outputs: ModelOutputs) -> dict[Modality, NDArray[np.float64]]:
    """Return distributions from "photos", "title" and "both", or from the only modality that has evidence.

    Raises
    ------
    ValueError
        No listing has a photo or a title that the bundle knows.
    """
    seen = {modality: combined(outputs.alone(modality), categorizer.ensemble) for modality in MODALITIES}
    known = [modality for modality in MODALITIES[:2] if not np.isnan(seen[modality]).all()]
    if not known:
        raise ValueError(f"none of {len(outputs.title)} listings has a photo or a title that the bundle knows")
    return seen if len(known) == 2 else {known[0]: seen[known[0]]}


def per_stage(
    distributions: NDArray[np.float64], labels: NDArray[np.intp], training_labels: NDArray[np.intp]
) -> dict[str, dict[str, float]]:
    """Return mean per-class top-1 and top-5 over the most frequent classes, and over the others.

    "all compete": every class may win. "group competes": only the classes of the group may win, as in a model of
    these classes alone.
    """
    counts = np.bincount(training_labels, minlength=distributions.shape[1])
    order = np.argsort(-counts, kind="stable")
    figures = {}
    for name, group in ((f"top {FREQUENT}", order[:FREQUENT]), ("remaining", order[FREQUENT:])):
        rows = np.isin(labels, group)
        if not rows.any():
            continue  # there are fewer classes
        inside = np.where(np.isin(np.arange(distributions.shape[1]), group), distributions, -1.0)
        for rivals, each in (("all compete", distributions), ("group competes", inside)):
            figures[f"{name}, {rivals}"] = {
                f"mean_class_top{k}": mean_class_top_k(each[rows], labels[rows], k) for k in (1, 5)
            }
        figures[f"{name}, all compete"]["classes"] = len(np.unique(labels[rows]))
    return figures


def parent_top1(
    categorizer: Categorizer, distributions: NDArray[np.float64], labels: NDArray[np.intp], level: str
) -> float:
    """Return the share of listings whose parent class has the greatest sum of probabilities."""
    names, sums = categorizer.roll_up(distributions, level)
    truth = np.array([names.index(categorizer.parents[level][label]) for label in labels])
    return float(top_k(sums, truth, 1).mean())


def decisions(categorizer: Categorizer, outputs: ModelOutputs, labels: NDArray[np.intp]) -> dict[str, float | None]:
    """Return the share of listings that gets each decision, and the share of the assigned ones that is right."""
    judged = zip(categorizer.confidences(outputs), outputs.modalities(), strict=True)
    made = [categorizer.rules[kind].decide(categorizer.categories, row) for row, kind in judged]
    truth = [categorizer.classes[label] for label in labels]
    right = [each.category == true for each, true in zip(made, truth, strict=True) if each.decision == "assign"]
    words = ("assign", "shortlist", "abstain")
    share = {word: float(np.mean([each.decision == word for each in made])) for word in words}
    return {**share, "precision_of_assigned": float(np.mean(right)) if right else None}


def title_rescue(seen: dict[Modality, NDArray[np.float64]], labels: NDArray[np.intp]) -> dict[str, Any]:
    """Return how often each modality is right on listings whose photos alone are unsure (below 0.5)."""
    unsure = np.nan_to_num(seen["photos"], nan=0.0).max(axis=1) < 0.5
    hits = {modality: top_k(each, labels, 1)[unsure] for modality, each in seen.items()}
    right = {modality: float(each.mean()) if unsure.any() else None for modality, each in hits.items()}
    return {"photos_unsure": float(unsure.mean()), "top1_of_unsure": right}
