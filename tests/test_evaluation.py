"""Evaluation of a bundle and of a detector: figures against other ways to find them, and the reports made of them."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import shop
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics as sklearn_metrics

from productcat import Categorizer, DuplicateDetector, Listing, ListingError
from productcat.answers import NONE, Answers, figures, macro_f1, per_label
from productcat.bootstrap import draws, interval
from productcat.cases import Top
from productcat.confusion import chain, most_confused
from productcat.distributions import softmax
from productcat.drift import drift, jensen_shannon, mix_drift, training_mix, usual_divergence
from productcat.evaluation import evaluate
from productcat.evaluation_figures import confusions, decisions, measure, mistakes, thresholds
from productcat.evaluation_report import Origin, report
from productcat.labelled_pairs import LabelledPair
from productcat.pair_evaluation import evaluate_pairs, measure_pairs
from productcat.pair_figures import PrecisionRecall
from productcat.pair_report import pair_report
from productcat.reliability import binned, calibration_error, coverage_curve, top_k
from productcat.report import draw

N = 5
NASTY = '<script>alert("x")</script> $5 & $6 <img src=x onerror=alert(1)>'
VOID = {"meta", "img", "input"}


@st.composite
def answered(draw, least=1):
    """(distributions, labels): some rows are NaN, and many confidences are equal."""
    n = draw(st.integers(least, 30))
    rows = softmax(draw(arrays(float, (n, N), elements=st.sampled_from([0.0, 1.0, 3.0]))))
    rows[draw(arrays(bool, n))] = np.nan
    return rows, draw(arrays(int, n, elements=st.integers(0, N - 1)))


@given(answered())
def test_answers_say_what_the_distributions_say(case):
    rows, labels = case
    answers = Answers.of(rows, labels)
    for k in (1, 2, 5):
        assert (answers.top(k) == top_k(rows, labels, k)).all()
    assert answers.bins().error == pytest.approx(calibration_error(rows, labels), nan_ok=True)
    known = ~np.isnan(rows).any(axis=1)
    assert (answers.known == known).all()
    assert ((answers.best == NONE) == ~known).all()
    assert answers.truth[known] == pytest.approx(rows[known, labels[known]])


@given(answered(), st.integers(1, 29))
def test_answers_of_batches_are_those_of_the_whole(case, cut):
    rows, labels = case
    parts = [Answers.of(rows[some], labels[some]) for some in (slice(cut), slice(cut, None))]
    joined, whole = Answers.joined(parts), Answers.of(rows, labels)
    for name in ("best", "confidence", "truth", "rank"):
        assert np.array_equal(getattr(joined, name), getattr(whole, name), equal_nan=True)


@given(answered(), st.data())
def test_a_listing_of_weight_two_counts_as_two_listings(case, data):
    rows, labels = case
    weights = np.array(data.draw(st.lists(st.integers(0, 3), min_size=len(labels), max_size=len(labels))))
    if not weights.sum():
        return
    answers = Answers.of(rows, labels)
    assigned = np.nan_to_num(answers.confidence) >= 0.5
    twice = np.repeat(np.arange(len(labels)), weights)
    repeated = figures(Answers.of(rows[twice], labels[twice]), labels[twice], assigned[twice], N)
    assert figures(answers, labels, assigned, N, weights.astype(float)) == pytest.approx(repeated, nan_ok=True)


@given(answered())
def test_the_per_category_table_adds_up_to_the_whole(case):
    rows, labels = case
    answers = Answers.of(rows, labels)
    table = per_label(list("abcde"), labels, {"both": answers}, "category")
    assert sum(row["support"] for row in table) == len(labels)
    assert [row["support"] for row in table] == sorted((row["support"] for row in table), reverse=True)
    right = sum(row["support"] * row["both_top1"] for row in table)
    assert right == pytest.approx(answers.right.sum(), abs=1e-3 * len(labels))


@given(answered())
def test_macro_f1_is_what_sklearn_says(case):
    rows, labels = case
    best = Answers.of(rows, labels).best
    occurring = sorted({*labels, *best} - {NONE})
    expected = sklearn_metrics.f1_score(labels, best, average="macro", labels=occurring, zero_division=0)
    assert macro_f1(best, labels, N) == pytest.approx(expected)


@given(arrays(float, st.integers(1, 40), elements=st.sampled_from([0.0, 0.2, 0.5, 0.9, 1.0])), st.data())
def test_the_coverage_curve_is_what_each_threshold_assigns(confidence, data):
    right = np.array(data.draw(st.lists(st.booleans(), min_size=len(confidence), max_size=len(confidence))))
    curve = coverage_curve(confidence, right, len(confidence) + 3)
    assert (np.diff(curve.threshold) < 0).all()
    for threshold, coverage, precision in zip(curve.threshold, curve.coverage, curve.precision, strict=True):
        assigned = confidence >= threshold
        assert coverage == pytest.approx(assigned.sum() / (len(confidence) + 3))
        assert precision == pytest.approx(right[assigned].mean())


def test_bins_without_a_listing_have_no_error():
    assert np.isnan(binned(np.array([]), np.array([], bool)).error)


@st.composite
def scored(draw):
    """(scores, labels) of pairs, some scores equal; at least one of each label."""
    n = draw(st.integers(2, 40))
    scores = draw(arrays(float, n, elements=st.sampled_from([0.0, 0.1, 0.5, 0.7, 1.0])))
    labels = draw(arrays(bool, n))
    labels[:2] = True, False
    return scores, labels


@given(scored())
def test_average_precision_and_area_are_what_sklearn_says(case):
    curve = PrecisionRecall.of(*case)
    scores, labels = case
    assert curve.average_precision == pytest.approx(sklearn_metrics.average_precision_score(labels, scores))
    assert curve.auc == pytest.approx(sklearn_metrics.roc_auc_score(labels, scores))


@given(scored(), st.data())
def test_weights_of_pairs_are_those_of_sklearn(case, data):
    scores, labels = case
    weights = np.array(data.draw(st.lists(st.integers(0, 3), min_size=len(labels), max_size=len(labels))), float)
    weights[:2] = 1
    curve = PrecisionRecall.of(scores, labels, weights)
    expected = sklearn_metrics.average_precision_score(labels, scores, sample_weight=weights)
    assert curve.average_precision == pytest.approx(expected)
    assert curve.auc == pytest.approx(sklearn_metrics.roc_auc_score(labels, scores, sample_weight=weights))


def test_an_interval_holds_the_true_share_about_as_often_as_it_says():
    rng, held, n = np.random.default_rng(5), 0, 200
    for seed in range(100):
        right = rng.random(n) < 0.8
        low, high = interval([each @ right / n for each in draws(n, seed, 200)], right.mean())
        held += low <= 0.8 <= high
    assert held >= 88


def test_an_interval_is_moved_to_its_figure_and_kept_within_bounds():
    assert interval([0.2, 0.4, 0.6], 0.9, level=1.0) == pytest.approx((0.7, 1.0))
    assert interval([0.2, np.nan], 0.3) == pytest.approx((0.3, 0.3))
    assert np.isnan(interval([np.nan], 0.3)).all()


@given(st.lists(st.floats(0, 1), max_size=40), st.integers(0, 5))
def test_the_cases_kept_are_those_of_the_highest_scores(scores, size):
    top = Top(size)
    for number, score in enumerate(scores):
        top.offer(score, lambda number=number: number)
    expected = sorted(range(len(scores)), key=lambda i: (-scores[i], i))[:size]
    assert (top.best, top.count) == (expected, len(scores))


@given(arrays(float, (2, N), elements=st.floats(0, 1)).filter(lambda each: (each.sum(axis=1) > 0.1).all()))
def test_the_divergence_of_mixes_is_symmetric_and_between_nothing_and_one_bit(mixes):
    left, right = (mixes / mixes.sum(axis=1, keepdims=True))[:, None]
    found = jensen_shannon(left, right)[0]
    assert 0 <= found <= 1 + 1e-9
    assert found == pytest.approx(jensen_shannon(right, left)[0])
    assert jensen_shannon(left, left)[0] == pytest.approx(0, abs=1e-9)


def test_mixes_with_nothing_in_common_are_one_bit_apart_and_all_listings_would_have_to_move():
    found = mix_drift(np.array([1.0, 0.0]), np.array([0.0, 1.0]), ["a", "b"])
    assert (found["jensen_shannon"], found["moved"]) == (pytest.approx(1), 1)
    assert [each["class"] for each in found["differences"]] == ["a", "b"]


def test_a_sample_of_the_training_mix_is_usually_no_farther_than_is_usual():
    mix, rng = np.array([0.5, 0.3, 0.2]), np.random.default_rng(1)
    usual = usual_divergence(mix, 100)
    samples = rng.multinomial(100, mix, 1000) / 100
    assert (jensen_shannon(samples, mix[None]) <= usual).mean() == pytest.approx(0.95, abs=0.03)


@pytest.mark.parametrize("manifest", [{}, {"training_mix": {}}, {"training_mix": {"a": 0}}, {"training_mix": {"z": 1}}])
def test_a_mix_that_the_manifest_does_not_hold_is_not_known(manifest):
    assert training_mix(manifest, ["a", "b"]) is None


def test_categories_confused_with_each_other_stand_together():
    matrix = np.array([[5, 0, 9, 0], [0, 5, 0, 2], [9, 0, 5, 0], [0, 2, 0, 5]])
    assert chain(matrix) == [0, 2, 1, 3]


@pytest.fixture(scope="module")
def categorizer(tiny_bundle):
    return Categorizer.load(tiny_bundle)


@pytest.fixture(scope="module")
def labelled():
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
def found(categorizer, labelled):
    return evaluate(categorizer, *labelled)


@pytest.fixture(scope="module")
def measured(found):
    return measure(found, rounds=50)


def test_an_evaluation_answers_as_the_categorizer_does(categorizer, labelled, found):
    listings, names = labelled
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


def test_each_kind_of_evidence_is_that_kind_alone(categorizer, labelled, found):
    listings, _ = labelled
    for use in ("photos", "title"):
        bare = [Listing(each.id, **{use: getattr(each, use)}) for each in listings]
        expected = categorizer.predict_proba(bare).argmax(axis=1)
        known = found.answers[use].known
        assert (found.answers[use].best[known] == expected[known]).all()


def test_it_does_not_depend_on_how_listings_fall_into_batches(categorizer, labelled, found):
    listings, names = labelled
    thrice = evaluate(categorizer, (each for each in listings * 3), iter(names * 3))
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
    found = evaluate(categorizer, *labelled)
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
    assert "more than chance explains" in Page(page).text


def test_categories_of_ones_own_are_not_compared_with_the_tests_of_the_training(tiny_bundle, labelled):
    listings, names = labelled
    own = Categorizer.load(tiny_bundle)
    own.bundle.manifest["metrics"] = {"test": {"both": {"top1": 0.9}}}
    own.replace_categories({name: [listings[i] for i in (3, 6) if names[i] == name] for name in ("Belts", "Tshirts")})
    found = evaluate(own, listings, names)
    assert found.unknown_labels == {"Handbags": names.count("Handbags")}
    assert not found.categories_are_classes
    assert drift(found, {"both": {"top1": 1.0}})["figures"] == []


def test_one_kind_of_evidence_alone_makes_a_report_too(categorizer, labelled):
    titles = [Listing(each.id, each.title) for each in labelled[0]]
    found = evaluate(categorizer, titles, labelled[1])
    assert list(found.answers) == ["title"]
    told = measure(found, rounds=5)
    assert told["gains_of_both"] == {}
    assert told["title"] is None
    page = Page(b"".join(report(found, told, Origin("a.csv", "shop"))).decode())
    assert "What the title does" not in page.text


def test_when_all_is_right_the_report_says_so(categorizer):
    rng = np.random.default_rng(3)
    listings = [Listing(f"{i}", shop.title(name, rng)) for i, name in enumerate(shop.CLASSES)]
    found = evaluate(categorizer, listings, shop.CLASSES)
    page = Page(b"".join(report(found, measure(found, rounds=5), Origin("a.csv", "shop"))).decode())
    assert "Not one listing is taken for another category." in page.text
    assert "There is no mistake" in page.text


def test_labels_and_listings_that_cannot_be_used_are_named(categorizer, labelled):
    listings, names = labelled
    with pytest.raises(ListingError, match="no label is a category of the bundle: the labels are 'Kettles'"):
        evaluate(categorizer, listings, ["Kettles"] * len(listings))
    with pytest.raises(ListingError, match="no labelled listing"):
        evaluate(categorizer, [], [])
    with pytest.raises(ListingError, match="none of 3 labelled listings has a photo that can be read or a known word"):
        evaluate(categorizer, [Listing(str(i)) for i in range(3)], names[:3])
    with pytest.raises(ValueError, match="expected as many as listings"):
        evaluate(categorizer, listings, names[:-1])


class Page(HTMLParser):
    """Takes a page apart; every element must be closed in its order, but for those of SVG that close themselves."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.texts = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open):
            self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


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
        r"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-[\w+/=]+'", policy
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
    adapted = detector.adapt(known.values())
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
    assert found.detector is detector
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
    html = b"".join(pair_report(found, told, dict(draw(worst, catalogue[0])), Origin(NASTY, "shop", ["x"]))).decode()
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
