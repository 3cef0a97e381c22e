"""Layouts in, datasets out, whatever the layout; what training cannot use is counted, named and left out."""

import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shop
from layouts import TABLE, add_line, class_folders, list_file, load, published, row, write_photo

from productcat import ListingError
from training.listings.datasets import DataConfig, checksum, class_parents, describe, extra_titles, load_dataset
from training.listings.splits import SPLITS


def test_the_published_layout_is_read_with_its_splits_and_parents(tmp_path):
    published(tmp_path / "shop")
    dataset = load(tmp_path, DataConfig("shop"))
    assert [each["name"] for each in dataset.classes] == list(shop.CLASSES)
    assert [each["parents"] for each in dataset.classes] == [shop.PARENTS[name] for name in shop.CLASSES]
    assert dataset.labels.tolist() == [number % 3 for number in range(12)]
    assert Counter(dataset.splits.tolist()) == {"train": 8, "val": 2, "test": 2}
    assert dataset.photos.shape == (12, *shop.SIZE, 3)
    assert dataset.photos.dtype == np.uint8
    assert dataset.owners.tolist() == list(range(12))
    assert dataset.titles("val") == [dataset.listings[number].title for number in (4, 10)]
    assert dataset.photo_rows("test").tolist() == [5, 11]


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_table_with_a_column_of_photos_needs_no_folder_of_its_own(tmp_path, kind):
    rng = np.random.default_rng(5)
    rows = []
    for number in range(30):
        name = shop.CLASSES[number % 3]
        photos = [f"{number}-front.jpg", f"{number}-back.jpg"]
        for photo in photos:
            write_photo(tmp_path / photo, name, rng)
        rows.append({"sku": f"s{number}", "kind": name, "text": f"{name} {number}", "files": photos})
    file = tmp_path / f"own.{kind}"
    if kind == "jsonl":
        file.write_text("".join(json.dumps(each) + "\n" for each in rows), "utf-8")
    else:
        lines = (f"{each['sku']},{each['kind']},{each['text']},{'|'.join(each['files'])}" for each in rows)
        file.write_text("\n".join(["sku,kind,text,files", *lines]) + "\n", "utf-8")
    columns = {"id": "sku", "label": "kind", "title": "text", "photos": "files", "photo_pattern": "", "parents": ()}
    dataset = load(tmp_path, DataConfig(file.name, **columns))
    assert len(dataset.listings) == 30
    assert dataset.owners.tolist() == [number // 2 for number in range(60)]
    assert dataset.classes[0] == {"name": "Belts", "parents": {}}


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@pytest.mark.parametrize("label", ["category", "label", "articleType"])
def test_a_table_with_id_title_and_category_is_enough(tmp_path, kind, label):
    rows = [
        {"id": str(number), "title": f"{shop.CLASSES[number % 3]} {number}", label: shop.CLASSES[number % 3]}
        for number in range(30)
    ]
    file = tmp_path / f"own.{kind}"
    if kind == "jsonl":
        file.write_text("".join(json.dumps(each) + "\n" for each in rows), "utf-8")
    else:
        file.write_text("\n".join([f"id,title,{label}", *(",".join(each.values()) for each in rows)]), "utf-8")
    dataset = load(tmp_path, DataConfig(file.name))
    assert dataset.classes == [{"name": name, "parents": {}} for name in shop.CLASSES]
    assert [each.title for each in dataset.listings] == [each["title"] for each in rows]
    assert not any(each.photos for each in dataset.listings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, r"no labelled listing in it; check the settings of \[data\], such as label"),
        ({"label": "shelf"}, r"no column 'shelf'; there are id, title, kind: name it in \[data\]"),
        (
            {"label": "kind", "parents": ("branch",)},
            r"no column 'branch'; there are id, title, kind: correct parents in \[data\]",
        ),
    ],
)
def test_a_missing_column_is_named_with_the_settings_that_mend_it(tmp_path, settings, message):
    rows = (f"{number},{shop.CLASSES[number % 3]} {number},{shop.CLASSES[number % 3]}" for number in range(30))
    (tmp_path / "own.csv").write_text("\n".join(["id,title,kind", *rows]), "utf-8")
    with pytest.raises(ListingError, match=message) as refused:
        load(tmp_path, DataConfig("own.csv", **settings))
    assert "rename" not in str(refused.value)
    assert "--" not in str(refused.value)


