"""How often the categories of a marketplace come: offsets, fitted by a calibration and kept by a bundle."""

import numpy as np
import pytest
import shop
from hypothesis import given, settings
from hypothesis import strategies as st

from productcat import Categorizer, Listing
from productcat.arithmetic.distributions import softmax
from productcat.calibration.calibrate import calibrate
from productcat.calibration.reliability import negative_log_likelihood
from productcat.calibration.temperatures import OFFSET_SPREAD, Settings, Views, favour
from productcat.categories.ensemble import Ensemble, ModelOutputs
from productcat.categories.projections import SETTINGS, Category, CategoryProjections

NAMES = ["bags", "belts", "caps", "ties"]
ENSEMBLE = Ensemble()


def favoured(views, projections):
    return favour(views, Settings(ENSEMBLE, projections)).projections


def views_of(seed, n, shares):
    """What a model says that takes all categories for equally frequent, of listings that come in these shares."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(len(shares), n, p=shares)
    seen = softmax(2.0 * (2.0 * np.eye(len(shares))[labels] + rng.normal(size=(n, len(shares)))))
    return Views.of(ModelOutputs(seen, np.full_like(seen, np.nan), {}), labels)


def loss_of(views, projections, offsets):
    moved = CategoryProjections(NAMES, projections.matrix, projections.floor, offsets=offsets)
    total = len(views.labels) * negative_log_likelihood(views.confidences(Settings(ENSEMBLE, moved)), views.labels)
    return total + 0.5 * np.sum((np.asarray(offsets) / OFFSET_SPREAD) ** 2)


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.integers(1, 3000))
def test_no_offsets_nearby_are_better_than_those_fitted(seed, n):
    projections, rng = CategoryProjections.of_classes(NAMES), np.random.default_rng(seed)
    views = views_of(seed, n, rng.dirichlet(np.ones(4)))
    found = favoured(views, projections).offsets
    reached = loss_of(views, projections, found)
    others = found + rng.normal(scale=[[0.001], [0.01], [0.1], [1.0]], size=(4, 4))
    assert all(loss_of(views, projections, each) >= reached - 1e-7 for each in others)
    assert not projections.offsets.any()  # what was given stays as it is


def test_frequent_categories_are_favoured_and_other_listings_gain():
    shares = [0.7, 0.2, 0.07, 0.03]
    projections = CategoryProjections.of_classes(NAMES)
    found = favoured(views_of(1, 400, shares), projections)
    assert list(np.argsort(-found.offsets)) == [0, 1, 2, 3]
    others = views_of(2, 2000, shares)
    before, after = (others.confidences(Settings(ENSEMBLE, each)) for each in (projections, found))
    assert negative_log_likelihood(after, others.labels) < negative_log_likelihood(before, others.labels) - 0.02
    again = favoured(views_of(1, 400, shares), found)  # starts from what is there, and stays near it
    assert np.abs(again.offsets - found.offsets).max() < 0.5 * np.abs(found.offsets).max()


def test_a_category_that_does_not_come_gets_rarer_and_never_impossible():
    found = favoured(views_of(3, 300, [0.5, 0.5, 0.0, 0.0]), CategoryProjections.of_classes(NAMES))
    assert ((found.offsets[2:] > -4 * OFFSET_SPREAD) & (found.offsets[2:] < 0)).all()


def test_offsets_shift_confidences_and_leave_divergences_as_they_are():
    projections = CategoryProjections.of_classes(NAMES)
    moved = CategoryProjections.of_classes(NAMES, offsets=np.log([2.0, 1.0, 1.0, 1.0]))
    seen = np.array([[0.25, 0.25, 0.25, 0.25]])
    np.testing.assert_array_equal(moved.divergences(seen), projections.divergences(seen))
    np.testing.assert_allclose(moved.confidences(seen), [[0.4, 0.2, 0.2, 0.2]])


def test_a_category_keeps_its_offset_until_it_is_defined_anew(tmp_path):
    projections = CategoryProjections.of_classes(NAMES, offsets=[0.1, 0.2, 0.3, 0.4])
    more = projections.with_category("socks", Category(np.full(4, 0.25)))
    np.testing.assert_allclose(more.offsets, [0.1, 0.2, 0.3, 0.4, 0.0])
    np.testing.assert_allclose(more.without("belts").offsets, [0.1, 0.3, 0.4, 0.0])
    np.testing.assert_allclose(more.with_category("caps", Category(np.full(4, 0.25))).offsets, [0.1, 0.2, 0, 0.4, 0])
    more.save(tmp_path / "projections")
    np.testing.assert_array_equal(CategoryProjections.load(tmp_path / "projections").offsets, more.offsets)


def test_categories_written_before_there_were_offsets_have_none(tmp_path):
    CategoryProjections.of_classes(NAMES).save(tmp_path)
    text = (tmp_path / SETTINGS).read_text("utf-8")
    (tmp_path / SETTINGS).write_text(text.replace('"offsets"', '"of a later productcat"'), "utf-8")
    np.testing.assert_array_equal(CategoryProjections.load(tmp_path).offsets, np.zeros(4))


@pytest.fixture
def skewed():
    """(listings, labels) of a shop in which most of the second category go by the name of the first."""
    rng = np.random.default_rng(4)
    names = [shop.CLASSES[number % 3] for number in range(120)]
    listings = [Listing(f"{i}", shop.title(name, rng), (shop.photo(name, rng),)) for i, name in enumerate(names)]
    return listings, [shop.CLASSES[0] if name == shop.CLASSES[1] and i % 4 else name for i, name in enumerate(names)]


def test_a_calibration_learns_what_the_marketplace_prefers_and_a_bundle_keeps_it(tiny_bundle, skewed, tmp_path):
    categorizer = Categorizer.load(tiny_bundle)
    listings, labels = skewed
    found = calibrate(categorizer, zip(listings, labels, strict=True))
    assert found.after.negative_log_likelihood < found.before.negative_log_likelihood
    offset = dict(zip(categorizer.categories, categorizer.projections.offsets, strict=True))
    assert offset[shop.CLASSES[0]] > 0 > offset[shop.CLASSES[1]]
    np.testing.assert_array_equal(categorizer.projections.matrix, Categorizer.load(tiny_bundle).projections.matrix)
    categorizer.save(tmp_path / "saved")
    saved = Categorizer.load(tmp_path / "saved")
    np.testing.assert_array_equal(saved.predict_proba(listings), categorizer.predict_proba(listings))
