"""Assign, shortlist or abstain."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from productcat import Candidate, DecisionRule, Prediction

confidence_rows = arrays(np.float64, st.integers(1, 9), elements=st.integers(0, 20).map(float)).map(
    lambda row: (row + 1e-9) / (row + 1e-9).sum()
)
rules = st.builds(
    lambda low, high, size: DecisionRule(max(low, high), min(low, high), size),
    st.floats(0, 1),
    st.floats(0, 1),
    st.integers(1, 6),
)


def decide(*confidences, rule=None, **extra):
    """Decide on categories "a", "b", "c", …"""
    return (rule or DecisionRule()).decide("abcdefghij"[: len(confidences)], np.array(confidences), **extra)


@pytest.mark.parametrize(
    ("top", "decision"),
    [(1, "assign"), (0.9, "assign"), (0.8999, "shortlist"), (0.5, "shortlist"), (0.4999, "abstain"), (0, "abstain")],
)
def test_the_best_confidence_decides_and_the_thresholds_belong_to_what_is_above(top, decision):
    prediction = decide(0.0, top, 0.0)
    assert prediction.decision == decision
    assert prediction.category == ("b" if decision == "assign" else None)


def test_a_shortlist_holds_only_categories_at_or_above_its_threshold():
    prediction = decide(0.3, 0.4, 0.2, 0.1, rule=DecisionRule(shortlist_at=0.2))
    assert prediction.decision == "shortlist"
    assert prediction.candidates == (Candidate("b", 0.4), Candidate("a", 0.3), Candidate("c", 0.2))


def test_candidates_of_an_assignment_and_of_an_abstention_are_the_best_for_information():
    assert [each.category for each in decide(0.03, 0.95, 0.02).candidates] == ["b", "a", "c"]
    assert [each.category for each in decide(0.3, 0.4, 0.3).candidates] == ["b", "a", "c"]


def test_equal_confidences_keep_the_order_of_the_categories():
    assert [each.category for each in decide(0.2, 0.2, 0.2, 0.2, 0.2).candidates] == list("abcde")


def test_no_more_candidates_are_shown_than_the_rule_says():
    assert len(decide(*[0.1] * 10).candidates) == 5
    assert len(decide(*[0.1] * 10, rule=DecisionRule(shortlist_size=2)).candidates) == 2
    assert len(decide(0.5, 0.5).candidates) == 2


def test_no_evidence_is_an_abstention_without_candidates():
    assert decide(np.nan, np.nan, id="L7") == Prediction("abstain", None, (), "L7")


def test_a_prediction_carries_the_listings_id_and_its_problems():
    prediction = decide(1.0, id="L7", problems=["no photo"])
    assert (prediction.id, prediction.problems) == ("L7", ("no photo",))


@given(confidence_rows, rules)
def test_a_decision_agrees_with_its_rule_and_alters_no_confidence(row, rule):
    categories, before = list("abcdefghi"[: len(row)]), row.copy()
    prediction = rule.decide(categories, row)
    np.testing.assert_array_equal(row, before)
    by_name = dict(zip(categories, row, strict=True))
    assert all(by_name[each.category] == each.confidence for each in prediction.candidates)
    assert all(isinstance(each.confidence, float) for each in prediction.candidates)
    confidences = [each.confidence for each in prediction.candidates]
    assert confidences == sorted(confidences, reverse=True)
    assert 1 <= len(confidences) <= rule.shortlist_size
    assert confidences[0] == row.max()
    expected = "assign" if row.max() >= rule.assign_at else "shortlist" if row.max() >= rule.shortlist_at else "abstain"
    assert prediction.decision == expected
    assert prediction.category == (prediction.candidates[0].category if expected == "assign" else None)
    if expected == "shortlist":
        assert all(each.confidence >= rule.shortlist_at for each in prediction.candidates)


@pytest.mark.parametrize(
    "wrong",
    [
        {"assign_at": 0.4},
        {"shortlist_at": 0.95},
        {"assign_at": 1.1},
        {"shortlist_at": -0.1},
        {"assign_at": float("nan")},
        {"shortlist_at": float("nan")},
    ],
    ids=str,
)
def test_thresholds_out_of_order_are_refused_with_what_was_given(wrong):
    name, value = next(iter(wrong.items()))
    with pytest.raises(ValueError, match=rf"{name}={value}.*expected 0 <= shortlist_at <= assign_at <= 1"):
        DecisionRule(**wrong)


@pytest.mark.parametrize("size", [0, -1, 2.5])
def test_a_shortlist_of_no_number_of_categories_is_refused(size):
    with pytest.raises(ValueError, match=f"shortlist_size={size}: expected a whole number, at least 1"):
        DecisionRule(shortlist_size=size)


def test_a_rule_made_of_numpys_numbers_is_one_of_pythons():
    rule = DecisionRule(np.float32(0.5), np.float64(0.25), np.int64(3))
    assert rule == DecisionRule(0.5, 0.25, 3)
    assert json.loads(json.dumps(asdict(rule))) == {"assign_at": 0.5, "shortlist_at": 0.25, "shortlist_size": 3}
