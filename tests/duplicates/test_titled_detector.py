"""A detector whose metric has learnt what titles count."""

from dataclasses import replace

import numpy as np
import pytest
import shop

from productcat import BundleError, DuplicateDetector, Listing
from productcat.duplicates.titles import COLUMNS, TitleHead, said_of_titles

# A weight of one sign for each column, as every head has it.
HEAD = TitleHead(np.array([float(sign) for sign in COLUMNS.values()]), 3.5, 3.5)


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
    photos = [(shop.photo("Belts", np.random.default_rng(number)),) for number in range(40)]
    catalogue = detector.embed([Listing(f"{i}", f"Baggit belt {i * 37}", each) for i, each in enumerate(photos)])
    one, other = (Listing(each, f"Baggit zanzibar kaftan nx200 {each}", photos[0]) for each in ("red", "blue"))
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


@pytest.fixture(scope="module")
def shop_of_all_kinds():
    """Listings with photos and without; c0 and c1 have no photo, one title; p0 has a photo and a title like theirs."""
    photos = {f"p{i}": (shop.photo(shop.CLASSES[i % 3], np.random.default_rng(i)),) for i in range(12)}
    titled = [Listing(id, f"shirt cotton number{i * 7}", each) for i, (id, each) in enumerate(photos.items())]
    titled[0] = Listing("p0", "zanzibar kaftan embroidered silk long nx200", photos["p0"])
    without = [
        Listing("c0", "zanzibar kaftan embroidered silk long nx200"),
        Listing("c1", "Zanzibar embroidered kaftan NX200 long silk"),
        Listing("c2", "oak table extendable 180cm"),
    ]
    return [*titled, *without]


def ends(pairs):
    return {(pair.left, pair.right) for pair in pairs}


def test_by_titles_alone_listings_without_photos_are_found_when_asked(detector, shop_of_all_kinds):
    found = detector.find(shop_of_all_kinds, threshold=0.3, titles_alone=True)
    by_title = [pair for pair in found if pair.kind == "title"]
    assert ends(by_title) == {("p0", "c0"), ("p0", "c1"), ("c0", "c1")}
    groups = [set(group.ids) for group in detector.groups(shop_of_all_kinds, 0.3, titles_alone=True)]
    assert any({"c0", "c1"} <= group for group in groups)
    assert not any("c2" in group for group in groups)


def test_unless_asked_a_pair_without_photos_is_left_out_and_the_others_are_the_same(detector, shop_of_all_kinds):
    with pytest.warns(UserWarning, match=r"'c\d': no photo; it is never a duplicate"):
        found = detector.find(shop_of_all_kinds, threshold=0.0)
    assert not [pair for pair in found if pair.kind == "title"]
    every = detector.find(shop_of_all_kinds, threshold=0.0, titles_alone=True)
    assert [pair for pair in every if pair.kind != "title"] == found


def test_a_catalogue_without_any_photo_has_duplicates_too_and_its_words_are_weighed(detector):
    usual = [Listing(f"u{number}", "used phone") for number in range(30)]
    posted = [Listing(each, "used phone karhu fusion saimaa nx200 ab12") for each in ("one", "two")]
    found = detector.find([*usual, *posted], threshold=0.4, titles_alone=True)
    assert ends(found) == {("one", "two")}


def test_titles_are_scored_alone_whatever_the_number_of_listings(detector):
    left, right = (Listing(each, "zanzibar kaftan embroidered silk nx200") for each in ("c0", "c1"))
    score = detector.score([left], [right])[0]
    assert 0.3 < score < 1
    assert detector.among(10_000).score([left], [right])[0] == score
    assert detector.score([left], [Listing("c2", "oak table 180cm")])[0] < 0.05


def test_a_title_that_is_missing_too_is_a_problem(detector):
    problems = []
    detector.embed([Listing("a", "red"), Listing("b", "!"), Listing("c", "red", (b"no photo",))], problems.append, True)
    assert [(each.listing, "never a duplicate" in each.reason) for each in problems] == [("b", True), ("c", False)]


def test_a_bundle_that_knows_nothing_of_titles_finds_nothing_by_them_and_says_so(plain, shop_of_all_kinds):
    for search in (plain.find, plain.groups):
        with pytest.raises(BundleError, match="does not know what titles count"):
            search(shop_of_all_kinds, titles_alone=True)
