"""How good a categorizer is on labelled listings: what it answers from photos, from the title and from both.

Listings are looked at in batches, and of each no more is kept than what was answered, so they may be longer than
memory. `productcat.evaluation.figures` makes figures of it, `productcat.reports.evaluation` a report.
"""

from dataclasses import dataclass
from itertools import islice

import numpy as np

from productcat.categories.ensemble import MODALITIES as USES
from productcat.categories.ensemble import combined
from productcat.categories.labels import KnownLabels
from productcat.errors import ListingError
from productcat.evaluation.answers import Answers
from productcat.evaluation.cases import Cases

BATCH = 64
"""Listings looked at together."""

SHOWN = 12
"""Cases of each kind that are kept to be shown."""


@dataclass(frozen=True)
class Evaluation:
    """What was answered for labelled listings.

    Attributes
    ----------
    categories, classes : list of str
    manifest : dict, the bundle's
    rules : dict, kind of evidence → DecisionRule
    labels : ndarray of shape (n_listings,), int, numbers of categories
    kinds : ndarray of shape (n_listings,), str
        The kind of evidence that there is of each listing; of those without any, "photos".
    answers : dict, "photos" | "title" | "both" → Answers
        The one by all the evidence comes last. Kinds that the bundle or the listings lack are left out, and then
        "both", too.
    cases : Cases
    mix : ndarray of shape (n_classes,)
        Mean of the distributions, over the listings with evidence.
    n_titles, n_unknown_titles : int
        Listings with a title, and with one in which no word is known.
    n_photos_lost : int
        Listings with photos of which none can be read.
    unknown_labels : dict, label → listings that were left out because it is no category
    categories_are_classes : bool
        Whether each category is a class under its own name, as a bundle is trained.
    """

    categories: list
    classes: list
    manifest: dict
    rules: dict
    labels: np.ndarray
    kinds: np.ndarray
    answers: dict
    cases: Cases
    mix: np.ndarray
    n_titles: int
    n_unknown_titles: int
    n_photos_lost: int
    unknown_labels: dict
    categories_are_classes: bool

    @property
    def whole(self):
        """The kind of evidence that is all there is."""
        return list(self.answers)[-1]

    @property
    def titles_without_known_word(self):
        """Share of the titles; None without any."""
        return self.n_unknown_titles / self.n_titles if self.n_titles else None

    def thresholds(self, use):
        """From which confidence on each listing is assigned, shape (n_listings,)."""
        if use != "both":
            return np.full(len(self.labels), self.rules[use].assign_at)
        return np.array([self.rules[kind].assign_at for kind in USES])[_places(self.kinds)]

    def assigned(self, use):
        """Which listings the decision rules assign, shape (n_listings,), bool."""
        return np.nan_to_num(self.answers[use].confidence, nan=-1.0) >= self.thresholds(use)


def _places(kinds):
    return np.array([USES.index(kind) for kind in kinds], int)


def evaluate(categorizer, listings, labels, shown=SHOWN):
    """Look at labelled listings.

    Parameters
    ----------
    categorizer : Categorizer
    listings : iterable of Listing
        It may be longer than memory. A photo that cannot be read is left out with a warning. None should be one that
        the models learnt from.
    labels : iterable of str
        The category of each listing. Listings whose label is no category are left out and counted.
    shown : int
        Cases of each kind that are kept.

    Returns
    -------
    Evaluation

    Raises
    ------
    ListingError
        No listing has a label that is a category, or none has any evidence.
    ValueError
        There are more labels than listings, or fewer.
    """
    known = KnownLabels(categorizer.categories)
    pairs, tally = known.pairs(zip(listings, labels, strict=True)), _Tally(categorizer, shown)
    while batch := list(islice(pairs, BATCH)):
        some, numbers = zip(*batch, strict=True)
        tally.add(some, np.array(numbers))
    if not tally.n_listings:
        if known.unknown:
            known.refuse()
        raise ListingError("no labelled listing; label some, or name the column of the labels")
    return tally.evaluation(dict(known.unknown.most_common()))


class _Tally:
    """Adds up batches."""

    def __init__(self, categorizer, shown):
        self.categorizer = categorizer
        models = {"photos": categorizer.image_model, "title": categorizer.title_model}
        self.uses = [use for use in USES if all(models[each] for each in models if use in (each, "both"))]
        self.labels, self.kinds, self.answers = [], [], {use: [] for use in self.uses}
        self.cases, self.mix = Cases(shown), np.zeros(len(categorizer.classes))
        self.n_listings = self.n_titles = self.n_unknown_titles = self.n_photos_lost = 0

    def add(self, listings, labels):
        """Look at one batch."""
        categorizer = self.categorizer
        sight = categorizer.look(listings, vectors=categorizer.projections.reads_vectors)
        confidences = {use: categorizer.confidences(sight.alone(use)) for use in self.uses}
        answers = {use: Answers.of(each, labels) for use, each in confidences.items()}
        for use, each in answers.items():
            self.answers[use].append(each)
        self.labels.append(labels)
        self.kinds += sight.modalities()
        self.cases.add(listings, labels, answers, confidences, categorizer.categories)
        self.mix += np.nansum(combined(sight, categorizer.ensemble), axis=0)
        self._count(listings, sight)

    def _count(self, listings, sight):
        seen, read = (~np.isnan(each[:, 0]) for each in (sight.photos, sight.title))
        titled, pictured = (np.array([bool(each) for each in some]) for some in _given(listings))
        self.n_listings += len(listings)
        if self.categorizer.title_model:
            self.n_titles += int(titled.sum())
            self.n_unknown_titles += int((titled & ~read).sum())
        if self.categorizer.image_model:
            self.n_photos_lost += int((pictured & ~seen).sum())

    def evaluation(self, unknown):
        """→ Evaluation"""
        answers = {use: Answers.joined(parts) for use, parts in self.answers.items()}
        alone = [use for use in ("photos", "title") if use in answers and answers[use].known.any()]
        if not alone:
            raise ListingError(
                f"none of {self.n_listings} labelled listings has a photo that can be read or a known word in its title"
            )
        answers = {use: answers[use] for use in (alone if len(alone) == 1 else USES)}
        categorizer, projections = self.categorizer, self.categorizer.projections
        same = categorizer.categories == categorizer.classes
        return Evaluation(
            categorizer.categories,
            categorizer.classes,
            categorizer.bundle.manifest,
            categorizer.rules,
            np.concatenate(self.labels),
            np.array(self.kinds),
            answers,
            self.cases,
            self.mix / max(self.mix.sum(), np.finfo(float).tiny),
            self.n_titles,
            self.n_unknown_titles,
            self.n_photos_lost,
            unknown,
            same and np.array_equal(projections.matrix, np.eye(len(categorizer.classes))),
        )


def _given(listings):
    """Titles, and photos, as they were given."""
    return [each.title.strip() for each in listings], [each.photos for each in listings]
