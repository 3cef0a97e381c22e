"""Figures of an evaluation against other ways to find them: property tests of the arithmetic."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics as sklearn_metrics

from productcat.arithmetic.distributions import softmax
from productcat.calibration.reliability import calibration_error, top_k
from productcat.evaluation.answers import NONE, Answers, figures, macro_f1, per_label

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
