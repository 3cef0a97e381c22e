"""The coverage curve and the bins of a reliability diagram."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from productcat.calibration.reliability import binned, coverage_curve


@given(arrays(float, st.integers(1, 40), elements=st.sampled_from([0.0, 0.2, 0.5, 0.9, 1.0])), st.data())
def test_the_coverage_curve_is_what_each_threshold_assigns(confidence, data):
    right = np.array(data.draw(st.lists(st.booleans(), min_size=len(confidence), max_size=len(confidence))))
    curve = coverage_curve(confidence, right, len(confidence) + 3)
    assert (np.diff(curve.threshold) < 0).all()
    for threshold, coverage, precision in zip(curve.threshold, curve.coverage, curve.precision, strict=True):
        assigned = confidence >= threshold
        assert coverage == pytest.approx(assigned.sum() / (len(confidence) + 3))
        assert precision == pytest.approx(right[assigned].mean())


def test_bins_without_a_listing_have_no_error():
    assert np.isnan(binned(np.array([]), np.array([], bool)).error)
