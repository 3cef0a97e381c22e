"""Wrong labels are told from hard categories."""

from itertools import permutations

import numpy as np
import pytest
import shop

from productcat import Categorizer, Listing
from productcat.calibration.agreement import Agreement
from productcat.calibration.calibrate import calibrate

CATEGORIES = [f"category {number}" for number in range(12)]


def said_of(labels, right, confidence, seed=0):
    """Confidences of which this share is right, shape (n_listings, n_categories). The others are any category."""
    rng = np.random.default_rng(seed)
    best = np.where(rng.random(len(labels)) < right, labels, rng.integers(0, len(CATEGORIES), len(labels)))
    found = np.full((len(labels), len(CATEGORIES)), (1 - confidence) / (len(CATEGORIES) - 1))
    found[np.arange(len(labels)), best] = confidence
    return found


def agreement(confidences, labels):
    return Agreement.of(confidences, labels, CATEGORIES)


def some_labels(kind, n=240):
    rng = np.random.default_rng(1)
    if kind == "even":
        return rng.integers(0, len(CATEGORIES), n)
    most = {"skewed": 0.7, "nearly one": 0.97, "one": 1.0}[kind]
    return np.where(rng.random(n) < most, 3, rng.integers(0, len(CATEGORIES), n))


KINDS = ["even", "skewed", "nearly one", "one"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("right", "confidence"), [(0.95, 0.95), (0.6, 0.9), (0.4, 0.9), (0.4, 0.4), (0.0, 0.1)])
def test_right_labels_are_not_doubted_however_hard_the_categories(kind, right, confidence):
    labels = some_labels(kind)
    assert agreement(said_of(labels, right, confidence), labels).doubt() is None


@pytest.mark.parametrize(
    ("kind", "n", "right", "confidence"),
    [("even", 24, 0.95, 0.95), ("even", 240, 0.95, 0.95), ("even", 240, 0.4, 0.9), ("skewed", 240, 0.95, 0.95)],
)
def test_labels_of_other_rows_are_doubted(kind, n, right, confidence):
    labels = some_labels(kind, n)
    confidences = said_of(labels, right, confidence)
    for wrong in (np.roll(labels, 1), np.random.default_rng(2).permutation(labels)):
        assert agreement(confidences, wrong).doubt()


@pytest.mark.parametrize("kind", KINDS)
def test_labels_of_other_categories_are_doubted_and_the_commonest_mistake_is_named(kind):
    labels = some_labels(kind)
    found = agreement(said_of(labels, 1.0, 0.9), (labels + 1) % len(CATEGORIES))
    commonest = int(np.bincount(labels).argmax())
    assert found.right == 0
    assert found.mistaken == (CATEGORIES[(commonest + 1) % 12], CATEGORIES[commonest], np.bincount(labels).max())
    assert "0 of 240" in found.doubt()
    assert repr(CATEGORIES[commonest]) in found.doubt()


def test_a_column_with_one_label_is_doubted_and_so_is_a_bundle_that_says_one_thing():
    labels = some_labels("even")
    assert agreement(said_of(labels, 0.9, 0.9), np.zeros_like(labels)).doubt()
    assert agreement(said_of(np.zeros_like(labels), 1.0, 0.9), labels).doubt()


def test_chance_and_its_spread_are_those_of_all_orders_of_the_labels():
    said, labels = np.array([0, 0, 1, 2, 2, 1, 0]), np.array([0, 1, 1, 2, 0, 1, 0])
    right = [(said == np.array(each)).sum() for each in permutations(labels)]
    found = agreement(said_of(said, 1.0, 0.9), labels)
    assert found.by_chance == pytest.approx(np.mean(right))
    assert found.spread == pytest.approx(np.std(right))


@pytest.fixture
def labelled():
    rng = np.random.default_rng(8)
    names = [shop.CLASSES[number % 3] for number in range(60)]
    return [Listing(f"{i}", shop.title(name, rng), (shop.photo(name, rng),)) for i, name in enumerate(names)], names


def test_a_calibration_on_wrong_labels_says_so_first(tiny_bundle, labelled):
    listings, names = labelled
    said = calibrate(Categorizer.load(tiny_bundle), zip(listings, np.roll(names, 1).tolist(), strict=True))
    assert said.agreement.right == 0
    assert said.notes[0] == said.agreement.doubt()
    assert "0 of 60 listings" in said.notes[0]
    said = calibrate(Categorizer.load(tiny_bundle), zip(listings, names, strict=True))
    assert not any("disagree" in each for each in said.notes)


def test_a_calibration_on_hard_listings_does_not_doubt_their_labels(tiny_bundle, labelled):
    listings, names = labelled
    rng = np.random.default_rng(9)
    # Titles and photos of another category in half of the listings.
    others = [shop.CLASSES[number] for number in rng.integers(0, 3, len(names))]
    hard = [
        Listing(each.id, shop.title(other, rng), (shop.photo(other, rng),)) if number % 2 else each
        for number, (each, other) in enumerate(zip(listings, others, strict=True))
    ]
    said = calibrate(Categorizer.load(tiny_bundle), zip(hard, names, strict=True))
    assert said.before.top1 < 0.75
    assert not any("disagree" in each for each in said.notes)
