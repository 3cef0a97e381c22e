"""What a search for duplicates found: pairs, and the groups that they make."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from productcat.duplicates.decisions import KnownItems
from productcat.duplicates.groups import Cohesive, DuplicateGroup, cohesive_groups, duplicate_group
from productcat.duplicates.neighbours import Pairs, Score
from productcat.duplicates.pairs import DuplicatePair
from productcat.duplicates.preference import ListingFacts, Preference, natural_order
from productcat.duplicates.shared_pictures import SharedPicture

LOWEST = 0.5
"""Least threshold that is chosen, since no pair should be reported that is more likely wrong."""


@dataclass(frozen=True)
class Found:
    """The scored pairs of a catalogue.

    ids : list of str
        Of all listings.
    numbers : ndarray of shape (n_pairs, 2), int
        Numbers of the listings of each pair that was scored, whatever its score; each pair once, in ascending order.
    scores : ndarray of shape (n_pairs,)
    score : callable
        Scores further pairs: (n_pairs, 2) → (n_pairs,).
    kinds : callable
        Says of pairs what kind of duplicates they are: (n_pairs, 2) → list of str, as DuplicatePair has them.
    threshold : float
        Score from which a pair is reported.
    known : KnownItems
        Which pairs are reported whatever their scores, and which are not.
    shared : list of SharedPicture
        Pictures that were left out.
    """

    ids: list[str]
    numbers: Pairs
    scores: NDArray[np.float64]
    score: Score
    kinds: Callable[[Pairs], list[str]]
    threshold: float
    known: KnownItems
    shared: list[SharedPicture]

    @cached_property
    def cohesive(self) -> list[Cohesive]:
        """The groups that hang together, in no order."""
        return cohesive_groups(self.numbers, self.scores, self.score, self.threshold, self.known)

    @cached_property
    def _every(self) -> tuple[Pairs, NDArray[np.float64]]:
        """All pairs that were scored and those inside groups, each once, with the best score of each.

        Groups from a low threshold on hold half a catalogue, and all its pairs would be scored: they add none.
        """
        if self.threshold < LOWEST:
            return self.numbers, self.scores
        numbers = np.concatenate([self.numbers, *(each.pairs for each in self.cohesive)])
        scores = np.concatenate([self.scores, *(each.pair_scores for each in self.cohesive)])
        order = np.lexsort((-scores, numbers[:, 1], numbers[:, 0]))
        numbers, scores = numbers[order], scores[order]
        first = np.append(True, (np.diff(numbers, axis=0) != 0).any(axis=1))[: len(numbers)]
        return numbers[first], scores[first]

    @property
    def expected(self) -> float:
        """The share of the reported pairs that is expected to be right: the mean of their scores. NaN for none."""
        scores = self._every[1][self._reaching(self.threshold)]
        return float(scores.mean()) if len(scores) else float("nan")

    @property
    def pairs(self) -> list[DuplicatePair]:
        """The pairs that are reported, best first.

        They reach the threshold by themselves, or by what two members of a group have in common with a third. A pair
        that is surely one item has the score 1.
        """
        return self.down_to(self.threshold)

    def count(self, least: float) -> int:
        """Return the number of pairs from some score on."""
        return int(self._reaching(least).sum()) + len(self.known.known_pairs())

    def _reaching(self, least: float) -> NDArray[np.bool_]:
        """Tell which pairs reach a score, and are not surely one item nor surely different ones."""
        numbers, scores = self._every
        reaching: NDArray[np.bool_] = scores >= least
        return reaching & ~self.known.apart(numbers) & ~self.known.same(numbers)

    def below(self, least: float) -> list[DuplicatePair]:
        """Return the pairs from some score on that miss the threshold, best first."""
        return self._described(self._reaching(least) & (self._every[1] < self.threshold), np.empty((0, 2), np.intp))

    def down_to(self, least: float) -> list[DuplicatePair]:
        """Return the pairs from some score on, as `pairs` has those from the threshold on."""
        return self._described(self._reaching(least), self.known.known_pairs())

    def _described(self, some: NDArray[np.bool_], sure: Pairs) -> list[DuplicatePair]:
        """Return some of the pairs and those that are surely one item, best first."""
        every, all_scores = self._every
        numbers = np.concatenate([every[some], sure])
        scores = np.append(all_scores[some], np.ones(len(sure)))
        order = np.lexsort((numbers[:, 1], numbers[:, 0], -scores))
        numbers, scores = numbers[order], scores[order]
        best = zip(numbers.tolist(), scores.tolist(), self.kinds(numbers), strict=True)
        return [DuplicatePair(self.ids[a], self.ids[b], score, kind) for (a, b), score, kind in best]

    def groups(self, facts: Sequence[ListingFacts], preference: Preference) -> list[DuplicateGroup]:
        """Return the groups that hang together, the largest first.

        facts : sequence of ListingFacts, of all listings
        """
        found = self.cohesive
        ends = np.cumsum([len(each.pairs) for each in found])
        kinds = self.kinds(np.concatenate([each.pairs for each in found])) if found else []
        of_group = [kinds[end - len(each.pairs) : end] for each, end in zip(found, ends, strict=True)]
        groups = [duplicate_group(each, facts, preference, some) for each, some in zip(found, of_group, strict=True)]
        return sorted(groups, key=lambda group: (-len(group), natural_order(group.keep)))


def threshold_of(scores: NDArray[np.float64], precision: float) -> float:
    """Return the lowest threshold from which on the scores, probabilities, have a mean of `precision`."""
    if not 0 < precision < 1:
        raise ValueError(f"precision is {precision}, expected a number between 0 and 1")
    best = np.sort(scores[scores >= LOWEST])[::-1]
    enough = np.flatnonzero(np.cumsum(best) >= precision * np.arange(1, len(best) + 1))
    return float(best[enough[-1]]) if len(enough) else precision
