"""Listings in, categories out, through a tiny real bundle."""

from dataclasses import replace

import numpy as np
import pytest
import shop

from productcat import BundleError, Categorizer, DecisionRule, Listing, ListingError
from productcat.categories.ensemble import Ensemble
from productcat.categories.projections import FewShot
from productcat.models.contents import Entries


@pytest.fixture
def categorizer(tiny_bundle):
    return Categorizer.load(tiny_bundle)


def test_each_use_gives_distributions_that_find_the_class(categorizer, shop_listings):
    listings, names = shop_listings
    for use in ("photos", "title", "both"):
        distributions = categorizer.class_distributions(listings, use)
        assert distributions.shape == (len(listings), len(shop.CLASSES))
        np.testing.assert_allclose(distributions.sum(axis=1), 1.0)
        found = [categorizer.classes[best] for best in distributions.argmax(axis=1)]
        assert np.mean(np.array(found) == names) > 0.8


def test_a_missing_photo_or_title_is_left_out_and_no_evidence_is_a_row_of_nan(categorizer, shop_listings):
    whole = shop_listings[0][0]
    only_photo, only_title, nothing = Listing("a", "", whole.photos), Listing("b", whole.title), Listing("c", "🎉 ")
    both = categorizer.class_distributions([whole, only_photo, only_title, nothing])
    np.testing.assert_allclose(both[1], categorizer.class_distributions([only_photo], "photos")[0], atol=1e-6)
    np.testing.assert_allclose(both[2], categorizer.class_distributions([only_title], "title")[0], atol=1e-6)
    assert np.isnan(both[3]).all()
    assert not np.isnan(both[:3]).any()
    assert np.isnan(categorizer.class_distributions([only_title], "photos")).all()


def test_no_evidence_abstains_without_candidates(categorizer):
    prediction = categorizer.predict([Listing("empty")])[0]
    assert (prediction.decision, prediction.category, prediction.candidates, prediction.id) == (
        "abstain",
        None,
        (),
        "empty",
    )


@pytest.mark.parametrize("shape", [(1, 1), (64, 48), (10, 90)])
@pytest.mark.parametrize("colour", [255, (30, 60, 200)])
def test_a_photo_that_shows_nothing_is_no_evidence(categorizer, shop_listings, shape, colour):
    empty, (whole, *_) = np.full((*shape, 3), colour, np.uint8), shop_listings[0]
    alone, titled, beside = Listing("1", "", [empty]), Listing("2", whole.title, [empty]), replace(whole, id="3")
    beside = replace(beside, photos=(empty, *whole.photos))
    found = categorizer.predict([alone, titled, beside])
    assert (found[0].decision, found[0].candidates) == ("abstain", ())
    assert all("shows nothing but one colour" in each.problems[0] for each in found)
    expected = categorizer.predict([Listing("2", whole.title), replace(whole, id="3")])
    assert [each.candidates for each in found[1:]] == [each.candidates for each in expected]
    with pytest.raises(ListingError, match="none of its examples has a photo"), pytest.warns(match="one colour"):
        categorizer.add_category("white", [alone])


def test_several_photos_make_one_distribution_whatever_their_order(categorizer):
    rng = np.random.default_rng(5)
    photos = [shop.photo("Belts", rng), shop.photo("Handbags", rng), shop.photo("Handbags", rng)]
    forth, back = (
        categorizer.class_distributions([Listing("x", photos=each)], "photos") for each in (photos, photos[::-1])
    )
    np.testing.assert_allclose(forth, back, atol=1e-6)
    assert categorizer.classes[forth[0].argmax()] == "Handbags"


def test_a_listing_gets_the_same_answer_alone_and_among_many(categorizer, shop_listings):
    listings = shop_listings[0] * 12  # more than one batch
    together = categorizer.predict_proba(iter(listings))
    np.testing.assert_allclose(together[0], categorizer.predict_proba(listings[:1])[0], atol=1e-3)
    assert [each.id for each in categorizer.predict(listings)] == [each.id for each in listings]


def test_an_unreadable_photo_is_named_and_the_rest_of_the_listing_and_batch_counts(
    categorizer, shop_listings, tmp_path
):
    broken = tmp_path / "broken.jpg"
    broken.write_text("no photo")
    good = shop_listings[0][0]
    listings = [good, Listing("half", good.title, (str(broken), *good.photos)), Listing("none", "", (str(broken),))]
    predictions = categorizer.predict(listings)
    assert [len(each.problems) for each in predictions] == [0, 1, 1]
    assert "listing 'half'" in predictions[1].problems[0]
    assert str(broken) in predictions[1].problems[0]
    assert predictions[1].candidates == predictions[0].candidates
    assert predictions[2].decision == "abstain"
    with pytest.warns(UserWarning, match="listing 'none'.*not a JPEG"):
        assert np.isnan(categorizer.predict_proba(listings[2:])).all()


