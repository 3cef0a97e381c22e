"""The listings of an evaluation that a person should see: the few most telling of each kind, however many there are."""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from productcat.categories.decision import Candidate
from productcat.categories.ensemble import Modality
from productcat.evaluation.answers import Answers
from productcat.listings.listing import Listing

BEST = 3
"""Number of candidates that are kept of a case."""


@dataclass(frozen=True)
class Case:
    """One listing, and what was answered for it.

    listing : Listing
    label : str, its category
    candidates : dict, modality → tuple of Candidate, the best first; empty without evidence
    """

    listing: Listing
    label: str
    candidates: dict[Modality, tuple[Candidate, ...]]

    @classmethod
    def of(
        cls, listing: Listing, label: str, categories: Sequence[str], rows: Mapping[Modality, NDArray[np.float64]]
    ) -> Self:
        """Make a case. rows: dict, modality → confidences, ndarray of shape (n_categories,)"""
        return cls(listing, label, {use: _best(categories, row) for use, row in rows.items()})


def _best(categories: Sequence[str], row: NDArray[np.floating]) -> tuple[Candidate, ...]:
    if np.isnan(row).any():
        return ()
    return tuple(Candidate(categories[i], float(row[i])) for i in np.argsort(-row, kind="stable")[:BEST])


class Top:
    """The cases of the highest scores.

    Parameters
    ----------
    size : int
        Number of cases that are kept.

    Attributes
    ----------
    count : int
        Number of cases that were offered.
    """

    def __init__(self, size: int) -> None:
        self.size, self.count = size, 0
        self._heap: list[tuple[float, int, Case]] = []

    def wants(self, score: float) -> bool:
        """Count a case. Return whether its score is among the highest; of equal scores the first ones stay."""
        self.count += 1
        return self.size > 0 and (len(self._heap) < self.size or score > self._heap[0][0])

    def keep(self, score: float, case: Case) -> None:
        """Keep a case that is wanted, instead of the one with the lowest score if there are enough."""
        heapq.heappush(self._heap, (score, -self.count, case))
        if len(self._heap) > self.size:
            heapq.heappop(self._heap)

    @property
    def best(self) -> list[Case]:
        """The cases that are kept, the highest score first."""
        return [case for *_, case in sorted(self._heap, reverse=True)]


class Cases:
    """Collects the cases that a report shows, batch by batch.

    Attributes
    ----------
    rescued : Top
        Photos alone are wrong, photos and title are right.
    spoilt : Top
        Photos alone are right, photos and title are wrong.
    mistakes : Top
        Wrong by all the evidence that there is.

    Each keeps the most confident ones.
    """

    def __init__(self, shown: int) -> None:
        self.rescued, self.spoilt, self.mistakes = Top(shown), Top(shown), Top(shown)

    def add(
        self,
        listings: Sequence[Listing],
        labels: NDArray[np.intp],
        answers: Mapping[Modality, Answers],
        confidences: Mapping[Modality, NDArray[np.float64]],
        categories: Sequence[str],
    ) -> None:
        """Look at one batch.

        listings, labels : of the batch, labels as numbers
        answers : dict, modality → Answers, the one with most evidence last
        confidences : dict, modality → ndarray of shape (n_listings, n_categories)
        """
        *_, whole = answers
        for number, listing in enumerate(listings):
            score = float(answers[whole].confidence[number])
            for top in self._tops(answers, whole, number):
                if top.wants(score):
                    rows = {use: each[number] for use, each in confidences.items()}
                    top.keep(score, Case.of(listing, categories[labels[number]], categories, rows))

    def _tops(self, answers: Mapping[Modality, Answers], whole: Modality, number: int) -> Iterator[Top]:
        """Yield where a listing belongs."""
        if not answers[whole].known[number]:
            return
        right = answers[whole].right[number]
        if not right:
            yield self.mistakes
        if whole == "both" and answers["photos"].known[number] and answers["title"].known[number]:
            before = answers["photos"].right[number]
            if before != right:
                yield self.rescued if right else self.spoilt
