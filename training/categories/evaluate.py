"""The figures of a bundle on labelled listings: overall, calibration, thresholds, and those of each class."""

import numpy as np

from productcat.categories.ensemble import MODALITIES, combined, kinds_of
from productcat.evaluation.answers import Answers, per_label
from training import metrics

FREQUENT = 20
"""So many most frequent classes are one group, the others a second."""


def evaluate(categorizer, listings, labels, training_labels):
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
        What goes into the manifest. Figures of photos or titles are left out where the bundle or the listings have
        none, and then those of both, too.
    per_class : list of dict
        One row a class that occurs: support, and top-1 and top-5 from photos, title and both.
    """
    sight = categorizer.look(listings, vectors=categorizer.projections.reads_vectors)
    seen = seen_by(categorizer, sight)
    *alone, whole = seen
    figures = {use: metrics.summary(distributions, labels) for use, distributions in seen.items()}
    figures["listings"] = len(listings)
    figures["mean_confidence"] = {use: Answers.of(each, labels).mean_confidence for use, each in seen.items()}
    if "photos" in seen:
        figures["photos_per_class"] = per_stage(seen["photos"], labels, training_labels)
    figures["parents"] = {level: parent_top1(categorizer, seen[whole], labels, level) for level in categorizer.parents}
    figures["decisions"] = decisions(categorizer, sight, labels)
    if alone:
        figures["decisions_alone"] = {use: decisions(categorizer, sight.alone(use), labels) for use in alone}
        figures["title_rescue"] = title_rescue(seen, labels)
    return figures, per_class(categorizer.classes, seen, labels)


def seen_by(categorizer, sight):
    """Distributions of listings from "photos", "title" and "both", or of the one kind of evidence that there is."""
    seen = {use: combined(sight.alone(use), categorizer.ensemble) for use in MODALITIES}
    known = [use for use in ("photos", "title") if not np.isnan(seen[use]).all()]
    if not known:
        raise ValueError(f"none of {len(sight.title)} listings has a photo or a title that the bundle knows")
    return seen if len(known) == 2 else {known[0]: seen[known[0]]}


def per_stage(distributions, labels, training_labels):
    """Means of per-class top-1 and top-5 over the most frequent classes, and over the others.

    "all compete": every class may win. "group competes": only the group's classes may, as for a model of its own.
    """
    counts = np.bincount(training_labels, minlength=distributions.shape[1])
    order = np.argsort(-counts, kind="stable")
    figures = {}
    for name, group in ((f"top {FREQUENT}", order[:FREQUENT]), ("remaining", order[FREQUENT:])):
        rows = np.isin(labels, group)
        if not rows.any():
            continue  # fewer classes than that
        inside = np.where(np.isin(np.arange(distributions.shape[1]), group), distributions, -1.0)
        for rivals, each in (("all compete", distributions), ("group competes", inside)):
            figures[f"{name}, {rivals}"] = {
                f"mean_class_top{k}": metrics.mean_class_top_k(each[rows], labels[rows], k) for k in (1, 5)
            }
        figures[f"{name}, all compete"]["classes"] = len(np.unique(labels[rows]))
    return figures


def parent_top1(categorizer, distributions, labels, level):
    """Share of listings whose parent class has the greatest sum of probabilities."""
    names, sums = categorizer.roll_up(distributions, level)
    truth = np.array([names.index(categorizer.parents[level][label]) for label in labels])
    return float(metrics.top_k(sums, truth, 1).mean())


def decisions(categorizer, sight, labels):
    """What the bundle's rules do: how many listings get each decision, and how many of the assigned are right."""
    judged = zip(categorizer.confidences(sight), kinds_of(sight), strict=True)
    made = [categorizer.rules[kind].decide(categorizer.categories, row) for row, kind in judged]
    truth = [categorizer.classes[label] for label in labels]
    assigned = [each.category == true for each, true in zip(made, truth, strict=True) if each.decision == "assign"]
    kinds = ("assign", "shortlist", "abstain")
    share = {kind: float(np.mean([each.decision == kind for each in made])) for kind in kinds}
    return {**share, "precision_of_assigned": float(np.mean(assigned)) if assigned else None}


def title_rescue(seen, labels):
    """Listings whose photos alone are unsure (below 0.5): how often photos alone, and both together, are right."""
    known = np.nan_to_num(seen["photos"], nan=0.0)
    unsure = known.max(axis=1) < 0.5
    hits = {use: metrics.top_k(seen[use], labels, 1)[unsure] for use in seen}
    right = {use: float(each.mean()) if unsure.any() else None for use, each in hits.items()}
    return {"photos_unsure": float(unsure.mean()), "top1_of_unsure": right}


def per_class(classes, seen, labels):
    """The per-class table, classes with most listings first."""
    answers = {use: Answers.of(distributions, labels) for use, distributions in seen.items()}
    return per_label(classes, labels, answers, "class")