def test_where_categories_are_classes_mapping_loses_nothing(categorizer, shop_listings):
    distributions = categorizer.class_distributions(shop_listings[0])
    confidences = categorizer.predict_proba(shop_listings[0])
    np.testing.assert_allclose(confidences, distributions, atol=1e-12)
    divergences = categorizer.projections.divergences(distributions)
    np.testing.assert_array_equal(divergences.argmin(axis=1), distributions.argmax(axis=1))


def test_parents_roll_up_to_consistent_sums(categorizer, shop_listings):
    distributions = categorizer.class_distributions(shop_listings[0])
    names, sums = categorizer.roll_up(distributions, "masterCategory")
    assert names == ["Accessories", "Apparel"]
    belts, handbags, tshirts = (distributions[:, categorizer.classes.index(name)] for name in shop.CLASSES)
    np.testing.assert_allclose(sums, np.stack([belts + handbags, tshirts], axis=1))
    fine_names, fine = categorizer.roll_up(distributions, "subCategory")
    accessories = fine[:, fine_names.index("Belts")] + fine[:, fine_names.index("Bags")]
    np.testing.assert_allclose(accessories, sums[:, 0])
    with pytest.raises(ValueError, match="level='colour'.*subCategory"):
        categorizer.roll_up(distributions, "colour")


def test_the_rule_may_be_changed(categorizer, shop_listings):
    categorizer.rule = DecisionRule(assign_at=0.0, shortlist_at=0.0)
    assert {each.decision for each in categorizer.predict(shop_listings[0])} == {"assign"}


def test_the_rule_that_is_assigned_is_that_of_every_kind_of_evidence(categorizer):
    rule = DecisionRule(0.8, 0.4, 3)
    categorizer.rule = rule
    assert categorizer.rule == rule
    assert categorizer.rules == {"photos": rule, "title": rule, "both": rule}


def test_each_kind_of_evidence_is_judged_by_its_rule_saved_and_loaded_too(categorizer, shop_listings, tmp_path):
    always, never = DecisionRule(0.0, 0.0), DecisionRule(1.0, 1.0)
    categorizer.rules = {"photos": never, "title": always, "both": never}
    categorizer.save(tmp_path / "saved")
    loaded = Categorizer.load(tmp_path / "saved")
    assert loaded.rules == categorizer.rules
    whole = shop_listings[0][0]
    listings = [whole, Listing("photo", "", whole.photos), Listing("title", whole.title), Listing("nothing")]
    decisions = [each.decision for each in loaded.predict(listings)]
    assert decisions == ["abstain", "abstain", "assign", "abstain"]


def test_a_name_of_which_only_pieces_are_known_is_a_warning_where_they_say_little(categorizer, monkeypatch):
    categorizer.add_category("Leather belts")
    monkeypatch.setattr("productcat.models.title_model.SAYS_LITTLE", 1.1)
    with pytest.warns(UserWarning, match="'Tshirtss': its name has no known word, its pieces say little"):
        categorizer.add_category("Tshirtss")
    categorizer.add_category("Tshirtss", description="leather belt")


def test_categories_come_and_go_without_touching_the_divergences_of_others(categorizer, shop_listings):
    listings, names = shop_listings
    distributions = categorizer.class_distributions(listings)
    before = categorizer.projections.divergences(distributions)
    bags = [listing for listing, name in zip(listings, names, strict=True) if name == "Handbags"]
    categorizer.add_category("Purses", bags)
    assert categorizer.categories == [*shop.CLASSES, "Purses"]
    np.testing.assert_array_equal(categorizer.projections.divergences(distributions)[:, :3], before)
    categorizer.remove_category("Handbags")
    found = categorizer.predict_proba(bags).argmax(axis=1)
    assert np.mean([categorizer.categories[each] == "Purses" for each in found]) > 0.7