@pytest.mark.parametrize("config", [DataConfig("train.lst"), DataConfig("", table="train.lst")])
def test_a_list_file_gives_photos_and_classes_without_parents(tmp_path, config):
    list_file(tmp_path)
    add_line(tmp_path / "train.lst", "30\tBelts")
    dataset = load(tmp_path, config, tmp_path / "work")
    assert [each.id for each in dataset.listings] == [str(number) for number in range(30)]
    assert dataset.classes == [{"name": name, "parents": {}} for name in shop.CLASSES]
    assert dataset.labels.tolist() == [number % 3 for number in range(30)]
    assert dataset.owners.tolist() == list(range(30))
    assert "left out, bad rows: 1; row 31: 2 fields instead of 3" in "\n".join(describe(dataset))


def test_the_splits_beside_a_list_file_count(tmp_path):
    list_file(tmp_path)
    lines = [f"{number},{SPLITS[number % 3]}" for number in range(30)]
    (tmp_path / "splits.csv").write_text("\n".join(["id,split", *lines]) + "\n", "utf-8")
    assert load(tmp_path, DataConfig("train.lst"), decode=False).splits.tolist() == [*SPLITS] * 10


def test_class_folders_below_train_validation_and_test_are_split_already(tmp_path):
    class_folders(tmp_path / "shop", ("train", "validation", "test"), count=2)
    dataset = load(tmp_path, DataConfig("shop", table=""))
    assert Counter(dataset.splits.tolist()) == {"train": 6, "val": 6, "test": 6}
    ids = {split: [dataset.listings[number].id for number in dataset.rows(split)] for split in SPLITS}
    assert ids["val"][0] == "validation/Belts/0.jpg"
    assert len({listing.id for listing in dataset.listings}) == 18
    assert "split by folders" in "\n".join(describe(dataset))


def test_where_validation_folders_are_missing_their_listings_come_from_train(tmp_path):
    class_folders(tmp_path / "shop", ("train", "test"), count=12)
    dataset = load(tmp_path, DataConfig("shop", table=""), decode=False)
    counts = Counter(dataset.splits.tolist())
    assert counts["test"] == 36
    assert 0 < counts["val"] < counts["train"]
    assert all(dataset.listings[number].id.startswith("train/") for number in dataset.rows("val"))


def test_class_folders_without_splits_are_split_here(tmp_path):
    class_folders(tmp_path / "shop", ("",), count=12)
    dataset = load(tmp_path, DataConfig("shop", table=""), decode=False)
    assert set(dataset.splits) == set(SPLITS)
    assert "split here, by groups of the same photo or title" in "\n".join(describe(dataset))


def test_a_class_takes_the_parent_that_most_of_its_listings_have(tmp_path):
    lines = ["1,Belts,Waist", "2,Belts,Legs", "3,Belts,Waist", "4,Caps,", "5,Bags,Zip", "6,Bags,Arm", "7,,Waist"]
    (tmp_path / "listings.csv").write_text("\n".join(["id,label,place", *lines]))
    config = replace(TABLE, title="", photo_pattern="{id}.jpg", parents=("place",))
    parents = class_parents(tmp_path / "listings.csv", config)
    # Of equally frequent parents the first in the alphabet counts; a class without one is its own parent.
    assert parents == {"Belts": {"place": "Waist"}, "Caps": {"place": "Caps"}, "Bags": {"place": "Arm"}}


