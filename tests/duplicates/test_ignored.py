"""Pictures that never count are left out of listings, however they were saved or turned; other photos stay."""

import numpy as np
import pytest
import shop

from productcat import DuplicateDetector, Listing
from productcat.duplicates.ignored import kept_photos, without_ignored


def patches(seed):
    """A photo of patches of many colours. → ndarray of shape (96, 72, 3), uint8"""
    rng = np.random.default_rng(seed)
    return np.kron(rng.integers(0, 256, (8, 6, 3)), np.ones((12, 12, 1))).astype(np.uint8)


@pytest.fixture(scope="module")
def detector(duplicates_bundle):
    return DuplicateDetector.load(duplicates_bundle)


@pytest.mark.parametrize("edit", [lambda photo: photo, lambda photo: photo[:, ::-1], lambda photo: photo[4:-4, 2:-4]])
def test_photos_of_an_ignored_picture_are_left_out_and_no_other(detector, edit):
    chart = shop.encode(np.ascontiguousarray(edit(patches(0))), "JPEG")
    listings = [Listing(str(n), photos=(patches(2 * n + 1), chart, patches(2 * n + 2))[: n % 3 + 1]) for n in range(90)]
    embeddings = detector.embed(listings)
    ignored = detector.embed([Listing("chart", photos=(patches(0),))])
    kept = kept_photos(embeddings, ignored)
    assert [rows.tolist() for rows in kept] == [[0] if n % 3 < 2 else [0, 2] for n in range(90)]
    left = without_ignored(embeddings, ignored)
    assert [len(each) for each in left] == [len(rows) for rows in kept]
    np.testing.assert_array_equal(left[2].thumbnails, embeddings[2].thumbnails[[0, 2]])
    assert left[0] is embeddings[0]


def test_nothing_is_left_out_where_nothing_is_ignored_or_nothing_is_there(detector):
    embeddings = detector.embed([Listing("a", photos=(patches(1),))])
    assert without_ignored(embeddings, []) == embeddings
    assert without_ignored([], embeddings) == []
