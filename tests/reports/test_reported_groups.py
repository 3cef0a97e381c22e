"""Which groups the report of duplicates shows, in which order, and which photos in them match."""

from productcat import DuplicatePair
from productcat.duplicates.groups import DuplicateGroup
from productcat.duplicates.matches import PhotoMatch
from productcat.reports.reported_groups import DOUBT, REPORTED, ReportedGroup, doubts, marked_matches, ties


def group(*scores, name="g"):
    """A group in which the first listing is tied to each of the others."""
    ids = tuple(f"{name}{number}" for number in range(len(scores) + 1))
    pairs = tuple(DuplicatePair(ids[0], id, score) for id, score in zip(ids[1:], scores, strict=True))
    return DuplicateGroup(ids, ids[0], (max(scores), *scores), pairs)


def below(*scores):
    return [DuplicatePair(f"l{number}", f"r{number}", score) for number, score in enumerate(scores)]


def told(chosen):
    return [(min(group.scores), kind) for group, kind in chosen.groups]


def test_the_doubts_come_first_from_both_sides_of_the_threshold():
    groups = [group(0.99, name="a"), group(0.9, 0.51, name="b"), group(0.55, name="c")]
    chosen = doubts(groups, below(0.48, 0.3), 0.5, 10)
    assert told(chosen) == [(0.51, REPORTED), (0.48, DOUBT), (0.55, REPORTED), (0.3, DOUBT), (0.99, REPORTED)]
    assert (chosen.reported, chosen.below) == (0, 0)


def test_pairs_below_the_threshold_take_at_most_half_of_the_report():
    groups = [group(score, name=str(score)) for score in (0.99, 0.9, 0.55)]
    chosen = doubts(groups, below(0.49, 0.48, 0.47, 0.46), 0.5, 4)
    assert told(chosen) == [(0.49, DOUBT), (0.48, DOUBT), (0.55, REPORTED), (0.9, REPORTED)]
    assert (chosen.reported, chosen.below) == (1, 2)
    assert told(doubts(groups, below(0.4), 0.5, 1)) == [(0.55, REPORTED)]


def test_a_pair_below_the_threshold_inside_a_group_is_no_doubt_of_its_own():
    inside, across = DuplicatePair("g1", "g2", 0.4), DuplicatePair("g1", "alone", 0.4)
    chosen = doubts([group(0.9, 0.8)], [inside, across], 0.5, 10)
    assert [each.ids for each, kind in chosen.groups if kind == DOUBT] == [("g1", "alone")]


def test_each_listing_is_tied_to_the_kept_one_or_else_by_its_best_pair():
    pairs = [
        DuplicatePair("a", "b", 0.9),
        DuplicatePair("b", "keep", 0.6),
        DuplicatePair("c", "a", 0.8),
        DuplicatePair("b", "c", 0.7),
        DuplicatePair("keep", "a", 0.7),
    ]
    found = ties(DuplicateGroup(("keep", "a", "b", "c", "d"), "keep", (1.0,) * 5, tuple(pairs)))
    assert found == {"a": pairs[4], "b": pairs[1], "c": pairs[2]}


def test_the_best_match_copies_and_what_is_nearly_as_alike_are_marked():
    def match(number, cosine, copy):
        return PhotoMatch(number, number, {"low": cosine, "top": cosine}, copy)

    def numbers(*matches):
        pair = DuplicatePair("a", "b", 0.9)
        found = marked_matches(
            ReportedGroup(DuplicateGroup(("a", "b"), "a", (0.9, 0.9), (pair,)), {("a", "b"): matches})
        )
        return [each.left for _, _, some in found for each in some]

    assert numbers(match(0, 0.9, 0.5), match(1, 0.8, 0.4), match(2, 0.3, 0.99), match(3, 0.3, 0.3)) == [0, 1, 2]
    assert numbers(match(0, -0.1, 0.0), match(1, -0.2, 0.0)) == [0]
    assert numbers() == []
