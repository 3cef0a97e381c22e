"""Remembers how pictures compare, since learning and measuring ask again and again for the same pairs of photos."""

import numpy as np
from numpy.typing import NDArray

from productcat.duplicates.pictures import COLUMNS, compared
from productcat.duplicates.thumbnails import Thumbnails


class Remembered:
    """`pictures.compared`, which compares each pair of photos once."""

    def __init__(self) -> None:
        self.numbers: dict[bytes, int] = {}
        self.known: dict[tuple[int, int], NDArray[np.float32]] = {}

    def __call__(self, first: Thumbnails, second: Thumbnails) -> NDArray[np.float32]:
        """Compare pairs of photos, shape (n, LENGTH) each → (n, 4)"""
        if not len(first):
            return np.zeros((0, len(COLUMNS)), np.float32)
        sides = [[self._number(row.tobytes()) for row in side] for side in (first, second)]
        pairs = [(min(pair), max(pair)) for pair in zip(*sides, strict=True)]
        new = {pair: row for row, pair in enumerate(pairs) if pair not in self.known}
        rows = list(new.values())
        self.known.update(zip(new, compared(first[rows], second[rows]), strict=True))
        return np.stack([self.known[pair] for pair in pairs])

    def _number(self, row: bytes) -> int:
        return self.numbers.setdefault(row, len(self.numbers))


remembered = Remembered()
"""Shared by all that learns and measures in one run."""
