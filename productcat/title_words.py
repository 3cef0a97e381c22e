"""Which words titles are of, whatever a model makes of them: what a category remembers of its examples' titles.

The title model's own vectors keep no more of a title than tells its classes apart, and a category that is added may
differ from others in words that mean nothing to the classes.
"""

import zlib
from functools import lru_cache

import numpy as np

from productcat.title_model import phrases, split_words
from productcat.whitening import unit

WIDTH = 512
"""Places into which words and phrases are hashed."""

REMEMBERED = 1 << 18
"""Features whose places are kept at hand."""


class WordBags:
    """Titles → unit vectors of their words and phrases, known ones or not.

    Each feature adds its rarity, with a sign, at one of 512 places, both drawn by a hash of it (Weinberger et al. 2009,
    "Feature hashing for large scale multitask learning"). The rarity is the inverse document frequency of Spärck Jones
    (1972), where the title model has it; a feature that it never saw counts as the rarest.

    Parameters
    ----------
    title_model : TitleModel
    """

    def __init__(self, title_model):
        rarity = title_model.tensors.get("rarity")
        self._rarity = {} if rarity is None else dict(zip(title_model.vocabulary, rarity.tolist(), strict=True))
        self._rarest = title_model.settings.get("rarest", 1.0)
        self._placed = lru_cache(REMEMBERED)(self._place)

    def vectors(self, titles):
        """Unit vectors, shape (n_titles, 512), float32; a row of NaN for a title without a word."""
        found = np.zeros((len(titles), WIDTH), np.float32)
        for row, title in zip(found, titles, strict=True):
            words = split_words(title)
            for feature in (*words, *phrases(words)):
                place, weight = self._placed(feature)
                row[place] += weight
        return np.where(found.any(axis=1, keepdims=True), unit(found), np.float32(np.nan))

    def _place(self, feature):
        code = zlib.crc32(feature.encode())
        weight = self._rarity.get(feature, self._rarest)
        return code % WIDTH, weight if code >> 31 else -weight
