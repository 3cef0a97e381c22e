"""Groups as a report of duplicates shows them: which of them, in which order, and which of their photos match."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from productcat.duplicates.groups import DuplicateGroup
from productcat.duplicates.matches import PhotoMatch, ReportedPair
from productcat.duplicates.pairs import DuplicatePair
from productcat.duplicates.titles import TitleWord

REPORTED, DOUBT, LABELLED = "reported", "doubt", "labelled"
"""What a group is: duplicates, a pair that just misses the threshold, or a pair of which a label says the truth."""

MEMBERS = 48
"""Number of listings shown of a group. A decision is about those that are shown."""

PHOTOS = 24
"""Number of photos shown of a group, at most, unless it has more listings."""

MATCHES = 2
"""Number of matches that are marked of a pair even in a large group."""

COPY = 0.98
"""Correlation of thumbnails from which two photos are called the same picture."""

NEARLY = 0.75
"""Further photos are marked as matches down to this share of the likeness of the two that match best."""

PairOfIds: TypeAlias = tuple[str, str]
"""The ids of a pair, `left` and `right` as in its DuplicatePair."""


@dataclass(frozen=True)
class ReportedGroup:
    """A group of the report.

    group : DuplicateGroup
    matches : dict, (left, right) → sequence of PhotoMatch, the best first
        For the pairs of `ties(group)`, perhaps for more.
    kind : str
        `REPORTED`, `DOUBT` or `LABELLED`.
    title_words : dict, (left, right) → sequence of TitleWord
        What the words of the titles of these pairs count, where titles have a say.
    by_photos : dict, (left, right) → float
        The scores of pairs by their photos alone, where titles had a say.
    why_kept : str
        Why the kept listing is kept, such as "most photos".
    """

    group: DuplicateGroup
    matches: Mapping[PairOfIds, Sequence[PhotoMatch]]
    kind: str = REPORTED
    title_words: Mapping[PairOfIds, Sequence[TitleWord]] = field(default_factory=dict)
    by_photos: Mapping[PairOfIds, float] = field(default_factory=dict)
    why_kept: str = ""

    @classmethod
    def of_pair(cls, reported: ReportedPair, kind: str = REPORTED) -> "ReportedGroup":
        """Return a pair as a group of two."""
        pair = reported.pair
        ids = pair.left, pair.right
        return cls(group_of_pair(pair), {ids: reported.matches}, kind, {ids: reported.title_words})

    @property
    def shown(self) -> tuple[str, ...]:
        """The ids of the listings that the report shows."""
        return self.group.ids[:MEMBERS]


def group_of_pair(pair: DuplicatePair) -> DuplicateGroup:
    """Return a pair as a group of two that keeps the left one."""
    return DuplicateGroup((pair.left, pair.right), pair.left, (pair.score, pair.score), (pair,))


def ties(group: DuplicateGroup) -> dict[str, DuplicatePair]:
    """Return, for each listing but the kept one, its pair with the kept one, or else its best pair.

    These are the pairs to explain: one for each listing, however large the group is.
    """
    found: dict[str, DuplicatePair] = {}
    for pair in sorted(group.pairs, key=lambda pair: (group.keep in (pair.left, pair.right), pair.score)):
        found |= {pair.left: pair, pair.right: pair}  # the last one counts
    return {id: found[id] for id in group.ids if id in found and id != group.keep}


def marked_matches(reported: ReportedGroup) -> Iterator[tuple[str, str, list[PhotoMatch]]]:
    """Yield the ids of both listings and the matches worth a mark, for each explained pair of shown listings.

    Those are copies, the two photos that match best, and those that match nearly as well, as far as there is room.
    """
    shown = set(reported.shown)
    for (left, right), matches in reported.matches.items():
        if matches and left in shown and right in shown:
            least = NEARLY * _likeness(matches[0])
            some = [each for each in matches[1:] if each.copy >= COPY or 0 < least <= _likeness(each)]
            yield left, right, [matches[0], *some][: max(photos_each(len(shown)), MATCHES)]


def photos_each(n_listings: int) -> int:
    """Return how many photos a listing of a group may show, those that match included."""
    return max(PHOTOS // n_listings, 1)


def _likeness(match: PhotoMatch) -> float:
    return sum(match.levels.values()) + match.copy


@dataclass(frozen=True)
class Doubts:
    """What a person is to look at, the nearest to the threshold first, and how much was left out.

    groups : list of (DuplicateGroup, str)
        A group and its kind: `REPORTED`, or `DOUBT` for a pair below the threshold.
    reported, below : int
        Number of groups left out, and of pairs below the threshold left out.
    """

    groups: list[tuple[DuplicateGroup, str]]
    reported: int
    below: int


def doubts(groups: Iterable[DuplicateGroup], below: Iterable[DuplicatePair], threshold: float, most: int) -> Doubts:
    """Choose the groups and pairs nearest to the threshold: at most `most`, at most half of them below the threshold.

    Parameters
    ----------
    groups : iterable of DuplicateGroup
        A group is as doubtful as the listing in it that belongs to it least.
    below : iterable of DuplicatePair
        Pairs below the threshold. Those of two listings of one group are no doubts of their own.
    threshold : float
    most : int
    """
    found = list(groups)
    group_of = {id: number for number, group in enumerate(found) for id in group.ids}
    missed = [
        (group_of_pair(pair), DOUBT)
        for pair in below
        if pair.left not in group_of or group_of[pair.left] != group_of.get(pair.right)
    ]

    def nearest(some: Iterable[tuple[DuplicateGroup, str]], number: int) -> list[tuple[DuplicateGroup, str]]:
        return sorted(some, key=lambda each: (abs(min(each[0].scores) - threshold), each[0].ids))[:number]

    some = nearest(missed, most // 2)
    chosen = nearest(((group, REPORTED) for group in found), most - len(some))
    return Doubts(nearest([*chosen, *some], most), len(found) - len(chosen), len(missed) - len(some))
