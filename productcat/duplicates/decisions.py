"""What is known of a catalogue before any photo is looked at: which listings are one item, and which are not."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from productcat.errors import ListingError
from productcat.problems import OnProblem, Problem, warn
from productcat.wording import counted, shortened

SHARING = 1_000
"""Number of listings above which a shared value does not name one item."""


class LabelledPair(NamedTuple):
    """Two listings, by id, and whether they show the same item."""

    left: str
    right: str
    same: bool


@dataclass(frozen=True)
class KnownItems:
    """Which listings of a catalogue are surely one item, and which surely are not.

    items : ndarray of shape (n_listings,), int
        The number of the item of each listing, from 0. Listings of one item are surely the same.
    values : ndarray of shape (n_items,), int
        Items with different values are surely different, where neither is -1. -2 stands for the several values of an
        item whose listings were decided to be the same.
    several : dict, item → frozenset of values, where values has -2
    different : frozenset of (item, item)
        Pairs of items that are different by decision, the smaller number first.
    """

    items: NDArray[np.intp]
    values: NDArray[np.intp]
    several: Mapping[int, frozenset[int]]
    different: frozenset[tuple[int, int]]

    @classmethod
    def of(
        cls,
        ids: Sequence[str],
        decided: Iterable[tuple[str, str, bool]] = (),
        apart: Mapping[str, str] | None = None,
        together: Mapping[str, str] | None = None,
        on_problem: OnProblem = warn,
    ) -> Self:
        """Put together what was decided and what columns say. Decisions outrank columns, `apart` outranks `together`.

        Parameters
        ----------
        ids : sequence of str
            Of all listings.
        decided : iterable of LabelledPair, or of (left, right, same)
        apart, together : mapping, id → value
            Listings with different values are never the same; listings with one value are. An empty value says nothing.
        on_problem : callable
            Called with a Problem for ids that no listing has, and for values that contradict each other.

        Raises
        ------
        ListingError
            Decisions contradict each other, or a value of `together` is that of more than SHARING listings.
        """
        making = _Making(ids, apart or {})
        making.decide(decided, on_problem)
        making.join(together or {}, on_problem)
        return cls(*making.found())

    def same(self, pairs: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Tell of pairs of listings, shape (n_pairs, 2), which are surely one item. → (n_pairs,)"""
        left, right = self.items[pairs].T
        same: NDArray[np.bool_] = left == right
        return same

    def apart(self, pairs: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Tell of pairs of listings, shape (n_pairs, 2), which are surely different items. → (n_pairs,)"""
        items = self.items[pairs]
        values = self.values[items]
        found: NDArray[np.bool_] = (values != -1).all(axis=1) & (values[:, 0] != values[:, 1])
        for row in np.flatnonzero((values == -2).any(axis=1)):
            one, other = (self.several.get(item, frozenset([self.values[item]])) for item in items[row].tolist())
            found[row] = -1 not in one | other and not one & other
        if self.different:
            n_items = len(self.values)
            codes = [one * n_items + other for one, other in self.different]
            items = np.sort(items, axis=1)
            found |= np.isin(items[:, 0] * n_items + items[:, 1], codes)
        return found

    def known_pairs(self) -> NDArray[np.intp]:
        """Return all pairs of listings that are surely one item, shape (n_pairs, 2), the smaller number first."""
        order = np.argsort(self.items, kind="stable")
        groups = np.split(order, np.flatnonzero(np.diff(self.items[order])) + 1)
        pairs = [pair for group in groups if len(group) > 1 for pair in combinations(group.tolist(), 2)]
        return np.array(pairs, np.intp).reshape(-1, 2)


class _Making:
    """Items while they are made: a forest of listings in which each tree is an item (union-find)."""

    def __init__(self, ids: Sequence[str], apart: Mapping[str, str]) -> None:
        self.ids = ids
        self.numbers: defaultdict[str, list[int]] = defaultdict(list)
        for number, id in enumerate(ids):
            self.numbers[id].append(number)
        self.above = list(range(len(ids)))
        codes: dict[str, int] = {}
        cells = [apart.get(id, "") for id in ids]
        self.values = {
            number: {codes.setdefault(cell, len(codes))} if cell else set() for number, cell in enumerate(cells)
        }
        self.different: defaultdict[int, set[int]] = defaultdict(set)

    def root(self, number: int) -> int:
        while (above := self.above[number]) != number:
            self.above[number] = number = self.above[above]
        return number

    def unite(self, one: int, other: int) -> None:
        """Make one item of two, given by their roots."""
        if one == other:
            return
        one, other = sorted((one, other))
        self.above[other] = one
        self.values[one] |= self.values.pop(other)
        for each in self.different.pop(other, ()):
            self.different[each].discard(other)
            self.different[each].add(one)
            self.different[one].add(each)

    def compatible(self, one: int, other: int) -> bool:
        """Tell whether nothing keeps two items, given by their roots, apart."""
        ours, theirs = self.values[one], self.values[other]
        return other not in self.different.get(one, ()) and (not ours or not theirs or bool(ours & theirs))

    def decide(self, decided: Iterable[tuple[str, str, bool]], on_problem: OnProblem) -> None:
        """Take what somebody decided: first what is the same, then what is not."""
        different: list[tuple[int, int]] = []
        missing: dict[str, None] = {}
        for left, right, same in decided:
            gone = [id for id in (left, right) if id not in self.numbers]
            missing |= dict.fromkeys(gone)
            pairs = [] if gone else [(i, j) for i in self.numbers[left] for j in self.numbers[right] if i != j]
            if same:
                for i, j in pairs:
                    self.unite(self.root(i), self.root(j))
            else:
                different += pairs
        for i, j in different:
            one, other = self.root(i), self.root(j)
            if one == other:
                left, right = shortened(self.ids[i]), shortened(self.ids[j])
                raise ListingError(
                    f"{left!r} and {right!r} are decided to be different, and the same by other decisions; "
                    "take one of these back"
                )
            self.different[one].add(other)
            self.different[other].add(one)
        if missing:
            what = f"{counted(len(missing), 'id')} of the decisions not among the listings, such as"
            on_problem(Problem(None, f"{what} {shortened(next(iter(missing)))!r}; their pairs are left out"))

    def join(self, together: Mapping[str, str], on_problem: OnProblem) -> None:
        """Make one item of the listings that share a value, unless something keeps them apart."""
        sharing: defaultdict[str, list[int]] = defaultdict(list)
        for number, id in enumerate(self.ids):
            if value := together.get(id):
                sharing[value].append(number)
        kept_apart = []
        for value, numbers in sharing.items():
            if len(numbers) > SHARING:
                raise ListingError(
                    f"{len(numbers):,} listings have the value {shortened(value)!r}, which keeps listings together; "
                    f"expected at most {SHARING:,}; choose a column whose values name one item each"
                )
            firsts = numbers[:1]  # a listing of each item that the value was made to
            for number in numbers[1:]:
                fitting = [each for each in firsts if self.compatible(self.root(each), self.root(number))]
                if fitting:
                    self.unite(self.root(fitting[0]), self.root(number))
                else:
                    kept_apart.append((value, self.ids[firsts[0]], self.ids[number]))
                    firsts.append(number)
        if kept_apart:
            value, left, right = map(shortened, kept_apart[0])
            what = f"{left!r} and {right!r} share {value!r}, and a decision or another value keeps them apart"
            more = f" (and {len(kept_apart) - 1:,} more such)" if len(kept_apart) > 1 else ""
            on_problem(Problem(None, f"{what}{more}; they stay apart"))

    def found(
        self,
    ) -> tuple[NDArray[np.intp], NDArray[np.intp], dict[int, frozenset[int]], frozenset[tuple[int, int]]]:
        """Return the fields of KnownItems."""
        roots = [self.root(number) for number in range(len(self.ids))]
        items: dict[int, int] = {root: item for item, root in enumerate(dict.fromkeys(roots))}
        several = {items[root]: frozenset(self.values[root]) for root in items if len(self.values[root]) > 1}
        values = [-2 if items[root] in several else next(iter(self.values[root]), -1) for root in items]
        different = {
            (min(items[one], items[other]), max(items[one], items[other]))
            for one, others in self.different.items()
            for other in others
        }
        return (
            np.array([items[root] for root in roots], np.intp),
            np.array(values, np.intp),
            several,
            frozenset(different),
        )