def _another_title(folder):
    text = (folder / "styles.csv").read_text("utf-8")
    (folder / "styles.csv").write_text(text.replace("Puma", "Pumb").replace("Nike", "Nika").replace("Levis", "Levi"))


def _another_split(folder):
    text = (folder / "splits.csv").read_text("utf-8")
    (folder / "splits.csv").write_text(text.replace("1,train", "1,test", 1))


def _another_photo(folder):
    (folder / "images/1.jpg").write_bytes(b"another photo")


def _no_photo(folder):
    (folder / "images/1.jpg").unlink()


@pytest.mark.parametrize("change", [_another_title, _another_split, _another_photo, _no_photo])
def test_the_checksum_changes_when_the_data_do(tmp_path, change):
    folder = published(tmp_path / "shop")
    before = checksum(DataConfig("shop"), tmp_path)
    shutil.copytree(folder, tmp_path / "copy/shop")
    assert checksum(DataConfig("shop"), tmp_path / "copy") == before
    change(folder)
    assert checksum(DataConfig("shop"), tmp_path) != before


def test_the_checksum_of_class_folders_changes_with_their_photos(tmp_path):
    class_folders(tmp_path / "shop", ("train", "test"), count=2)
    config = DataConfig("shop", table="")
    before = checksum(config, tmp_path)
    shutil.copy(tmp_path / "shop/train/Belts/0.jpg", tmp_path / "shop/train/Tshirts/9.jpg")
    assert checksum(config, tmp_path) != before


def test_the_checksum_of_a_table_by_itself_changes_with_the_photos_that_it_names(tmp_path):
    list_file(tmp_path)
    config = DataConfig("train.lst")
    listings = load(tmp_path, config, decode=False).listings
    before = checksum(config, tmp_path, listings)
    (tmp_path / "photos/3.jpg").write_bytes(b"another photo")
    assert checksum(config, tmp_path, listings) != before


def test_the_checksum_of_a_tar_is_that_of_its_content(tmp_path):
    (tmp_path / "a.tar").write_bytes(b"one")
    before = checksum(DataConfig("a.tar"), tmp_path)
    (tmp_path / "a.tar").write_bytes(b"two")
    assert checksum(DataConfig("a.tar"), tmp_path) != before


def test_more_titles_are_read_from_a_column_of_another_table(tmp_path):
    (tmp_path / "more.csv").write_text('id,text\n1,"boots, red"\n2,belt\n')
    config = DataConfig("shop", extra_titles=("more.csv:text",))
    assert extra_titles(config, tmp_path) == ["boots, red", "belt"]
    with pytest.raises(ListingError, match=r"more\.csv: no titles in column 'title'"):
        extra_titles(replace(config, extra_titles=("more.csv:title",)), tmp_path)
    with pytest.raises(ListingError, match=r"less\.csv: no such file; extra_titles expects file\.csv:column"):
        extra_titles(replace(config, extra_titles=("less.csv:text",)), tmp_path)


def test_the_samples_of_the_repository_are_read_whole(tmp_path):
    data = Path(__file__).parents[3] / "data"
    dataset = load_dataset(DataConfig("samples"), data, tmp_path)
    assert len(dataset.listings) == dataset.report["rows"] == 320
    assert len(dataset.classes) == 14
    assert set(dataset.splits) == set(SPLITS)


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
    assert f"listing '1': {folder / 'images/1.jpg'}: not a JPEG, PNG, WebP" in said
    # The titles of 0 and 1 still train.
    assert {0, 1} <= set(dataset.rows("train"))
    assert dataset.photo_rows("train").tolist() == [2, 3, 6, 7, 8, 9]


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


def test_photos_without_titles_are_photos_alone(tmp_path):
    class_folders(tmp_path / "shop", ("train", "val", "test"), count=2)
    dataset = load(tmp_path, DataConfig("shop", table=""))
    assert [dataset.evidence(split) for split in SPLITS] == [["photos"]] * 3
