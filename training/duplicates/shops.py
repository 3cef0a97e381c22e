"""Pairs of photos in catalogues as large as a shop's, of which a few are copied: they level a head's probabilities.

Domains of some dozens of items do not tell how rarely two photos of a large catalogue look alike by chance. Which of a
shop's photos show one item is not known, though. So its listings have one photo each, and only copies made of some of
them count as duplicates; two photos that agree so well that they may be copies already count as nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from productcat.duplicates.detector import DuplicateDetector
from productcat.duplicates.embedding import Embedding
from productcat.duplicates.evidence import names
from training.duplicates.photo_table import PhotoTable
from training.duplicates.siamese import Samples, candidates

DOUBTFUL = 0.5
"""Evidence of a copy from which two photos that nobody copied count as nothing: a correlation of details of 0.9."""


@dataclass(frozen=True)
class Shop:
    """Photos of a shop.

    copied : PhotoTable
        Some photos and copies of each, an item each.
    others : PhotoTable
        Photos that nobody copied, an item each.
    """

    copied: PhotoTable
    others: PhotoTable

    def samples(self, detector: DuplicateDetector, number: int) -> Samples:
        """Return the pairs that `find` scores, where nothing is known and in the catalogue. number : of the domain"""
        both = self.copied.joined(self.others)
        listings: Sequence[Embedding] = both.listings([[row] for row in range(len(both.items))])
        n_copied = len(self.copied.items)
        parts = []
        for each in (detector.adapt(listings), detector):
            seen, same, pairs = candidates(each, listings, both.items)
            copy = seen[:, names(detector.metric.levels).index("copy")]
            counted = same | (copy < DOUBTFUL) | (pairs < n_copied).any(axis=1)
            n = int(counted.sum())
            parts.append(Samples(seen[counted], same[counted], np.full(n, number), np.full(n, len(listings))))
        return joined(parts)


def joined(parts: Sequence[Samples]) -> Samples:
    """Return all pairs of several samples."""
    return Samples(
        np.concatenate([each.seen for each in parts]),
        np.concatenate([each.same for each in parts]),
        np.concatenate([each.domains for each in parts]),
        np.concatenate([each.listings for each in parts]),
    )
