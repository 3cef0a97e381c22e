"""What examples have in common, and in what examples of one category differ."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from productcat.arithmetic.vectors import unit
from productcat.categories.projections import Category, CategoryProjections, FewShot
from productcat.categories.prototypes import OF_ALL, OF_ONE, Prototype, Prototypes

EVEN = np.full((1, 4), 0.25)
SETTINGS = {"scale": 1.0, "neutral": 0.0, "settling": 0.0}
seeds = st.integers(0, 2**32 - 1)


def of_some_kind(rng, centre, n, spread):
    """Unit vectors around a centre, shape (n, n_features). spread : ndarray of shape (n_features,)"""
    return unit(centre + spread * rng.normal(size=(n, len(centre)))).astype(np.float32)


def projections_of(examples, **few_shot):
    """Categories that only their prototypes tell apart. examples : dict, name → ndarray of shape (n, n_features)"""
    known = {name: Category(EVEN[0], {"photos": Prototype.of(rows)}) for name, rows in examples.items()}
    return CategoryProjections.of(known, CategoryProjections([], np.empty((0, 0)), few_shot=FewShot(**few_shot)))


def discriminants(examples, judged, ridge):
    """The formula of `Prototypes`, by the whole covariance. examples : list of arrays → (n_judged, n_categories)"""
    width = judged.shape[1]
    means = np.array([rows.mean(axis=0) for rows in examples], np.float64)
    centre = means.sum(axis=0) / (len(means) + 1)
    means, added, covariance = unit(means - centre), 1.0, np.eye(width)
    kept = [rows[:OF_ONE] - rows.mean(axis=0) for rows in examples if len(rows) > 1]
    if kept:
        free = sum(len(own) * (1 - 1 / len(rows)) for own, rows in zip(kept, examples, strict=True))
        within = sum(own.T.astype(np.float64) @ own for own in kept) / free
        added = ridge * np.trace(within) / free
        covariance = within + added * np.eye(width)
    directions = np.linalg.solve(covariance, means.T).T
    directions *= np.sqrt(added / (means * directions).sum(axis=1, keepdims=True))
    return unit(judged - centre) @ directions.T


@given(seeds, st.integers(2, 6), st.sampled_from([1, 2, 5, 9, OF_ONE + 8]), st.floats(0.01, 10))
def test_directions_are_those_of_regularised_discriminant_analysis(seed, n_categories, n_examples, ridge):
    rng = np.random.default_rng(seed)
    examples = [unit(rng.normal(size=(n_examples, 7))).astype(np.float32) for _ in range(n_categories)]
    judged = unit(rng.normal(size=(3, 7))).astype(np.float32)
    prototypes = Prototypes.of([Prototype.of(rows) for rows in examples])
    for each in (ridge, 2 * ridge):
        expected = discriminants(examples, judged, each)
        np.testing.assert_allclose(
            prototypes.likeness(judged, **SETTINGS, ridge=each), expected, atol=5e-3 * np.abs(expected).max()
        )


def test_what_differs_within_categories_is_no_evidence():
    rng = np.random.default_rng(0)
    centres = {name: 0.3 * rng.normal(size=40) for name in "abc"}
    spread = np.where(np.arange(40) < 8, 2.0, 0.1)  # the light, the background: large, and the same everywhere
    examples = {name: of_some_kind(rng, centre, 10, spread) for name, centre in centres.items()}
    judged = {name: of_some_kind(rng, centre, 100, spread) for name, centre in centres.items()}

    def right(ridge):
        projections = projections_of(examples, scale=10.0, ridge=ridge)
        seen = [projections.confidences(EVEN.repeat(100, axis=0), {"photos": rows}) for rows in judged.values()]
        return np.mean([(each.argmax(axis=1) == number).mean() for number, each in enumerate(seen)])

    assert right(0.0) < 0.7 < 0.9 < right(1.0)


def test_without_a_ridge_features_are_compared_as_they_come():
    rng = np.random.default_rng(1)
    examples = unit(rng.normal(size=(2, 5, 6))).astype(np.float32)
    prototypes, judged = Prototypes.of([Prototype.of(rows) for rows in examples]), rng.normal(size=(4, 6))
    found = prototypes.likeness(judged, **SETTINGS, ridge=0.0)
    np.testing.assert_allclose(found, judged @ unit(examples.mean(axis=1)).T, rtol=1e-5)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=80))
def test_deviations_are_limited_and_shared_alike(sizes):
    prototypes = Prototypes.of([Prototype.of(np.ones((n, 2), np.float32)) for n in sizes])
    wanted = np.where(np.array(sizes) > 1, np.minimum(sizes, OF_ONE), 0)
    assert prototypes.kept.sum() == len(prototypes.deviations) == min(OF_ALL, wanted.sum())
    assert (prototypes.kept <= wanted).all()
    cut = prototypes.kept < wanted
    assert not cut.any() or prototypes.kept.max() <= prototypes.kept[cut].min() + 1


@pytest.mark.parametrize("n_examples", [1, 2, 7])
def test_examples_that_are_all_the_same_vary_in_nothing(n_examples):
    same = {name: np.eye(2, 6, dtype=np.float32)[[row] * n_examples] for row, name in enumerate("ab")}
    found = projections_of(same, scale=5.0, ridge=1.0).confidences(EVEN, {"photos": same["a"][:1]})
    assert found[0, 0] > 0.9


@given(seeds, st.integers(2, 5), st.integers(1, 4))
def test_a_category_that_comes_and_goes_leaves_no_trace(seed, n_categories, n_examples):
    rng = np.random.default_rng(seed)
    examples = {f"{number}": unit(rng.normal(size=(n_examples, 6))) for number in range(n_categories)}
    before = projections_of(examples, scale=5.0, ridge=1.0)
    more = before.with_category("new", Category(EVEN[0], {"photos": Prototype.of(unit(rng.normal(size=(3, 6))))}))
    seen = EVEN, {"photos": rng.normal(size=(1, 6)).astype(np.float32)}
    np.testing.assert_array_equal(more.divergences(seen[0])[:, :-1], before.divergences(seen[0]))
    np.testing.assert_array_equal(more.without("new").confidences(*seen), before.confidences(*seen))


@pytest.mark.parametrize("n_examples", [1, 2, 5])
def test_what_examples_differ_in_survives_the_disk(tmp_path, n_examples):
    rng = np.random.default_rng(2)
    examples = {name: unit(rng.normal(size=(n_examples, 6))).astype(np.float32) for name in "ab"}
    projections = projections_of(examples, scale=5.0, ridge=0.5)
    projections.save(tmp_path / "projections")
    seen = EVEN, {"photos": rng.normal(size=(1, 6)).astype(np.float32)}
    loaded = CategoryProjections.load(tmp_path / "projections")
    np.testing.assert_array_equal(loaded.confidences(*seen), projections.confidences(*seen))
    assert loaded.prototypes["photos"].kept.tolist() == [n_examples if n_examples > 1 else 0] * 2
    assert (tmp_path / "projections" / "categories.json").read_text().count("deviations") == (n_examples > 1)
