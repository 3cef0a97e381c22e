"""Groups of listings, against a search through the graph."""

from hypothesis import given
from hypothesis import strategies as st

from productcat.duplicates.groups import connected


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)).filter(lambda pair: pair[0] != pair[1]), max_size=30))
def test_two_listings_share_a_group_if_a_way_of_pairs_leads_from_one_to_the_other(pairs):
    def reached(start):
        found, todo = {start}, [start]
        while todo:
            here = todo.pop()
            for pair in pairs:
                new = {*pair} - found if here in pair else set()
                found |= new
                todo += new
        return sorted(found)

    expected = {tuple(reached(number)) for pair in pairs for number in pair}
    groups = connected(pairs)
    assert {tuple(group) for group in groups} == expected
    assert len(groups) == len(expected)
