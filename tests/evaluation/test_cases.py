"""Which cases an evaluation keeps for its report."""

from hypothesis import given
from hypothesis import strategies as st

from productcat.evaluation.cases import Top


@given(st.lists(st.floats(0, 1), max_size=40), st.integers(0, 5))
def test_the_cases_kept_are_those_of_the_highest_scores(scores, size):
    top = Top(size)
    for number, score in enumerate(scores):
        if top.wants(score):
            top.keep(score, number)
    expected = sorted(range(len(scores)), key=lambda i: (-scores[i], i))[:size]
    assert (top.best, top.count) == (expected, len(scores))
