"""The figures of merit, each against another way to find it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics as sklearn_metrics

from productcat.arithmetic.distributions import softmax
from productcat.calibration.reliability import negative_log_likelihood
from training import metrics

N_CLASSES = 6
MISSING = np.full((1, N_CLASSES), np.nan)


@st.composite
def answers(draw, without_evidence=True):
    """(distributions, labels): some rows are NaN, and many confidences are equal."""
    n = draw(st.integers(2, 40))
    scores = draw(arrays(float, (n, N_CLASSES), elements=st.sampled_from([0.0, 1.0, 2.0, 5.0])))
    distributions = softmax(scores + np.linspace(0, 0.1, N_CLASSES))  # within a row no two are equal
    if without_evidence:
        distributions[draw(arrays(bool, n))] = np.nan
    return distributions, draw(arrays(int, n, elements=st.integers(0, N_CLASSES - 1)))


@given(answers(without_evidence=False), st.integers(1, N_CLASSES - 1))
def test_top_k_is_what_sklearn_says(answered, k):
    distributions, labels = answered
    expected = sklearn_metrics.top_k_accuracy_score(labels, distributions, k=k, labels=range(N_CLASSES))
    assert metrics.top_k(distributions, labels, k).mean() == pytest.approx(expected)


@given(answers(without_evidence=False))
def test_macro_f1_is_what_sklearn_says(answered):
    distributions, labels = answered
    expected = sklearn_metrics.f1_score(labels, distributions.argmax(axis=1), average="macro", zero_division=0)
    assert metrics.macro_f1(distributions, labels) == pytest.approx(expected)


@given(answers(), st.integers(1, N_CLASSES))
def test_the_mean_over_classes_weighs_each_class_that_occurs_alike(answered, k):
    distributions, labels = answered
    rates = []
    for each in sorted(set(labels)):
        hits = [label in sorted(range(N_CLASSES), key=lambda c: -row[c])[:k] and not np.isnan(row[0])
                for row, label in zip(distributions, labels, strict=True) if label == each]  # fmt: skip
        rates.append(sum(hits) / len(hits))
    assert metrics.mean_class_top_k(distributions, labels, k) == pytest.approx(np.mean(rates))
    some = sorted(set(labels))[:1]
    assert metrics.mean_class_top_k(distributions, labels, k, some) == pytest.approx(rates[0])


@given(answers(without_evidence=False))
def test_negative_log_likelihood_is_what_sklearn_says(answered):
    distributions, labels = answered
    expected = sklearn_metrics.log_loss(labels, distributions, labels=range(N_CLASSES))
    assert negative_log_likelihood(distributions, labels) == pytest.approx(expected)
    more, others = np.vstack([distributions, MISSING]), np.append(labels, 0)
    assert negative_log_likelihood(more, others) == pytest.approx(expected)


@given(answers())
def test_a_row_without_evidence_counts_as_wrong(answered):
    distributions, labels = answered
    more, others = np.vstack([distributions, MISSING]), np.append(labels, 0)
    n = len(labels)
    for k in (1, N_CLASSES):
        hits = metrics.top_k(distributions, labels, k)
        assert metrics.top_k(more, others, k).tolist() == [*hits.tolist(), False]
    assert metrics.macro_f1(more, others) <= metrics.macro_f1(distributions, labels) + 1e-12
    before, _ = metrics.coverage_at_precision(distributions, labels, 0.5)
    after, _ = metrics.coverage_at_precision(more, others, 0.5)
    assert after == pytest.approx(before * n / (n + 1))


def naive_coverage(distributions, labels, precision):
    """The largest share that some threshold assigns, every threshold tried."""
    confidence = [0.0 if np.isnan(row).any() else row.max() for row in distributions]
    right = metrics.top_k(distributions, labels, 1)
    best = 0
    for threshold in {each for each in confidence if each > 0}:
        assigned = [hit for hit, each in zip(right, confidence, strict=True) if each >= threshold]
        if np.mean(assigned) >= precision:
            best = max(best, len(assigned))
    return best / len(labels)


@given(answers(), st.sampled_from([0.3, 0.5, 0.9, 0.99, 1.0]))
def test_coverage_is_the_best_of_all_thresholds_and_equal_confidences_stay_together(answered, precision):
    distributions, labels = answered
    coverage, threshold = metrics.coverage_at_precision(distributions, labels, precision)
    assert coverage == pytest.approx(naive_coverage(distributions, labels, precision))
    assigned = np.nan_to_num(distributions).max(axis=1) >= threshold
    assert assigned.mean() == pytest.approx(coverage)
    if coverage:
        assert metrics.top_k(distributions, labels, 1)[assigned].mean() >= precision


def test_no_threshold_is_given_where_none_is_good_enough():
    distributions = np.tile(softmax(np.arange(6.0)[None]), (4, 1))
    assert metrics.coverage_at_precision(distributions, np.zeros(4, int), 0.99) == (0.0, pytest.approx(1.0))
    assert metrics.coverage_at_precision(distributions, np.zeros(4, int), 0.99)[1] > 1.0


def naive_calibration_error(distributions, labels, bins):
    rows = [(row.max(), row.argmax() == label) for row, label in zip(distributions, labels, strict=True)]
    rows = [each for each in rows if not np.isnan(each[0])]
    total = 0.0
    for number in range(bins):
        low, high = number / bins, (number + 1) / bins
        inside = [each for each in rows if low <= each[0] < high or (each[0] == 1.0 and number == bins - 1)]
        if inside:
            total += len(inside) * abs(np.mean([hit for _, hit in inside]) - np.mean([each for each, _ in inside]))
    return total / len(rows)


@given(answers(without_evidence=False), st.integers(1, 20))
def test_the_calibration_error_is_that_of_a_loop_over_the_bins(answered, bins):
    distributions, labels = np.vstack([answered[0], MISSING]), np.append(answered[1], 0)
    expected = naive_calibration_error(distributions, labels, bins)
    assert metrics.calibration_error(distributions, labels, bins) == pytest.approx(expected, abs=1e-9)


def test_probabilities_that_come_true_have_no_calibration_error():
    rng = np.random.default_rng(3)
    distributions = softmax(rng.normal(size=(40_000, N_CLASSES)) * 2)
    labels = (distributions.cumsum(axis=1) < rng.random((len(distributions), 1))).sum(axis=1)
    assert metrics.calibration_error(distributions, labels) < 0.01
    certain = np.eye(N_CLASSES)[labels]
    assert metrics.calibration_error(certain, labels) == 0.0
    assert metrics.calibration_error(certain, (labels + 1) % N_CLASSES) == 1.0


def test_one_class_and_one_listing_are_enough():
    figures = metrics.summary(np.ones((1, 1)), np.zeros(1, int))
    assert figures == {
        "top1": 1.0,
        "top5": 1.0,
        "macro_f1": 1.0,
        "expected_calibration_error": 0.0,
        "coverage_at_99_precision": 1.0,
    }


def test_without_evidence_nothing_is_right_and_nothing_is_calibrated():
    nothing, labels = np.repeat(MISSING, 3, axis=0), np.zeros(3, int)
    figures = metrics.summary(nothing, labels)
    assert np.isnan(figures.pop("expected_calibration_error"))
    assert set(figures.values()) == {0.0}


def test_without_listings_a_mean_over_classes_is_nan():
    assert np.isnan(metrics.mean_class_top_k(np.empty((0, N_CLASSES)), np.empty(0, int), 1))
