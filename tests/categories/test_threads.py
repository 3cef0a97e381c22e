"""Threads share a categorizer: each gets its own answers and its own problems, as if it were alone."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import shop

from productcat import Categorizer, Listing

THREADS = 8


@pytest.fixture(scope="module")
def shares():
    """For each thread listings of its own, one of them with a photo that cannot be read."""
    rng = np.random.default_rng(7)
    found = []
    for thread in range(THREADS):
        names = [shop.CLASSES[(thread + number) % 3] for number in range(70)]
        listings = [
            Listing(f"{thread}-{i}", shop.title(each, rng), (shop.photo(each, rng),)) for i, each in enumerate(names)
        ]
        found.append([*listings, Listing(f"{thread}-broken", shop.title(names[0], rng), (b"no photo",))])
    return found


def in_threads(work, shares):
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(work, shares))


def test_predictions_of_eight_threads_are_those_of_one(tiny_bundle, shares):
    alone = [Categorizer.load(tiny_bundle).predict(share) for share in shares]
    assert in_threads(Categorizer.load(tiny_bundle).predict, shares) == alone  # the first calls open the models


def test_problems_of_eight_threads_are_never_mixed_up(tiny_bundle, shares):
    categorizer = Categorizer.load(tiny_bundle)

    def look(share):
        problems = []
        return categorizer.predict_proba(share, problems.append), problems

    for thread, (confidences, problems) in enumerate(in_threads(look, shares)):
        assert [each.listing for each in problems] == [f"{thread}-broken"]
        np.testing.assert_array_equal(confidences, categorizer.predict_proba(shares[thread], lambda _: None))


def test_while_categories_change_each_prediction_sees_those_before_or_those_after(tiny_bundle, shares):
    categorizer = Categorizer.load(tiny_bundle)
    before, after = ({*shop.CLASSES}, {*shop.CLASSES, "things"})

    def change(_):
        categorizer.add_category("things", examples=shares[0][:2])
        categorizer.remove_category("things")

    with ThreadPoolExecutor(1) as pool:
        changes = [pool.submit(change, number) for number in range(20)]
        while not all(each.done() for each in changes):
            for prediction, confidences in categorizer.judge(shares[1][:3]):
                assert {each.category for each in prediction.candidates} <= after
                assert len(confidences) in (len(before), len(after))
    assert all(each.exception() is None for each in changes)
