"""Arithmetic on probability rows, against loops that a child could check."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from productcat.arithmetic.distributions import TINY, average, entropy, sharpen, softmax
from productcat.arithmetic.vectors import products


def rows(n, n_classes):
    """A strategy: n distributions, zeros and all-in-one rows among them."""
    scores = arrays(np.float64, (n, n_classes), elements=st.sampled_from([0.0, 1e-12, 0.01, 0.5, 1.0, 7.0]))
    scores = scores.map(lambda each: each + (each.sum(axis=1, keepdims=True) == 0))
    return scores.map(lambda each: each / each.sum(axis=1, keepdims=True))


shapes = st.tuples(st.integers(1, 6), st.integers(1, 8))
some_rows = shapes.flatmap(lambda shape: rows(*shape))
two_parts = shapes.flatmap(lambda shape: st.tuples(rows(*shape), rows(*shape)))


def without(part, *missing):
    part = part.copy()
    part[list(missing)] = np.nan
    return part


def naive_average(rows_of_one_listing, weights, kind):
    """One listing's sources, those with evidence only, averaged class by class."""
    known = [(row, weight) for row, weight in zip(rows_of_one_listing, weights, strict=True) if not math.isnan(row[0])]
    total = sum(weight for _, weight in known)
    values = []
    for place in range(len(known[0][0])):
        if kind == "plain":
            values.append(sum(weight / total * row[place] for row, weight in known))
        else:
            values.append(math.prod(max(row[place], TINY) ** (weight / total) for row, weight in known))
    return np.array(values) / sum(values)


@pytest.mark.parametrize("kind", ["log", "plain"])
@given(two_parts, st.floats(0.1, 9), st.floats(0.1, 9))
def test_an_average_is_that_of_a_naive_loop(kind, parts, one, other):
    expected = [naive_average(pair, (one, other), kind) for pair in zip(*parts, strict=True)]
    np.testing.assert_allclose(average(parts, (one, other), kind), expected, atol=1e-9)


@pytest.mark.parametrize("kind", ["log", "plain"])
@given(two_parts, st.floats(0.1, 9), st.floats(0.1, 9), st.floats(1e-3, 1e3))
def test_an_average_depends_on_the_proportions_of_the_weights_only(kind, parts, one, other, scale):
    same = average(parts, (one * scale, other * scale), kind)
    np.testing.assert_allclose(average(parts, (one, other), kind), same, atol=1e-12)


@pytest.mark.parametrize("kind", ["log", "plain"])
@given(two_parts, st.data())
def test_a_missing_source_is_left_out_of_its_rows_only(kind, parts, draw):
    gone = draw.draw(st.integers(0, len(parts[0]) - 1))
    averaged = average([parts[0], without(parts[1], gone)], (1.0, 3.0), kind)
    np.testing.assert_allclose(averaged[gone], parts[0][gone], atol=1e-12)
    others = np.arange(len(averaged)) != gone
    np.testing.assert_array_equal(averaged[others], average(parts, (1.0, 3.0), kind)[others])


@pytest.mark.parametrize("kind", ["log", "plain"])
@given(two_parts)
def test_an_average_of_no_evidence_is_nan_and_nothing_else_is(kind, parts):
    averaged = average([without(part, 0) for part in parts], kind=kind)
    assert np.isnan(averaged[0]).all()
    assert not np.isnan(averaged[1:]).any()


@pytest.mark.parametrize("kind", ["log", "plain"])
@given(two_parts)
def test_the_order_of_the_sources_does_not_matter(kind, parts):
    turned = average(parts[::-1], (2.0, 1.0), kind)
    np.testing.assert_allclose(average(parts, (1.0, 2.0), kind), turned, atol=1e-12)


@pytest.mark.parametrize("kind", ["log", "plain"])
@given(two_parts)
def test_an_averaged_row_is_the_same_to_the_bit_in_every_batch(kind, parts):
    together = average(parts, (1.0, 2.0), kind)
    alone = [average([part[[i]] for part in parts], (1.0, 2.0), kind)[0] for i in range(len(together))]
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize("kind", ["log", "plain"])
def test_a_source_of_weight_zero_does_not_count(kind):
    parts = np.array([[0.2, 0.8]]), np.array([[0.9, 0.1]])
    np.testing.assert_allclose(average(parts, (0.0, 2.0), kind), parts[1])


def test_sources_that_exclude_each_other_give_an_even_row_and_no_warning():
    np.testing.assert_allclose(average([np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])]), [[0.5, 0.5]])


def test_an_unknown_kind_of_average_is_refused():
    with pytest.raises(ValueError, match=r"""kind='mean': expected "log" or "plain\""""):
        average([np.ones((1, 1))], kind="mean")


@given(some_rows)
def test_sharpening_by_one_changes_nothing(distributions):
    np.testing.assert_allclose(sharpen(distributions, 1.0), distributions, atol=1e-12)


@given(some_rows, st.floats(0.05, 20))
def test_sharpening_keeps_order_and_sum(distributions, temperature):
    changed = sharpen(distributions, temperature)
    np.testing.assert_allclose(changed.sum(axis=1), 1.0)
    for before, after in zip(distributions, changed, strict=True):
        assert (np.diff(after[np.argsort(before)]) >= 0).all()


@given(some_rows)
def test_sharpening_by_less_than_one_raises_the_top_and_by_more_lowers_it(distributions):
    top = distributions.max(axis=1)
    assert (sharpen(distributions, 0.5).max(axis=1) >= top - 1e-12).all()
    assert (sharpen(distributions, 2.0).max(axis=1) <= top + 1e-12).all()


@given(arrays(np.float64, (3, 4), elements=st.floats(-1e5, 1e5)), st.floats(-1e5, 1e5))
def test_softmax_rows_sum_to_one_whatever_is_added_to_all_scores(scores, shift):
    np.testing.assert_allclose(softmax(scores).sum(axis=1), 1.0)
    np.testing.assert_allclose(softmax(scores + shift), softmax(scores), atol=1e-9)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 150), st.integers(0, 2**32 - 1))
def test_inner_products_are_the_same_to_the_bit_whatever_the_other_rows_are(n, m, k, seed):
    rng = np.random.default_rng(seed)
    left, right = rng.random((n, k)), rng.random((m, k))
    together = products(left, right)
    np.testing.assert_allclose(together, left @ right.T)
    np.testing.assert_array_equal(products(left[-1:], right), together[-1:])
    np.testing.assert_array_equal(products(left, right[-1:]), together[:, -1:])
    np.testing.assert_array_equal(products(np.asfortranarray(left), np.asfortranarray(right)), together)


def test_rows_without_evidence_stay_nan_and_float32_counts_as_float64():
    row = np.array([[np.nan, np.nan], [0.25, 0.75]], np.float32)
    for result in (sharpen(row, 2.0), softmax(row)):
        assert np.isnan(result[0]).all()
        assert not np.isnan(result[1]).any()
    assert np.isnan(entropy(row)).tolist() == [True, False]


def test_entropy_is_zero_for_certainty_and_the_logarithm_of_the_number_of_classes_for_an_even_row():
    np.testing.assert_allclose(entropy(np.array([[0.0, 1.0, 0.0], [1 / 3, 1 / 3, 1 / 3]])), [0.0, math.log(3)])


def test_no_listings_give_no_rows():
    none = np.empty((0, 3))
    assert average([none, none]).shape == (0, 3)
    assert sharpen(none, 2.0).shape == (0, 3)
