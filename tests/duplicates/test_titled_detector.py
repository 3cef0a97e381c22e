"""A detector whose metric has learnt what titles count."""

from dataclasses import replace

import numpy as np
import pytest
import shop

from productcat import DuplicateDetector, Listing
from productcat.duplicates.titles import COLUMNS, TitleHead, said_of_titles

# A weight of one sign for each column, as every head has it.
HEAD = TitleHead(np.array([float(sign) for sign in COLUMNS.values()]), 3.5)


@pytest.fixture(scope="module")
def plain(duplicates_bundle):
    return DuplicateDetector.load(duplicates_bundle)


@pytest.fixture(scope="module")
def detector(plain):
    return DuplicateDetector(plain.image_model, replace(plain.metric, titles=HEAD), plain.threshold)


@pytest.fixture(scope="module")
def photo():
    return shop.photo("Belts", np.random.default_rng(3))


def test_what_the_words_of_two_titles_count_is_explained(detector, photo):
    one, other = (Listing(each, f"Baggit nx200 wool {each}", (photo,)) for each in ("blue", "white"))
    weights = {each.word: each.weight for each in detector.explain(one, other).title_words}
    assert list(weights) == ["baggit", "nx200", "wool", "blue", "white"]
    assert min(weights["nx200"], weights["wool"]) > 0 > max(weights["blue"], weights["white"])
    assert "against “blue” / “white”" in detector.explain(one, other)._repr_html_()


def test_a_missing_title_explains_nothing(detector, plain, photo):
    titled, without = Listing("a", "red wool", (photo,)), Listing("b", "", (photo,))
    assert list(detector.explain(titled, without).title_words) == []
    assert "The title" not in detector.explain(titled, without)._repr_html_()
    assert list(plain.explain(titled, titled).title_words) == []  # nor does a bundle that knows nothing of titles


def test_words_that_a_catalogue_uses_everywhere_explain_less(detector):
    catalogue = detector.embed(
        [Listing(str(i), f"Baggit belt {i * 37}", (shop.photo("Belts", np.random.default_rng(i)),)) for i in range(40)]
    )
    one, other = catalogue[:2]
    before, after = (
        {each.word: each.weight for each in some.explain(one, other).title_words}
        for some in (detector, detector.adapt(catalogue))
    )
    assert after["baggit"] < before["baggit"] / 2


def test_the_sentence_names_the_weightiest_words_of_each_side(detector, photo):
    left, right = "anna berta carla dora emil", "anna berta carla dora fritz gustav"
    words = detector.explain(Listing("a", left, (photo,)), Listing("b", right, (photo,))).title_words
    said = said_of_titles(words)
    assert said.startswith("counts for “")
    assert said.split(", against ")[0].count("“") == 3
    assert said.endswith(" / “fritz”, “gustav”")
    assert said_of_titles([]) == ""
