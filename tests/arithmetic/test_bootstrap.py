"""Bootstrap intervals."""

import numpy as np
import pytest

from productcat.arithmetic.bootstrap import draws, interval


def test_an_interval_holds_the_true_share_about_as_often_as_it_says():
    rng, held, n = np.random.default_rng(5), 0, 200
    for seed in range(100):
        right = rng.random(n) < 0.8
        low, high = interval([each @ right / n for each in draws(n, seed, 200)], right.mean())
        held += low <= 0.8 <= high
    assert held >= 88


def test_an_interval_is_moved_to_its_figure_and_kept_within_bounds():
    assert interval([0.2, 0.4, 0.6], 0.9, level=1.0) == pytest.approx((0.7, 1.0))
    assert interval([0.2, np.nan], 0.3) == pytest.approx((0.3, 0.3))
    assert np.isnan(interval([np.nan], 0.3)).all()