def test_prototypes_tell_categories_apart_that_look_alike_through_the_classes(categorizer):
    """Two kinds of patches that are alike through the classes, as goods are that no class knows."""
    rng = np.random.default_rng(3)

    def listings(darkest, n):
        patches = [rng.integers(darkest, darkest + 80, (8, 6, 3)) for _ in range(n)]
        return [Listing("", photos=(np.kron(each, np.ones((4, 4, 1))).astype(np.uint8),)) for each in patches]

    def share_right(few_shot):
        categorizer.projections = replace(categorizer.projections, few_shot=few_shot)
        found = [categorizer.predict_proba(each).argmax(axis=1) == number for number, each in enumerate(judged)]
        return np.mean(found)

    categorizer.replace_categories({"dark": listings(0, 6), "bright": listings(150, 6)})
    categorizer.projections.matrix[:] = 1 / 3
    judged = [listings(0, 20), listings(150, 20)]
    assert share_right(FewShot(scale=60.0, settling=0.2)) > 0.8


def test_a_change_of_categories_does_not_touch_what_is_being_judged(categorizer, shop_listings):
    listings, _ = shop_listings
    categorizer.projections = replace(categorizer.projections, few_shot=FewShot(scale=10.0))
    categorizer.add_category("Mirrors", listings[:2])
    many = [*listings * 6, Listing("late", title="leather belt")]
    expected, judged = [confidences for _, confidences in categorizer.judge(many)], categorizer.judge(many)
    found = [next(judged)[1]]
    categorizer.replace_categories({"One": [], "Two": []}, {"One": "belt", "Two": "handbag"})
    found += [confidences for _, confidences in judged]
    np.testing.assert_array_equal(found, expected)


def test_titles_of_examples_tell_categories_apart_that_look_alike_through_the_classes(categorizer):
    """Words that mean nothing to the classes, beside one that they know."""
    examples = {kind: [Listing(title=f"{kind} {size} belt") for size in ("xl", "42")] for kind in ("snake", "denim")}
    categorizer.replace_categories(examples)
    listings = [Listing(title=f"blue belt with {kind} print") for kind in examples]

    def found(few_shot):
        categorizer.projections = replace(categorizer.projections, few_shot=few_shot)
        return categorizer.predict_proba(listings)

    np.testing.assert_allclose(found(FewShot(scale=20.0)), 0.5, atol=0.1)
    assert (found(FewShot(title_scale=20.0)).diagonal() > 0.9).all()


def test_a_name_counts_beside_examples_as_much_as_the_bundle_says(categorizer, shop_listings):
    bag = [listing for listing, name in zip(*shop_listings, strict=True) if name == "Handbags"][:1]
    named = categorizer.class_distributions([Listing(title="leather belt")])[0]
    seen = categorizer.class_distributions(bag)[0]
    categorizer.projections = replace(categorizer.projections, few_shot=FewShot(name_counts=3.0))
    categorizer.add_category("leather belt", bag)
    np.testing.assert_allclose(categorizer.projections.matrix[-1], (seen + 3 * named) / 4)


def test_a_category_can_be_described(categorizer):
    categorizer.replace_categories({"Strap": [], "Purse": []}, {"Strap": "leather belt", "Purse": "red handbag"})
    assert categorizer.predict_proba([Listing("x", "brown belt")]).argmax() == 0


def test_a_category_can_be_made_from_its_name_alone(categorizer, shop_listings):
    listings, names = shop_listings
    categorizer.replace_categories({"leather belt": [], "red handbag": (), "blue tshirt": []})
    found = [categorizer.categories[best] for best in categorizer.predict_proba(listings).argmax(axis=1)]
    assert np.mean([name[:-1].lower() in each for name, each in zip(names, found, strict=True)]) > 0.8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.add_category(" "), "needs a name"),
        (lambda c: c.add_category("🎉"), "knows no word of its name"),
        (lambda c: c.add_category("M\udcf6bel", [Listing("x", "belt")]), "needs a name, in UTF-8"),
        (lambda c: c.add_category("Hats", [Listing("x", "🎉")]), "none of its examples .* a title with a known word"),
        (lambda c: c.remove_category("Hats"), "'Hats': not among the 3 categories"),
        (lambda c: c.replace_categories({}), "at least one name"),
        (lambda c: c.replace_categories(["Belts"]), "expected a dict"),
    ],
)
def test_a_bad_change_of_categories_is_refused_and_changes_nothing(categorizer, change, message):
    with pytest.raises(ListingError, match=message):
        change(categorizer)
    assert categorizer.categories == list(shop.CLASSES)


def test_the_last_category_stays(categorizer):
    categorizer.remove_category("Belts")
    categorizer.remove_category("Handbags")
    with pytest.raises(ListingError, match="last one"):
        categorizer.remove_category("Tshirts")


