"""How far a figure may lie from the truth: intervals by drawing the cases anew (Efron 1979)."""

import numpy as np

ROUNDS, LEVEL = 1000, 0.95
"""Draws, and the share of them that an interval holds."""


def draws(n_cases, seed, rounds=ROUNDS):
    """How often each case occurs when as many are drawn, with replacement, as there are.

    Yields
    ------
    ndarray of shape (n_cases,), float
        The weights of one round.
    """
    rng = np.random.default_rng(seed)
    for _ in range(rounds):
        yield np.bincount(rng.integers(0, n_cases, n_cases), minlength=n_cases).astype(float)


def interval(drawn, figure, level=LEVEL, bounds=(0.0, 1.0)):
    """(low, high) of drawn figures, moved to the figure itself and kept within bounds.

    A figure like the calibration error is greater in a draw than in truth, since a draw is noisier than its cases.
    Therefore the draws are moved until their mean is the figure.

    Parameters
    ----------
    drawn : ndarray of shape (n_rounds,)
        NaN where a round has no such figure; without any other, the interval is NaN too.
    """
    drawn = np.asarray(drawn, float)
    drawn = drawn[~np.isnan(drawn)]
    if not len(drawn):
        return float("nan"), float("nan")
    low, high = np.quantile(drawn - drawn.mean(), [(1 - level) / 2, (1 + level) / 2]) + figure
    return float(np.clip(low, *bounds)), float(np.clip(high, *bounds))
