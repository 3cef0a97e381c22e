"""Fit a categorizer to a marketplace: on labelled listings of its own, a few hundred, without training.

Confidences are calibrated on what the models were trained from. Another marketplace has other photos, titles and
categories, and there 90 % may mean 70 %. `calibrate` mends that, and finds the thresholds for a precision.
"""

from collections import Counter
from dataclasses import asdict, dataclass, replace

import numpy as np

from productcat.calibration.reliability import (
    Reliability,
    check_precision,
    coverage_at_precision,
    losses,
    rule_at_precision,
    top_k,
)
from productcat.calibration.temperatures import Views, favour, fit
from productcat.categories.ensemble import KINDS, Sight
from productcat.categories.labels import KnownLabels, paired
from productcat.errors import ListingError
from productcat.listings.listing import Listing, only
from productcat.wording import counted

FEWEST = 10
"""Listings that it takes to calibrate, and to choose the threshold of a kind of evidence."""

GOOD = 100
"""Fewer listings than this give rough settings."""

FOLDS = 5


@dataclass(frozen=True)
class Calibration:
    """What a calibration was made from and what it changed.

    Attributes
    ----------
    n_listings : int
        Listings that it was fitted on.
    kinds : dict, "photos" | "title" | "both" → int
        How many of them can be seen through this kind of evidence; one with both counts in each.
    unknown_labels : dict, label → int
        Listings that were left out because their label is no category.
    without_evidence : tuple of str
        Ids of the listings that were left out because they have neither a photo that can be read nor a known word.
    precision : float | None
        The one that was asked for.
    before : Reliability
        With the settings as they were.
    after : Reliability
        Each listing judged by settings that were fitted on others (cross-validation with 5 folds).
    notes : tuple of str
        One line for each promise that cannot be kept, and the way out.
    """

    n_listings: int
    kinds: dict
    unknown_labels: dict
    without_evidence: tuple[str, ...]
    precision: float | None
    before: Reliability
    after: Reliability
    notes: tuple[str, ...]


def calibrate(categorizer, listings, labels, precision=None):
    """Fit temperatures, the share of the photos, the projections' floor and their offsets to labelled listings.

    Changes the categorizer: `ensemble`, `projections` and, with a precision, `rules`. Models and categories stay as
    they are. The listings should be like those to come, not chosen for being easy, and none that the models learnt
    from. The result does not depend on their order. Where the offsets, or all that is fitted, do not help on listings
    that they were not fitted on, the present ones stay, so that a few listings with odd labels do no harm.

    Parameters
    ----------
    categorizer : Categorizer
    listings : iterable of Listing
        It may be longer than memory. A photo that cannot be read is left out with a warning.
    labels : iterable of str
        The category of each listing. Listings whose label is no category are left out and counted.
    precision : float in (0, 1], optional
        Assign from the lowest confidence at which this share of the assigned is right, for each kind of evidence. A
        kind for which it cannot be reached, or which has fewer than 10 listings to tell, assigns nothing but what has
        a confidence of 1: who asks for a precision would rather choose from a shortlist than be wrong more often.

    Returns
    -------
    Calibration

    Raises
    ------
    ListingError
        Fewer than 10 listings have a known label and evidence.
    ValueError
        The precision is no share, or there are more labels than listings, or fewer.
    """
    if precision is not None:
        check_precision(precision)
    found = _look(categorizer, listings, labels)
    sight, numbers = _in_order(found.sight, found.numbers)
    views = Views.of(sight, numbers)
    present = categorizer.ensemble, categorizer.projections
    folds, way = _cross_fitted(views, present)
    fitted = _tried(views, present)[way]
    rules, notes = _rules(views, fitted, categorizer, precision)
    after = _cross_validated(views, folds, categorizer, precision)
    if precision is not None:
        notes += _doubts_of_precision(len(numbers), after, precision, told=bool(notes))
    notes += _doubts(len(numbers), helps=way > 0)
    calibration = Calibration(
        len(numbers),
        {kind: int((views.kinds == kind).sum()) for kind in KINDS},
        dict(found.unknown.most_common()),
        found.without_evidence,
        precision,
        _reliability(views.own(), present, categorizer.rules),
        after,
        tuple(notes),
    )
    categorizer.ensemble.update(fitted[0])
    categorizer.projections, categorizer.rules = fitted[1], rules
    _note_down(categorizer.bundle, calibration)
    return calibration


@dataclass(frozen=True)
class _Found:
    """What the models see of the listings that can be used, and what was left out. numbers: those of categories."""

    sight: Sight
    numbers: np.ndarray
    unknown: Counter
    without_evidence: tuple


def _look(categorizer, listings, labels):
    """Look at the listings whose label is a category. → _Found"""
    known = KnownLabels(categorizer.categories)
    ids, numbers = [], []

    def usable():
        for listing, number in known.pairs(paired(only(Listing, listings), labels)):
            ids.append(listing.id)
            numbers.append(number)
            yield listing

    sight = categorizer.look(usable(), vectors=categorizer.projections.reads_vectors)
    evident = ~(np.isnan(sight.photos).any(axis=1) & np.isnan(sight.title).any(axis=1))
    without = tuple(id for id, each in zip(ids, evident, strict=True) if not each)
    _refuse_few(int(evident.sum()), len(ids), known)
    return _Found(sight.rows(evident), np.array(numbers)[evident], known.unknown, without)


