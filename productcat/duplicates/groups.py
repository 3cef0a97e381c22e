"""Groups of listings that show one item, and how they are written to a file.

Pairs alone make no groups: a chain of weak links would connect what has nothing in common. So groups grow by average
linkage (Sokal & Michener 1958, "A statistical method for evaluating systematic relationships"): two groups become one
if their listings are, on the average of *all* pairs between them, duplicates. That makes groups on which most pairs
agree, as correlation clustering asks for (Bansal, Blum & Chawla 2004, "Correlation clustering"). A listing that agrees
with too little of its group in the end leaves it.

Only groups with a pair of duplicates between them are compared, so the cost grows with these pairs and with the pairs
inside groups, not with the square of the catalogue. In each round all groups that are each other's nearest are joined,
which gives the same groups as one at a time (Murtagh 1983, "A survey of recent advances in hierarchical clustering
algorithms"; Sumengen et al. 2021, "Scaling hierarchical agglomerative clustering to billion-sized datasets").
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from productcat.duplicates.decisions import KnownItems
from productcat.duplicates.neighbours import Pairs, Score
from productcat.duplicates.pairs import DECIMALS, DuplicatePair, as_dict
from productcat.duplicates.preference import ListingFacts, Preference, natural_order
from productcat.duplicates.safe_csv import safe
from productcat.notebook import bars, card, headline, note, percent
from productcat.wording import counted

COHESION = 0.7
"""Share of agreement from which groups are one: the mean over pairs of score / threshold, 1 from the threshold on.

