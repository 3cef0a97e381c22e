"""The head as it is stored, by this version and by those before it."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from productcat.duplicates.evidence import names
from productcat.duplicates.metric import OLD_COPY, Experts, Head, Weights
from productcat.duplicates.rivals import Contrast

COLUMNS = names(["low", "high"])
numbers = st.floats(-20, 20).map(lambda number: round(number, 6))
weights = st.builds(
    lambda each, bias: Weights(np.array(each), bias),
    st.lists(numbers, min_size=len(COLUMNS), max_size=len(COLUMNS)),
    numbers,
)
contrasts = st.none() | st.builds(Contrast, numbers, numbers, numbers)
experts = st.builds(Experts, weights, weights) | weights.map(Experts.one)


def seen(seed, share):
    """Evidence of ten pairs in a catalogue that is known so well."""
    rows = np.random.default_rng(seed).random((10, len(COLUMNS) + 1))
    rows[:, -1] = share
    return rows


@given(
    head=st.builds(Head, experts, experts, contrasts), seed=st.integers(0, 99), share=st.sampled_from([0.0, 0.4, 0.99])
)
def test_a_head_that_was_stored_weighs_evidence_as_before(head, seed, share):
    again = Head.from_settings(json.loads(json.dumps(head.settings(COLUMNS), allow_nan=False)), COLUMNS)
    rows = seen(seed, share)
    np.testing.assert_array_equal(again.logits(rows), head.logits(rows))
    assert again.contrast == head.contrast


@given(head=st.builds(Head, experts, experts), seed=st.integers(0, 99))
def test_two_ways_to_be_one_item_are_never_less_likely_than_either(head, seed):
    rows = seen(seed, 1.0)
    either = np.maximum(*(each.logits(rows[:, :-1]) for each in (head.known.items, head.known.copies)))
    assert (head.logits(rows) >= either - 1e-9).all()
    assert (head.logits(rows) <= either + np.log(2) + 1e-9).all()


@given(head=st.builds(Head, experts, experts), seed=st.integers(0, 99), share=st.sampled_from([0.0, 0.4, 0.99]))
def test_the_odds_of_both_ways_add_up(head, seed, share):
    rows = seen(seed, share)
    np.testing.assert_allclose(np.logaddexp(*head.ways(rows).T), head.logits(rows), atol=1e-9)
    assert np.isfinite(head.ways(rows)).all()


def test_a_head_of_before_0_2_weighs_the_catalogue_and_one_kind_of_copies():
    cosines, copy, pairs, share = [5.0, 1.0, 0.5, 2.0, 0.3, 0.1], 4.0, 0.2, 3.0
    head = Head.from_settings({"weights": [*cosines, copy, pairs, share], "bias": -7.0}, COLUMNS)
    rows = seen(1, 0.8)
    by_name = dict(zip(COLUMNS, rows.T, strict=False))
    expected = rows[:, :6] @ cosines + copy * OLD_COPY * by_name["copy"] + pairs * by_name["pairs"] - 7.0 + share * 0.8
    np.testing.assert_allclose(head.logits(rows), expected)
    assert head.known.weighs[COLUMNS.index("copy")]
    assert not head.known.weighs[COLUMNS.index("details")]


def test_settings_with_too_few_weights_are_refused():
    with pytest.raises(ValueError, match="argument"):
        Head.from_settings({"weights": [1.0, 2.0], "bias": 0.0}, COLUMNS)
