"""What is known before photos are looked at, against a slow way to find it out."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from productcat import ListingError
from productcat.duplicates import decisions
from productcat.duplicates.decisions import KnownItems

IDS = [f"l{number}" for number in range(6)]
PAIRS = np.array([*combinations(range(6), 2)])


def known(told=None, **settings):
    problems = [] if told is None else told
    return KnownItems.of(IDS, on_problem=lambda problem: problems.append(str(problem)), **settings)


def named(rows):
    return {(IDS[i], IDS[j]) for (i, j), there in zip(PAIRS, rows, strict=True) if there}


def test_nothing_known_keeps_nothing_apart_or_together():
    assert not known().apart(PAIRS).any()
    assert not known().same(PAIRS).any()
    assert len(known().known_pairs()) == 0


def test_what_follows_from_decisions_is_known_too():
    found = known(decided=[("l0", "l1", True), ("l2", "l1", True), ("l2", "l3", False)])
    assert named(found.same(PAIRS)) == {("l0", "l1"), ("l0", "l2"), ("l1", "l2")}
    assert named(found.apart(PAIRS)) == {("l0", "l3"), ("l1", "l3"), ("l2", "l3")}
    assert found.known_pairs().tolist() == [[0, 1], [0, 2], [1, 2]]


def test_a_contradiction_names_the_pair():
    with pytest.raises(ListingError, match="'l0' and 'l2' are decided to be different, and the same by other"):
        known(decided=[("l0", "l2", False), ("l0", "l1", True), ("l1", "l2", True)])


def test_ids_that_no_listing_has_are_told_in_one_line_and_left_out():
    told = []
    found = known(told, decided=[("l0", "gone", True), ("lost", "l1", False), ("l0", "l1", True)])
    assert named(found.same(PAIRS)) == {("l0", "l1")}
    (line,) = told
    assert line.startswith("2 ids of the decisions not among the listings, such as 'gone'")


def test_different_values_keep_apart_and_an_empty_one_says_nothing():
    found = known(apart={"l0": "A", "l1": "B", "l2": "", "l3": "A"})
    assert named(found.apart(PAIRS)) == {("l0", "l1"), ("l1", "l3")}


def test_a_decision_outranks_values_and_its_listings_keep_both_values():
    found = known(apart={"l0": "A", "l1": "B", "l2": "A", "l3": "C"}, decided=[("l0", "l1", True)])
    assert named(found.apart(PAIRS)) == {("l0", "l3"), ("l1", "l3"), ("l2", "l3")}
    assert named(found.same(PAIRS)) == {("l0", "l1")}


def test_a_shared_value_keeps_together_unless_something_keeps_apart_which_is_told():
    told = []
    found = known(
        told,
        together=dict.fromkeys(IDS[:4], "sku") | {"l4": "", "l5": ""},
        apart={"l0": "A", "l1": "B", "l2": "B"},
    )
    assert named(found.same(PAIRS)) == {("l0", "l3"), ("l1", "l2")}
    (line,) = told
    assert "'l0' and 'l1' share 'sku'" in line
    assert "they stay apart" in line


def test_a_value_of_too_many_listings_is_refused_by_name(monkeypatch):
    monkeypatch.setattr(decisions, "SHARING", 3)
    with pytest.raises(ListingError, match="4 listings have the value 'Nike'"):
        known(together=dict.fromkeys(IDS[:4], "Nike"))


@given(
    decided=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.booleans()).filter(lambda t: t[0] != t[1])),
    cells=st.lists(st.sampled_from(["", "A", "B"]), min_size=6, max_size=6),
)
def test_what_is_known_is_what_a_slow_way_finds_out(decided, cells):
    item = list(range(6))
    for i, j, same in decided:
        if same:
            item = [item[i] if each == item[j] else each for each in item]
    different = {frozenset((item[i], item[j])) for i, j, same in decided if not same}
    pairs = [(IDS[i], IDS[j], same) for i, j, same in decided]
    if any(len(each) == 1 for each in different):
        with pytest.raises(ListingError, match="decided to be different"):
            known(decided=pairs)
        return
    values = {each: {cells[n] for n in range(6) if item[n] == each} - {""} for each in item}
    found = known(decided=pairs, apart=dict(zip(IDS, cells, strict=True)))
    for (i, j), same, apart in zip(PAIRS.tolist(), found.same(PAIRS), found.apart(PAIRS), strict=True):
        one, other = values[item[i]], values[item[j]]
        by_value = bool(one and other and not one & other)
        assert same == (item[i] == item[j])
        assert apart == (by_value or frozenset((item[i], item[j])) in different)
