"""Which listing of a group is kept."""

import numpy as np
import pytest
import shop
from hypothesis import given
from hypothesis import strategies as st

from productcat import Listing
from productcat.duplicates.preference import ListingFacts, Preference, natural_order


def kept(order, *facts, **columns):
    return facts[Preference.of(order, columns).best(facts)].id


A = ListingFacts("a10", n_photos=2, title="boots", price=30.0, pixels=100)
B = ListingFacts("a9", n_photos=3, title="red boots", price=20.0, pixels=50)
C = ListingFacts("b1", n_photos=3, title="red boots, as new", pixels=50)


@pytest.mark.parametrize(
    ("order", "id"),
    [
        ("photos", "b1"),  # as many as a9, and a longer title
        ("size", "a10"),
        ("title", "b1"),
        ("title:shortest", "a10"),
        ("id", "a9"),
        ("ID:newest", "b1"),
        ("price:lowest", "a9"),
        ("price:highest, photos", "a10"),
        ("photos:fewest", "a10"),
        ("", "b1"),
    ],
)
def test_each_wish_chooses_and_the_usual_order_follows(order, id):
    assert kept(order, A, B, C) == id


def test_columns_choose_by_an_end_or_by_an_order_of_values_and_empty_cells_come_last():
    condition = {"a10": "Used", "a9": "new ", "b1": ""}
    assert kept("condition:new|used", A, B, C, condition=condition) == "a9"
    assert kept("condition:used|new", A, B, C, condition=condition) == "a10"
    assert kept("condition:broken|lost", A, B, C, condition=condition) == "b1"
    assert kept("views:highest", A, B, C, views={"a10": "9", "a9": "1,000.00", "b1": ""}) == "a9"
    assert kept("posted:oldest", A, B, C, posted={"a10": "2024-10-01", "a9": "2024-02-11", "b1": ""}) == "a9"
    assert kept("seller:lowest", A, B, C) == "b1"
    assert Preference.of("condition:new|used, price:lowest, views:highest").wanted == ("condition", "views")


def test_the_wishes_that_decided_are_said():
    assert Preference.of("photos, title").why([ListingFacts("a", 2, "x"), ListingFacts("b", 1, "xx")]) == "most photos"
    some = [ListingFacts("a2", 2, "x"), ListingFacts("a10", 2, "x"), ListingFacts("b", 1)]
    assert Preference.of().why(some) == "most photos, oldest id"
    cells = {"condition": {"a2": "used", "a10": "new", "b": "used"}}
    assert Preference.of("condition:new|used", cells).why(some) == "first by condition"


@pytest.mark.parametrize("order", ["views", "price", "views:", ":lowest", "views:soon", "photos:a|", "title:x", ":"])
def test_a_wish_that_cannot_be_understood_is_named(order):
    with pytest.raises(ValueError, match=repr(order)):
        Preference.of(order)


def test_the_largest_photo_is_known_of_files_bytes_and_arrays(tmp_path):
    small, large = (shop.photo("Belts", np.random.default_rng(1), size) for size in ((8, 8), (20, 10)))
    (tmp_path / "large.png").write_bytes(shop.encode(large))
    for photo, pixels in ((large, 200), (shop.encode(large), 200), (tmp_path / "large.png", 200), (b"no photo", 64)):
        facts = ListingFacts.of(Listing("a", photos=(small, photo)))
        assert facts.value("size") == pixels
    assert ListingFacts.of(Listing("a", photos=("gone.jpg",))).value("size") == 0


@given(st.lists(st.integers(0, 10**30), min_size=2, max_size=5))
def test_numbers_in_ids_are_ordered_as_numbers(numbers):
    ids = [f"item-{number}-x" for number in numbers]
    assert [int(each.split("-")[1]) for each in sorted(ids, key=natural_order)] == sorted(numbers)


@given(st.lists(st.text(), min_size=2))
def test_any_ids_can_be_ordered(ids):
    assert len(sorted(ids, key=natural_order)) == len(ids)
