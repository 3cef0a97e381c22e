"""A fingerprint becomes another when a listing does."""

import os

import numpy as np
import pytest
from PIL import Image

from productcat.listings.fingerprint import LENGTH, fingerprint
from productcat.listings.photo_root import PhotoRoot, RootedPhoto

PIXELS = np.zeros((2, 6, 3), np.uint8)


@pytest.mark.parametrize(
    ("photos", "others"),
    [
        ((b"a",), (b"b",)),
        ((b"a", b"b"), (b"b", b"a")),
        ((b"ab",), (b"a", b"b")),
        ((PIXELS,), (PIXELS.reshape(4, 3, 3),)),
        ((PIXELS,), (PIXELS + 1,)),
        (("a.png",), ("b.png",)),
        (("a.png",), (b"a.png",)),
        ((), ("a.png",)),
        ((Image.fromarray(PIXELS),), (Image.fromarray(PIXELS + 1),)),
    ],
)
def test_other_photos_have_another(photos, others):
    assert fingerprint(photos) == fingerprint(list(photos))
    assert fingerprint(photos) != fingerprint(others)
    assert len(fingerprint(photos)) == LENGTH


def test_equal_bytes_of_any_kind_have_the_same():
    assert len({fingerprint([kind(b"ab")]) for kind in (bytes, bytearray, memoryview)}) == 1


def test_titles_and_photos_are_told_apart():
    assert len({fingerprint(["a"]), fingerprint([], "a"), fingerprint([], "a", ""), fingerprint([], "", "a")}) == 4


@pytest.mark.parametrize("change", ["size", "time", "gone"])
def test_a_file_that_was_saved_again_has_another(tmp_path, change):
    path = tmp_path / "photo.png"
    path.write_bytes(b"abc")
    before = fingerprint([path])
    assert before == fingerprint([str(path)])
    time = path.stat().st_mtime_ns
    if change == "size":
        path.write_bytes(b"abcd")
        os.utime(path, ns=(time, time))
    elif change == "time":
        os.utime(path, ns=(time, time + 1_000_000))
    else:
        path.unlink()
    assert fingerprint([path]) != before


@pytest.mark.parametrize("name", ["\0", "x" * 5000, "\udcff.png"])
def test_a_name_that_no_file_can_have_is_no_error(name):
    assert fingerprint([name], "\ud800") == fingerprint([name], "\ud800")


def test_of_a_photo_outside_its_root_nothing_is_known(tmp_path):
    (tmp_path / "root").mkdir()
    root, outside = PhotoRoot.of(tmp_path / "root"), tmp_path / "secret.png"
    before = fingerprint([RootedPhoto(str(outside), root)])
    outside.write_bytes(b"abc")
    assert fingerprint([RootedPhoto(str(outside), root)]) == before
    (tmp_path / "root" / "inside.png").write_bytes(b"abc")
    inside = RootedPhoto(str(tmp_path / "root" / "inside.png"), root)
    before = fingerprint([inside])
    (tmp_path / "root" / "inside.png").write_bytes(b"abcd")
    assert fingerprint([inside]) != before
