"""What training cannot use is counted, named and left out."""

from dataclasses import replace

import pytest
import shop
from layouts import TABLE, add_line, class_folders, load, published, row

from productcat import ListingError
from training.listings.datasets import DataConfig, describe
from training.listings.splits import SPLITS


def test_what_cannot_be_used_is_counted_named_and_left_out(tmp_path):
    folder = published(tmp_path / "shop")
    add_line(folder / "styles.csv", "50,Apparel,Topwear,Tshirts,shirt, blue, large")
    add_line(folder / "styles.csv", "51,Apparel,Topwear,,blue tshirt")
    add_line(folder / "styles.csv", "3,Apparel,Topwear,Tshirts,blue tshirt")
    (folder / "images/0.jpg").unlink()
    (folder / "images/1.jpg").write_bytes(b"no photo")
    dataset = load(tmp_path, DataConfig("shop"))
    said = "\n".join(describe(dataset))
    assert "15 rows, 12 listings, 3 classes" in said
    assert "left out, bad rows: 3" in said
    assert 'row 14: 7 fields instead of 5; put text with "," in it in quotes' in said
    assert "row 15: no label; label it or leave it out" in said
    assert "row 16: the id '3' is that of row 5 too" in said
    assert "left out, unreadable photos: 2" in said
    assert f"listing '0': {folder / 'images/0.jpg'}: no such file" in said
    assert f"listing '1': {folder / 'images/1.jpg'}: not a JPEG, PNG or WebP photo" in said
    # The titles of 0 and 1 still train.
    assert {0, 1} <= set(dataset.rows("train"))
    assert dataset.photo_rows("train").tolist() == [2, 3, 6, 7, 8, 9]


def test_a_listing_with_neither_photo_nor_title_is_in_no_split(tmp_path):
    folder = published(tmp_path / "shop")
    text = (folder / "styles.csv").read_text("utf-8").splitlines()
    text[1:3] = [row(0, "Belts", "  "), row(1, "Handbags", "")]
    (folder / "styles.csv").write_text("\n".join(text) + "\n", "utf-8")
    (folder / "images/0.jpg").unlink()
    dataset = load(tmp_path, DataConfig("shop"))
    assert 0 not in dataset.rows("train")
    assert 1 in dataset.rows("train")
    assert "left out, without photo and title: 1; listing '0'" in "\n".join(describe(dataset))


def test_only_the_first_of_many_are_named(tmp_path):
    folder = published(tmp_path / "shop")
    for number in range(100, 130):
        add_line(folder / "styles.csv", row(number, "Belts", "belts, brown"))
    dataset = load(tmp_path, DataConfig("shop"), decode=False)
    (line,) = (line for line in describe(dataset) if "bad rows" in line)
    assert line.startswith("left out, bad rows: 30; row 14: ")
    assert line.endswith("; and 10 more")


def test_commas_in_quoted_titles_are_fine(tmp_path):
    folder = published(tmp_path / "shop")
    add_line(folder / "styles.csv", '50,Apparel,Topwear,Tshirts,"shirt, blue, large"')
    add_line(folder / "splits.csv", "50,train")
    assert load(tmp_path, DataConfig("shop"), decode=False).listings[-1].title == "shirt, blue, large"


def test_missing_data_is_an_error_that_names_it(tmp_path):
    with pytest.raises(ListingError, match=r"shop: no such data; give the folder that holds it with --data"):
        load(tmp_path, DataConfig("shop"))
    (tmp_path / "shop").mkdir()
    with pytest.raises(ListingError, match=r"styles\.csv: no such file"):
        load(tmp_path, DataConfig("shop"))


def test_a_table_in_which_nothing_is_labelled_is_an_error(tmp_path):
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/listings.csv").write_text("id,label,title\n1,,boots\n")
    with pytest.raises(ListingError, match=r"listings\.csv: no labelled listing in it; check the settings of \[data\]"):
        load(tmp_path, replace(TABLE, photos=""))


def test_a_missing_column_is_an_error_that_names_the_columns_there_are(tmp_path):
    published(tmp_path / "shop")
    for setting in ("label", "title", "id"):
        with pytest.raises(ListingError, match="no column 'nonsense'; there are id, masterCategory, subCategory"):
            load(tmp_path, DataConfig("shop", **{setting: "nonsense"}))
    with pytest.raises(ListingError, match="no column 'nonsense'; there are id, masterCategory, subCategory"):
        load(tmp_path, DataConfig("shop", parents=("nonsense",)))


def test_listings_without_any_photo_are_titles_alone(tmp_path):
    (tmp_path / "shop").mkdir()
    lines = [f"{number},boots,boots {number}" for number in range(60)]
    (tmp_path / "shop/listings.csv").write_text("\n".join(["id,label,title", *lines]))
    dataset = load(tmp_path, replace(TABLE, photos=""))
    assert dataset.photos.shape == (0, *shop.SIZE, 3)
    assert dataset.photo_rows("train").tolist() == []
    assert dataset.evidence("train") == ["title"]
    assert len(dataset.rows("train")) > 30


def test_photos_without_titles_are_photos_alone(tmp_path):
    class_folders(tmp_path / "shop", ("train", "val", "test"), count=2)
    dataset = load(tmp_path, DataConfig("shop", table=""))
    assert [dataset.evidence(split) for split in SPLITS] == [["photos"]] * 3


def test_photos_of_which_none_can_be_read_are_an_error_until_there_is_one(tmp_path):
    folder = published(tmp_path / "shop")
    (folder / "images").rename(folder / "pictures")
    for _ in range(2):
        with pytest.raises(ListingError) as found:
            load(tmp_path, DataConfig("shop"))
        assert str(found.value) == (
            "none of the 12 photos can be read; check photos and photo_pattern of [data], or set both to "
            '"" to train from titles alone; the first is '
            f"listing '0': {folder}/images/0.jpg: no such file; check the path"
        )
    (folder / "pictures").rename(folder / "images")
    assert load(tmp_path, DataConfig("shop")).evidence("train") == ["photos", "title"]
