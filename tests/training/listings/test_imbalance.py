"""Weights and repeats of rare classes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.listings.imbalance import loss_weights, repeat_factors

N_CLASSES = 4
class_labels = st.lists(st.integers(0, N_CLASSES - 1), min_size=1, max_size=60).map(np.array)


@given(class_labels, st.floats(0, 1))
def test_loss_weights_average_one_over_the_photos_and_rare_classes_weigh_no_less(labels, power):
    weights = loss_weights(labels, N_CLASSES, power)
    assert weights.shape == (N_CLASSES,)
    np.testing.assert_allclose(weights[labels].mean(), 1.0, rtol=1e-5)
    order = np.argsort(np.bincount(labels, minlength=N_CLASSES))
    assert (np.diff(weights[order]) <= 1e-6).all()


def test_without_a_power_all_photos_weigh_the_same():
    np.testing.assert_array_equal(loss_weights(np.array([0, 0, 2]), N_CLASSES, 0.0), np.ones(N_CLASSES))


@given(class_labels, st.floats(0, 1))
def test_repeat_factors_are_at_least_one_and_exactly_one_for_frequent_classes(labels, below):
    factors = repeat_factors(labels, N_CLASSES, below)
    share = np.bincount(labels, minlength=N_CLASSES) / len(labels)
    assert (factors >= 1).all()
    assert (factors[share >= below] == 1).all()


def test_a_class_of_a_quarter_of_the_wanted_share_is_shown_twice():
    labels = np.repeat([0, 1], [95, 5])
    np.testing.assert_allclose(repeat_factors(labels, 2, below=0.2), [1, 2])
