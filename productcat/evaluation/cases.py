"""The listings of an evaluation that a person should see: the few most telling of each kind, however many there are."""

import heapq
from dataclasses import dataclass
from itertools import count

import numpy as np

from productcat.categories.decision import Candidate
from productcat.listings.listing import Listing

BEST = 3
"""Candidates kept of a case."""


@dataclass(frozen=True)
class Case:
    """One listing, and what was answered for it.

    listing : Listing
    label : str, its category
    candidates : dict, kind of evidence → tuple of Candidate, the best first; empty without such evidence
    """

    listing: Listing
    label: str
    candidates: dict[str, tuple[Candidate, ...]]

    @classmethod
    def of(cls, listing, label, categories, rows):
        """rows: dict, kind of evidence → confidences, ndarray of shape (n_categories,)"""
        return cls(listing, label, {use: _best(categories, row) for use, row in rows.items()})


def _best(categories, row):
    if np.isnan(row).any():
        return ()
    return tuple(Candidate(categories[i], float(row[i])) for i in np.argsort(-row, kind="stable")[:BEST])


class Top:
    """The cases of the highest scores, of any number of them.

    Parameters
    ----------
    size : int
        So many are kept.
    """

    def __init__(self, size):
        self.size, self.count = size, 0
        self._heap, self._order = [], count(0, -1)

    def offer(self, score, make):
        """Count a case, and keep what `make` gives if its score is among the highest; of equal ones the first."""
        self.count += 1
        entry = score, next(self._order)
        if len(self._heap) < self.size:
            heapq.heappush(self._heap, (*entry, make()))
        elif self.size and entry > self._heap[0][:2]:
            heapq.heapreplace(self._heap, (*entry, make()))

    @property
    def best(self):
        """The cases kept, the highest score first."""
        return [case for *_, case in sorted(self._heap, key=lambda each: each[:2], reverse=True)]


class Cases:
    """Collects what an evaluation shows, batch by batch.

    Attributes
    ----------
    rescued : Top
        Photos alone are wrong, photos and title are right.
    spoilt : Top
        Photos alone are right, photos and title are wrong.
    mistakes : Top
        Wrong by all the evidence there is. Of each the most confident.
    """

    def __init__(self, shown):
        self.rescued, self.spoilt, self.mistakes = Top(shown), Top(shown), Top(shown)

    def add(self, listings, labels, answers, confidences, categories):
        """Look at one batch.

        listings, labels : of the batch, labels as numbers
        answers : dict, kind of evidence → Answers, the one with most evidence last
        confidences : dict, kind of evidence → ndarray of shape (n_listings, n_categories)
        """
        *_, whole = answers
        for number, listing in enumerate(listings):
            place = self._place(answers, whole, number)
            for top in place:
                rows = {use: each[number] for use, each in confidences.items()}
                label = categories[labels[number]]
                score = float(answers[whole].confidence[number])
                top.offer(score, lambda rows=rows, of=(listing, label): Case.of(*of, categories, rows))

    def _place(self, answers, whole, number):
        """Where a listing belongs."""
        if not answers[whole].known[number]:
            return []
        right = answers[whole].right[number]
        places = [] if right else [self.mistakes]
        if whole == "both" and answers["photos"].known[number] and answers["title"].known[number]:
            before = answers["photos"].right[number]
            if before != right:
                places.append(self.rescued if right else self.spoilt)
        return places
