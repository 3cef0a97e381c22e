"""What a seller posts."""

import copy
import io
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pytest

from productcat import Listing, ListingError, ProductcatError


def test_everything_but_the_listing_itself_may_be_missing():
    listing = Listing()
    assert (listing.id, listing.title, listing.photos) == ("", "", ())


@pytest.mark.parametrize("photos", [["a.jpg", Path("b.png")], ("a.jpg", Path("b.png")), iter(["a.jpg", Path("b.png")])])
def test_photos_of_any_iterable_are_kept_as_a_tuple(photos):
    assert Listing(photos=photos).photos == ("a.jpg", Path("b.png"))


def test_photos_are_not_opened_before_they_are_needed():
    assert Listing(photos=["no such file.jpg", b"no photo"]).photos == ("no such file.jpg", b"no photo")


def test_listings_are_the_same_when_their_photos_are_those_in_arrays_too():
    pixels = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    listing = Listing("a", "belt", [pixels, "a.jpg"])
    assert copy.deepcopy(listing) == listing
    assert len({listing, copy.deepcopy(listing)}) == 1
    others = [[pixels + 1, "a.jpg"], [pixels, "b.jpg"], [pixels], [pixels, pixels], ["a.jpg", pixels]]
    assert listing not in [Listing("a", "belt", each) for each in others] + ["a"]


def test_a_price_is_a_finite_number_or_none_and_makes_another_listing():
    assert Listing(price=5).price == 5.0
    assert isinstance(Listing(price=np.float32(2.5)).price, float)
    assert Listing("a", price=5) != Listing("a")
    for price in (float("nan"), float("inf"), "5", True):
        with pytest.raises(ListingError, match=r"listing 'L7': the price is .*, expected a finite number; use None"):
            Listing("L7", price=price)


def test_an_open_file_is_one_photo_and_refused():
    with pytest.raises(ListingError, match=r"listing 'L7': photos is one BytesIO, expected a sequence"):
        Listing("L7", photos=io.BytesIO(b"a\nb"))


def test_a_listing_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        Listing().title = "bag"


@pytest.mark.parametrize("title", [None, 5, float("nan"), b"bag", ["bag"]])
def test_a_title_that_is_no_text_is_refused_by_the_listings_id(title):
    with pytest.raises(ListingError, match=rf"listing 'L7': the title is {type(title).__name__}, expected str; use ''"):
        Listing(id="L7", title=title)


@pytest.mark.parametrize(
    "photo",
    ["a.jpg", Path("a.jpg"), b"jpeg", bytearray(b"jpeg"), memoryview(b"jpeg"), np.zeros((2, 2, 3), np.uint8), 3],
    ids=lambda photo: type(photo).__name__,
)
def test_one_photo_instead_of_a_sequence_is_refused_with_the_way_out(photo):
    with pytest.raises(ListingError, match=r"listing 'L7': photos is one .*write photos=\(photo,\)"):
        Listing(id="L7", photos=photo)


def test_no_photos_are_an_empty_sequence():
    with pytest.raises(ListingError, match=r"listing 'L7': photos is None, expected a sequence; use \(\) for no photo"):
        Listing(id="L7", photos=None)


def test_a_listing_error_is_a_productcat_error():
    assert issubclass(ListingError, ProductcatError)
