"""Calibration on listings of a marketplace: its arithmetic, and through a tiny real bundle."""

import copy
import dataclasses
from dataclasses import replace

import numpy as np
import pytest
import shop
from hypothesis import given, settings
from hypothesis import strategies as st

from productcat import Categorizer, DecisionRule, Listing, ListingError
from productcat.arithmetic.distributions import sharpen, softmax
from productcat.arithmetic.minimum import minimum
from productcat.calibration.calibrate import calibrate
from productcat.calibration.reliability import (
    Reliability,
    calibration_error,
    coverage_at_precision,
    negative_log_likelihood,
    rule_at_precision,
)
from productcat.calibration.temperatures import Settings, Views, fit
from productcat.categories.ensemble import MODALITIES, Ensemble, ModelOutputs, Temperatures
from productcat.categories.projections import CategoryProjections

N_CLASSES = 8
ENSEMBLE = Ensemble(temperatures=Temperatures(both=0.5))
PROJECTIONS = CategoryProjections.of_classes([f"category {number}" for number in range(N_CLASSES)])
PRESENT = Settings(ENSEMBLE, PROJECTIONS)
NO_FEATURES = np.empty((0, 0), np.float32)


def witness(rng, labels, strength):
    """Calibrated: probabilities of the classes after an observation, normal around `strength` for the true one."""
    observed = strength * np.eye(N_CLASSES)[labels] + rng.normal(size=(len(labels), N_CLASSES))
    return softmax(strength * observed)


def sight_of(seed, n, photos=1.0, title=1.0):
    """What two independent, calibrated models say, raised to powers. → (ModelOutputs, labels)"""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, N_CLASSES, n)
    seen = sharpen(witness(rng, labels, 2.0), 1 / photos), sharpen(witness(rng, labels, 2.5), 1 / title)
    return ModelOutputs(*seen, {}), labels


def without(sight, photos=(), title=()):
    """A copy in which some listings have no photos, or no title."""
    parts = sight.photos.copy(), sight.title.copy()
    parts[0][list(photos)], parts[1][list(title)] = np.nan, np.nan
    return ModelOutputs(*parts, sight.vectors)


def loss_of(views, found):
    """Negative log-likelihood of each modality."""
    parts = {each: views.where(views.modalities == each) for each in MODALITIES}
    return {name: negative_log_likelihood(each.confidences(found), each.labels) for name, each in parts.items()}


def numbers_of(found):
    temperatures = dataclasses.astuple(found.ensemble.temperatures)
    shares = found.ensemble.weights.photos, found.projections.floor
    return np.array([*temperatures, *shares, found.projections.temperature])


@given(st.integers(1, 60), st.integers(0, 1000), st.floats(0.1, 20.0), st.integers(1, 20))
def test_the_calibration_error_is_a_share(n, seed, strength, bins):
    rng = np.random.default_rng(seed)
    confidences = softmax(strength * rng.normal(size=(n, N_CLASSES)))
    error = calibration_error(confidences, rng.integers(0, N_CLASSES, n), bins)
    assert 0.0 <= error <= 1.0


@given(st.integers(1, 200), st.integers(0, 1000), st.sampled_from([0.3, 0.8, 0.95, 1.0]), st.floats(0.0, 0.6))
def test_a_rule_of_a_precision_assigns_that_precisely_and_never_below_its_shortlist(n, seed, precision, shortlist_at):
    sight, labels = sight_of(seed, n)
    rule = rule_at_precision(sight.photos, labels, precision, shortlist_at, 3)
    assert (rule.shortlist_at, rule.shortlist_size) == (shortlist_at, 3)
    assert shortlist_at <= rule.assign_at <= 1.0
    coverage, threshold = coverage_at_precision(sight.photos, labels, precision)
    found = Reliability.of(sight.photos, labels, np.full(n, rule.assign_at))
    if coverage and threshold >= shortlist_at:
        assert found.coverage == pytest.approx(coverage)
        assert found.precision >= precision
    if not coverage:
        assert rule.assign_at == 1.0


