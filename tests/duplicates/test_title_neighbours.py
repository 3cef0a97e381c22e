"""Listings that share rare words of their titles are paired, and the number of pairs grows with that of the titles."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from productcat.duplicates.title_neighbours import NEAREST, RAREST, pairs_by_title
from productcat.duplicates.titles import Rarity, TitleTable

titles = st.lists(
    st.lists(st.sampled_from(["red", "blue", "wool", "belt", "nx200", "42"]), max_size=6).map(" ".join), max_size=9
)


def paired(titles, asked=None):
    asked = np.ones(len(titles), bool) if asked is None else np.array(asked, bool)
    return pairs_by_title(TitleTable.of(titles, Rarity.of(titles)), asked)


@given(titles)
def test_of_a_few_titles_all_that_share_a_word_are_paired(titles):
    words = [set(title.split()) for title in titles]
    expected = [(a, b) for b in range(len(titles)) for a in range(b) if words[a] & words[b]]
    found = set(map(tuple, paired(titles).tolist()))
    assert found <= set(expected)
    if all(len(each) <= RAREST for each in words):
        assert found == set(expected)


@given(titles, st.data())
def test_each_pair_has_a_title_that_was_asked(titles, data):
    asked = data.draw(st.lists(st.booleans(), min_size=len(titles), max_size=len(titles)))
    found = paired(titles, asked)
    every = paired(titles)
    some = np.array(asked, bool)[every].any(axis=1)
    assert found.tolist() == every[some].tolist()


def test_titles_without_words_and_no_titles_have_no_pairs():
    assert paired([]).shape == (0, 2)
    assert paired(["", "!?", "", "alone"]).shape == (0, 2)


def test_in_a_catalogue_of_usual_words_two_that_are_rare_together_are_found():
    rng = np.random.default_rng(0)
    colours, sizes, brands = (rng.integers(0, 40, 3_000) for _ in range(3))
    shop = [f"brand{a} colour{b} {c}gb phone" for a, b, c in zip(brands, colours, sizes, strict=True)]
    posted = ["brand50 phone colour50 8gb", "phone brand50 colour50"]
    often = [f"brand50 colour{number} phone" for number in range(40)] + [f"colour50 brand{n}" for n in range(40)] * 3
    found = paired([*shop, *often, *posted], [False] * (len(shop) + len(often)) + [True, False])
    assert (len(shop) + len(often), len(shop) + len(often) + 1) in map(tuple, found.tolist())


def test_forty_equal_titles_hang_together():
    found = paired(["zanzibar kaftan silk"] * 40 + [f"kaftan {number}" for number in range(500)])
    together = {0}
    for _ in range(40):
        together |= {int(each) for pair in found.tolist() if together & set(pair) for each in pair if each < 40}
    assert together == set(range(40))


def test_the_number_of_pairs_grows_as_that_of_the_titles():
    def count(n):
        return len(paired([f"used phone model{number % 7}" for number in range(n)]))

    assert count(400) <= 400 * NEAREST
    assert count(3_200) <= 3_200 * NEAREST


def test_the_order_of_titles_makes_no_difference():
    rng = np.random.default_rng(1)
    some = [" ".join(rng.choice([f"w{number}" for number in range(60)], 4)) for _ in range(200)]
    order = rng.permutation(len(some))
    plain = {frozenset((some[a], some[b])) for a, b in paired(some).tolist()}
    shuffled = [some[number] for number in order]
    assert {frozenset((shuffled[a], shuffled[b])) for a, b in paired(shuffled).tolist()} == plain
