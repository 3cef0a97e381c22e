"""What stands out counts: a match is compared with what else its listings resemble, copies left out."""

import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from productcat.duplicates.rivals import FEWEST, LEAST, MOST, Contrast, rivals

N = FEWEST + 4


def every(n):
    return np.stack(np.triu_indices(n, 1), axis=1)


def matrix(pairs, values, n, missing):
    found = np.full((n, n), missing)
    found[pairs[:, 0], pairs[:, 1]] = found[pairs[:, 1], pairs[:, 0]] = values
    return found


def drawn(seed, n=N, copies=0.1):
    """Logits of all pairs of a catalogue, of which some are copies."""
    rng = np.random.default_rng(seed)
    pairs = every(n)
    return pairs, np.stack([rng.normal(0, 2, len(pairs)), np.where(rng.random(len(pairs)) < copies, 3.0, -3.0)], axis=1)


@given(seed=st.integers(0, 999), copies=st.floats(0, 0.5))
def test_a_rival_is_the_second_best_third_that_is_no_copy_of_either(seed, copies):
    pairs, ways = drawn(seed, copies=copies)
    items, copied = matrix(pairs, ways[:, 0], N, -np.inf), matrix(pairs, ways[:, 1] > 0, N, False)
    for (left, right), found in zip(pairs, rivals(pairs, ways, N), strict=True):
        best = []
        for one, other in ((left, right), (right, left)):
            thirds = [k for k in range(N) if k not in (one, other) and not copied[k, one] and not copied[k, other]]
            best.append(sorted([LEAST, LEAST, *items[one, thirds]])[-2])
        assert found == max(best)


@given(seed=st.integers(0, 999))
def test_neither_the_order_of_pairs_nor_that_of_listings_matters(seed):
    pairs, ways = drawn(seed)
    expected, rng = rivals(pairs, ways, N), np.random.default_rng(seed)
    order, names = rng.permutation(len(pairs)), rng.permutation(N)
    np.testing.assert_array_equal(rivals(names[pairs[order]], ways[order], N), expected[order])


def test_among_few_listings_nothing_is_usual():
    pairs, ways = drawn(0, n=FEWEST)
    assert np.isnan(rivals(pairs, ways, FEWEST)).all()
    contrast = Contrast(1.5, 1.0, 0.3)
    np.testing.assert_array_equal(
        contrast.logits(ways[:, 0], np.full(len(pairs), np.nan), 0.9, pairs[:, 0] == 0), ways[:, 0]
    )
    assert rivals(np.empty((0, 2), int), np.empty((0, 2)), 0).shape == (0,)


def test_however_many_copies_there_are_they_are_no_rivals():
    """Nor are the copies of the other listing. There are more of them than matches that are looked at."""
    n = 4 * MOST
    pairs = every(n)
    posted = (pairs < n - FEWEST).all(axis=1)
    ways = np.stack([np.where(posted, 5.0, -4.0), np.where(posted, 9.0, -9.0)], axis=1)
    found = rivals(pairs, ways, n)
    assert (found[posted] == LEAST).all()


@given(
    own=st.floats(0, 3), rival=st.floats(0, 3), bias=st.floats(-3, 3), share=st.floats(0, 0.99), seed=st.integers(0, 99)
)
def test_the_better_its_rival_the_less_a_match_counts_and_nothing_where_nothing_is_known(own, rival, bias, share, seed):
    contrast = Contrast.from_settings(json.loads(json.dumps(Contrast(own, rival, bias).settings())))
    items = drawn(seed)[1][:, 0]
    single = np.arange(len(items)) % 2 == 0
    low, high = (contrast.logits(items, np.full(len(items), value), share, single) for value in (0.0, 2.0))
    assert (low >= high).all()
    assert (low[single] <= items[single]).all()
    np.testing.assert_allclose(contrast.logits(items, np.zeros(len(items)), 0.0, single), items, atol=1e-9)
