"""Pairs of photos in catalogues as large as a shop's, of which a few are copied: they level a head's probabilities.

Domains of some dozens of items do not tell how rarely two photos of a large catalogue look alike by chance. Which of a
shop's photos show one item is not known, though. So its listings have one photo each, and only copies made of some of
them count as duplicates; two photos that agree so well that they may be copies already count as nothing. Where their
titles differ, they are sister articles: the same thing in another colour, photographed alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from productcat.duplicates.detector import DuplicateDetector
from productcat.duplicates.embedding import Embedding
from productcat.duplicates.evidence import names
from productcat.duplicates.titles import words_of
from training.duplicates.photo_table import PhotoTable
from training.duplicates.siamese import Samples

DOUBTFUL = 0.5
"""Evidence of a copy from which two photos that nobody copied count as nothing: a correlation of details of 0.9."""

SISTERS = 0.15
"""How many times as much as all copies all sister articles count. The more, the fewer edited copies are found."""


@dataclass(frozen=True)
class Shop:
    """Photos of a shop.

    copied : PhotoTable
        Some photos and copies of each, an item each.
    others : PhotoTable
        Photos that nobody copied, an item each.
    titles : list of str
        Of the others; "" where there is none.
    """

    copied: PhotoTable
    others: PhotoTable
    titles: Sequence[str]

    def samples(self, detector: DuplicateDetector, number: int) -> Samples:
        """Return the pairs that `find` scores, where nothing is known and in the catalogue. number : of the domain"""
        both = self.copied.joined(self.others)
        listings: Sequence[Embedding] = both.listings([[row] for row in range(len(both.items))])
        n_copied = len(self.copied.items)
        parts = []
        for each in (detector.adapt(listings), detector):
            found = Samples.of(each, listings, both.items, number)
            copy = found.seen[:, names(detector.metric.levels).index("copy")]
            sure = found.same | (copy < DOUBTFUL) | (found.pairs < n_copied).any(axis=1)
            doubtful = np.flatnonzero(~sure)
            sisters = doubtful[self._sisters(found.pairs[doubtful] - n_copied)]
            n_times = int(SISTERS * found.same.sum()) // max(len(sisters), 1)
            parts.append(found.rows(np.append(np.flatnonzero(sure), np.repeat(sisters, n_times))))
        return Samples.joined(parts)

    def _sisters(self, pairs: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Tell which pairs of others have other titles and other photos. (n_pairs, 2) → (n_pairs,)

        There are few in a part of a shop, and many copies. In a whole shop there are about as many of both.
        """
        words = [frozenset(words_of(title)) for title in self.titles]
        differ = [bool(words[a] and words[b]) and words[a] != words[b] for a, b in pairs.tolist()]
        left, right = (self.others.thumbnails[side] for side in pairs.T)
        found: NDArray[np.bool_] = np.array(differ, bool) & (left != right).any(axis=1)
        return found
