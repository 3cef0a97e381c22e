"""Evaluation of a detector on labelled pairs, and the report made of it."""

import json
import re

import numpy as np
import pytest
import shop
from html_page import Page
from sklearn import metrics as sklearn_metrics

from productcat import DuplicateDetector, Listing, ListingError
from productcat.evaluation.evaluate_pairs import evaluate_pairs, measure_pairs
from productcat.evaluation.labelled_pairs import LabelledPair
from productcat.reports.evaluation import Origin
from productcat.reports.labelled_pairs import pair_report
from productcat.reports.listing_cards import draw
from productcat.reports.reported_groups import ReportedGroup

NASTY = '<script>alert("x")</script> $5 & $6 <img src=x onerror=alert(1)>'


@pytest.fixture(scope="module")
def catalogue():
    """(listings, pairs): five items photographed twice, other items, a listing without photo, and a wrong label."""
    rng = np.random.default_rng(21)
    photos = [shop.photo(shop.CLASSES[number % 3], rng, (64, 48)) for number in range(10)]
    listings = [Listing(f"a{i}", NASTY, (photo,)) for i, photo in enumerate(photos)]
    listings += [Listing(f"b{i}", "", (np.ascontiguousarray(photos[i][:, ::-1]),)) for i in range(5)]
    listings.append(Listing("blind"))
    pairs = [LabelledPair(f"a{i}", f"b{i}", True) for i in range(5)]
    pairs += [LabelledPair(f"a{i}", f"a{i + 1}", False) for i in range(9)]
    pairs += [LabelledPair("a0", "blind", True), LabelledPair("a1", "b1 ", True), LabelledPair("b0", "a3", True)]
    return listings, pairs


@pytest.fixture(scope="module")
def judged(duplicates_bundle, catalogue):
    detector = DuplicateDetector.load(duplicates_bundle)
    with pytest.warns(UserWarning, match="'blind': no photo"):
        return detector, evaluate_pairs(detector, *catalogue)


def test_pairs_are_scored_as_the_adapted_detector_scores_them(judged, catalogue):
    detector, found = judged
    known = {each.id: each for each in catalogue[0] if each.photos}
    adapted = detector.adapt(known.values()).among(len(catalogue[0]))
    some = [each for each in found.pairs if "blind" not in (each.left, each.right)]
    expected = adapted.score([known[each.left] for each in some], [known[each.right] for each in some])
    scores = dict(zip(found.pairs, found.scores, strict=True))
    assert [scores[each] for each in some] == pytest.approx(expected.tolist())
    assert found.missing == ("b1 ",)
    assert (found.n_left_out, found.without_photo) == (1, ["blind"])


def test_without_adapting_only_the_listings_of_the_pairs_are_looked_at(judged, catalogue):
    detector, _ = judged
    some = [each for each in catalogue[1] if {each.left, each.right} <= {"a0", "a1", "b0"}]
    found = evaluate_pairs(detector, catalogue[0], some, adapt=False)
    assert found.detector.metric.share == detector.metric.share
    assert found.detector.metric.n_listings == len(catalogue[0])
    assert found.n_listings == 3


def test_the_worst_pairs_are_the_farthest_on_the_wrong_side(judged):
    _, found = judged
    missed, reported = found.worst(same=True), found.worst(same=False)
    threshold = found.detector.threshold
    assert ("a0", "blind") in {(each.pair.left, each.pair.right) for each in missed}
    assert [each.pair.score for each in missed] == sorted(each.pair.score for each in missed)
    assert all(each.pair.score < threshold for each in missed)
    assert all(each.pair.score >= threshold for each in reported)


def test_figures_of_pairs_are_json_and_the_report_is_sound(judged, catalogue):
    _, found = judged
    told = measure_pairs(found, rounds=50)
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    expected = sklearn_metrics.average_precision_score(found.labels, found.scores)
    assert told["figures"]["average_precision"]["value"] == pytest.approx(expected)
    assert told["wrong"]["missed"] >= 1
    worst = [*found.worst(True), *found.worst(False)]
    cards = dict(draw(map(ReportedGroup.of_pair, worst), catalogue[0]))
    html = b"".join(pair_report(found, told, cards, Origin(NASTY, "shop", ["x"]))).decode()
    page = Page(html)
    assert len(re.findall(r"<svg", html)) == 2
    assert [tag for tag, _ in page.elements].count("article") == len(worst)
    assert page.text.count("labelled as the same item") == len(found.worst(True))


def test_a_detector_that_finds_nothing_has_no_precision(duplicates_bundle, catalogue):
    detector = DuplicateDetector.load(duplicates_bundle)
    detector.threshold = 1.0
    found = evaluate_pairs(detector, catalogue[0][:-1], catalogue[1][:14])
    told = measure_pairs(found, rounds=5)
    assert told["figures"]["precision"] == {"value": None, "low": None, "high": None}
    page = Page(b"".join(pair_report(found, told, {}, Origin("a.csv", "shop"))).decode())
    assert "of what it finds" not in page.text


def test_pairs_of_one_label_alone_cannot_be_measured(judged, catalogue):
    with pytest.raises(ListingError, match="5 pairs of the same item and 0 of different items can be used"):
        evaluate_pairs(judged[0], catalogue[0][:-1], catalogue[1][:5])
    with pytest.raises(ListingError, match="0 pairs of the same item"):
        evaluate_pairs(judged[0], [], catalogue[1])
