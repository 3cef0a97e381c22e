"""Figures of labelled pairs against those of scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics as sklearn_metrics

from productcat.evaluation.pair_figures import PrecisionRecall


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
