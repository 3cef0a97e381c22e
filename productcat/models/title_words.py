"""Which words titles are of, whatever a model makes of them: what a category remembers of its examples' titles.

The title model's own vectors keep no more of a title than tells its classes apart, and a category that is added may
differ from others in words that mean nothing to the classes.
"""

import zlib
from functools import cached_property
from itertools import pairwise

import numpy as np

from productcat.arithmetic.vectors import unit
from productcat.models.title_model import split_words

WIDTH = 512
"""Places into which words and pairs are hashed."""


class WordBags:
    """Titles → unit vectors of their words and pairs of words, those that the title model knows and others.

    Each feature adds its rarity, with a sign, at one of 512 places, both drawn by a hash of it (Weinberger et al. 2009,
    "Feature hashing for large scale multitask learning"). The rarity is the inverse document frequency of Spärck Jones
    (1972), where the title model has it; a feature that it never saw counts as the rarest.

    Parameters
    ----------
    title_model : TitleModel
    """

    def __init__(self, title_model):
        self._title_model = title_model
        self._rarest = title_model.settings.get("rarest", 1.0)

    def vectors(self, titles):
        """Unit vectors, shape (n_titles, 512), float32; a row of NaN for a title without a word."""
        features = []
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
    def _rarity(self):
        rarity = self._title_model.tensors.get("rarity")
        return {} if rarity is None else dict(zip(self._title_model.vocabulary, rarity.tolist(), strict=True))
