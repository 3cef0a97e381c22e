"""Labels become categories: as they are spelt, or else in other capitals and spaces where that means one of them."""

import pytest

from productcat import Listing, ListingError
from productcat.categories.labels import KnownLabels
from productcat.wording import perhaps

CATEGORIES = ["Belts", "Sports Shoes", "SUIT", "Suit", "Straße", "Kadın", "Sıra", "Sira", "Caf\u00e9"]


@pytest.mark.parametrize(
    ("label", "category"),
    [
        ("Belts", "Belts"),
        ("belts", "Belts"),
        ("sports  SHOES ", "Sports Shoes"),
        ("sports\tshoes", "Sports Shoes"),
        ("STRASSE", "Straße"),
        ("KADIN", "Kadın"),
        ("SIRA", None),  # in Turkish the one, elsewhere the other
        ("Sira", "Sira"),
        ("Cafe\u0301", "Caf\u00e9"),  # the accent after its letter
        ("Suit", "Suit"),
        ("suit", None),  # two categories are spelt so
        ("Belt", None),
        ("SportsShoes", None),
        ("", None),
    ],
)
def test_a_label_is_the_one_category_that_it_spells(label, category):
    known = KnownLabels(CATEGORIES)
    numbers = [number for _, number in known.pairs([(Listing("1"), label)] * 3)]
    assert numbers == ([] if category is None else [CATEGORIES.index(category)] * 3)
    assert known.unknown == ({label: 3} if category is None else {})
    assert known.matched == ({label: category} if category not in (None, label) else {})


def test_where_all_labels_are_unknown_some_are_named():
    known = KnownLabels(CATEGORIES)
    assert not list(known.pairs([(Listing("1"), "Kettles")]))
    with pytest.raises(ListingError, match=r"'Kettles'.*'Belts'"):
        known.refuse()


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [("Belt", "'Belts'"), ("BELT", "'Belts'"), ("Sport Shoes", "'Sports Shoes'"), ("nan", ""), ("Kettles", "")],
)
def test_only_a_name_that_is_much_alike_is_suggested(name, suggestion):
    assert perhaps(name, [*CATEGORIES, "Pendant"]) == (suggestion and f"is it {suggestion}?")