In a chain it is 1/2 of three listings, 2/3 of four of which each is like the next two; those are no groups. Copies of
one photo stay together if up to three tenths of their pairs are missed."""

MIXER = np.uint64(0x9E3779B97F4A7C15)
"""Odd number that spreads numbers over 64 bits when it multiplies them (Knuth 1973, section 6.4)."""

SHOWN = 12
"""Number of listings of a group that a notebook shows."""


@dataclass(frozen=True)
class DuplicateGroup:
    """Listings that show one item.

    Attributes
    ----------
    ids : tuple of str
        The listing to keep first, the others by their scores, best first.
    keep : str
        The id of the listing to keep.
    scores : tuple of float
        How sure each belongs to the group as a whole: the mean of its scores with all others. In the order of `ids`.
    pairs : tuple of DuplicatePair
        All pairs inside, best first.
    """

    ids: tuple[str, ...]
    keep: str
    scores: tuple[float, ...]
    pairs: tuple[DuplicatePair, ...]

    def __len__(self) -> int:
        """Return the number of listings."""
        return len(self.ids)

    def _repr_html_(self) -> str:
        """Show the ids in a notebook, the one to keep first, with how sure each belongs to the group."""
        shown = zip(self.ids[:SHOWN], self.scores[:SHOWN], strict=True)
        rows = bars((id, score, percent(score)) for id, score in shown)
        more = [note(f"+ {len(self) - SHOWN} more")] if len(self) > SHOWN else []
        return card(headline(f"{counted(len(self), 'listing')} of one item: keep {self.keep}"), rows, *more)


def group_lines(
    groups: Iterable[DuplicateGroup], as_json: bool = False, for_spreadsheet: bool = False
) -> Iterator[bytes]:
    """Write groups as CSV under a header "group,id,keep,score", a listing a line, or as JSON Lines, a group a line.

    Groups are numbered from 1. Of each group the listing to keep comes first; it has "yes" in the column keep.

    for_spreadsheet : as for `pair_lines`
    """
    if not as_json:
        yield b"group,id,keep,score\n"
    for number, group in enumerate(groups, 1):
        text = _as_json(number, group) if as_json else _as_csv(number, group, for_spreadsheet)
        yield text.encode("utf-8", "backslashreplace")


def _as_json(number: int, group: DuplicateGroup) -> str:
    scores = [round(score, DECIMALS) for score in group.scores]
    found: dict[str, Any] = {"group": number, "keep": group.keep, "ids": group.ids, "scores": scores}
    found["pairs"] = [as_dict(pair) for pair in group.pairs]
    return json.dumps(found, ensure_ascii=False) + "\n"


def _as_csv(number: int, group: DuplicateGroup, for_spreadsheet: bool) -> str:
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    for id, score in zip(group.ids, group.scores, strict=True):
        writer.writerow(
            (number, safe(id) if for_spreadsheet else id, "yes" if id == group.keep else "no", f"{score:.{DECIMALS}f}")
        )
    return lines.getvalue()


@dataclass(frozen=True)
class Cohesive:
    """A group, by numbers.

    members : ndarray of shape (n_members,), int, ascending
    scores : ndarray of shape (n_members,)
        The mean of each member's scores with all others.
    pairs : ndarray of shape (n_pairs, 2), int
    pair_scores : ndarray of shape (n_pairs,)
        Of all pairs of members, at least what follows from both being the same as a third; 1 for those that are surely
        one item.
    """

    members: NDArray[np.intp]
    scores: NDArray[np.float64]
    pairs: Pairs
    pair_scores: NDArray[np.float64]


def cohesive_groups(
    pairs: Pairs, scores: NDArray[np.float64], score: Score, threshold: float, known: KnownItems
) -> list[Cohesive]:
    """Make groups that hang together.

    Listings that are surely one item count as one listing, whose score with another is the best of theirs.

    Parameters
    ----------
    pairs : ndarray of shape (n_pairs, 2), int
        Pairs of numbers of listings that have a score, each once.
    scores : ndarray of shape (n_pairs,), in [0, 1]
    score : callable
        Scores other pairs: (n_pairs, 2) → (n_pairs,). It is called with pairs between and inside groups.
    threshold : float
        Score from which a pair counts as duplicates.
    known : KnownItems

    Returns
    -------
    list of Cohesive
        In no order. Each listing is in one of them at most. The agreement of each item with the others of its group is
        at least COHESION, and at least one of them is its duplicate.
    """
    agreement = _Agreement(pairs, scores, score, threshold, known)
    links = agreement.links()
    groups: list[NDArray[np.intp]] = []
    while len(links):
        left: list[int] = []
        grown = _grown(links, agreement)
        for group, scores in zip(grown, agreement.inside(grown), strict=True):
            there = _settled(scores, agreement.agreed(scores), threshold)
            groups += [group[there]] if there.sum() > 1 else []
            left += group[~there].tolist()
        links = links[np.isin(links, left).all(axis=1)]
    grouped = np.concatenate([np.empty(0, np.intp), *groups])
    sizes = np.bincount(known.items, minlength=len(known.values))
    sizes[grouped] = 0
    groups += [np.array([item]) for item in np.flatnonzero(sizes > 1)]
    return [agreement.described(*each) for each in zip(groups, agreement.inside(groups), strict=True)]


class _Agreement:
    """Scores between items, looked up or, where they are missing, made.

    listings, starts : the numbers of the listings item by item, and where each item begins
    """

    def __init__(
        self, pairs: Pairs, scores: NDArray[np.float64], score: Score, threshold: float, known: KnownItems
    ) -> None:
        self.score, self.threshold, self.known = score, threshold, known
        self.n_listings = len(known.items)
        self.listings = np.argsort(known.items, kind="stable")
        self.sizes = np.bincount(known.items, minlength=len(known.values))
        self.starts = np.cumsum(self.sizes) - self.sizes
        codes = self._codes(pairs)
        order = np.argsort(codes)
        self.codes, self.scores = codes[order], scores[order]

    def _codes(self, pairs: Pairs) -> NDArray[np.intp]:
        ordered = np.sort(pairs, axis=1)
        return ordered[:, 0] * self.n_listings + ordered[:, 1]

    def links(self) -> Pairs:
        """Return the pairs of items that have a pair of duplicates between them, each once. → (n_links, 2)"""
        pairs = np.stack(np.divmod(self.codes[self.scores >= self.threshold], max(self.n_listings, 1)), axis=1)
        pairs = pairs[~self.known.apart(pairs) & ~self.known.same(pairs)]
        return np.unique(np.sort(self.known.items[pairs], axis=1), axis=0)

    def of_listings(self, pairs: Pairs) -> NDArray[np.float64]:
        """Return the scores of pairs of listings, (n_pairs, 2) → (n_pairs,). Those that are new are scored."""
        codes = self._codes(pairs)
        places = np.searchsorted(self.codes, codes)
        new = np.unique(codes[np.append(self.codes, -1)[places] != codes])
        if len(new):
            made = self.score(np.stack(np.divmod(new, self.n_listings), axis=1))
            where = np.searchsorted(self.codes, new)
            self.codes, self.scores = np.insert(self.codes, where, new), np.insert(self.scores, where, made)
            places = np.searchsorted(self.codes, codes)
        return self.scores[places]

    def of_items(self, pairs: Pairs) -> NDArray[np.float64]:
        """Return the best score between each two items, -inf where they are surely different. (n, 2) → (n,)"""
        left, right = self.sizes[pairs].T
        counts = left * right
        ends = np.cumsum(counts)
        place = np.arange(counts.sum()) - np.repeat(ends - counts, counts)
        starts, width = np.repeat(self.starts[pairs], counts, axis=0), np.repeat(right, counts)
        listings = np.stack(
            [self.listings[starts[:, 0] + place // width], self.listings[starts[:, 1] + place % width]], axis=1
        )
        found = self.of_listings(listings)
        found[self.known.apart(listings)] = -np.inf
        return np.maximum.reduceat(found, ends - counts) if len(pairs) else found

    def agreed(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn scores into agreement: 1 from the threshold on, below it their share of it."""
        return np.minimum(scores / self.threshold, 1.0) if self.threshold > 0 else np.minimum(scores + 1.0, 1.0)

    def inside(self, groups: Sequence[NDArray[np.intp]]) -> list[NDArray[np.float64]]:
        """Return the scores between all items of each group, shape (n, n), 1 on the diagonal."""
        triangles = [np.triu_indices(len(items), 1) for items in groups]
        both = zip(groups, triangles, strict=True)
        crossed = [np.stack([items[rows], items[columns]], axis=1) for items, (rows, columns) in both]
        scores = self.of_items(np.concatenate([np.empty((0, 2), np.intp), *crossed]))
        parts = np.split(scores, np.cumsum([len(each) for each in crossed]))[:-1]
        matrices = [np.ones((len(items), len(items))) for items in groups]
        for matrix, (rows, columns), part in zip(matrices, triangles, parts, strict=True):
            matrix[rows, columns] = matrix[columns, rows] = part
        return matrices

    def described(self, items: NDArray[np.intp], matrix: NDArray[np.float64]) -> Cohesive:
        """Return a group of items as one of listings. matrix: its scores, as `inside` returns them"""
        of_item = [self.listings[self.starts[each] : self.starts[each] + self.sizes[each]] for each in items]
        members, places = np.concatenate(of_item), np.repeat(np.arange(len(items)), self.sizes[items])
        order = np.argsort(members)
        members, places = members[order], places[order]
        means = (matrix[places] @ self.sizes[items] - 1.0) / (len(members) - 1)
        rows, columns = np.triu_indices(len(members), 1)
        pairs = np.stack([members[rows], members[columns]], axis=1)
        same = places[rows] == places[columns]
        pair_scores = np.ones(len(pairs))
        own = self.of_listings(pairs[~same])
        others = _through_others(matrix)[places[rows], places[columns]][~same]
        pair_scores[~same] = np.where(self.known.apart(pairs[~same]), own, np.maximum(own, others))
        return Cohesive(members, means, pairs, pair_scores)


