"""Nothing leaks between splits, and each run makes the same splits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from layouts import add_line, load, published, row

from productcat import Listing, ListingError
from training.listings.datasets import DataConfig
from training.listings.splits import SPLITS, split_by_groups


def test_splits_are_the_same_in_every_run_and_more_listings_do_not_reshuffle_them():
    listings = [Listing(str(number), f"title {number}") for number in range(200)]
    splits = split_by_groups(listings, seed=3)
    assert split_by_groups(listings, seed=3) == splits
    assert split_by_groups(listings, seed=4) != splits
    assert split_by_groups([*listings, Listing("new", "title new")], seed=3)[:200] == splits
    shares = [splits.count(split) / 200 for split in SPLITS]
    assert shares == pytest.approx([0.8, 0.1, 0.1], abs=0.08)


def test_listings_that_share_nothing_get_the_same_splits_in_any_order():
    listings = [Listing(str(number), f"title {number}", (b"%d" % number,)) for number in range(50)]
    assert split_by_groups(listings[::-1], seed=3)[::-1] == split_by_groups(listings, seed=3)


@given(
    st.lists(st.tuples(st.sampled_from(["", " ", *"abcdefgh"]), st.lists(st.integers(0, 12), max_size=2)), max_size=40),
    st.integers(0, 5),
)
def test_the_same_photo_or_title_is_never_on_both_sides_not_even_through_others(contents, seed):
    listings = [
        Listing(str(number), title, tuple(b"photo %d" % photo for photo in photos))
        for number, (title, photos) in enumerate(contents)
    ]
    splits = split_by_groups(listings, seed)
    place = {}
    for (title, photos), split in zip(contents, splits, strict=True):
        for key in [title] * bool(title.strip()) + photos:
            assert place.setdefault(key, split) == split


def test_titles_that_differ_in_capitals_and_spaces_are_the_same():
    for seed in range(20):
        assert len(set(split_by_groups([Listing("1", "Red  Boots "), Listing("2", "red boots")], seed))) == 1


def test_the_same_photo_in_two_files_is_the_same(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"the same bytes")
    for seed in range(20):
        listings = [Listing("1", "one", (tmp_path / "a",)), Listing("2", "two", (tmp_path / "b",))]
        assert len(set(split_by_groups(listings, seed))) == 1


def test_a_listing_without_a_split_is_an_error_that_names_it(tmp_path):
    folder = published(tmp_path / "shop")
    add_line(folder / "styles.csv", row(77, "Belts", "brown belt"))
    with pytest.raises(ListingError, match="no split for listing '77'; add it, or set splits to an empty text"):
        load(tmp_path, DataConfig("shop"))
    assert len(load(tmp_path, DataConfig("shop", splits=""), decode=False).listings) == 13


def test_a_split_of_another_name_is_an_error_that_names_it(tmp_path):
    folder = published(tmp_path / "shop")
    (folder / "splits.csv").write_text((folder / "splits.csv").read_text().replace("0,train", "0,later", 1))
    with pytest.raises(ListingError, match="listing '0' has split 'later'; expected train, val or test"):
        load(tmp_path, DataConfig("shop"))


def test_a_table_of_splits_without_its_columns_is_an_error(tmp_path):
    folder = published(tmp_path / "shop")
    (folder / "splits.csv").write_text("listing,part\n0,train\n")
    with pytest.raises(ListingError, match="its columns are listing, part; expected id and split"):
        load(tmp_path, DataConfig("shop"))


def test_a_split_without_listings_is_an_error(tmp_path):
    published(tmp_path / "shop", count=4)
    with pytest.raises(ListingError, match="shop: no listing for 'val', split by splits.csv; more are needed"):
        load(tmp_path, DataConfig("shop"))
