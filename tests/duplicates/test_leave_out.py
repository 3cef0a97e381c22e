"""Adapted to a catalogue, a detector judges each pair of listings as if the catalogue were without the two."""

from dataclasses import replace

import numpy as np
import pytest
import shop
from hypothesis import given, settings
from hypothesis import strategies as st

from productcat import DuplicateDetector, Listing
from productcat.arithmetic.vectors import unit
from productcat.duplicates.leave_out import cosines_without
from productcat.duplicates.metric import Experts, Head, Weights
from productcat.duplicates.neighbours import scored_pairs
from productcat.duplicates.photo_sets import PhotoSets
from productcat.duplicates.thumbnails import LENGTH
from productcat.duplicates.titles import Rarity, TitleTable

FEATURES = 6


@st.composite
def catalogues(draw):
    """Photos, what each is of the background, a background before them, and a pair of listings of one to three."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(2, 12))
    first, second = (draw(st.integers(1, min(3, n - 1))) for _ in range(2))
    second = min(second, n - first)
    shares = rng.dirichlet(np.ones(n)) * draw(st.floats(0.05, 0.95))
    return rng.normal(size=(n, FEATURES)) + rng.normal(size=FEATURES), shares, first, first + second


def moments(photos, shares):
    """Mean and covariance of a mixture of photos, by their shares, and a standard normal background with the rest."""
    rest = 1.0 - shares.sum()
    mean = shares @ photos
    covariance = rest * np.eye(FEATURES) + (photos * shares[:, None]).T @ photos - np.outer(mean, mean)
    return mean, covariance


def cosines_in(photos, mean, covariance):
    centred = photos - mean
    products = centred @ np.linalg.solve(covariance, centred.T)
    lengths = np.sqrt(np.diag(products))
    return products / lengths[:, None] / lengths


@settings(max_examples=60)
@given(catalogue=catalogues())
def test_leaving_out_is_what_a_background_without_the_pair_gives(catalogue):
    photos, shares, first, both = catalogue
    mean, covariance = moments(photos, shares)
    vectors = ((photos - mean) @ np.linalg.cholesky(np.linalg.inv(covariance)))[None, :both]
    others = shares[both:] / (1.0 - shares[:both].sum())
    expected = cosines_in(photos[:both], *moments(photos[both:], others))
    marks = np.arange(both, dtype=np.uint64)[None]
    found, means = cosines_without(vectors, marks, vectors, shares[None, :both], first)
    np.testing.assert_allclose(found[0], expected[:first, first:], atol=1e-6)
    inside = expected[:first, :first].sum() * expected[first:, first:].sum()
    np.testing.assert_allclose(means[0], expected[:first, first:].sum() / np.sqrt(inside), atol=1e-6)


@given(catalogue=catalogues(), data=st.data())
def test_neither_the_order_of_photos_nor_that_of_the_sides_changes_a_bit(catalogue, data):
    photos, shares, first, both = catalogue
    vectors, shares = photos[None, :both] * 0.1, shares[None, :both] * 0.1
    rng = np.random.default_rng(0)
    marks, own = rng.integers(0, 2**63, (1, both)).astype(np.uint64), vectors + 0.01 * rng.normal(size=vectors.shape)
    found, means = cosines_without(vectors, marks, own, shares, first)
    order = [*data.draw(st.permutations(range(first))), *data.draw(st.permutations(range(first, both)))]
    other, same = cosines_without(vectors[:, order], marks[:, order], own[:, order], shares[:, order], first)
    rows, columns = np.array(order[:first]), np.array(order[first:]) - first
    np.testing.assert_array_equal(other, found[:, rows][:, :, columns])
    np.testing.assert_array_equal(same, means)
    swapped = [*range(first, both), *range(first)]
    other, same = cosines_without(
        vectors[:, swapped], marks[:, swapped], own[:, swapped], shares[:, swapped], both - first
    )
    np.testing.assert_array_equal(other, found.transpose(0, 2, 1))
    np.testing.assert_array_equal(same, means)


def test_one_picture_of_the_background_is_left_out_once_for_all_photos_that_show_it():
    picture, other = np.array([0.5, 0.1, 0.2]), np.array([0.1, 0.4, 0.3])
    photos = np.stack([picture + np.array([0.0, 0.05, 0.0]), picture, other])[None]
    marks, own = np.arange(3, dtype=np.uint64)[None], np.stack([picture, picture, other])[None]
    halves = cosines_without(photos, marks, own, np.array([[0.1, 0.1, 0.0]]), 1)
    whole = cosines_without(photos, marks, own, np.array([[0.2, 0.0, 0.0]]), 1)
    for one, same in zip(halves, whole, strict=True):
        np.testing.assert_allclose(one, same)


@pytest.fixture(scope="module")
def detector(duplicates_bundle):
    """One that looks at nothing but the cosines of the photos."""
    found = DuplicateDetector.load(duplicates_bundle)
    n_levels = len(found.metric.levels)
    weights = Weights(np.array([0.0, 0.0, 10.0 / n_levels] * n_levels + [0.0] * 6), -5.0)
    metric = replace(found.metric, head=Head(*[Experts.one(weights)] * 2), compared=None, titles=None)
    return DuplicateDetector(found.image_model, metric, 0.5)


@pytest.fixture(scope="module")
def copied():
    """Pairs of a photo and a copy, each pair another photo."""
    rng = np.random.default_rng(8)
    photos = [shop.photo(shop.CLASSES[i % 3], rng) for i in range(12)]
    left = [Listing(f"a{i}", photos=[photo]) for i, photo in enumerate(photos)]
    right = [Listing(f"b{i}", photos=[photo[1:-1, 1:-1]]) for i, photo in enumerate(photos)]
    return list(zip(left, right, strict=True))


@pytest.mark.parametrize("n_pairs", [1, 2, 5])
def test_copies_are_found_in_a_catalogue_of_a_few_listings(detector, copied, n_pairs):
    embeddings = detector.embed([side for pair in copied[:n_pairs] for side in pair])
    left, right = embeddings[::2], embeddings[1::2]
    alone, adapted = detector.score(left, right), detector.adapt(embeddings).score(left, right)
    assert alone.min() > 0.9
    assert adapted.min() > 0.5
    found = {frozenset((pair.left, pair.right)) for pair in detector.find(embeddings)}
    assert {frozenset((f"a{i}", f"b{i}")) for i in range(n_pairs)} <= found


def test_two_listings_alone_score_as_if_nothing_were_known(detector, copied):
    embeddings = detector.embed(copied[0])
    adapted = detector.adapt(embeddings)
    expected = detector.score(embeddings[:1], embeddings[1:])
    np.testing.assert_allclose(adapted.score(embeddings[:1], embeddings[1:]), expected, atol=0.05)


def test_adapted_scores_are_symmetric_to_the_bit(detector, copied):
    embeddings = detector.embed([side for pair in copied for side in pair])
    adapted = detector.adapt(embeddings[:14])
    matrix = adapted.score_matrix(embeddings, embeddings)
    np.testing.assert_array_equal(matrix, matrix.T)


def test_a_low_threshold_does_not_score_all_pairs_of_a_catalogue(detector, copied):
    embeddings = [replace(each, id=str(row)) for row, each in enumerate(detector.embed(copied[0]) * 20)]
    embeddings += detector.embed([side for pair in copied[1:] for side in pair])
    strict = DuplicateDetector(detector.image_model, replace(detector.metric, threshold=1.9), 0.0)
    assert len(strict.find(embeddings, 0.0, adapt=False)) < len(embeddings) * (len(embeddings) - 1) / 2


def test_a_listing_without_photos_is_explained_by_nothing(detector, copied):
    adapted = detector.adapt([side for pair in copied for side in pair])
    with pytest.warns(UserWarning, match="no photo"):
        nothing, something = adapted.embed([Listing("x"), copied[0][0]])
    assert [list(adapted.explain(*pair)) for pair in ((nothing, something), (something, nothing))] == [[], []]
    assert list(adapted.explain(nothing, nothing)) == []


def test_the_explanation_leaves_the_pair_out_too(detector, copied):
    embeddings = detector.embed([side for pair in copied for side in pair])
    match = detector.adapt(embeddings).explain(*embeddings[:2])[0]
    assert min(match.levels.values()) > 0.5


def sets_of(vectors):
    """Listings of one photo each, without titles."""
    n = len(vectors)
    titles, prices = TitleTable.of([""] * n, Rarity.empty()), np.full(n, np.nan)
    return PhotoSets({"high": vectors}, np.zeros((n, LENGTH), np.int8), np.ones(n, int), titles, prices)


@given(posted=st.integers(2, 40), others=st.integers(0, 6), k=st.integers(1, 5))
def test_however_often_an_item_is_posted_all_its_pairs_are_scored(posted, others, k):
    n = posted + others
    vectors = unit(np.eye(n + 1, dtype=np.float32)[np.maximum(np.arange(n) - posted + 1, 0)])
    sets = sets_of(vectors)
    pairs, scores = scored_pairs(sets, k, lambda pairs: (pairs < posted).all(axis=1).astype(float), 0.5)
    assert (scores == (pairs < posted).all(axis=1)).all()
    assert len(np.unique(pairs, axis=0)) == len(pairs)
    assert scores.sum() == posted * (posted - 1) / 2


@given(posted=st.integers(2, 30), others=st.integers(0, 6), seed=st.integers(0, 2**32 - 1))
def test_pairs_are_found_where_not_all_neighbours_are_duplicates(posted, others, seed):
    n, rng = posted + others, np.random.default_rng(seed)
    vectors = unit(np.eye(n + 1, dtype=np.float32)[np.maximum(np.arange(n) - posted + 1, 0)])
    sets = sets_of(vectors)
    doubted = rng.integers(posted)  # one of the item's photos, that no score takes for a duplicate

    def score(pairs):
        return ((pairs < posted) & (pairs != doubted)).all(axis=1).astype(float)

    assert scored_pairs(sets, 4, score, 0.5)[1].sum() == (posted - 1) * (posted - 2) / 2
