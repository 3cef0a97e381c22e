"""Figures of an evaluation against other ways to find them: property tests of the arithmetic."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics as sklearn_metrics

from productcat.arithmetic.bootstrap import draws, interval
from productcat.arithmetic.distributions import softmax
from productcat.calibration.reliability import binned, calibration_error, coverage_curve, top_k
from productcat.evaluation.answers import NONE, Answers, figures, macro_f1, per_label
from productcat.evaluation.cases import Top
from productcat.evaluation.confusions import chain
from productcat.evaluation.drift import jensen_shannon, mix_drift, training_mix, usual_divergence
from productcat.evaluation.pair_figures import PrecisionRecall

N = 5


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
        top.offer(score, number)
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
