"""A tar of data is unpacked once, whole or not at all."""

import tarfile

import numpy as np
import pytest
from layouts import facts, load, published

from productcat import ListingError
from productcat.models.bundle import sha256
from training.listings.archives import unpacked
from training.listings.datasets import DataConfig


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


def test_another_tar_of_the_same_name_is_unpacked_too(tmp_path):
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
