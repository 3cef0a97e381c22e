"""Prices in the many ways in which tables write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from productcat.listings.prices import price_of


def written(cents, thousands, decimal):
    """A number of cents as a shop writes it."""
    whole, rest = divmod(cents, 100)
    return f"{whole:,}".replace(",", thousands) + f"{decimal}{rest:02}"


@given(
    cents=st.integers(0, 10**12),
    marks=st.sampled_from([("", "."), ("", ","), (",", "."), (".", ","), (" ", ","), ("'", "."), ("\u202f", ",")]),
    around=st.sampled_from(["{}", "{} €", "€{}", "$ {}", "CHF {}", "{} kr.", "US$ {}", " {} "]),
)
def test_a_price_with_two_decimals_is_read_whatever_its_marks_and_currency(cents, marks, around):
    assert price_of(around.format(written(cents, *marks))) == pytest.approx(cents / 100, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "price"),
    [
        ("12,-", 12),
        ("12.–", 12),
        ("1.299.000", 1_299_000),
        ("0.299", 0.299),
        ("1299.125", 1299.125),
        (5, 5),
        (2.5, 2.5),
    ],
)
def test_other_ways_to_write_a_price_are_read(text, price):
    assert price_of(text) == price


@pytest.mark.parametrize("digits", ["1.299", "1,299", "$12.500"])
def test_three_digits_after_one_mark_are_ambiguous(digits):
    assert price_of(digits) is None


@pytest.mark.parametrize(
    "cell",
    ["free", "", "12 to 15", "-5", "1.2.3", "5,", "12..5", "1.23,45", float("nan"), True, [5], 10**400, "9" * 400],
)
def test_what_is_no_price_gives_none(cell):
    assert price_of(cell) is None


@given(st.one_of(st.text(), st.floats(), st.integers()))
def test_no_cell_is_too_odd(cell):
    price = price_of(cell)
    assert price is None or price == price
