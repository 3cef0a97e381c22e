"""Layouts in, datasets out, whatever the layout."""

import json
import shutil
import tarfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shop
from layouts import TABLE, add_line, class_folders, facts, list_file, load, published, write_photo

from productcat import ListingError
from productcat.models.bundle import sha256
from training.listings.archives import checksum, unpacked
from training.listings.datasets import DataConfig, class_parents, describe, extra_titles, load_dataset
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


@pytest.mark.parametrize("inside", ["shop/", ""], ids=["a folder of the tar's name in it", "the files themselves"])
@pytest.mark.parametrize("kind", ["tar", "tar.xz"])
def test_a_tar_gives_what_its_folder_gives(tmp_path, kind, inside):
    folder = published(tmp_path / "shop")
    with tarfile.open(tmp_path / f"shop.{kind}", "w:xz" if kind == "tar.xz" else "w") as tar:
        for file in sorted(folder.rglob("*.*")):
            tar.add(file, inside + file.relative_to(folder).as_posix())
    from_folder = load(tmp_path, DataConfig("shop"), tmp_path / "one")
    from_tar = load(tmp_path, DataConfig(f"shop.{kind}"), tmp_path / "two")
    assert facts(from_tar) == facts(from_folder)
    assert [each.name for each in (tmp_path / "two").glob("shop*")] == [
        f"shop-{sha256(tmp_path / f'shop.{kind}')[:10]}"
    ]
    np.testing.assert_array_equal(from_tar.photos, from_folder.photos)


def test_another_tar_of_the_same_name_is_unpacked_anew(tmp_path):
    for count in (12, 18):
        published(tmp_path / "shop", count)
        with tarfile.open(tmp_path / "shop.tar", "w") as tar:
            tar.add(tmp_path / "shop", "shop")
        assert len(load(tmp_path, DataConfig("shop.tar"), decode=False).listings) == count


def test_a_damaged_tar_is_an_error_that_names_it(tmp_path):
    with tarfile.open(tmp_path / "shop.tar.xz", "w:xz") as tar:
        tar.add(published(tmp_path / "shop"), "shop")
    whole = (tmp_path / "shop.tar.xz").read_bytes()
    for damaged in (b"no tar at all", whole[: len(whole) // 2], b""):
        (tmp_path / "shop.tar.xz").write_bytes(damaged)
        with pytest.raises(ListingError, match=r"shop\.tar\.xz: cannot be unpacked \(.*\); get the file again"):
            load(tmp_path, DataConfig("shop.tar.xz"))
        assert not list((tmp_path / "work").iterdir())


def test_what_a_killed_run_unpacked_is_not_mixed_with_the_whole(tmp_path):
    with tarfile.open(tmp_path / "shop.tar", "w") as tar:
        tar.add(published(tmp_path / "shop"), "shop")
    partly = tmp_path / f"work/shop-{sha256(tmp_path / 'shop.tar')[:10]}.partly"
    (partly / "shop").mkdir(parents=True)
    (partly / "shop/styles.csv.old").touch()
    folder = unpacked(tmp_path / "shop.tar", tmp_path / "work")
    assert sorted(each.name for each in folder.iterdir()) == ["images", "splits.csv", "styles.csv"]


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


# Parents, photos, checksums, titles


def test_a_class_takes_the_parent_that_most_of_its_listings_have(tmp_path):
    lines = ["1,Belts,Waist", "2,Belts,Legs", "3,Belts,Waist", "4,Caps,", "5,Bags,Zip", "6,Bags,Arm", "7,,Waist"]
    (tmp_path / "listings.csv").write_text("\n".join(["id,label,place", *lines]))
    config = replace(TABLE, title="", photo_pattern="{id}.jpg", parents=("place",))
    parents = class_parents(tmp_path / "listings.csv", config)
    # Of equal ones the first in the alphabet; a class without is its own parent.
    assert parents == {"Belts": {"place": "Waist"}, "Caps": {"place": "Caps"}, "Bags": {"place": "Arm"}}


def test_photos_are_decoded_once(tmp_path):
    folder = published(tmp_path / "shop")
    (folder / "images/0.jpg").write_bytes(b"no photo")
    first = load(tmp_path, DataConfig("shop"))
    for photo in (folder / "images").iterdir():
        photo.unlink()
    second = load(tmp_path, DataConfig("shop"))
    np.testing.assert_array_equal(second.photos, first.photos)
    assert second.owners.tolist() == first.owners.tolist() == [-1, *range(1, 12)]
    assert second.report["unreadable_photos"] == first.report["unreadable_photos"]


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