@pytest.mark.parametrize("precision", [0.0, -1.0, 98.0, float("nan")])
def test_a_precision_that_is_no_share_is_refused(precision):
    with pytest.raises(ValueError, match=r"precision=.*above 0 and at most 1, such as 0.98"):
        rule_at_precision(np.eye(2), np.arange(2), precision)


def test_the_reliability_of_nothing_assigned_has_no_precision():
    found = Reliability.of(np.array([[0.6, 0.4], [0.3, 0.7]]), np.array([0, 0]), np.array([0.9, 0.9]))
    assert (found.top1, found.coverage, found.precision) == (0.5, 0.0, None)


@given(st.integers(0, 1000), st.integers(1, 6))
def test_the_minimum_of_a_bowl_is_found_however_long_and_slanting(seed, n):
    rng = np.random.default_rng(seed)
    directions, _ = np.linalg.qr(rng.normal(size=(n, n)))
    curvature = directions @ np.diag(10 ** rng.uniform(0, 3, n)) @ directions.T
    target = rng.normal(size=n)
    found = minimum(lambda place: (place - target) @ curvature @ (place - target), np.zeros(n))
    np.testing.assert_allclose(found, target, atol=1e-3)


def test_the_minimum_of_a_curved_valley_is_found():
    found = minimum(lambda place: (1 - place[0]) ** 2 + 100 * (place[1] - place[0] ** 2) ** 2, np.array([-1.2, 1.0]))
    np.testing.assert_allclose(found, [1.0, 1.0], atol=1e-2)


@settings(max_examples=3, derandomize=True)
@given(st.integers(0, 1000), st.floats(0.5, 2.5), st.floats(0.5, 2.5))
def test_the_temperatures_that_spoilt_calibrated_models_are_found(seed, photos, title):
    sight, labels = sight_of(seed, 1500, photos, title)
    found = fit(Views.of(sight, labels), PRESENT)
    fitted = found.ensemble.temperatures
    # Where the categories are the classes, the temperature of the projections is a factor of the others.
    powers = [each * found.projections.temperature for each in (fitted.photos, fitted.title)]
    np.testing.assert_allclose(powers, [photos, title], rtol=0.15)
    views = Views.of(*sight_of(seed + 1, 3000, photos, title))
    truth = Settings(Ensemble(temperatures=Temperatures(photos, title, 0.5)), PROJECTIONS)
    best, reached = loss_of(views, truth), loss_of(views, found)
    assert all(reached[kind] < best[kind] + 0.01 for kind in best)


@settings(max_examples=5, derandomize=True)
@given(st.integers(0, 1000), st.sampled_from([30, 200]))
def test_little_changes_where_everything_is_calibrated(seed, n):
    found = fit(Views.of(*sight_of(seed, n)), PRESENT)
    views = Views.of(*sight_of(seed + 1, 2000))
    before, after = (loss_of(views, each) for each in (PRESENT, found))
    assert all(after[kind] < before[kind] + (0.1 if n == 30 else 0.03) for kind in before)
    assert np.abs(np.log(numbers_of(found) / numbers_of(PRESENT))).max() < 0.7


@pytest.mark.parametrize("seed", range(3))
def test_a_number_of_which_the_listings_say_nothing_stays(seed):
    sight, labels = sight_of(seed, 80, photos=3.0)
    found = fit(Views.of(without(sight, title=range(80)), labels), PRESENT)
    assert found.ensemble.weights == ENSEMBLE.weights
    assert found.ensemble.temperatures.photos > 1.0
    assert dataclasses.replace(found.ensemble.temperatures, photos=1.0) == ENSEMBLE.temperatures
    assert found.projections.floor == pytest.approx(PROJECTIONS.floor, rel=1e-3)
    assert PROJECTIONS.temperature == 1.0


