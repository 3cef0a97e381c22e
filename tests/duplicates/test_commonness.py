"""How common items are that are shown again, as the probabilities of a catalogue's pairs say it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from productcat.duplicates.commonness import KNOWN_PAIRS, how_common


def catalogue(n_listings, share, seed=0, noise=3.0):
    """Logits of ten pairs of each listing, as if every item were shown twice, where only such a share is."""
    rng = np.random.default_rng(seed)
    n_pairs, n_same = 10 * n_listings // 2, round(share * n_listings / 2)
    same = np.arange(n_pairs) < n_same
    # normal with variances of 2 d and means of d apart: the logit of equal shares is the number itself
    return np.where(same, 1, -1) * noise**2 / 2 + rng.normal(0, noise, n_pairs) - np.log(9)


def test_where_every_item_is_shown_twice_nothing_changes():
    assert how_common(catalogue(4_000, 1.0), np.full(20_000, -20.0), 4_000) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
def test_a_share_of_items_that_are_shown_again_is_found(share):
    found = np.mean([how_common(catalogue(4_000, share, s), np.full(20_000, -20.0), 4_000) for s in range(5)])
    assert found == pytest.approx(share, rel=0.3, abs=0.02)


def test_copies_are_not_taken_for_other_photos_however_many_they_are():
    items = np.full(20_000, -8.0)
    copies = np.where(np.arange(20_000) < 3_000, 9.0, -9.0)
    assert how_common(items, copies, 4_000) < 0.02


@given(n_listings=st.integers(0, 50), seed=st.integers(0, 99))
def test_a_small_catalogue_tells_little_and_an_empty_one_nothing(n_listings, seed):
    items = np.random.default_rng(seed).normal(-3, 2, n_listings)
    share = how_common(items, np.full(n_listings, -9.0), n_listings)
    assert KNOWN_PAIRS / (KNOWN_PAIRS + n_listings / 2) - 1e-9 <= share <= 1.0
