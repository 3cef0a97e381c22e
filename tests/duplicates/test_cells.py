"""What is looked for in cells is what comparing all with all finds: copies, groups of them, and nothing twice."""

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from productcat.arithmetic.vectors import unit
from productcat.duplicates import cells
from productcat.duplicates.cells import MEMBERS, Cells, Vectors
from productcat.duplicates.neighbours import scored_pairs
from productcat.duplicates.photo_sets import PhotoSets
from productcat.duplicates.thumbnails import LENGTH
from productcat.duplicates.titles import Rarity, TitleTable

DIMENSIONS = 24


@pytest.fixture(autouse=True)
def _small_cells(monkeypatch):
    """Make catalogues of some hundred photos large ones."""
    monkeypatch.setattr(cells, "COMPARED_WITH_ALL", 60)
    monkeypatch.setattr(cells, "MEMBERS", 40)


def clustered(rng, times: Iterable[int]):
    """Items around a few centres, each posted so many times. → vectors, the item of each"""
    items = np.repeat(np.arange(len(list(times))), list(times))
    centres = rng.normal(size=(6, DIMENSIONS))
    apart = centres[rng.integers(0, 6, items.max() + 1)] + rng.normal(size=(items.max() + 1, DIMENSIONS))
    edited = 0.02 * rng.normal(size=(len(items), DIMENSIONS))
    return unit((apart[items] + edited).astype(np.float32)), items


def sets_of(vectors, counts=None):
    counts = np.ones(len(vectors), int) if counts is None else counts
    thumbnails = np.zeros((len(vectors), LENGTH), np.int8)
    titles, prices = TitleTable.of([""] * len(counts), Rarity.empty()), np.full(len(counts), np.nan)
    return PhotoSets({"low": vectors[:, ::2], "high": vectors[:, 1::2]}, thumbnails, counts, titles, prices)


def same(items):
    """Score pairs by what the listings show."""
    return lambda pairs: (items[pairs[:, 0]] == items[pairs[:, 1]]).astype(float)


def pairs_of_one_item(items):
    counts = np.unique(items, return_counts=True)[1]
    return (counts * (counts - 1) // 2).sum()


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(61, 400))
def test_copies_are_found_as_if_all_were_compared_with_all(seed, n):
    rng = np.random.default_rng(seed)
    vectors, items = clustered(rng, rng.choice([1, 2, 3], n, p=[0.8, 0.15, 0.05]))
    _, scores = scored_pairs(sets_of(vectors), 10, same(items), 0.5)
    assert scores.sum() == pairs_of_one_item(items)


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), posted=st.integers(2, 40), others=st.integers(0, 300))
def test_all_pairs_of_an_item_that_fits_into_a_cell_are_scored(seed, posted, others):
    vectors, items = clustered(np.random.default_rng(seed), [posted, *[1] * others])
    _, scores = scored_pairs(sets_of(vectors), 4, same(items), 0.5)
    assert scores.sum() == posted * (posted - 1) / 2


@pytest.mark.parametrize("posted", [40, 200])
def test_all_pairs_of_an_item_posted_up_to_200_times_are_scored(posted, monkeypatch):
    monkeypatch.setattr(cells, "MEMBERS", MEMBERS)
    vectors, items = clustered(np.random.default_rng(1), [posted, *[1] * 2_500])
    _, scores = scored_pairs(sets_of(vectors), 10, same(items), 0.5)
    assert scores.sum() == posted * (posted - 1) / 2


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(61, 300))
def test_another_order_of_the_listings_gives_the_same_pairs(seed, n):
    rng = np.random.default_rng(seed)
    vectors, items = clustered(rng, rng.choice([1, 2], n))
    order = rng.permutation(len(vectors))
    found, scores = scored_pairs(sets_of(vectors), 4, same(items), 0.5)
    again, _ = scored_pairs(sets_of(vectors), 4, same(items), 0.5)
    other, turned = scored_pairs(sets_of(vectors[order]), 4, same(items[order]), 0.5)
    np.testing.assert_array_equal(found, again)
    assert {frozenset(pair) for pair in order[other].tolist()} == {frozenset(pair) for pair in found.tolist()}
    assert scores.sum() == turned.sum()


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(30, 120))
def test_listings_of_several_photos_and_of_none_are_found_by_any_photo(seed, n):
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 4, n)
    vectors, _ = clustered(rng, [1] * max(counts.sum(), 1))
    twice = np.concatenate([vectors[: counts.sum()]] * 2)
    items = np.tile(np.arange(n), 2)
    pairs, scores = scored_pairs(sets_of(twice, np.tile(counts, 2)), 10, same(items), 0.5)
    assert scores.sum() == (counts > 0).sum()
    assert (pairs[:, 0] < pairs[:, 1]).all()
    assert len(np.unique(pairs, axis=0)) == len(pairs)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 60, 61, 500])
def test_one_picture_in_all_listings_makes_every_pair_and_nothing_twice(n):
    vectors = unit(np.ones((n, 4), np.float32))
    pairs, scores = scored_pairs(sets_of(vectors), 10, lambda pairs: np.ones(len(pairs)), 0.5)
    reached = {0}
    for left, right in pairs.tolist():
        reached |= {left, right} if {left, right} & reached else set()
    assert len(pairs) == len(np.unique(pairs, axis=0)) == len(scores)
    assert reached == set(range(max(n, 1)))
    if n <= 61:
        assert len(pairs) == n * (n - 1) / 2


@pytest.mark.parametrize("vectors", [np.eye(200, dtype=np.float32), np.zeros((200, 8), np.float32)])
def test_vectors_that_no_distance_tells_apart_are_in_small_cells_too(vectors):
    found = Cells.of(Vectors([vectors]))
    assert max(map(len, found.members)) <= cells.MEMBERS
    assert sorted(np.concatenate(found.members).tolist()) == list(range(200))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 60), k=st.integers(1, 70))
def test_in_a_small_catalogue_the_nearest_are_exact(seed, n, k):
    rng = np.random.default_rng(seed)
    vectors, owners = unit(rng.normal(size=(n, 8)).astype(np.float32)), np.sort(rng.integers(0, n, n))
    found = Cells.of(Vectors([vectors])).nearest(np.arange(n), owners, k)
    for row, nearest in enumerate(found):
        others = np.flatnonzero(owners != owners[row])
        best = np.sort(vectors[others] @ vectors[row])[::-1][:k]
        chosen = nearest[nearest >= 0]
        assert len(set(chosen.tolist())) == len(chosen) == len(best)
        np.testing.assert_allclose(np.sort(vectors[chosen] @ vectors[row])[::-1], best, atol=1e-6)


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_half_precision_finds_the_same_copies(seed):
    rng = np.random.default_rng(seed)
    vectors, items = clustered(rng, rng.choice([1, 2, 3], 200))
    _, scores = scored_pairs(sets_of(vectors.astype(np.float16)), 10, same(items), 0.5)
    assert scores.sum() == pairs_of_one_item(items)
