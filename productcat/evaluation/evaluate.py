"""How good a categorizer is on labelled listings: what it answers from photos, from the title and from both.

Listings are looked at in batches. Of each no more is kept than what was answered, so they may be longer than memory.
`productcat.evaluation.figures` makes figures of it, `productcat.reports.evaluation` a report.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from productcat.categories.categorizer import Categorizer
from productcat.categories.decision import DecisionRule
from productcat.categories.ensemble import MODALITIES, Modality, ModelOutputs, combined
from productcat.categories.labels import KnownLabels
from productcat.errors import ListingError
from productcat.evaluation.answers import Answers
from productcat.evaluation.cases import Cases
from productcat.listings.listing import Listing
from productcat.problems import OnProblem, warn

LISTINGS_AT_ONCE = 64
"""Number of listings that are looked at together."""

SHOWN = 12
"""Number of cases of each kind that are kept for the report."""


@dataclass(frozen=True)
class Evaluation:
    """What was answered for labelled listings.

    Attributes
    ----------
    categories, classes : list of str
    manifest : dict, the bundle's
    rules : dict, modality → DecisionRule
    labels : ndarray of shape (n_listings,), int, numbers of categories
    kinds : ndarray of shape (n_listings,), str
        The modality of each listing; "photos" for those without evidence.
    answers : dict, "photos" | "title" | "both" → Answers
        The one by all the evidence comes last. Where the bundle or the listings lack photos or titles, only the other
        one is there.
    cases : Cases
    mix : ndarray of shape (n_classes,)
        Mean of the distributions, over the listings with evidence.
    n_titles, n_unknown_titles : int
        Listings with a title, and with one in which no word is known.
    n_photos_lost : int
        Listings with photos of which none can be read.
    unknown_labels : dict, label → listings that were left out because it is not a category
    matched_labels : dict, label → the category that it differs from in capitals or spaces only
    categories_are_classes : bool
        Whether each category is a class under its own name, as in a bundle that was only trained.
    """

    categories: Sequence[str]
    classes: Sequence[str]
    manifest: Mapping[str, Any]
    rules: Mapping[Modality, DecisionRule]
    labels: NDArray[np.intp]
    kinds: NDArray[np.str_]
    answers: Mapping[Modality, Answers]
    cases: Cases
    mix: NDArray[np.float64]
    n_titles: int
    n_unknown_titles: int
    n_photos_lost: int
    unknown_labels: Mapping[str, int]
    matched_labels: Mapping[str, str]
    categories_are_classes: bool

    @property
    def whole(self) -> Modality:
        """The modality with all the evidence that there is."""
        return list(self.answers)[-1]

    @property
    def titles_without_known_word(self) -> float | None:
        """Share of the titles in which no word is known; None without titles."""
        return self.n_unknown_titles / self.n_titles if self.n_titles else None

    def thresholds(self, use: Modality) -> NDArray[np.float64]:
        """Return the confidence from which on each listing is assigned, shape (n_listings,)."""
        if use != "both":
            return np.full(len(self.labels), self.rules[use].assign_at)
        return np.array([self.rules[kind].assign_at for kind in self.kinds])

    def assigned(self, use: Modality) -> NDArray[np.bool_]:
        """Return which listings the decision rules assign, shape (n_listings,)."""
        chosen: NDArray[np.bool_] = np.nan_to_num(self.answers[use].confidence, nan=-1.0) >= self.thresholds(use)
        return chosen


def evaluate(
    categorizer: Categorizer,
    labelled: Iterable[tuple[Listing, str]],
    shown: int = SHOWN,
    on_problem: OnProblem = warn,
) -> Evaluation:
    """Look at labelled listings.

    Parameters
    ----------
    categorizer : Categorizer
    labelled : iterable of (Listing, str)
        Each listing with its category. It may be longer than memory. Capitals and spaces do not matter where only one
        category is meant. Listings whose label is not a category are left out and counted. The models should not have
        learnt from any of these listings.
    shown : int
        Number of cases of each kind that are kept.
    on_problem : callable
        Called with the Problem of each photo that cannot be read. By default each is a warning.

    Raises
    ------
    ListingError
        No listing has a label that is a category, or none has any evidence.
    """
    known = KnownLabels(categorizer.categories)
    pairs, tally = known.pairs(labelled), _Tally(categorizer, shown, on_problem)
    while batch := list(islice(pairs, LISTINGS_AT_ONCE)):
        tally.add([listing for listing, _ in batch], np.array([number for _, number in batch]))
    if not tally.n_listings:
        if known.unknown:
            known.refuse()
        raise ListingError("no labelled listing; label some, or name the column of the labels")
    return tally.evaluation(known)


class _Tally:
    """Adds up batches."""

    def __init__(self, categorizer: Categorizer, shown: int, on_problem: OnProblem) -> None:
        self.categorizer, self.on_problem = categorizer, on_problem
        photos, title = bool(categorizer.image_model), bool(categorizer.title_model)
        there = {"photos": photos, "title": title, "both": photos and title}
        self.uses = [use for use in MODALITIES if there[use]]
        self.labels: list[NDArray[np.intp]] = []
        self.kinds: list[Modality] = []
        self.answers: dict[Modality, list[Answers]] = {use: [] for use in self.uses}
        self.cases, self.mix = Cases(shown), np.zeros(len(categorizer.classes))
        self.n_listings = self.n_titles = self.n_unknown_titles = self.n_photos_lost = 0

    def add(self, listings: Sequence[Listing], labels: NDArray[np.intp]) -> None:
        """Look at one batch."""
        categorizer = self.categorizer
        vectors = categorizer.projections.reads_vectors
        outputs = categorizer.look(listings, vectors=vectors, on_problem=self.on_problem)
        confidences = {use: categorizer.confidences(outputs.alone(use)) for use in self.uses}
        answers = {use: Answers.of(each, labels) for use, each in confidences.items()}
        for use, each in answers.items():
            self.answers[use].append(each)
        self.labels.append(labels)
        self.kinds += outputs.modalities()
        self.cases.add(listings, labels, answers, confidences, categorizer.categories)
        self.mix += np.nansum(combined(outputs, categorizer.ensemble), axis=0)
        self._count(listings, outputs)

    def _count(self, listings: Sequence[Listing], outputs: ModelOutputs) -> None:
        seen, read = ~np.isnan(outputs.photos[:, 0]), ~np.isnan(outputs.title[:, 0])
        titled = np.array([bool(each.title.strip()) for each in listings])
        pictured = np.array([bool(each.photos) for each in listings])
        self.n_listings += len(listings)
        if self.categorizer.title_model:
            self.n_titles += int(titled.sum())
            self.n_unknown_titles += int((titled & ~read).sum())
        if self.categorizer.image_model:
            self.n_photos_lost += int((pictured & ~seen).sum())

    def evaluation(self, known: KnownLabels) -> Evaluation:
        """Return all of it. known: what became of the labels"""
        answers = {use: Answers.joined(parts) for use, parts in self.answers.items()}
        alone = [use for use in ("photos", "title") if use in answers and answers[use].known.any()]
        if not alone:
            raise ListingError(
                f"none of {self.n_listings} labelled listings has a photo that can be read or a known word in its title"
            )
        answers = {use: answers[use] for use in (alone if len(alone) == 1 else MODALITIES)}
        categorizer = self.categorizer
        same = categorizer.categories == categorizer.classes
        return Evaluation(
            categories=categorizer.categories,
            classes=categorizer.classes,
            manifest=categorizer.bundle.manifest,
            rules=categorizer.rules,
            labels=np.concatenate(self.labels),
            kinds=np.array(self.kinds),
            answers=answers,
            cases=self.cases,
            mix=self.mix / max(self.mix.sum(), np.finfo(float).tiny),
            n_titles=self.n_titles,
            n_unknown_titles=self.n_unknown_titles,
            n_photos_lost=self.n_photos_lost,
            unknown_labels=dict(known.unknown.most_common()),
            matched_labels=known.matched,
            categories_are_classes=same and np.array_equal(categorizer.projections.matrix, np.eye(len(self.mix))),
        )