def test_each_listing_is_seen_by_each_kind_of_its_evidence_and_counts_once():
    sight, labels = sight_of(1, 6)
    views = Views.of(without(sight, photos=[0, 1], title=[1, 2]), labels)
    assert sorted(zip(views.listings.tolist(), views.modalities.tolist(), strict=True)) == [
        (0, "title"),
        (2, "photos"),
        *((listing, kind) for listing in (3, 4, 5) for kind in ("both", "photos", "title")),
    ]
    np.testing.assert_allclose(np.bincount(views.listings, views.weights), [1, 0, 1, 1, 1, 1])
    np.testing.assert_array_equal(views.labels, labels[views.listings])
    own = views.own()
    assert dict(zip(own.listings.tolist(), own.modalities.tolist(), strict=True)) == {
        0: "title", 2: "photos", 3: "both", 4: "both", 5: "both",
    }  # fmt: skip


def test_each_kind_of_evidence_is_seen_without_the_vectors_of_the_other():
    sight, labels = sight_of(1, 3)
    vectors = {kind: np.ones((3, 2), np.float32) for kind in ("photos", "title")}
    views = Views.of(ModelOutputs(sight.photos, sight.title, vectors), labels)
    for kind, rows in views.outputs.vectors.items():
        blind = {each: np.isnan(rows[views.modalities == each]).all() for each in MODALITIES}
        assert blind == {each: each not in (kind, "both") for each in MODALITIES}


def shop_listings(n, seed=3, photos=True, title=True):
    """(listings, names of their categories)"""
    rng = np.random.default_rng(seed)
    names = [shop.CLASSES[number % 3] for number in range(n)]
    listings = [
        Listing(f"{i}", shop.title(name, rng) if title else "", (shop.photo(name, rng),) if photos else ())
        for i, name in enumerate(names)
    ]
    return listings, names


def drawn(categorizer, listings, seed=5):
    """Labels that come true as often as the categorizer says: to these it is calibrated."""
    confidences = categorizer.predict_proba(listings)
    places = (confidences.cumsum(axis=1) < np.random.default_rng(seed).random((len(listings), 1))).sum(axis=1)
    return [categorizer.categories[place] for place in np.minimum(places, 2)]


def spoil(categorizer, temperature):
    """Make a categorizer too sure of itself."""
    categorizer.projections = copy.copy(categorizer.projections)
    categorizer.projections = replace(categorizer.projections, temperature=temperature)


@pytest.fixture
def categorizer(tiny_bundle):
    return Categorizer.load(tiny_bundle)


@pytest.fixture(scope="module")
def doubtful(tiny_bundle):
    """(listings, labels) to which the shop's bundle, once it doubts more, is calibrated."""
    categorizer = Categorizer.load(tiny_bundle)
    spoil(categorizer, 4.0)
    listings, _ = shop_listings(150)
    return listings, drawn(categorizer, listings)


def test_few_listings_are_told_to_be_few(tiny_bundle):
    listings, labels = shop_listings(100)
    said = [
        calibrate(Categorizer.load(tiny_bundle), zip(listings[:n], labels[:n], strict=True)).notes for n in (99, 100)
    ]
    assert [any("give rough settings" in each for each in notes) for notes in said] == [True, False]


def test_a_categorizer_that_is_too_sure_learns_to_doubt_and_keeps_it_when_saved(categorizer, doubtful, tmp_path):
    listings, labels = doubtful
    before = categorizer.predict_proba(listings)
    found = calibrate(categorizer, zip(listings, labels, strict=True))
    numbers = np.array([categorizer.categories.index(label) for label in labels])
    assert found.n_listings == len(listings)
    assert found.kinds == {"both": 150, "photos": 150, "title": 150}
    assert (found.unknown_labels, found.without_evidence, found.notes) == ({}, (), ())
    assert found.before.negative_log_likelihood == pytest.approx(negative_log_likelihood(before, numbers))
    assert found.before.expected_calibration_error == pytest.approx(calibration_error(before, numbers), abs=1e-6)
    assert found.after.negative_log_likelihood < found.before.negative_log_likelihood
    assert found.after.expected_calibration_error < found.before.expected_calibration_error
    after = categorizer.predict_proba(listings)
    assert negative_log_likelihood(after, numbers) < found.before.negative_log_likelihood
    categorizer.save(tmp_path / "saved")
    loaded = Categorizer.load(tmp_path / "saved")
    np.testing.assert_array_equal(loaded.predict_proba(listings), after)
    assert loaded.bundle.manifest["calibration"]["listings"] == 150
    assert "Calibration on listings of a marketplace" in (tmp_path / "saved" / "README.md").read_text("utf-8")


