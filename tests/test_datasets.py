"""Layouts in, datasets out: nothing leaks between splits, and nothing that is left out goes unsaid."""

import json
import shutil
import tarfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shop
from hypothesis import given
from hypothesis import strategies as st

from productcat import Listing, ListingError
from productcat.bundle import sha256
from training.archives import unpacked
from training.datasets import DataConfig, checksum, class_parents, decode_photos, describe, extra_titles, load_dataset
from training.splits import SPLITS, split_by_groups

HEADER = "id,masterCategory,subCategory,articleType,productDisplayName"
TABLE = DataConfig("shop", table="listings.csv", label="label", title="title", photo_pattern="", parents=())


def row(number, name, title):
    parents = shop.PARENTS[name]
    return f"{number},{parents['masterCategory']},{parents['subCategory']},{name},{title}"


def write_photo(path, name, rng):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(shop.encode(shop.photo(name, rng), "JPEG"))


def published(folder, count=12, splits=True):
    """The published layout with `count` listings, no two of them alike; → its folder"""
    rng = np.random.default_rng(5)
    names = [shop.CLASSES[number % 3] for number in range(count)]
    for number, name in enumerate(names):
        write_photo(folder / f"images/{number}.jpg", name, rng)
    lines = [row(number, name, f"{shop.title(name, rng)} {number}") for number, name in enumerate(names)]
    (folder / "styles.csv").write_text("\n".join([HEADER, *lines]) + "\n", "utf-8")
    if splits:
        given_splits = [f"{number},{SPLITS[max(0, number % 6 - 3)]}" for number in range(count)]
        (folder / "splits.csv").write_text("\n".join(["id,split", *given_splits]) + "\n", "utf-8")
    return folder


def add_line(file, line):
    with file.open("a", encoding="utf-8") as stream:
        stream.write(line + "\n")


def load(data, config, work=None, decode=True):
    work = work or data / "work"
    work.mkdir(exist_ok=True)
    dataset = load_dataset(config, data, work)
    if decode:
        decode_photos(dataset, shop.SIZE, work)
    return dataset


def facts(dataset):
    return [each.id for each in dataset.listings], dataset.labels.tolist(), dataset.splits.tolist(), dataset.classes


# Layouts


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


def list_file(folder, count=30):
    """A list file `train.lst` with its photos beside it."""
    rng = np.random.default_rng(5)
    lines = []
    for number in range(count):
        write_photo(folder / f"photos/{number}.jpg", shop.CLASSES[number % 3], rng)
        lines.append(f"{number}\t{shop.CLASSES[number % 3]}\tphotos/{number}.jpg\n")
    (folder / "train.lst").write_text("".join(lines), "utf-8")


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


def class_folders(root, splits, count=6):
    rng = np.random.default_rng(5)
    for split in splits:
        for name in shop.CLASSES:
            for number in range(count):
                write_photo(root / split / name / f"{number}.jpg", name, rng)


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


# Splits


def test_splits_are_the_same_in_every_run_and_more_listings_do_not_reshuffle_them():
    listings = [Listing(str(number), f"title {number}") for number in range(200)]
    splits = split_by_groups(listings, seed=3)
    assert split_by_groups(listings, seed=3) == splits
    assert split_by_groups(listings, seed=4) != splits
    assert split_by_groups([*listings, Listing("new", "title new")], seed=3)[:200] == splits
    shares = [splits.count(split) / 200 for split in SPLITS]
    assert shares == pytest.approx([0.8, 0.1, 0.1], abs=0.08)


def test_listings_that_share_nothing_are_placed_alike_in_any_order():
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


# What cannot be used


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
    data = Path(__file__).parent.parent / "data"
    dataset = load_dataset(DataConfig("samples"), data, tmp_path)
    assert len(dataset.listings) == dataset.report["rows"] == 320
    assert len(dataset.classes) == 14
    assert set(dataset.splits) == set(SPLITS)
