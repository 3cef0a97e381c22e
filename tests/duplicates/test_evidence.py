"""The columns that describe a pair of listings: only those that the head weighs are computed."""

import numpy as np
import pytest

from productcat.arithmetic.vectors import unit
from productcat.duplicates.evidence import evidence
from productcat.duplicates.leave_out import OwnShares
from productcat.duplicates.metric import Head
from productcat.duplicates.photo_sets import AdaptedPhotoSets, PhotoSets

COLUMNS = 8


def photo_sets(adapted):
    """Thirty listings of one to four photos on two levels."""
    rng = np.random.default_rng(2)
    counts = rng.integers(1, 5, 30)
    n = counts.sum()
    vectors = {level: unit(rng.normal(size=(n, 12)).astype(np.float32)) for level in ("low", "high")}
    thumbnails = rng.integers(-127, 128, (n, 256)).astype(np.int8)
    if not adapted:
        return PhotoSets(vectors, thumbnails, counts)
    own = OwnShares(np.arange(n, dtype=np.uint64), np.full(n, 0.5 / n), np.ones(n))
    return AdaptedPhotoSets(vectors, thumbnails, counts, {level: np.ones(n, np.float32) for level in vectors}, own)


@pytest.mark.parametrize("adapted", [False, True])
@pytest.mark.parametrize("weighed", [(0, 3, 6, 7), (2, 5), (4,), (6,), ()])
def test_columns_that_a_head_weighs_zero_are_not_needed_for_its_probabilities(adapted, weighed):
    sets, weights = photo_sets(adapted), np.zeros(COLUMNS)
    weights[list(weighed)] = 2.5
    pairs = np.random.default_rng(3).integers(0, 30, (200, 2))
    whole, part = evidence(sets, sets, pairs), evidence(sets, sets, pairs, weights != 0)
    np.testing.assert_array_equal(part[:, weights != 0], whole[:, weights != 0])
    np.testing.assert_array_equal(*(Head(weights, -1.0).probabilities(each) for each in (part, whole)))
    assert whole.shape == part.shape == (200, COLUMNS)
