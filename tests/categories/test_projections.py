"""Categories as projections over the classes, compared by Kullback-Leibler divergence."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from productcat.arithmetic.vectors import unit
from productcat.categories.projections import Category, CategoryProjections, FewShot
from productcat.categories.prototypes import Prototype

seeds = st.integers(0, 2**32 - 1)
WIDTH = {"photos": 6, "title": 4}
"""Features of each kind of prototype."""


def distributions(rng, n, n_classes):
    """Rows from even to all in one class."""
    scores = rng.random((n, n_classes))
    scores = (scores / scores.max(axis=1, keepdims=True)) ** rng.choice([0.0, 1.0, 8.0, 300.0], (n, 1))
    return scores / scores.sum(axis=1, keepdims=True)


def random_projections(rng, n_categories, n_classes, **settings):
    names = [f"category {i}" for i in range(n_categories)]
    return CategoryProjections(names, distributions(rng, n_categories, n_classes), **settings)


@given(seeds, st.integers(1, 150), st.floats(1e-6, 0.5))
def test_where_categories_are_the_classes_the_mapping_loses_nothing(seed, n_classes, floor):
    rng = np.random.default_rng(seed)
    seen = distributions(rng, 7, n_classes)
    projections = CategoryProjections.of_classes([str(i) for i in range(n_classes)], floor=floor, temperature=1.0)
    confidences = projections.confidences(seen)
    np.testing.assert_allclose(confidences, seen, rtol=1e-9, atol=1e-300)
    top = np.arange(len(seen)), confidences.argmax(axis=1)
    np.testing.assert_allclose(seen[top], seen.max(axis=1), rtol=1e-12)
    clear = np.partition(seen, -2, axis=1)[:, -2] < seen.max(axis=1) * (1 - 1e-12) if n_classes > 1 else [True] * 7
    np.testing.assert_array_equal(confidences.argmax(axis=1)[clear], seen.argmax(axis=1)[clear])


@given(seeds, st.integers(1, 12), st.integers(2, 30), st.floats(1e-6, 0.9), st.floats(0.05, 20))
def test_the_nearest_category_is_the_most_confident_one(seed, n_categories, n_classes, floor, temperature):
    rng = np.random.default_rng(seed)
    projections = random_projections(rng, n_categories, n_classes, floor=floor, temperature=temperature)
    seen = distributions(rng, 5, n_classes)
    divergences, confidences = projections.divergences(seen), projections.confidences(seen)
    assert divergences.shape == confidences.shape == (5, n_categories)
    assert (divergences >= 0).all()
    np.testing.assert_allclose(confidences.sum(axis=1), 1.0)
    for near, sure in zip(divergences, confidences, strict=True):
        one, other = np.meshgrid(np.arange(n_categories), np.arange(n_categories))
        clearly_nearer = near[one] < near[other] - 1e-9
        assert (sure[one] >= sure[other])[clearly_nearer].all()


@given(seeds, st.integers(1, 6), st.integers(1, 9), st.floats(1e-6, 0.9))
def test_the_divergence_is_that_of_a_naive_loop_and_at_least_what_pinsker_says(seed, n_categories, n_classes, floor):
    rng = np.random.default_rng(seed)
    projections, seen = random_projections(rng, n_categories, n_classes, floor=floor), distributions(rng, 4, n_classes)
    floored = (1 - floor) * projections.matrix + floor / n_classes
    expected = [[sum(a * math.log(a / b) for a, b in zip(p, q, strict=True) if a > 0) for q in floored] for p in seen]
    divergences = projections.divergences(seen)
    np.testing.assert_allclose(divergences, expected, atol=1e-9)
    apart = np.abs(seen[:, None] - floored[None]).sum(axis=2)
    assert (divergences >= apart**2 / 2 - 1e-9).all()  # Pinsker's inequality: zero for equal rows only
    assert (np.diag(projections.divergences(floored)) < 1e-9).all()


@given(seeds, st.integers(1, 9))
def test_divergences_turn_with_the_rows_and_stay_when_the_classes_are_reordered(seed, n_classes):
    rng = np.random.default_rng(seed)
    projections, seen = random_projections(rng, 5, n_classes), distributions(rng, 4, n_classes)
    divergences = projections.divergences(seen)
    np.testing.assert_array_equal(projections.divergences(seen[::-1]), divergences[::-1])
    turned = replace(projections, matrix=projections.matrix[:, ::-1])
    np.testing.assert_allclose(turned.divergences(seen[:, ::-1]), divergences, atol=1e-12)


@given(seeds, st.integers(1, 12), st.integers(1, 150))
def test_adding_and_removing_a_category_leaves_other_divergences_untouched_to_the_bit(seed, n_categories, n_classes):
    rng = np.random.default_rng(seed)
    before = random_projections(rng, n_categories, n_classes)
    seen = distributions(rng, 5, n_classes)
    more = before.with_category("new", Category(distributions(rng, 1, n_classes)[0]))
    assert more.categories == [*before.categories, "new"]
    np.testing.assert_array_equal(more.divergences(seen)[:, :-1], before.divergences(seen))
    gone = more.without("category 0")
    assert gone.categories == [*before.categories[1:], "new"]
    np.testing.assert_array_equal(gone.divergences(seen), more.divergences(seen)[:, 1:])


@given(seeds)
def test_a_listing_gets_the_same_confidences_to_the_bit_in_every_batch(seed):
    rng = np.random.default_rng(seed)
    projections, seen = random_projections(rng, 9, 31), distributions(rng, 6, 31)
    together = projections.confidences(seen)
    np.testing.assert_array_equal(together[2:3], projections.confidences(seen[2:3]))


def test_a_known_category_is_replaced_and_the_original_stays_as_it_is():
    before = CategoryProjections.of_classes(["bag", "shoe"], floor=0.01, temperature=2.0)
    after = before.with_category("bag", Category(np.array([0.5, 0.5])))
    assert sorted(after.categories) == ["bag", "shoe"]
    np.testing.assert_array_equal(after.matrix[after.categories.index("bag")], [0.5, 0.5])
    assert (after.floor, after.temperature) == (0.01, 2.0)
    np.testing.assert_array_equal(before.matrix, np.eye(2))


def test_the_only_category_may_be_replaced():
    only = CategoryProjections(["bag"], [[1.0, 0.0]]).with_category("bag", Category(np.array([0.0, 1.0])))
    assert only.categories == ["bag"]
    np.testing.assert_array_equal(only.matrix, [[0.0, 1.0]])


def test_a_listing_without_evidence_has_neither_divergences_nor_confidences():
    projections = CategoryProjections.of_classes(["bag", "shoe"])
    seen = np.array([[np.nan, np.nan], [0.5, 0.5]])
    for result in (projections.divergences(seen), projections.confidences(seen)):
        assert np.isnan(result).tolist() == [[True, True], [False, False]]


def test_no_listings_have_no_confidences():
    assert CategoryProjections.of_classes(["bag", "shoe"]).confidences(np.empty((0, 2))).shape == (0, 2)


@pytest.mark.parametrize("temperature", [1e-6, 0.01, 1.0, 100.0])
def test_a_listing_that_shares_nothing_with_any_category_is_equally_unsure_of_all(temperature):
    projections = CategoryProjections(["bag", "shoe"], [[1, 0, 0], [0, 1, 0]], temperature=temperature)
    np.testing.assert_allclose(projections.confidences(np.array([[0.0, 0.0, 1.0]])), [[0.5, 0.5]])


@pytest.mark.parametrize("temperature", [1e-6, 0.01, 1.0])
def test_certainty_stays_certain(temperature):
    projections = CategoryProjections.of_classes(["bag", "shoe", "hat"], temperature=temperature)
    np.testing.assert_allclose(projections.confidences(np.eye(3, dtype=np.float32)), np.eye(3), atol=1e-12)


def test_a_temperature_below_one_sharpens_and_above_one_flattens():
    seen = np.array([[0.7, 0.3]])
    names = ["bag", "shoe"]
    sharp, plain, flat = (
        CategoryProjections.of_classes(names, temperature=each).confidences(seen)[0, 0] for each in (0.5, 1, 2)
    )
    assert sharp > plain > flat > 0.5


def test_a_category_of_several_classes_gathers_their_evidence():
    projections = CategoryProjections(["footwear", "hat"], [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    assert projections.confidences(np.array([[0.35, 0.25, 0.4]])).argmax() == 0


@pytest.mark.parametrize("layout", [np.ascontiguousarray, np.asfortranarray], ids=["rows first", "columns first"])
def test_saved_categories_come_back_exactly(tmp_path, layout):
    matrix = layout(distributions(np.random.default_rng(0), 3, 5))
    CategoryProjections(["bag", "été", "靴"], matrix, floor=0.1 / 3, temperature=0.7).save(tmp_path / "projections")
    loaded = CategoryProjections.load(tmp_path / "projections")
    assert (loaded.categories, loaded.floor, loaded.temperature) == (["bag", "été", "靴"], 0.1 / 3, 0.7)
    np.testing.assert_array_equal(loaded.matrix, matrix)
    assert loaded.matrix.dtype == np.float64


def with_prototypes(rng, n_categories, n_classes, **settings):
    """Categories of which every second one has a prototype of photos, and every third one of titles."""

    def prototypes(i):
        kinds = [kind for kind, nth in (("photos", 2), ("title", 3)) if i % nth == 0]
        return {kind: Prototype(rng.normal(size=WIDTH[kind]).astype(np.float32), i + 1) for kind in kinds}

    rows = enumerate(distributions(rng, n_categories, n_classes))
    found = {f"category {i}": Category(row, prototypes(i)) for i, row in rows}
    return CategoryProjections.of(found, CategoryProjections([], np.empty((0, 0)), **settings))


@given(seeds, st.integers(2, 9), st.floats(0, 50), st.floats(-1, 1), st.sampled_from(["photos", "title"]))
def test_without_vectors_prototypes_say_nothing(seed, n_categories, scale, neutral, kind):
    rng, prefix = np.random.default_rng(seed), {"photos": "", "title": "title_"}[kind]
    few_shot = FewShot(**{f"{prefix}scale": scale, f"{prefix}neutral": neutral})
    projections = with_prototypes(rng, n_categories, 5, few_shot=few_shot)
    seen, shape = distributions(rng, 4, 5), (4, WIDTH[kind])
    alone = projections.confidences(seen)
    np.testing.assert_array_equal(projections.confidences(seen, {kind: np.full(shape, np.nan, np.float32)}), alone)
    together = projections.confidences(seen, {kind: rng.normal(size=shape).astype(np.float32)})
    np.testing.assert_allclose(together.sum(axis=1), 1.0)
    if not scale:
        np.testing.assert_array_equal(together, alone)


@given(st.integers(1, 40), st.integers(1, 40))
def test_a_prototype_speaks_the_louder_the_more_examples_it_has(few, more):
    even, features = np.full((1, 3), 1 / 3), np.float32([[1, 0]])
    few, more = sorted((few, more + few))

    def confidence(examples):
        ends = {"a": features[0], "b": -features[0]}
        known = {name: Category(even[0], {"photos": Prototype(end, examples)}) for name, end in ends.items()}
        like = CategoryProjections([], np.empty((0, 0)), few_shot=FewShot(scale=3.0))
        return CategoryProjections.of(known, like).confidences(even, {"photos": features})[0, 0]

    assert 0.5 < confidence(few) < confidence(more)


@given(seeds, st.integers(2, 9))
def test_prototypes_survive_the_disk_and_the_leaving_of_others(tmp_path_factory, seed, n_categories):
    rng, folder = np.random.default_rng(seed), tmp_path_factory.mktemp("categories") / "projections"
    projections = with_prototypes(rng, n_categories, 5, few_shot=FewShot(3.0, 0.2, 1.5, 0.9, 0.7, 1.2, 2.0, 0.1, 1.3))
    projections.save(folder)
    loaded = CategoryProjections.load(folder)
    seen = distributions(rng, 4, 5)
    vectors = {kind: rng.normal(size=(4, width)).astype(np.float32) for kind, width in WIDTH.items()}
    np.testing.assert_array_equal(loaded.confidences(seen, vectors), projections.confidences(seen, vectors))
    left = loaded.without("category 0")
    np.testing.assert_array_equal(left.divergences(seen), projections.divergences(seen)[:, 1:])
    assert left.examples.tolist() == projections.examples[1:].tolist()


@given(seeds, st.integers(1, 5), st.sampled_from([0.0, 1.0]))
def test_examples_speak_for_their_category_only_where_they_are_more_alike_than_every_class(seed, n_classes, ridge):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(n_classes + 2, 6)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    of_classes, own, judged = vectors[:n_classes], vectors[n_classes], vectors[n_classes + 1 :]
    names = [f"class {number}" for number in range(n_classes)]
    found = {
        name: Category(row, {"photos": Prototype(vector, 0)})
        for name, row, vector in zip(names, np.eye(n_classes), of_classes, strict=True)
    }
    like = CategoryProjections([], np.empty((0, 0)), few_shot=FewShot(scale=5.0, neutral=-9.0, ridge=ridge))
    even = np.full((1, n_classes), 1 / n_classes)
    of_classes_alone = CategoryProjections.of(found, like)
    np.testing.assert_array_equal(
        of_classes_alone.confidences(even, {"photos": judged}), of_classes_alone.confidences(even)
    )
    together = of_classes_alone.with_category("own", Category(even[0], {"photos": Prototype(own, 3)}))
    before, after = together.confidences(even)[0], together.confidences(even, {"photos": judged})[0]
    centre = (of_classes.sum(axis=0) + own) / (n_classes + 2) if ridge else 0
    alike = unit(vectors[: n_classes + 1] - centre) @ unit(judged[0] - centre)
    assert (after[-1] > before[-1]) == (alike[-1] > alike[:-1].max())
    np.testing.assert_allclose(after[:-1] / after[0], before[:-1] / before[0])
