"""The threshold of duplicates from decided pairs."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from productcat import DuplicateDetector, ListingError
from productcat.calibration.thresholds import decided_threshold, save_threshold
from productcat.models.bundle import Bundle


@given(
    decided=st.lists(st.tuples(st.integers(0, 40), st.booleans()), min_size=20, max_size=60),
    precision=st.sampled_from([0.5, 0.8, 0.95, 1.0]),
)
def test_it_is_the_lowest_threshold_at_which_enough_is_right(decided, precision):
    scores, same = np.array([each / 40 for each, _ in decided]), np.array([each for _, each in decided])
    assume(5 <= same.sum() <= len(same) - 5)
    precisions = {cut: same[scores >= cut].mean() for cut in set(scores.tolist())}
    good = [cut for cut, value in precisions.items() if value >= precision]
    if not good:
        with pytest.raises(ListingError, match="no threshold gives a precision of"):
            decided_threshold(scores, same, precision)
        return
    chosen = decided_threshold(scores, same, precision)
    found = scores >= chosen.threshold
    np.testing.assert_array_equal(found, scores >= min(good))
    assert (chosen.right, chosen.wrong, chosen.missed) == (same[found].sum(), (~same)[found].sum(), same[~found].sum())
    assert chosen.low <= chosen.right / found.sum() <= chosen.high


def test_a_clear_gap_is_cut_in_its_middle():
    chosen = decided_threshold(np.repeat([0.9, 0.1], 20), np.repeat([True, False], 20), 0.95)
    assert chosen.threshold == 0.5
    assert 0.85 < chosen.low < chosen.high == 1.0


@pytest.mark.parametrize(("n_same", "n_different"), [(5, 5), (30, 4), (4, 30), (0, 0)])
def test_too_few_decisions_are_told_with_their_numbers(n_same, n_different):
    same = np.repeat([True, False], [n_same, n_different])
    with pytest.raises(ListingError, match=f"{n_same} pairs are .* and {n_different} to be different, expected 20"):
        decided_threshold(same.astype(float), same, 0.95)


def test_a_bundle_with_a_new_threshold_is_otherwise_the_same(duplicates_bundle, tmp_path):
    save_threshold(Bundle.open(duplicates_bundle), tmp_path / "new", 0.123)
    before, after = (DuplicateDetector.load(each) for each in (duplicates_bundle, tmp_path / "new"))
    assert (after.threshold, after.metric.compared) == (0.123, before.metric.compared)
    assert after.mark == before.mark
    np.testing.assert_array_equal(after.metric.head.known.items.weights, before.metric.head.known.items.weights)
