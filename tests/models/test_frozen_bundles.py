"""A bundle of each format number must load for ever, and answer as it did when it was frozen."""

import json

import numpy as np
import pytest
import shop
from frozen import FROZEN

from productcat import Categorizer, Listing
from productcat.models.bundle import FORMAT


def frozen_listings():
    rng = np.random.default_rng(2026)
    return [Listing(name, shop.title(name, rng), (shop.photo(name, rng),)) for name in shop.CLASSES]


def test_there_is_a_frozen_bundle_of_every_format_number():
    frozen = {each.name for each in FROZEN.glob("format-*")}
    assert frozen == {f"format-{number}" for number in range(1, FORMAT + 1)}


@pytest.mark.parametrize("path", sorted(FROZEN.glob("format-*/bundle")), ids=lambda path: path.parent.name)
def test_a_frozen_bundle_answers_as_it_did(path):
    expected = json.loads((path.parent / "expected.json").read_text("utf-8"))
    categorizer = Categorizer.load(path)
    assert categorizer.categories == expected["categories"]
    confidences = categorizer.predict_proba(frozen_listings())
    np.testing.assert_allclose(confidences, expected["confidences"], atol=0.02)  # int8 differs a little by processor
    assert [each.decision for each in categorizer.predict(frozen_listings())] == expected["decisions"]