def test_a_saved_categorizer_answers_the_same_and_keeps_parts_that_it_does_not_own(
    tiny_bundle, categorizer, shop_listings, tmp_path
):
    categorizer.add_category("Purses", shop_listings[0][:2])
    categorizer.rule = DecisionRule(0.8, 0.4, 3)
    categorizer.save(tmp_path / "saved")
    loaded = Categorizer.load(tmp_path / "saved")
    assert loaded.categories == categorizer.categories
    assert loaded.rule == categorizer.rule
    np.testing.assert_array_equal(loaded.predict_proba(shop_listings[0]), categorizer.predict_proba(shop_listings[0]))
    weights = "image/weights.safetensors"
    assert (tmp_path / "saved" / weights).read_bytes() == (tiny_bundle / weights).read_bytes()
    with pytest.raises(BundleError, match="exists already"):
        categorizer.save(tmp_path / "saved")


def test_a_wrong_use_is_named(categorizer):
    with pytest.raises(ValueError, match="use='sound'"):
        categorizer.class_distributions([], use="sound")


def test_no_listings_give_no_rows(categorizer):
    assert categorizer.class_distributions([]).shape == (0, 3)
    assert categorizer.predict_proba([]).shape == (0, 3)
    assert categorizer.predict([]) == []


@pytest.mark.parametrize(
    ("listings", "message"),
    [
        (Listing("a", "a bag"), "one Listing is not a sequence of listings; write [listing]"),
        ("a bag", "one str is not a sequence of listings"),
        ({"title": "a bag"}, "one dict is not a sequence of listings"),
        (None, "one NoneType is not a sequence of listings"),
        (17, "one int is not a sequence of listings"),
        (
            [Listing("a", "a bag"), "a belt"],
            "'a belt' is str, expected Listing; write Listing(title=...",
        ),
    ],
)
def test_what_is_no_sequence_of_listings_is_refused(categorizer, listings, message):
    for use in (categorizer.predict, lambda listings: categorizer.add_category("Hats", listings)):
        with pytest.raises(ListingError) as refused:
            use(listings)
        assert message in str(refused.value)


def test_a_saved_bundle_says_which_of_its_categories_are_no_classes(categorizer, shop_listings, tmp_path):
    categorizer.add_category("Scarves", shop_listings[0][:2])
    categorizer.remove_category(shop.CLASSES[0])
    categorizer.save(tmp_path / "saved")
    manifest = Categorizer.load(tmp_path / "saved").bundle.manifest
    assert manifest["categories"] == {"number": 3, "that are no classes": ["Scarves"]}
    card = (tmp_path / "saved" / "README.md").read_text("utf-8")
    assert "Scarves" in card
    assert "All figures are of the classes that were learnt" in card


def test_a_saved_bundle_whose_categories_are_its_classes_says_nothing_of_them(categorizer, shop_listings, tmp_path):
    categorizer.add_category("Scarves", shop_listings[0][:2])
    categorizer.save(tmp_path / "more")
    back = Categorizer.load(tmp_path / "more")
    back.remove_category("Scarves")
    back.save(tmp_path / "back")
    assert "categories" not in Categorizer.load(tmp_path / "back").bundle.manifest


def test_settings_of_a_newer_bundle_are_ignored_and_old_ones_are_kept_as_they_were(tiny_bundle, tmp_path):
    old = {"average": "log", "weights": {"photos": 0.5, "title": 0.5}}
    old["temperatures"] = {"photos": 1.0, "title": 1.0, "both": 0.5}
    newer = {**old, "weights": {**old["weights"], "text": 0.1}}
    categorizer = Categorizer.load(tiny_bundle)
    for settings in (old, newer):
        categorizer.ensemble = Ensemble.of(Entries("manifest", settings))
        categorizer.save(tmp_path / f"saved-{len(settings['weights'])}")
        assert Categorizer.load(tmp_path / f"saved-{len(settings['weights'])}").bundle.manifest["ensemble"] == old


def test_a_problem_of_a_listing_without_an_id_names_it_so(tiny_bundle):
    categorizer = Categorizer.load(tiny_bundle)
    listing = Listing(title="leather belt", photos=["missing.jpg"])
    assert categorizer.predict([listing])[0].problems[0].startswith("listing '': missing.jpg: no such file")
    with pytest.warns(UserWarning, match="listing '': missing.jpg"):
        categorizer.predict_proba([listing])
