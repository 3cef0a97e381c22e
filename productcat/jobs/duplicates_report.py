"""From what a search for duplicates found to the report on which somebody decides."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from productcat.duplicates.detector import DuplicateDetector
from productcat.duplicates.embedding import Embedding
from productcat.duplicates.found import Found
from productcat.duplicates.groups import DuplicateGroup
from productcat.duplicates.matches import PhotoMatches
from productcat.duplicates.pairs import DuplicatePair
from productcat.duplicates.preference import ListingFacts, Preference
from productcat.jobs.outputs import write_whole
from productcat.jobs.progress import Progress
from productcat.listings.source import Table
from productcat.reports.duplicates import Findings, report
from productcat.reports.listing_cards import SharedPicture, draw
from productcat.reports.reported_groups import DOUBT, PairOfIds, ReportedGroup, doubts, ties
from productcat.wording import about


@dataclass(frozen=True)
class Searched:
    """A catalogue that was searched.

    detector : DuplicateDetector
        The one that judged.
    embeddings : sequence of Embedding
        All listings, with the photos that count.
    numbers : sequence of ndarray
        The numbers of these photos among all photos of each listing that can be read.
    found : Found
    groups : list of DuplicateGroup
    facts : sequence of ListingFacts, of all listings
    preference : Preference
    """

    detector: DuplicateDetector
    embeddings: Sequence[Embedding]
    numbers: Sequence[NDArray[np.intp]]
    found: Found
    groups: list[DuplicateGroup]
    facts: Sequence[ListingFacts]
    preference: Preference


def expectation(threshold: float | None, precision: float | None, found: Found) -> str:
    """Say in a sentence how the threshold was chosen, and what to expect. threshold, precision: as they were given"""
    chosen = "The threshold was given" if threshold is not None else "The threshold is the bundle's own"
    if precision is not None:
        chosen = f"The threshold was chosen for pairs of which {100 * precision:g} % are right"
    if math.isnan(found.expected):
        return f"{chosen}."
    return f"{chosen}; {about(found.expected)} of these pairs are expected to be right."


def write_report(target: str, searched: Searched, table: Table, most: int, note: str) -> None:
    """Write the report.

    Parameters
    ----------
    target : str
        The HTML file.
    searched : Searched
    table : Table
        Read once more, for the photos and titles.
    most : int
        Greatest number of groups and pairs that are shown.
    note : str
        What is said of the threshold.
    """
    found = searched.found
    chosen = doubts(searched.groups, found.below(found.threshold / 2), found.threshold, most)
    photos = _Photos(searched)
    reported = [_reported(group, kind, searched, photos) for group, kind in chosen.groups]
    titled = [pair for each in reported for pair in _tied(each.group) if photos.titled(pair)]
    by_photos = dict(
        zip([(pair.left, pair.right) for pair in titled], photos.scores_without_titles(titled), strict=True)
    )
    reported = [replace(each, by_photos=_of(each.group, by_photos)) for each in reported]
    shared = [
        SharedPicture([(id, photos.number(id, photo)) for id, photo in zip(each.ids, each.photos, strict=True)])
        for each in found.shared
    ]
    cards, n_wanted = {}, len({id for each in reported for id in each.shown})
    with Progress("drawing photos", n_wanted, "listings") as progress:
        for id, card in draw(reported, table.again(), shared):
            cards[id] = card
            progress.advance(1)
    n_groups = len(searched.groups)
    findings = Findings(
        table.name,
        found.threshold,
        len(found.ids),
        found.count(found.threshold),
        n_groups,
        chosen.reported,
        chosen.below,
        shared,
        note,
    )
    write_whole(target, report(reported, cards, findings))


def _tied(group: DuplicateGroup) -> list[DuplicatePair]:
    """Return the pairs of a group to explain, each once."""
    return list({(pair.left, pair.right): pair for pair in ties(group).values()}.values())


def _of(group: DuplicateGroup, scores: dict[PairOfIds, float]) -> dict[PairOfIds, float]:
    pairs = ((pair.left, pair.right) for pair in _tied(group))
    return {pair: scores[pair] for pair in pairs if pair in scores}


def _reported(group: DuplicateGroup, kind: str, searched: Searched, photos: "_Photos") -> ReportedGroup:
    """Explain a group: which photos match, and why one listing is kept."""
    facts = [photos.facts[id] for id in group.ids]
    if kind == DOUBT:  # nobody has chosen which listing of a pair would be kept
        kept = searched.preference.best(facts)
        ids = (group.ids[kept], *(id for place, id in enumerate(group.ids) if place != kept))
        group = replace(group, ids=ids, keep=ids[0])
    matches = {(pair.left, pair.right): photos.matches(pair) for pair in _tied(group)}
    words = {pair: found.title_words for pair, found in matches.items()}
    return ReportedGroup(group, matches, kind, words, why_kept=searched.preference.why(facts))


class _Photos:
    """The photos that spoke for or against pairs: all but the pictures that many listings share."""

    def __init__(self, searched: Searched) -> None:
        self.detector = searched.detector
        ids = searched.found.ids
        self.facts = {each.id: each for each in searched.facts}
        self.numbers = dict(zip(ids, searched.numbers, strict=True))
        self.shared = dict.fromkeys(ids, frozenset[int]())
        for picture in searched.found.shared:
            for id, photo in zip(picture.ids, picture.photos, strict=True):
                self.shared[id] |= {photo}
        self.embeddings = {each.id: each for each in searched.embeddings}

    def number(self, id: str, photo: int) -> int:
        """Return the number among all photos that can be read of one that counts."""
        return int(self.numbers[id][photo])

    def kept(self, id: str) -> tuple[Embedding, NDArray[np.intp]]:
        """Return a listing without shared pictures, and the numbers of its photos among all that can be read."""
        each = self.embeddings[id]
        rows = np.setdiff1d(np.arange(len(each)), list(self.shared[id])).astype(np.intp)
        return each.with_photos(rows), self.numbers[id][rows]

    def matches(self, pair: DuplicatePair) -> PhotoMatches:
        """Return which photos of a pair match, the best first, and what the titles say."""
        (left, lefts), (right, rights) = self.kept(pair.left), self.kept(pair.right)
        found = self.detector.explain(left, right)
        found[:] = [replace(each, left=int(lefts[each.left]), right=int(rights[each.right])) for each in found]
        return found

    def titled(self, pair: DuplicatePair) -> bool:
        """Tell whether titles had a say, beside photos."""
        both = self.embeddings[pair.left], self.embeddings[pair.right]
        return self.detector.metric.titles is not None and all(each.title and len(each) for each in both)

    def scores_without_titles(self, pairs: Iterable[DuplicatePair]) -> list[float]:
        """Score pairs as if they had no titles."""
        sides = [
            [replace(self.kept(id)[0], title="") for id in side]
            for side in zip(*((pair.left, pair.right) for pair in pairs), strict=True)
        ]
        return self.detector.score(*sides).tolist() if sides else []
