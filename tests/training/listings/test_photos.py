"""Photos are decoded once; what cannot be decoded is counted and named."""

from dataclasses import replace

import numpy as np
import pytest
import shop
from layouts import TABLE, load, published, row

from productcat import ListingError
from training.listings.datasets import DataConfig, describe


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


def test_listings_without_any_photo_are_titles_alone(tmp_path):
    (tmp_path / "shop").mkdir()
    lines = [f"{number},boots,boots {number}" for number in range(60)]
    (tmp_path / "shop/listings.csv").write_text("\n".join(["id,label,title", *lines]))
    dataset = load(tmp_path, replace(TABLE, photos=""))
    assert dataset.photos.shape == (0, *shop.SIZE, 3)
    assert dataset.photo_rows("train").tolist() == []
    assert dataset.evidence("train") == ["title"]
    assert len(dataset.rows("train")) > 30


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
