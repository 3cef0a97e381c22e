"""What a run of duplicates keeps is only used again for listings that are as they were."""

from dataclasses import replace

import numpy as np
import pytest
import shop

from productcat import DuplicateDetector, Listing
from productcat.duplicates.titles import COLUMNS, TitleHead
from productcat.jobs.kept_embeddings import embed_in_shards


@pytest.fixture(scope="module")
def detector(duplicates_bundle):
    plain = DuplicateDetector.load(duplicates_bundle)
    head = TitleHead(np.array([float(sign) for sign in COLUMNS.values()]), 3.5, 3.5)
    return DuplicateDetector(plain.image_model, replace(plain.metric, titles=head), plain.threshold)


@pytest.fixture
def listings(tmp_path):
    rng = np.random.default_rng(2)
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(shop.encode(shop.photo(shop.CLASSES[number], rng)))
    return [Listing(str(number), f"title {number}", (str(tmp_path / f"{number}.png"),)) for number in range(3)]


def embedded(detector, listings, folder, titles_alone=False):
    """Embeddings as lists of numbers, with titles, and problems."""
    (found,) = embed_in_shards(detector, listings, folder, titles_alone)
    return [(each.id, each.title, each.thumbnails.tolist()) for each in found[0]], found[1]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "kept").mkdir()
    return tmp_path / "kept"


def changed_title(listings):
    return [replace(listings[0], title="other"), *listings[1:]]


def other_photo(listings):
    return [replace(listings[0], photos=listings[1].photos), *listings[1:]]


def no_photo(listings):
    return [replace(listings[0], photos=(), title=""), *listings[1:]]


@pytest.mark.parametrize("titles_alone", [False, True])
@pytest.mark.parametrize("change", [changed_title, other_photo, no_photo])
def test_a_changed_listing_is_looked_at_again(detector, listings, folder, change, titles_alone):
    before = embedded(detector, listings, folder, titles_alone)
    assert embedded(detector, listings, folder, titles_alone) == before
    after = embedded(detector, change(listings), folder, titles_alone)
    assert after == embedded(detector, change(listings), None, titles_alone)
    assert after != before


def test_a_title_that_makes_up_for_a_missing_photo_is_not_called_a_problem_any_more(detector, listings, folder):
    without = [Listing("a", "", ()), *listings]
    assert len(embedded(detector, without, folder, titles_alone=True)[1]) == 1
    titled = [Listing("a", "leather belt", ()), *listings]
    assert embedded(detector, titled, folder, titles_alone=True)[1] == []


def test_a_title_changes_nothing_that_is_kept_of_photos(detector, listings, folder):
    embedded(detector, listings, folder)
    (shard,) = folder.iterdir()
    written = shard.stat().st_mtime_ns
    (first, *_), _ = embedded(detector, changed_title(listings), folder)
    assert first[1] == "other"
    assert shard.stat().st_mtime_ns == written
