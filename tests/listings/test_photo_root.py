"""A table by a stranger names photos: none outside the folder given is opened, and nobody learns what lies there."""

import json

import pytest
from photo_files import SIZE, encode, scene

from productcat import ListingError, read_listings
from productcat.listings.photos import decoded, name_of, pixels_of, thumbnail_or_reason
from productcat.listings.readers import Columns, read_labelled, read_with_ids

NAMES = [
    "../secret.jpg",
    "inside/../../secret.jpg",
    "ABSOLUTE",
    "link.jpg",
    "links/secret.jpg",
    "loop.jpg",
]
"""Ways to name a photo that lies outside. ABSOLUTE is its whole path."""


@pytest.fixture
def places(tmp_path):
    """A folder with a photo and links, and beside it a photo that is nobody's business."""
    root = tmp_path / "root"
    (root / "inside").mkdir(parents=True)
    (root / "inside/good.jpg").write_bytes(encode(scene(), "JPEG"))
    (root / "alias.jpg").symlink_to("inside/good.jpg")
    (root / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    (root / "links").symlink_to(tmp_path)
    (root / "loop.jpg").symlink_to("loop.jpg")
    return root


def named(root, photo, photo_root, **options):
    """The listing that a table in `root` makes of one photo."""
    photo = str(root.parent / "secret.jpg") if photo == "ABSOLUTE" else photo
    (root / "listings.jsonl").write_text(json.dumps({"id": "1", "photos": [photo]}) + "\n", "utf-8")
    (listing,) = read_listings(root / "listings.jsonl", photo_root=photo_root, **options)
    return listing


def look(listing):
    """The number of photos that are read, and what is said of the others."""
    problems = [[]]
    return sum(len(pixels) for _, pixels in decoded([listing.photos], SIZE, problems)), problems[0]


@pytest.mark.parametrize("photo", ["inside/good.jpg", "./inside/../alias.jpg", "alias.jpg"])
def test_photos_inside_are_read_as_ever(places, photo):
    for root in (places, str(places), None):
        listing = named(places, photo, root)
        assert look(listing) == (1, [])
        assert pixels_of(listing.photos[0]) == 80 * 60
        assert name_of(listing.photos[0]) == photo.rpartition("/")[2]


@pytest.mark.parametrize("photo", NAMES)
def test_what_lies_outside_is_reported_like_what_does_not_exist(places, photo):
    def said():
        listing = named(places, photo, places)
        return look(listing), pixels_of(listing.photos[0]), thumbnail_or_reason(listing.photos[0], 9)

    missing = said()
    secret = places.parent / "secret.jpg"
    for make in (lambda: secret.write_bytes(encode(scene(), "JPEG")), lambda: secret.write_text("x"), secret.mkdir):
        make()
        assert said() == missing
        secret.rmdir() if secret.is_dir() else secret.unlink()
    (n_read, (reason,)), n_pixels, (jpeg, _) = missing
    assert (n_read, n_pixels, jpeg) == (0, 0, None)
    if photo != "loop.jpg":
        assert f"no such file below {places}" in reason


def test_a_photo_of_the_published_layout_outside_is_like_none(places):
    (places / "listings.csv").write_text("id,title\n../../secret,belt\n../inside/good,belt\n", "utf-8")
    (places.parent / "secret.jpg").write_bytes(encode(scene(), "JPEG"))
    (places / "images").mkdir()
    with_root = [each.photos for each in read_listings(places / "listings.csv", photo_root=places)]
    assert [len(photos) for photos in with_root] == [0, 1]
    assert [len(each.photos) for each in read_listings(places / "listings.csv")] == [1, 1]


def test_the_pattern_of_photos_and_every_reader_obey(places):
    (places.parent / "secret.jpg").write_bytes(encode(scene(), "JPEG"))
    (places / "listings.csv").write_text("id,title,label\nsecret,belt,Belts\n", "utf-8")
    columns = Columns(photo_pattern="../{id}.jpg")
    path = places / "listings.csv"
    (one,) = read_listings(path, columns, photo_root=places)
    (two,) = read_with_ids(path, columns, photo_root=places)
    ((three, _),) = read_labelled(path, columns, photo_root=places)
    for each in (one, two, three):
        assert look(each)[0] == 0
    assert look(next(read_listings(path, columns)))[0] == 1


def test_the_root_may_be_a_link_and_must_exist(places):
    (places.parent / "other").symlink_to(places)
    assert look(named(places, "inside/good.jpg", places.parent / "other")) == (1, [])
    with pytest.raises(ListingError, match="gone: no such folder"):
        named(places, "inside/good.jpg", places / "gone")
    with pytest.raises(ListingError, match=r"alias\.jpg: no such folder"):
        named(places, "inside/good.jpg", places / "alias.jpg")
