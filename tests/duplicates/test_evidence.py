"""The columns that describe a pair of listings: only those that the head weighs are computed."""

import numpy as np
import pytest

from productcat.arithmetic.vectors import unit
from productcat.duplicates.evidence import evidence
from productcat.duplicates.metric import Weights
from productcat.duplicates.photo_sets import AdaptedPhotoSets, PhotoSets, Pictures
from productcat.duplicates.thumbnails import LENGTH
from productcat.duplicates.titles import Rarity, TitleTable

COLUMNS = 3 * 2 + 6


def photo_sets(adapted):
    """Thirty listings of one to four photos on two levels."""
    rng = np.random.default_rng(2)
    counts = rng.integers(1, 5, 30)
    n = counts.sum()
    vectors = {level: unit(rng.normal(size=(n, 12)).astype(np.float32)) for level in ("low", "high")}
    thumbnails = rng.integers(-127, 128, (n, LENGTH)).astype(np.int8)
    titles, prices = TitleTable.of([""] * 30, Rarity.empty()), np.full(30, np.nan)
    if not adapted:
        return PhotoSets(vectors, thumbnails, counts, titles, prices)
    lengths = {level: np.ones(n, np.float32) for level in vectors}
    catalogue = Pictures({level: each[:20] for level, each in vectors.items()}, np.full(20, 0.02))
    shown = np.where(np.arange(n) < 20, np.arange(n), -1)
    marks = np.arange(n, dtype=np.uint64)
    return AdaptedPhotoSets(vectors, thumbnails, counts, titles, prices, lengths, marks, catalogue, shown)


@pytest.mark.parametrize("adapted", [False, True])
@pytest.mark.parametrize("weighed", [(0, 3, 6, 11), (2, 5), (4,), (8,), (10,), ()])
def test_columns_that_a_head_weighs_zero_are_not_needed_for_its_probabilities(adapted, weighed):
    sets, weights = photo_sets(adapted), np.zeros(COLUMNS)
    weights[list(weighed)] = 2.5
    pairs = np.random.default_rng(3).integers(0, 30, (200, 2))
    whole, part = evidence(sets, sets, pairs), evidence(sets, sets, pairs, weights != 0)
    np.testing.assert_array_equal(part[:, weights != 0], whole[:, weights != 0])
    np.testing.assert_array_equal(*(Weights(weights, -1.0).logits(each) for each in (part, whole)))
    assert whole.shape == part.shape == (200, COLUMNS)
