"""Pairs that several others speak for: copies of which some pairs were missed become whole, one mistake stays one."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from productcat.duplicates.witnesses import with_witnesses

THRESHOLD = 0.8


def every(n):
    return np.stack(np.triu_indices(n, 1), axis=1)


def scored(n, *groups, missed=0.0, seed=0):
    """Pairs of n listings: high within groups, except a share that is missed, low elsewhere. → pairs, scores"""
    pairs, rng = every(n), np.random.default_rng(seed)
    scores = np.full(len(pairs), 0.01)
    for members in groups:
        inside = np.isin(pairs, members).all(axis=1)
        scores[inside] = np.where(rng.random(inside.sum()) < missed, 0.1, 0.99)
    return pairs, scores


@given(seed=st.integers(0, 99), size=st.integers(20, 30))
def test_copies_of_which_a_third_of_the_pairs_was_missed_become_whole(seed, size):
    pairs, scores = scored(size + 5, range(size), missed=0.33, seed=seed)
    _, raised = with_witnesses(pairs, scores, THRESHOLD, np.ones(size + 5, bool))
    inside = np.isin(pairs, range(size)).all(axis=1)
    assert (raised[inside] >= THRESHOLD).mean() > 0.95  # true of every one of these seeds and sizes; fewer copies vary
    np.testing.assert_array_equal(raised[~inside], scores[~inside])


@given(seed=st.integers(0, 99), size=st.integers(0, 30), missed=st.floats(0, 1))
def test_witnesses_lower_no_score(seed, size, missed):
    pairs, scores = scored(size + 5, range(size), missed=missed, seed=seed)
    found, raised = with_witnesses(pairs, scores, THRESHOLD, np.ones(size + 5, bool))
    np.testing.assert_array_equal(found, pairs)
    assert (raised >= scores).all()


@given(seed=st.integers(0, 99))
def test_one_mistaken_pair_joins_nobody_else(seed):
    pairs, scores = scored(16, range(8), range(8, 16), missed=0.2, seed=seed)
    scores[(pairs == (0, 8)).all(axis=1)] = 0.99
    _, raised = with_witnesses(pairs, scores, THRESHOLD, np.ones(16, bool))
    across = (pairs[:, 0] < 8) & (pairs[:, 1] >= 8) & ~(pairs == (0, 8)).all(axis=1)
    assert (raised[across] < THRESHOLD).all()


def test_a_listing_with_several_photos_is_no_witness_since_it_may_show_two_items():
    pairs, scores = scored(6, range(6))
    scores[(pairs == (0, 1)).all(axis=1)] = 0.0
    several = np.zeros(6, bool)
    assert with_witnesses(pairs, scores, THRESHOLD, several)[1][0] == 0.0
    assert with_witnesses(pairs, scores, THRESHOLD, ~several)[1][0] > 0.9


def test_pairs_that_nobody_scored_are_added_once_and_in_order():
    pairs, scores = scored(6, range(6))
    some = ~(pairs == (2, 4)).all(axis=1)
    found, raised = with_witnesses(pairs[some], scores[some], THRESHOLD, np.ones(6, bool))
    np.testing.assert_array_equal(found, pairs)
    assert raised[(found == (2, 4)).all(axis=1)] > 0.9


def test_without_duplicates_nothing_changes():
    pairs, scores = scored(5)
    found, raised = with_witnesses(pairs, scores, THRESHOLD, np.ones(5, bool))
    np.testing.assert_array_equal(found, pairs)
    np.testing.assert_array_equal(raised, scores)
    nothing = with_witnesses(pairs[:0], scores[:0], THRESHOLD, np.ones(5, bool))
    assert [len(each) for each in nothing] == [0, 0]
