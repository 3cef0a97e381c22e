"""Evaluation of a bundle: what it finds, and the report made of it."""

import json
import re

import numpy as np
import pytest
import shop
from html_page import Page

from productcat import Categorizer, Listing, ListingError
from productcat.evaluation.confusions import confusions, most_confused
from productcat.evaluation.drift import drift
from productcat.evaluation.evaluate import evaluate
from productcat.evaluation.figures import decisions, measure, mistakes, thresholds
from productcat.reports.evaluation import Origin, report

NASTY = '<script>alert("x")</script> $5 & $6 <img src=x onerror=alert(1)>'


@pytest.fixture(scope="module")
def categorizer(tiny_bundle):
    return Categorizer.load(tiny_bundle)


@pytest.fixture(scope="module")
def listings_and_names():
    """(listings, labels): 30 that the models can tell; of three the title lies, of two the label does, one is empty."""
    rng = np.random.default_rng(12)
    names = [shop.CLASSES[number % 3] for number in range(30)]
    listings = [Listing(f"l{i}", shop.title(name, rng), (shop.photo(name, rng),)) for i, name in enumerate(names)]
    other = {name: shop.CLASSES[(number + 1) % 3] for number, name in enumerate(shop.CLASSES)}
    for number in (0, 1, 2):
        listings[number] = Listing(f"liar {number}", shop.title(other[names[number]], rng), listings[number].photos)
    names[10], names[11] = other[names[10]], other[names[11]]
    listings[20] = Listing(NASTY, "🎉")
    return listings, names


@pytest.fixture(scope="module")
def labelled(listings_and_names):
    """(listing, label) each."""
    return list(zip(*listings_and_names, strict=True))


@pytest.fixture(scope="module")
def found(categorizer, labelled):
    return evaluate(categorizer, labelled)


@pytest.fixture(scope="module")
def measured(found):
    return measure(found, rounds=50)


def test_an_evaluation_answers_as_the_categorizer_does(categorizer, listings_and_names, found):
    listings, names = listings_and_names
    predictions = categorizer.predict(listings)
    best = [each.candidates[0].category if each.candidates else None for each in predictions]
    right = [answer == name for answer, name in zip(best, names, strict=True)]
    assert found.answers["both"].right.tolist() == right
    assert (found.assigned("both") == [each.decision == "assign" for each in predictions]).all()
    confidence = [each.candidates[0].confidence if each.candidates else np.nan for each in predictions]
    assert found.answers["both"].confidence == pytest.approx(np.array(confidence), nan_ok=True)
    kinds = [each.decision for each in predictions]
    told = decisions(found)
    for kind in ("assign", "shortlist", "abstain"):
        assert told[kind] == pytest.approx(kinds.count(kind) / len(kinds))


def test_each_kind_of_evidence_is_that_kind_alone(categorizer, listings_and_names, found):
    listings, _ = listings_and_names
    for use in ("photos", "title"):
        bare = [Listing(each.id, **{use: getattr(each, use)}) for each in listings]
        expected = categorizer.predict_proba(bare).argmax(axis=1)
        known = found.answers[use].known
        assert (found.answers[use].best[known] == expected[known]).all()


def test_it_does_not_depend_on_how_listings_fall_into_batches(categorizer, labelled, found):
    thrice = evaluate(categorizer, iter(labelled * 3))
    assert thrice.answers["both"].best.tolist() == found.answers["both"].best.tolist() * 3
    assert thrice.mix == pytest.approx(found.mix)


def test_what_the_title_spoils_and_which_labels_are_suspect_is_found(found, measured):
    spoilt = {case.listing.id for case in found.cases.spoilt.best}
    assert spoilt <= {"liar 0", "liar 1", "liar 2"}
    assert measured["title"] == {
        "listings_with_both": 29,
        "rescued": found.cases.rescued.count,
        "spoilt": len(spoilt),
    }
    surest = [case.listing.id for case in found.cases.mistakes.best]
    assert {"l10", "l11"} <= set(surest)
    assert mistakes(found)["wrong"] == found.cases.mistakes.count
    assert mistakes(found)["without_evidence"] == 1
    assert mistakes(found)["suspect_labels"] >= 1


def test_a_threshold_is_told_in_listings_a_day(found):
    own, *others = thresholds(found)
    assigned = found.assigned("both")
    assert own["assigned_a_day"] == round(100_000 * assigned.mean())
    assert own["wrongly_a_day"] == round(100_000 * (assigned & ~found.answers["both"].right).mean())
    assert own["assigned_a_day"] + own["asked_a_day"] == 100_000
    for row in others:
        assert row["threshold"] is None or row["precision"] >= row["asked_precision"]


def test_figures_are_json_and_lie_within_their_intervals(measured):
    assert json.loads(json.dumps(measured, allow_nan=False)) == measured
    for table in measured["overall"].values():
        for name, figure in table.items():
            assert figure["low"] <= figure["value"] <= figure["high"], name
    assert measured["drift"]["mix"] is None
    assert measured["evidence"]["both"] == pytest.approx(29 / 30)


def test_confusions_are_counted_by_label_and_answer(found, measured):
    pairs = {(each["label"], each["answer"]): each["listings"] for each in confusions(found)}
    assert sum(pairs.values()) == mistakes(found)["wrong"]
    names, counts = most_confused(found)
    for (label, answer), count in pairs.items():
        assert counts[names.index(label), names.index(answer)] == count
    told = [(each["label"], each["answer"], each["listings"]) for each in measured["confusions"]]
    assert told == [(*pair, count) for pair, count in pairs.items()]


