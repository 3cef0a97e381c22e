"""Groups hang together: by all pairs, not by one."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from productcat.duplicates.decisions import KnownItems
from productcat.duplicates.groups import COHESION, DuplicateGroup, cohesive_groups, group_lines
from productcat.duplicates.pairs import DuplicatePair

THRESHOLD = 0.9


class Catalogue:
    """Listings with a score for each pair, of which some are proposed. asked: number of pairs scored besides"""

    def __init__(self, scores, proposed, decided=()):
        self.scores = scores
        self.pairs = np.array(sorted({(min(p), max(p)) for p in proposed}), int).reshape(-1, 2)
        self.known = KnownItems.of([str(number) for number in range(len(scores))], decided, on_problem=print)
        self.asked = 0

    def score(self, pairs):
        self.asked += len(pairs)
        return self.scores[pairs[:, 0], pairs[:, 1]]

    def groups(self, threshold=THRESHOLD):
        scores = self.scores[self.pairs[:, 0], self.pairs[:, 1]]
        return cohesive_groups(self.pairs, scores, self.score, threshold, self.known)

    def members(self):
        return sorted(each.members.tolist() for each in self.groups())


def matrix(size, score):
    """Symmetric scores: score(i, j) for i < j."""
    found = np.ones((size, size))
    for i in range(size):
        for j in range(i):
            found[i, j] = found[j, i] = score(j, i)
    return found


def every(size):
    return [(i, j) for j in range(size) for i in range(j)]


def agreement(scores, group):
    """How much each member agrees with the others."""
    inside = np.minimum(scores[np.ix_(group, group)] / THRESHOLD, 1.0)
    return (inside.sum(axis=1) - 1.0) / (len(group) - 1)


@st.composite
def catalogues(draw):
    size = draw(st.integers(2, 14))
    level = st.sampled_from([0.0, 0.02, 0.5, 0.8, 0.91, 0.95, 1.0])
    scores = matrix(size, lambda i, j: draw(level))
    proposed = draw(st.lists(st.sampled_from(every(size)), max_size=40))
    return Catalogue(scores, proposed)


@settings(max_examples=200)
@given(catalogues())
def test_every_member_agrees_with_its_group_as_a_whole_and_has_a_duplicate_in_it(catalogue):
    groups = catalogue.groups()
    members = [each.members for each in groups]
    assert len(np.concatenate([*members, []])) == len({*np.concatenate([*members, []])})
    for each in groups:
        scores = catalogue.scores[np.ix_(each.members, each.members)]
        assert agreement(catalogue.scores, each.members).min() >= COHESION - 1e-9
        assert ((scores >= THRESHOLD).sum(axis=1) > 1).all()
        np.testing.assert_allclose(each.scores, (scores.sum(axis=1) - 1) / (len(scores) - 1))
        assert len(each.pairs) == len(scores) * (len(scores) - 1) // 2
        own = catalogue.scores[each.pairs[:, 0], each.pairs[:, 1]]
        through = [max(scores[a] * scores[b]) for a, b in zip(*np.triu_indices(len(scores), 1), strict=True)]
        np.testing.assert_allclose(each.pair_scores, np.maximum(own, through))


@given(sizes=st.lists(st.integers(1, 6), min_size=1, max_size=5), seed=st.integers(0, 9))
def test_items_that_are_clear_are_found_whatever_the_order_and_with_few_pairs_proposed(sizes, seed):
    item = np.repeat(np.arange(len(sizes)), sizes)
    item = np.random.default_rng(seed).permutation(item)
    scores = np.where(item[:, None] == item, 0.97, 0.05)
    tree = [(first, other) for n in range(len(sizes)) for first, *rest in [np.flatnonzero(item == n)] for other in rest]
    expected = sorted(np.flatnonzero(item == n).tolist() for n, size in enumerate(sizes) if size > 1)
    assert Catalogue(scores, tree).members() == expected


@pytest.mark.parametrize("size", [3, 4, 12, 90])
def test_a_chain_of_lots_is_no_group(size):
    chain = Catalogue(matrix(size, lambda i, j: 0.999 if j - i == 1 else 0.03), every(size))
    assert {len(group) for group in chain.members()} == {2}


@pytest.mark.parametrize(("size", "missed"), [(40, 0.1), (200, 0.2)])
def test_a_big_group_of_copies_stays_one_though_pairs_are_missed_or_not_proposed(size, missed):
    rng = np.random.default_rng(size)
    below = np.triu(rng.random((size, size)) < missed, 1)
    scores = np.where(below | below.T, 0.3, 0.97)
    proposed = [(i, int(j)) for i in range(size) for j in rng.integers(0, size, 6) if i != j]
    assert [len(group) for group in Catalogue(scores, proposed).members()] == [size]


def test_the_cost_grows_with_pairs_and_not_with_the_square_of_the_catalogue():
    size = 1_000
    scores = np.where(np.arange(size)[:, None] // 5 == np.arange(size) // 5, 0.95, 0.01)
    near = [(i, i + step) for i in range(size) for step in (1, 2) if i + step < size]
    catalogue = Catalogue(scores, near)
    assert {len(group) for group in catalogue.members()} == {5}
    assert catalogue.asked < 10 * size


def test_a_listing_that_agrees_with_a_part_of_a_group_only_stays_out():
    clique = [0, 1, 2, 3, 4, 5]
    scores = matrix(7, lambda i, j: 0.99 if j in clique or i in (0, 1) else 0.1)
    assert Catalogue(scores, every(7)).members() == [clique]


def test_what_is_decided_to_be_the_same_counts_as_one_listing():
    scores = matrix(4, lambda i, j: 0.95 if (i, j) == (0, 2) else 0.01)
    assert Catalogue(scores, every(4)).members() == [[0, 2]]
    assert Catalogue(scores, every(4), [("0", "1", True)]).members() == [[0, 1, 2]]
    assert Catalogue(scores, every(4), [("1", "3", True)]).members() == [[0, 2], [1, 3]]


@given(st.integers(0, 30))
def test_what_is_decided_to_be_different_is_never_in_one_group(seed):
    rng = np.random.default_rng(seed)
    pairs = every(8)
    apart = [pairs[number] for number in rng.choice(len(pairs), 5, replace=False)]
    catalogue = Catalogue(matrix(8, lambda i, j: 0.99), pairs, [(str(i), str(j), False) for i, j in apart])
    for group in catalogue.members():
        assert not any(i in group and j in group for i, j in apart)
    assert len(np.concatenate(catalogue.members())) > 4


def test_a_threshold_of_0_takes_all_that_is_proposed():
    assert len(Catalogue(np.zeros((3, 3)), every(3)).groups(threshold=0.0)) == 1


GROUP = DuplicateGroup(("é2", "a1"), "é2", (0.9876543, 0.9876543), (DuplicatePair("é2", "a1", 0.9876543, "copy"),))


def test_groups_are_written_as_a_line_a_listing_or_an_object_a_group():
    assert b"".join(group_lines([GROUP])).decode() == ("group,id,keep,score\n1,é2,yes,0.987654\n1,a1,no,0.987654\n")
    (line,) = group_lines([GROUP], as_json=True)
    assert json.loads(line) == {
        "group": 1,
        "keep": "é2",
        "ids": ["é2", "a1"],
        "scores": [0.987654, 0.987654],
        "pairs": [{"left": "é2", "right": "a1", "score": 0.987654, "kind": "copy"}],
    }


def test_a_notebook_shows_the_listing_to_keep_and_how_many_more_there_are():
    ids = tuple(f"<{number}>" for number in range(20))
    shown = DuplicateGroup(ids, ids[0], (0.9,) * 20, ())._repr_html_()
    assert "20 listings of one item: keep &lt;0&gt;" in shown
    assert "+ 8 more" in shown
    assert "<0>" not in shown