def test_without_a_precision_the_rules_stay(categorizer, doubtful):
    rules = dict(categorizer.rules)
    calibrate(categorizer, zip(*doubtful, strict=True))
    assert categorizer.rules == rules


def test_with_a_precision_each_kind_of_evidence_has_the_threshold_that_reaches_it(categorizer, doubtful):
    listings, labels = doubtful
    categorizer.rule = DecisionRule(0.9, 0.2, 2)
    found = calibrate(categorizer, zip(listings, labels, strict=True), precision=0.7)
    assert found.precision == 0.7
    numbers = np.array([categorizer.categories.index(label) for label in labels])
    parts = {
        "both": listings,
        "photos": [Listing(each.id, "", each.photos) for each in listings],
        "title": [Listing(each.id, each.title) for each in listings],
    }
    for kind, part in parts.items():
        rule = categorizer.rules[kind]
        assert (rule.shortlist_at, rule.shortlist_size) == (0.2, 2)
        # Confidences of a batch may differ in the last digit from those alone, and one listing lies on the threshold.
        assigned = Reliability.of(categorizer.predict_proba(part), numbers, np.full(150, rule.assign_at - 1e-6))
        assert assigned.precision >= 0.7 - 0.01
    assert 0.0 < found.after.coverage <= 1.0


def test_a_precision_that_no_threshold_reaches_assigns_nothing_and_says_so(categorizer):
    listings, names = shop_listings(45)
    wrong = names[1:] + names[:1]
    found = calibrate(categorizer, zip(listings, wrong, strict=True), precision=0.99)
    assert {rule.assign_at for rule in categorizer.rules.values()} == {1.0}
    for kind in ("photos and title", "photos alone", "the title alone"):
        assert any(each.startswith(f"{kind}: no threshold has 0.99 of the assigned right") for each in found.notes)
    assert (found.after.coverage, found.after.precision) == (0.0, None)


def test_a_precision_that_so_few_listings_cannot_show_is_said(categorizer, doubtful):
    listings, labels = doubtful
    notes = calibrate(categorizer, zip(listings, labels, strict=True), precision=0.999).notes
    assert "150 listings are too few to tell a precision of 0.999; label at least 1000" in notes


def test_a_kind_of_evidence_with_too_few_listings_assigns_nothing_and_says_so(categorizer, doubtful):
    listings, labels = doubtful
    titles = [Listing(each.id, each.title) for each in listings[:40]]
    temperature = categorizer.ensemble.temperatures.photos
    found = calibrate(categorizer, zip(titles, labels, strict=False), precision=0.5)
    assert categorizer.rules["photos"].assign_at == categorizer.rules["both"].assign_at == 1.0
    assert categorizer.rules["title"].assign_at < 1.0
    assert any(each.startswith("photos alone: 0 listings, it takes 10 to choose a threshold") for each in found.notes)
    assert categorizer.ensemble.temperatures.photos == temperature


def test_listings_that_are_calibrated_already_or_few_do_no_harm(categorizer):
    listings, _ = shop_listings(30)
    before = categorizer.predict_proba(listings)
    found = calibrate(categorizer, zip(listings, drawn(categorizer, listings), strict=True))
    assert np.abs(categorizer.predict_proba(listings) - before).max() < 0.15
    assert found.after.negative_log_likelihood <= found.before.negative_log_likelihood + 1e-9


