"""Items with several photos: read, halved, spread over folds."""

import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import shop
from hypothesis import given, settings
from hypothesis import strategies as st

from productcat.errors import ListingError
from training.duplicates.item_photos import Item, describe_items, domain_folds, halves, item_folds, read_items

PHOTO = shop.encode(np.zeros((9, 9, 3), np.uint8), "PNG")


def item(domain, name, n_photos):
    return Item(domain, name, tuple(Path(domain, name, f"{number:02d}.jpg") for number in range(n_photos)))


def market(folder):
    """Three items of two domains that can be halved, and two that cannot."""
    files = ["cars/7/01.jpg", "cars/7/00.jpg", "cars/7/02.jpg", "cars/12/00.jpg", "cars/12/01.JPEG", "bags/3/a.png"]
    files += ["bags/3/b.webp", "bags/3/price.txt", "bags/3/._b.jpg", "bags/4/00.jpg", "bags/5/note.txt"]
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(PHOTO)
    return folder


@st.composite
def many_items(draw):
    sizes = draw(
        st.lists(st.tuples(st.sampled_from(["bags", "cars", "toys"]), st.integers(2, 12)), min_size=2, max_size=20)
    )
    return [item(domain, str(number), n_photos) for number, (domain, n_photos) in enumerate(sizes)]


def test_items_are_sorted_and_those_that_cannot_be_halved_are_left_out_and_named(tmp_path):
    items, left_out = read_items(market(tmp_path), tmp_path)
    assert [(each.domain, each.name) for each in items] == [("bags", "3"), ("cars", "12"), ("cars", "7")]
    names = [[photo.name for photo in each.photos] for each in items]
    assert names == [["a.png", "b.webp"], ["00.jpg", "01.JPEG"], ["00.jpg", "01.jpg", "02.jpg"]]
    assert all(photo.is_file() for each in items for photo in each.photos)
    assert left_out == [
        "item bags/4: 1 photos, too few to divide",
        "item bags/5: 0 photos, too few to divide",
    ]


def test_photos_that_cannot_be_read_are_left_out_and_named(tmp_path):
    (market(tmp_path) / "cars/7/01.jpg").write_bytes(PHOTO[:40])
    (tmp_path / "cars/12/00.jpg").write_text("no photo")
    items, left_out = read_items(tmp_path, tmp_path)
    names = {f"{each.domain}/{each.name}": [photo.name for photo in each.photos] for each in items}
    assert names == {"bags/3": ["a.png", "b.webp"], "cars/7": ["00.jpg", "02.jpg"]}
    assert left_out[0].startswith(f"{tmp_path / 'cars/12/00.jpg'}: not a JPEG, PNG, WebP")
    assert left_out[1].startswith(f"{tmp_path / 'cars/7/01.jpg'}: ")
    assert left_out[-1] == "item cars/12: 1 photos, too few to divide"


def test_a_tar_gives_the_items_of_its_folder(tmp_path):
    folder = market(tmp_path / "market")
    with tarfile.open(tmp_path / "market.tar", "w") as tar:
        tar.add(folder, "market")
    (tmp_path / "work").mkdir()
    from_tar, left_out = read_items(tmp_path / "market.tar", tmp_path / "work")
    from_folder, left_out_there = read_items(folder, tmp_path / "work")
    assert left_out == left_out_there
    assert [(each.domain, each.name, len(each.photos)) for each in from_tar] == [
        (each.domain, each.name, len(each.photos)) for each in from_folder
    ]
    assert all(photo.is_relative_to(tmp_path / "work") for each in from_tar for photo in each.photos)


def test_a_source_without_items_is_an_error_that_tells_the_layout(tmp_path):
    (tmp_path / "cars" / "7").mkdir(parents=True)
    (tmp_path / "cars" / "7" / "00.jpg").write_bytes(b"")
    with pytest.raises(ListingError, match=r"no item with 2 photos in it; expected <domain>/<item>/<nn>\.jpg"):
        read_items(tmp_path, tmp_path)
    with pytest.raises(ListingError, match=r"nowhere\.tar: no such data"):
        read_items(tmp_path / "nowhere.tar", tmp_path)


def test_what_was_read_is_told_in_lines(tmp_path):
    lines = list(describe_items(*read_items(market(tmp_path), tmp_path)))
    assert lines[:2] == ["3 items with 7 photos in 2 domains", "bags: 1, cars: 2"]
    assert lines[2].startswith("left out: 2; item bags/4: 1 photos")
    assert len(list(describe_items([item("bags", "1", 2)], []))) == 2


@given(many_items(), st.integers(0, 2**32))
def test_halves_are_disjoint_and_together_all_photos(items, seed):
    for each, left, right in zip(items, *halves(items, seed), strict=True):
        assert sorted(left + right) == list(each.photos)
        assert abs(len(left) - len(right)) == len(each.photos) % 2
        assert list(left) == sorted(left)
        assert list(right) == sorted(right)


@given(many_items(), st.integers(0, 2**32), st.randoms(use_true_random=False))
@settings(max_examples=30)
def test_the_halves_of_an_item_do_not_depend_on_the_other_items(items, seed, random):
    some = random.sample(items, random.randint(1, len(items)))
    everywhere = dict(zip(items, zip(*halves(items, seed), strict=True), strict=True))
    for each, *pair in zip(some, *halves(some, seed), strict=True):
        assert tuple(pair) == everywhere[each]


def test_halves_differ_from_seed_to_seed_and_either_side_gets_the_odd_photo():
    items = [item("bags", str(number), 5) for number in range(200)]
    left, _ = halves(items, 0)
    assert 70 < sum(len(each) == 3 for each in left) < 130
    assert sum(one == other for one, other in zip(left, halves(items, 1)[0], strict=True)) < 40
    chosen = Counter(photo.name for each in left for photo in each)
    assert all(70 < count < 130 for count in chosen.values())


def test_one_photo_cannot_be_halved():
    with pytest.raises(ValueError, match="item bags/4: 1 photos cannot be divided into halves; leave it out"):
        halves([item("bags", "4", 1)], 0)


@given(many_items(), st.integers(0, 2**32), st.integers(2, 7), st.randoms(use_true_random=False))
@settings(max_examples=30)
def test_item_folds_are_even_in_each_domain_and_altogether(items, seed, n_folds, random):
    n_folds = min(n_folds, len(items))
    folds = item_folds(items, n_folds, seed)
    domains = np.array([each.domain for each in items])
    for domain in set(domains):
        assert np.ptp(np.bincount(folds[domains == domain], minlength=n_folds)) <= 1
    assert np.ptp(np.bincount(folds, minlength=n_folds)) <= 1
    shuffled = random.sample(range(len(items)), len(items))
    assert item_folds([items[row] for row in shuffled], n_folds, seed).tolist() == folds[shuffled].tolist()


def test_item_folds_differ_from_seed_to_seed():
    items = [item("bags", str(number), 2) for number in range(100)]
    assert 5 < (item_folds(items, 5, 0) == item_folds(items, 5, 1)).sum() < 45


@pytest.mark.parametrize("n_folds", [0, 1, 4])
def test_folds_without_items_or_without_training_are_refused(n_folds):
    items = [item("bags", str(number), 2) for number in range(3)]
    with pytest.raises(ValueError, match=f"n_folds={n_folds}: expected from 2 to 3, the number of items"):
        item_folds(items, n_folds, 0)


def test_domain_folds_leave_out_one_domain_each():
    items = [item(domain, str(number), 2) for number, domain in enumerate(["toys", "bags", "cars", "bags", "toys"])]
    assert domain_folds(items).tolist() == [2, 0, 1, 0, 2]