def _through_others(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how sure two members of a group are one item since both are the same as a third, at best. (n, n) → (n, n)

    If one is the third, and the third is the other, one is the other; of both being so the product is the probability.
    """
    sure = np.maximum(scores, 0.0)
    found = np.zeros_like(sure)
    for third in range(len(sure)):
        np.maximum(found, sure[:, third, None] * sure[third], out=found)
    return found


def _grown(links: Pairs, agreement: _Agreement) -> list[NDArray[np.intp]]:
    """Make groups of items by average linkage. → for each group, the items"""
    items, places = np.unique(links, return_inverse=True)
    groups = [np.array([item]) for item in items]
    edges = places.reshape(-1, 2)
    sums = agreement.of_items(links)
    totals = np.stack([agreement.agreed(sums), sums], axis=1)  # agreement decides, scores tell which comes first
    while len(edges):
        sizes = np.array([len(group) for group in groups])
        means = totals / (sizes[edges[:, :1]] * sizes[edges[:, 1:]])
        joined = _nearest_to_each_other(edges, means)
        if not len(joined):
            break
        groups, edges, totals = _joined(groups, edges, totals, joined, agreement)
    return groups


def _nearest_to_each_other(edges: Pairs, means: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the edges whose two groups agree enough, and have no better edge.

    Equal ones are in an order as if shuffled: in the order of their numbers, a chain would give one edge a round.
    """
    codes = edges[:, 0].astype(np.uint64) * np.uint64(edges.max() + 1) + edges[:, 1].astype(np.uint64)
    shuffled = (codes + np.uint64(1)) * MIXER
    shuffled = (shuffled ^ (shuffled >> np.uint64(31))) * MIXER
    order = np.lexsort((codes, shuffled, -means[:, 1], -means[:, 0]))
    rank = np.empty(len(edges), np.intp)
    rank[order] = np.arange(len(edges))
    best = np.full(edges.max() + 1, len(edges))
    np.minimum.at(best, edges.ravel(), np.repeat(rank, 2))
    mutual = (best[edges] == rank[:, None]).all(axis=1)
    return np.flatnonzero(mutual & (means[:, 0] >= COHESION))


def _joined(
    groups: list[NDArray[np.intp]],
    edges: Pairs,
    totals: NDArray[np.float64],
    joined: NDArray[np.intp],
    agreement: _Agreement,
) -> tuple[list[NDArray[np.intp]], Pairs, NDArray[np.float64]]:
    """Join the groups of some edges, and sum up the scores between the groups that come of it.

    totals : ndarray of shape (n_edges, 2)
        Sums, over all pairs of items between two groups, of the agreement and of the scores.
    """
    n_groups = len(groups)
    parts = {one: [one] for one in range(n_groups)}  # the groups of which each new one is made
    for one, other in edges[joined].tolist():
        parts[one] += parts.pop(other)
    numbers = {part: new for new, some in enumerate(parts.values()) for part in some}
    became = np.array([numbers[part] for part in range(n_groups)])
    new_edges = np.sort(became[edges], axis=1)
    between = new_edges[:, 0] != new_edges[:, 1]
    new_edges, places = np.unique(new_edges[between], axis=0, return_inverse=True)
    sums = np.zeros((len(new_edges), 2))
    np.add.at(sums, places.ravel(), totals[between])
    made = list(parts.values())
    measured = set(map(tuple, edges[between].tolist()))
    missing = [
        (place, min(one, other), max(one, other))
        for place, (a, b) in enumerate(new_edges.tolist())
        if len(made[a]) * len(made[b]) > 1
        for one in made[a]
        for other in made[b]
        if (min(one, other), max(one, other)) not in measured
    ]
    if missing:
        crossed = [_crossed(groups[one], groups[other]) for _, one, other in missing]
        scores = agreement.of_items(np.concatenate(crossed))
        where = np.repeat([place for place, _, _ in missing], [len(each) for each in crossed])
        np.add.at(sums, where, np.stack([agreement.agreed(scores), scores], axis=1))
    return [np.concatenate([groups[part] for part in some]) for some in made], new_edges, sums


def _crossed(one: NDArray[np.intp], other: NDArray[np.intp]) -> Pairs:
    """Return all pairs of an item of one group and one of another."""
    return np.stack([np.repeat(one, len(other)), np.tile(other, len(one))], axis=1)


def _settled(scores: NDArray[np.float64], agreed: NDArray[np.float64], threshold: float) -> NDArray[np.bool_]:
    """Take out of a group, one after another, the item that agrees least with the others, until all agree enough.

    scores, agreed : ndarrays of shape (n, n) → which stay, shape (n,)
    """
    linked = scores >= threshold
    totals, links = agreed.sum(axis=1) - 1.0, linked.sum(axis=1) - 1  # without the item itself
    there = np.ones(len(scores), bool)
    while there.sum() > 1:
        standing = np.where(links > 0, totals / (there.sum() - 1), -1.0)
        worst = int(np.argmin(np.where(there, standing, np.inf)))
        if standing[worst] >= COHESION:
            break
        there[worst] = False
        totals, links = totals - agreed[:, worst], links - linked[:, worst]
    return there


def duplicate_group(
    found: Cohesive, facts: Sequence[ListingFacts], preference: Preference, kinds: Sequence[str]
) -> DuplicateGroup:
    """Name the listings of a group, and choose the one to keep.

    Parameters
    ----------
    found : Cohesive
    facts : sequence of ListingFacts
        Of all listings.
    preference : Preference
    kinds : sequence of str
        Of the pairs of the group, as DuplicatePair has them.
    """
    members = found.members.tolist()
    kept = members[preference.best([facts[each] for each in members])]
    score = dict(zip(members, found.scores.tolist(), strict=True))
    order = sorted(members, key=lambda each: (each != kept, -score[each], natural_order(facts[each].id)))
    scored = zip(found.pairs.tolist(), found.pair_scores.tolist(), kinds, strict=True)
    pairs = [DuplicatePair(facts[a].id, facts[b].id, each, kind) for (a, b), each, kind in scored]
    return DuplicateGroup(
        tuple(facts[each].id for each in order),
        facts[kept].id,
        tuple(score[each] for each in order),
        tuple(sorted(pairs, key=lambda pair: -pair.score)),
    )
