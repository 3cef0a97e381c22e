"""Which pairs the report of duplicates shows."""

from productcat import DuplicatePair
from productcat.jobs.find_duplicates import doubts


def pairs_at(*scores):
    return [DuplicatePair(f"l{number}", f"r{number}", score) for number, score in enumerate(scores)]


def test_the_doubts_come_first_from_both_sides_of_the_threshold():
    chosen = doubts(pairs_at(0.99, 0.9, 0.55, 0.51, 0.48, 0.3), 0.5, 10)
    assert [pair.score for pair in chosen.pairs] == [0.51, 0.48, 0.55, 0.3, 0.9, 0.99]
    assert (chosen.reported, chosen.below) == (0, 0)


def test_pairs_below_the_threshold_take_at_most_half_of_the_report():
    chosen = doubts(pairs_at(0.99, 0.9, 0.55, 0.49, 0.48, 0.47, 0.46), 0.5, 4)
    assert [pair.score for pair in chosen.pairs] == [0.49, 0.48, 0.55, 0.9]
    assert (chosen.reported, chosen.below) == (1, 2)
    assert [pair.score for pair in doubts(pairs_at(0.6, 0.4), 0.5, 1).pairs] == [0.6]
