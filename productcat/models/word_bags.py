"""Turn titles into vectors of their words, whatever the title model makes of them.

A category remembers its examples' titles by these vectors. The title model's own vectors keep only what tells its
classes apart. A category that is added may differ from others in words that mean nothing to the classes.
"""

import zlib
from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from productcat.arithmetic.vectors import unit
from productcat.models.title_model import TitleModel
from productcat.models.title_words import split_words

WIDTH = 512
"""Number of places into which words and pairs are hashed."""


class WordBags:
    """Turn titles into unit vectors of their words and pairs of words, also those that the title model does not know.

    Each feature adds its rarity, with a sign, at one of 512 places. A hash of the feature chooses sign and place
    (Weinberger et al. 2009, "Feature hashing for large scale multitask learning"). The rarity is the inverse document
    frequency of Spärck Jones (1972), where the title model has it. A feature that it never saw counts as the rarest.

    Parameters
    ----------
    title_model : TitleModel
    """

    def __init__(self, title_model: TitleModel) -> None:
        self._title_model = title_model
        self._rarest: float = title_model.settings.get("rarest", 1.0)

    def vectors(self, titles: Sequence[str]) -> NDArray[np.float32]:
        """Return unit vectors, shape (n_titles, 512), float32. A title without a word has a row of NaN."""
        features: list[tuple[int, str]] = []
        for row, title in enumerate(titles):
            words = split_words(title)
            features += [(row, feature) for feature in (*words, *map(" ".join, pairwise(words)))]
        rows = np.array([row for row, _ in features], int)
        codes = np.array([zlib.crc32(feature.encode()) for _, feature in features], np.int64)
        rarities = np.array([self._rarity.get(feature, self._rarest) for _, feature in features])
        found = np.zeros((len(titles), WIDTH), np.float32)
        np.add.at(found, (rows, codes % WIDTH), np.where(codes >> 31, rarities, -rarities))
        return np.where(found.any(axis=1, keepdims=True), unit(found), np.float32(np.nan))

    @cached_property
    def _rarity(self) -> dict[str, float]:
        rarity = self._title_model.tensors.get("rarity")
        return {} if rarity is None else dict(zip(self._title_model.vocabulary, rarity.tolist(), strict=True))