def test_what_does_not_help_on_other_listings_is_not_taken(categorizer):
    spoil(categorizer, 4.0)  # to the labels that are drawn it is calibrated now, and chance decides
    listings, _ = shop_listings(30)
    before = categorizer.predict_proba(listings)
    for seed in range(20):
        fresh = copy.copy(categorizer)
        found = calibrate(fresh, zip(listings, drawn(categorizer, listings, seed), strict=True))
        if any("the present ones stay" in each for each in found.notes):
            np.testing.assert_array_equal(fresh.predict_proba(listings), before)
            assert found.after == found.before
            return
    pytest.fail("every fit helped")


def test_the_order_of_the_listings_does_not_matter(tiny_bundle, doubtful):
    listings, labels = doubtful
    found = []
    for order in (range(60), np.random.default_rng(1).permutation(60)):
        categorizer = Categorizer.load(tiny_bundle)
        calibration = calibrate(categorizer, [(listings[i], labels[i]) for i in order], 0.6)
        numbers = [*numbers_of(Settings(categorizer.ensemble, categorizer.projections))]
        found.append([*numbers, *(each.assign_at for each in categorizer.rules.values()), calibration.after.coverage])
    np.testing.assert_allclose(*found, rtol=1e-4)


def test_calibrating_again_changes_little(categorizer, doubtful):
    calibrate(categorizer, zip(*doubtful, strict=True))
    before = categorizer.predict_proba(doubtful[0])
    calibrate(categorizer, zip(*doubtful, strict=True))
    assert np.abs(categorizer.predict_proba(doubtful[0]) - before).max() < 0.1


def test_what_is_no_listing_is_refused(categorizer):
    with pytest.raises(ListingError, match="'a belt' is str, expected Listing"):
        calibrate(categorizer, [("a belt", "Belts")])


def test_the_record_of_a_calibration_goes_with_the_categories_that_it_was_made_on(categorizer, doubtful):
    calibrate(categorizer, zip(*doubtful, strict=True))
    assert "calibration" in categorizer.bundle.manifest
    categorizer.replace_categories({"Belts": (), "Handbags": ()})
    assert "calibration" not in categorizer.bundle.manifest


def test_unknown_labels_and_listings_without_evidence_are_named_counted_and_left_out(categorizer, doubtful, tmp_path):
    listings, labels = doubtful
    (tmp_path / "broken.jpg").write_text("no photo")
    odd = [Listing("hat", "a hat"), Listing("cap", "a cap"), Listing("empty"), Listing("dark", "", ["broken.jpg"])]
    listings = [*odd, *listings[:20]]
    with pytest.warns(UserWarning, match="listing 'dark'"):
        found = calibrate(categorizer, zip(listings, ["Hats", "Hats", "Belts", "Belts", *labels[:20]], strict=True))
    assert found.unknown_labels == {"Hats": 2}
    assert found.without_evidence == ("empty", "dark")
    assert found.n_listings == 20


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda listings, labels: (listings, ["Hats"] * 20),
            r"no label is a category of the bundle: the labels are 'Hats', the categories 'Belts', .*; label with",
        ),
        (
            lambda listings, labels: (listings, ["Hats"] * 15 + labels[15:]),
            r"5 listings that can be used \(15 have a label that is not a category\), expected at least 10; label more",
        ),
        (
            lambda listings, labels: ([*listings[:9], Listing("x")], labels[:10]),
            r"9 listings that can be used \(1 have no evidence\), expected at least 10",
        ),
        (lambda listings, labels: ([], []), r"0 listings that can be used, expected at least 10"),
    ],
)
def test_too_few_usable_listings_are_refused_and_change_nothing(categorizer, change, message):
    listings, labels = change(*shop_listings(20, photos=False))
    before = categorizer.ensemble, categorizer.rules, categorizer.projections
    with pytest.raises(ListingError, match=message):
        calibrate(categorizer, zip(listings, labels, strict=True), 0.9)
    assert before == (categorizer.ensemble, categorizer.rules, categorizer.projections)


def test_a_precision_that_is_no_share_is_refused_before_anything_is_looked_at(categorizer):
    with pytest.raises(ValueError, match="precision=98"):
        calibrate(categorizer, iter([(None, "Belts")]), 98)
