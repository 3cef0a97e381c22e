"""Fit a categorizer to a marketplace on some hundred labelled listings of its own, without training.

Confidences are calibrated on what the models were trained from. Another marketplace has other photos, titles and
categories, and there 90 % may mean 70 %. `calibrate` corrects that, and finds the thresholds for a precision.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from productcat.calibration.agreement import Agreement
from productcat.calibration.reliability import (
    Reliability,
    check_precision,
    coverage_at_precision,
    losses,
    rule_at_precision,
    top_k,
)
from productcat.calibration.temperatures import Settings, Views, favour, fit
from productcat.categories.categorizer import Categorizer
from productcat.categories.decision import DecisionRule
from productcat.categories.ensemble import MODALITY_NAMES, Modality, ModelOutputs
from productcat.categories.labels import KnownLabels
from productcat.errors import ListingError
from productcat.listings.listing import Listing
from productcat.problems import OnProblem, warn
from productcat.wording import counted

FEWEST = 10
"""Number of listings that it takes to calibrate, and to choose the threshold of a modality."""

GOOD = 100
"""Number of listings below which settings are rough."""

FOLDS = 5
"""Number of parts of the listings. Each is judged by what was fitted on the others."""

Way = Literal["present", "fitted", "favoured"]
"""Which settings are chosen: those that are there, fitted ones, or fitted ones with offsets."""

Rules = dict[Modality, DecisionRule]


@dataclass(frozen=True)
class Calibration:
    """What a calibration was made from and what it changed.

    Attributes
    ----------
    n_listings : int
        Number of listings that it was fitted on.
    kinds : dict, "photos" | "title" | "both" → int
        Number of listings seen through this modality. A listing with both counts in each.
    unknown_labels : dict, label → int
        Number of listings left out because their label is not a category.
    without_evidence : tuple of str
        Ids of the listings left out because they have neither a photo that can be read nor a known word.
    precision : float | None
        The precision that was asked for.
    before : Reliability
        With the settings as they were.
    after : Reliability
        Each listing judged by settings that were fitted on others (cross-validation with 5 folds).
    agreement : Agreement
        Whether the labels have anything to do with what the bundle said before.
    notes : tuple of str
        A line for each promise that cannot be kept, with the way out. The first is on labels that are probably wrong.
    matched_labels : dict, label → str
        The category that the label differs from in capitals or spaces only.
    """

    n_listings: int
    kinds: dict[Modality, int]
    unknown_labels: dict[str, int]
    without_evidence: tuple[str, ...]
    precision: float | None
    before: Reliability
    after: Reliability
    agreement: Agreement
    notes: tuple[str, ...]
    matched_labels: dict[str, str]


def calibrate(
    categorizer: Categorizer,
    labelled: Iterable[tuple[Listing, str]],
    precision: float | None = None,
    on_problem: OnProblem = warn,
) -> Calibration:
    """Fit temperatures, the share of the photos, the projections' floor and their offsets to labelled listings.

    It changes the categorizer: `ensemble`, `projections` and, with a precision, `rules`. Models and categories stay as
    they are. The listings should be like those to come, not chosen for being easy, and the models must not have learnt
    from them. The result does not depend on their order. Present settings stay where new ones do not help on listings
    that they were not fitted on, so a few listings with odd labels do no harm. If no more labels are right than by
    chance, the first note says so.

    Parameters
    ----------
    categorizer : Categorizer
    labelled : iterable of (Listing, str)
        Listings with their categories. It may be longer than memory. Capitals and spaces do not matter where only one
        category is meant. Listings whose label is not a category are left out and counted.
    precision : float in (0, 1], optional
        Assign from the lowest confidence at which this share of the assigned is right, for each modality. Some
        modalities may not reach it, or have fewer than 10 listings to tell. They assign only what has a confidence of
        1: whoever asks for a precision would rather choose from a shortlist than be wrong more often.
    on_problem : callable
        Called with the Problem of each photo that cannot be read. By default each is a warning.

    Raises
    ------
    ListingError
        Fewer than 10 listings have a known label and evidence.
    ValueError
        The precision is not such a share.
    """
    if precision is not None:
        check_precision(precision)
    found = _look(categorizer, labelled, on_problem)
    views = Views.of(*_in_order(found.outputs, found.numbers))
    own = views.own()
    present = Settings(categorizer.ensemble, categorizer.projections)
    folds, way = _cross_fitted(views, present)
    fitted = _candidates(views, present)[way]
    rules, notes = _rules(views, fitted, categorizer, precision)
    after = _cross_validated(views, folds, categorizer, precision)
    if precision is not None:
        notes += _doubts_of_precision(len(found.numbers), after, precision, told=bool(notes))
    notes += _doubts(len(found.numbers), helps=way != "present")
    before = own.confidences(present)
    agreement = Agreement.of(before, own.labels, categorizer.categories)
    notes = [*filter(None, [agreement.doubt()]), *notes]
    calibration = Calibration(
        len(found.numbers),
        {modality: int((views.modalities == modality).sum()) for modality in MODALITY_NAMES},
        dict(found.unknown.most_common()),
        found.without_evidence,
        precision,
        Reliability.of(before, own.labels, _thresholds(own, categorizer.rules)),
        after,
        agreement,
        tuple(notes),
        found.matched,
    )
    categorizer.ensemble, categorizer.projections, categorizer.rules = fitted.ensemble, fitted.projections, rules
    categorizer.bundle = categorizer.bundle.with_manifest(calibration=_summary(calibration))
    return calibration


@dataclass(frozen=True)
class _Found:
    """What the models see of the listings that can be used, and what was left out. numbers: those of categories."""

    outputs: ModelOutputs
    numbers: NDArray[np.intp]
    unknown: Counter[str]
    without_evidence: tuple[str, ...]
    matched: dict[str, str]


def _look(categorizer: Categorizer, labelled: Iterable[tuple[Listing, str]], on_problem: OnProblem) -> _Found:
    """Look at the listings whose label is a category."""
    known = KnownLabels(categorizer.categories)
    ids, numbers = [], []

    def usable() -> Iterator[Listing]:
        for listing, number in known.pairs(labelled):
            yield listing
            ids.append(listing.id)
            numbers.append(number)

    outputs = categorizer.look(usable(), "both", categorizer.projections.reads_vectors, on_problem)
    evident = np.logical_not(np.isnan(outputs.photos).any(axis=1) & np.isnan(outputs.title).any(axis=1))
    without = tuple(id for id, each in zip(ids, evident, strict=True) if not each)
    _refuse_few(int(evident.sum()), len(ids), known)
    return _Found(outputs.rows(evident), np.array(numbers)[evident], known.unknown, without, known.matched)


def _refuse_few(n_usable: int, n_known: int, labels: KnownLabels) -> None:
    """Raise ListingError where listings are too few, with the likeliest reason."""
    if n_usable >= FEWEST:
        return
    if labels.unknown and not n_known:
        labels.refuse()
    left_out = {
        "have a label that is not a category": labels.unknown.total(),
        "have no evidence": n_known - n_usable,
    }
    why = [f"{count} {what}" for what, count in left_out.items() if count]
    more = f" ({', '.join(why)})" if why else ""
    usable = f"{counted(n_usable, 'listing')} that can be used{more}"
    raise ListingError(f"{usable}, expected at least {FEWEST}; label more, some hundred are good")


def _in_order(outputs: ModelOutputs, numbers: NDArray[np.intp]) -> tuple[ModelOutputs, NDArray[np.intp]]:
    """Sort the listings by label and by what is seen of them, so that folds and sums do not depend on their order."""
    keys = np.column_stack([numbers, outputs.photos, outputs.title, *outputs.vectors.values()])
    order = np.lexsort(keys.T[::-1])
    return outputs.rows(order), numbers[order]


def _rules(
    views: Views, settings: Settings, categorizer: Categorizer, precision: float | None
) -> tuple[Rules, list[str]]:
    """Return the rule of each modality, and notes on those that cannot be as precise as was asked."""
    rules, notes = dict(categorizer.rules), list[str]()
    if precision is None:
        return rules, notes
    possible = {"photos": categorizer.image_model, "title": categorizer.title_model}
    for modality, name in MODALITY_NAMES.items():
        if any(possible[each] is None for each in possible if modality in (each, "both")):
            continue  # the bundle lacks the model, so no listing has this modality
        seen, old = views.where(views.modalities == modality), rules[modality]
        confidences = seen.confidences(settings)
        if len(seen.labels) < FEWEST:
            why = f"{len(seen.labels)} listings, it takes {FEWEST} to choose a threshold; label more that have it"
        elif not coverage_at_precision(confidences, seen.labels, precision)[0]:
            why = f"no threshold has {precision:.4g} of the assigned right; ask for less, or train on such listings"
        else:
            rules[modality] = rule_at_precision(
                confidences, seen.labels, precision, old.shortlist_at, old.shortlist_size
            )
            continue
        rules[modality] = replace(old, assign_at=1.0)
        notes.append(f"{name}: {why}; until then nothing is assigned below a confidence of 1")
    return rules, notes


def _candidates(views: Views, present: Settings) -> dict[Way, Settings]:
    """Return settings to choose from, from those that change least to those that change most."""
    fitted = fit(views, present)
    return {"present": present, "fitted": fitted, "favoured": favour(views, fitted)}


def _cross_fitted(views: Views, present: Settings) -> tuple[list[Settings], Way]:
    """Return for each fold the settings fitted on the others, in the best way, and that way.

    The best way has the least loss on the listings left out, among those that get as many of them right as the present
    settings: a better loss is not a reason to rank a listing's own category second.
    """
    folds = [views.listings % FOLDS == fold for fold in range(FOLDS)]
    candidates = [_candidates(views.where(~held), present) for held in folds]
    right: Counter[Way] = Counter()
    loss: Counter[Way] = Counter()
    for held, found in zip(folds, candidates, strict=True):
        left_out = views.where(held)
        for way, settings in found.items():
            confidences = left_out.confidences(settings)
            judged = np.column_stack([top_k(confidences, left_out.labels, 1), losses(confidences, left_out.labels)])
            more_right, more_loss = left_out.weights @ judged
            right[way] += more_right
            loss[way] += more_loss
    good = [way for way in candidates[0] if right[way] >= right["present"] - 1e-9]  # sums of thirds
    best = min(good, key=loss.__getitem__)
    return [found[best] for found in candidates], best


def _cross_validated(
    views: Views, folds: Sequence[Settings], categorizer: Categorizer, precision: float | None
) -> Reliability:
    """Measure the reliability where each listing is judged by settings and rules fitted on the other folds."""
    own = views.own()
    confidences, assign_at = np.empty((len(own.labels), len(categorizer.categories))), np.empty(len(own.labels))
    for fold, settings in enumerate(folds):
        rules, _ = _rules(views.where(views.listings % FOLDS != fold), settings, categorizer, precision)
        held = own.listings % FOLDS == fold
        judged = own.where(held)
        confidences[held], assign_at[held] = judged.confidences(settings), _thresholds(judged, rules)
    return Reliability.of(confidences, own.labels, assign_at)


def _thresholds(views: Views, rules: Rules) -> NDArray[np.float64]:
    """Return the confidence from which each view is assigned, shape (n_views,)."""
    return np.array([rules[modality].assign_at for modality in views.modalities])


def _doubts(n_listings: int, helps: bool) -> list[str]:
    """Return notes on what did not come out as hoped."""
    notes = []
    if n_listings < GOOD:
        notes.append(f"{n_listings} listings give rough settings and thresholds; label more, some hundred are good")
    if not helps:
        notes.append(
            "fitted temperatures are no better on listings that they were not fitted on; the present ones stay"
        )
    return notes


def _doubts_of_precision(n_listings: int, after: Reliability, precision: float, told: bool) -> list[str]:
    """Return notes on what may not be as precise as was asked. told: `_rules` has notes already"""
    notes = []
    if precision < 1 and n_listings * (1 - precision) < 1:
        enough = np.ceil(1 / (1 - precision))
        few = f"{n_listings} listings are too few to tell a precision of {precision:.4g}"
        notes.append(f"{few}; label at least {enough:.0f}")
    if not after.coverage and not told:
        notes.append("without a fifth of the listings they are too few to choose a threshold; label more to judge it")
    if after.precision is not None and after.precision < precision:
        notes.append(
            f"of listings that the fit has not seen {after.precision:.4g} of the assigned are right, not "
            f"{precision:.4g}; label more listings, or ask for more than you need"
        )
    return notes


def _summary(calibration: Calibration) -> dict[str, object]:
    """Return what the manifest says of a calibration."""
    made = {"listings": calibration.n_listings, "precision": calibration.precision}
    known = {name: each for name, each in made.items() if each is not None}
    return {**known, "before": asdict(calibration.before), "after": asdict(calibration.after)}
