"""A bundle with a second image model, whose features the prototypes of categories are made of."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import shop
from frozen import COLOUR_FEATURES, put_together

from productcat import BundleError, Categorizer, DuplicateDetector, Listing
from productcat.categories.projections import FewShot


@pytest.fixture
def with_features(image_part, title_part, tmp_path):
    """The path of the shop's bundle with that part."""
    path = tmp_path / "with-features"
    put_together(path, {"image": image_part, "title": title_part, "features": COLOUR_FEATURES})
    return path


def patches(colour, n, seed):
    """Listings whose photo has one colour, with noise. colour : (red, green, blue)"""
    rng = np.random.default_rng(seed)
    photos = [np.clip(np.array(colour) + rng.integers(-20, 20, (*shop.SIZE, 3)), 0, 255) for _ in range(n)]
    return [Listing("", photos=(each.astype(np.uint8),)) for each in photos]


def test_prototypes_are_made_of_its_features(with_features, tmp_path):
    categorizer = Categorizer.load(with_features)
    categorizer.projections = replace(categorizer.projections, few_shot=FewShot(scale=60.0, settling=0.2))
    colours = {"green": (60, 160, 60), "blue": (60, 60, 160)}
    categorizer.replace_categories({name: patches(colour, 3, 1) for name, colour in colours.items()})
    categorizer.projections.matrix[:] = 1 / 3  # alike through the classes
    assert categorizer.projections.prototypes["photos"].vectors.shape == (2, 3)
    categorizer.save(tmp_path / "saved")
    for each in (categorizer, Categorizer.load(tmp_path / "saved")):
        for number, colour in enumerate(colours.values()):
            assert (each.predict_proba(patches(colour, 5, 2)).argmax(axis=1) == number).all()


def test_the_classes_are_those_of_the_other_model(with_features, tiny_bundle, shop_listings):
    with_it, without = Categorizer.load(with_features), Categorizer.load(tiny_bundle)
    for use in ("photos", "both"):
        np.testing.assert_array_equal(*(each.class_distributions(shop_listings[0], use) for each in (with_it, without)))
    np.testing.assert_array_equal(*(each.predict_proba(shop_listings[0]) for each in (with_it, without)))


def test_duplicates_are_told_by_its_features(duplicates_bundle, image_part, shop_listings, tmp_path):
    classes = [{"name": name, "parents": {}} for name in ("one", "two")]
    parts = {"image": COLOUR_FEATURES, "features": image_part, "duplicates": duplicates_bundle / "duplicates"}
    put_together(tmp_path / "both", parts, classes)
    listings = shop_listings[0][:6]
    found, expected = (DuplicateDetector.load(each) for each in (tmp_path / "both", duplicates_bundle))
    np.testing.assert_array_equal(*(each.score_matrix(listings, listings) for each in (found, expected)))


def test_an_unreadable_photo_is_named_once(with_features):
    categorizer = Categorizer.load(with_features)
    categorizer.projections = replace(categorizer.projections, few_shot=FewShot(scale=60.0))
    categorizer.add_category("green", patches((60, 160, 60), 3, 1))
    prediction = categorizer.predict([Listing("broken", "leather belt", (b"no photo",))])[0]
    assert len(prediction.problems) == 1
    assert prediction.candidates[0].category == "Belts"


def test_it_does_not_look_where_no_category_has_examples_with_photos(with_features, shop_listings, monkeypatch):
    categorizer = Categorizer.load(with_features)
    categorizer.projections = replace(categorizer.projections, few_shot=FewShot(scale=60.0, title_scale=20.0))
    categorizer.add_category("zori", [Listing(title="zori belt")])

    def run(photos):
        raise AssertionError("looked")

    monkeypatch.setattr(categorizer.feature_model, "run", run)
    assert len(categorizer.predict(shop_listings[0])) == 12
    with pytest.raises(AssertionError, match="looked"):
        categorizer.add_category("green", patches((60, 160, 60), 3, 1))


def test_a_folder_that_the_manifest_does_not_name_is_refused(tiny_bundle, tmp_path):
    shutil.copytree(tiny_bundle, tmp_path / "shop")
    shutil.copytree(COLOUR_FEATURES, tmp_path / "shop/features")
    with pytest.raises(BundleError, match="features/model.onnx is not in manifest.json"):
        Categorizer.load(tmp_path / "shop")