def _refuse_few(n_usable, n_known, labels):
    """Raise ListingError where listings are too few, with the likeliest reason."""
    if n_usable >= FEWEST:
        return
    if labels.unknown and not n_known:
        labels.refuse()
    left_out = {"have a label that is no category": labels.unknown.total(), "have no evidence": n_known - n_usable}
    why = [f"{count} {what}" for what, count in left_out.items() if count]
    more = f" ({', '.join(why)})" if why else ""
    usable = f"{counted(n_usable, 'listing')} that can be used{more}"
    raise ListingError(f"{usable}, expected at least {FEWEST}; label more, some hundred are good")


def _in_order(sight, numbers):
    """The listings sorted by label and by what is seen of them, so that folds and sums do not depend on their order."""
    keys = np.column_stack([numbers, sight.photos, sight.title, *sight.vectors.values()])
    order = np.lexsort(keys.T[::-1])
    return sight.rows(order), numbers[order]


def _rules(views, settings, categorizer, precision):
    """The rule of each kind of evidence, and notes on those that cannot be as precise as was asked."""
    rules, notes = dict(categorizer.rules), []
    if precision is None:
        return rules, notes
    possible = {"photos": categorizer.image_model, "title": categorizer.title_model}
    for kind in KINDS:
        if any(possible[each] is None for each in possible if kind in (each, "both")):
            continue  # the bundle lacks the model, so there is never such evidence
        seen, old = views.where(views.kinds == kind), rules[kind]
        confidences = seen.confidences(*settings)
        if len(seen.labels) < FEWEST:
            why = f"{len(seen.labels)} listings, it takes {FEWEST} to choose a threshold; label more that have it"
        elif not coverage_at_precision(confidences, seen.labels, precision)[0]:
            why = f"no threshold has {precision:.4g} of the assigned right; ask for less, or train on such listings"
        else:
            rules[kind] = rule_at_precision(confidences, seen.labels, precision, old.shortlist_at, old.shortlist_size)
            continue
        rules[kind] = replace(old, assign_at=1.0)
        notes.append(f"{KINDS[kind]}: {why}; until then nothing is assigned below a confidence of 1")
    return rules, notes


def _tried(views, present):
    """Settings to choose from, from the least that is changed to the most: present, fitted, with offsets besides."""
    ensemble, projections = fit(views, *present)
    return present, (ensemble, projections), (ensemble, favour(views, ensemble, projections))


def _cross_fitted(views, present):
    """For each fold the settings fitted on the others, by the best way, and its place in `_tried`.

    It is the one with the least loss on the listings left out, among those that get no fewer of them right than what is
    there: a better loss is no reason to rank a listing's own category second.
    """
    folds = [views.listings % FOLDS == fold for fold in range(FOLDS)]
    tried = [_tried(views.where(~held), present) for held in folds]
    judged = np.zeros((len(tried[0]), 2))  # right answers, loss
    for held, found in zip(folds, tried, strict=True):
        left_out = views.where(held)
        for way, settings in enumerate(found):
            confidences = left_out.confidences(*settings)
            right = top_k(confidences, left_out.labels, 1)
            judged[way] += left_out.weights @ np.column_stack([right, losses(confidences, left_out.labels)])
    good = np.flatnonzero(judged[:, 0] >= judged[0, 0] - 1e-9)  # sums of thirds
    best = int(min(good, key=lambda way: judged[way, 1]))
    return [found[best] for found in tried], best


def _cross_validated(views, folds, categorizer, precision):
    """Reliability where each listing is judged by settings and rules that were fitted on the other folds."""
    own = views.own()
    confidences, assign_at = np.empty((len(own.labels), len(categorizer.categories))), np.empty(len(own.labels))
    for fold, settings in enumerate(folds):
        rules, _ = _rules(views.where(views.listings % FOLDS != fold), settings, categorizer, precision)
        held = own.listings % FOLDS == fold
        judged = own.where(held)
        confidences[held], assign_at[held] = judged.confidences(*settings), _thresholds(judged, rules)
    return Reliability.of(confidences, own.labels, assign_at)


def _reliability(own, settings, rules):
    return Reliability.of(own.confidences(*settings), own.labels, _thresholds(own, rules))


def _thresholds(views, rules):
    """From which confidence on each view is assigned, shape (n_views,)."""
    return np.array([rules[kind].assign_at for kind in views.kinds])


def _doubts(n_listings, helps):
    """Notes on what did not come out as hoped."""
    notes = []
    if n_listings < GOOD:
        notes.append(f"{n_listings} listings give rough settings and thresholds; label more, some hundred are good")
    if not helps:
        notes.append(
            "fitted temperatures are no better on listings that they were not fitted on; the present ones stay"
        )
    return notes


def _doubts_of_precision(n_listings, after, precision, told):
    """Notes on what may not be as precise as was asked. told: `_rules` has notes already"""
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


def _note_down(bundle, calibration):
    """Write into the manifest, which a saved bundle takes over, what the calibration was made from."""
    figures = {name: asdict(getattr(calibration, name)) for name in ("before", "after")}
    made = {"listings": calibration.n_listings, "precision": calibration.precision}
    bundle.manifest["calibration"] = {**{name: each for name, each in made.items() if each is not None}, **figures}
