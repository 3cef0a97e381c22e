"""The bundle that the tests of productcat run is what training makes today: train → export → predict."""

import json

import numpy as np
from frozen import SHOP

from productcat import Categorizer, DuplicateDetector
from productcat.models.bundle import Bundle

OF_THE_DAY = {"created", "versions", "sha256", "bytes", "seal"}
"""Entries of a manifest that differ between two bundles of the same content. Old ones lack the sizes of files."""


def test_it_has_the_files_and_the_manifest_of_the_one_that_stands_in_tests(made_bundle):
    made, frozen = Bundle.open(made_bundle), Bundle.open(SHOP)
    assert made.manifest.keys() == frozen.manifest.keys() | {"bytes"}
    assert made.manifest["sha256"].keys() == frozen.manifest["sha256"].keys()
    for name in made.manifest.keys() - OF_THE_DAY:
        assert made.manifest[name] == frozen.manifest[name]
    for name in ("classes.json", "image/settings.json", "title/vocabulary.json", "duplicates/settings.json"):
        assert json.loads(made.file(name).read_text("utf-8")) == json.loads(frozen.file(name).read_text("utf-8"))


def test_it_answers_as_the_one_that_stands_in_tests(made_bundle, shop_listings):
    listings, names = shop_listings
    made, frozen = Categorizer.load(made_bundle), Categorizer.load(SHOP)
    assert [each.candidates[0].category for each in made.predict(listings)] == names
    np.testing.assert_allclose(made.predict_proba(listings), frozen.predict_proba(listings), atol=0.02)


def test_it_scores_duplicates_as_the_one_that_stands_in_tests(made_bundle, shop_listings):
    made, frozen = (
        DuplicateDetector.load(path).score_matrix(shop_listings[0], shop_listings[0]) for path in (made_bundle, SHOP)
    )
    np.testing.assert_allclose(made, frozen, atol=0.05)