def test_the_mix_of_a_bundle_that_knows_its_training_listings_is_compared(categorizer, labelled):
    found = evaluate(categorizer, labelled)
    test = {"mean_confidence": {"both": 0.9}, "both": {"top1": 0.99, "expected_calibration_error": 0.01}}
    found.manifest.update(training_mix={"Belts": 80, "Handbags": 10, "Tshirts": 10}, metrics={"test": test})
    try:
        told = measure(found, rounds=5)["drift"]
        page = b"".join(report(found, measure(found, rounds=5), Origin("a.csv", "shop"))).decode()
    finally:
        found.manifest.pop("training_mix")
        found.manifest["metrics"] = {}
    assert told["mix"]["labels"]["jensen_shannon"] > told["mix"]["labels"]["usual"]
    assert told["mix"]["seen"]["differences"][0]["class"] == "Belts"
    assert told["confidence"]["both"]["test"] == 0.9
    assert [each["figure"] for each in told["figures"]] == ["top1", "expected_calibration_error"]
    answered = found.answers["both"]  # a listing without evidence is no sign of another kind of listings
    assert told["figures"][0]["here"] == pytest.approx(answered.right[answered.known].mean())
    assert "more than chance explains" in Page(page).text


def test_categories_of_ones_own_are_not_compared_with_the_tests_of_the_training(
    tiny_bundle, labelled, listings_and_names
):
    listings, names = listings_and_names
    own = Categorizer.load(tiny_bundle)
    own.bundle.manifest["metrics"] = {"test": {"both": {"top1": 0.9}}}
    own.replace_categories({name: [listings[i] for i in (3, 6) if names[i] == name] for name in ("Belts", "Tshirts")})
    found = evaluate(own, labelled)
    assert found.unknown_labels == {"Handbags": names.count("Handbags")}
    assert not found.categories_are_classes
    assert drift(found, {"both": {"top1": 1.0}})["figures"] == []


def test_one_kind_of_evidence_alone_makes_a_report_too(categorizer, labelled):
    found = evaluate(categorizer, ((Listing(each.id, each.title), name) for each, name in labelled))
    assert list(found.answers) == ["title"]
    told = measure(found, rounds=5)
    assert told["gains_of_both"] == {}
    assert told["title"] is None
    page = Page(b"".join(report(found, told, Origin("a.csv", "shop"))).decode())
    assert "What the title does" not in page.text


def test_when_all_is_right_the_report_says_so(categorizer):
    rng = np.random.default_rng(3)
    listings = [Listing(f"{i}", shop.title(name, rng)) for i, name in enumerate(shop.CLASSES)]
    found = evaluate(categorizer, zip(listings, shop.CLASSES, strict=True))
    page = Page(b"".join(report(found, measure(found, rounds=5), Origin("a.csv", "shop"))).decode())
    assert "Not one listing is taken for another category." in page.text
    assert "There is no mistake" in page.text


def test_labels_and_listings_that_cannot_be_used_are_named(categorizer, labelled):
    with pytest.raises(ListingError, match="no label is a category of the bundle: the labels are 'Kettles'"):
        evaluate(categorizer, [(each, "Kettles") for each, _ in labelled])
    with pytest.raises(ListingError, match="no labelled listing"):
        evaluate(categorizer, [])
    with pytest.raises(ListingError, match="none of 3 labelled listings has a photo that can be read or a known word"):
        evaluate(categorizer, [(Listing(name), name) for name in shop.CLASSES])


@pytest.fixture(scope="module")
def html(found, measured):
    return b"".join(report(found, measured, Origin(NASTY, "shop", [NASTY]))).decode()


def test_the_report_is_sound_html_in_which_nothing_of_the_data_is_a_tag(html):
    page = Page(html)
    assert html.startswith("<!DOCTYPE html>")
    assert page.text.count('<script>alert("x")</script>') == 3 + ("<title>" not in html)
    assert [tag for tag, _ in page.elements].count("script") == 2
    assert not {name for _, attributes in page.elements for name in attributes if name.startswith("on")}


def test_the_report_loads_nothing_and_allows_no_script_but_its_own(html):
    page = Page(html)
    used = [value for _, each in page.elements for name, value in each.items() if name in ("src", "href", "xlink:href")]
    assert all(each.startswith(("data:image/jpeg;base64,", "#")) for each in used)
    assert not re.search(r"https?:|@import|url\((?!#)", re.sub(r"base64,[^\"]+", "", html))
    policy = next(each["content"] for tag, each in page.elements if each.get("http-equiv"))
    assert re.fullmatch(
        r"default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
        r"script-src 'sha256-[\w+/=]+'",
        policy,
    )


def test_names_in_the_page_are_there_once_and_what_is_referred_to_is_there(html):
    page = Page(html)
    ids = [each["id"] for _, each in page.elements if "id" in each]
    assert len(ids) == len(set(ids))
    referred = re.findall(r'(?:href="|url\()#([\w-]+)', html)
    assert referred
    assert set(referred) <= set(ids)


def test_plots_take_their_colours_from_the_page(html):
    plots = re.findall(r"<svg.*?</svg>", html, re.DOTALL)
    assert len(plots) == 4
    for each in plots:
        assert "var(--" in each
        assert not re.search(r"#[0-9a-f]{6}", each)


def test_the_report_tells_the_figures(html, measured):
    text = Page(html).text.replace("\N{NO-BREAK SPACE}", " ")
    top1 = measured["overall"]["both"]["top1"]["value"]
    assert f"The right category comes first for {100 * top1:.1f} %" in text
    own = measured["thresholds"][0]
    assert f"of 100,000 listings a day: {own['assigned_a_day']:,} assigned" in text
    assert "not known" in text
    for row in measured["per_category"]:
        assert row["category"] in text
