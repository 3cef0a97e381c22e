"""How far a figure may lie from the truth: bootstrap intervals (Efron 1979)."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

ROUNDS = 1000
"""Number of draws."""

LEVEL = 0.95
"""Share of the draws that an interval holds."""


def draws(n_cases: int, seed: int, rounds: int = ROUNDS) -> Iterator[NDArray[np.float64]]:
    """Draw as many cases as there are, with replacement, and yield how often each occurs.

    Yields
    ------
    ndarray of shape (n_cases,)
        The weights of one round.
    """
    rng = np.random.default_rng(seed)
    for _ in range(rounds):
        yield np.bincount(rng.integers(0, n_cases, n_cases), minlength=n_cases).astype(float)


def interval(
    drawn: Sequence[float] | NDArray[np.float64],
    figure: float,
    level: float = LEVEL,
    bounds: tuple[float, float] = (0.0, 1.0),
) -> tuple[float, float]:
    """Return (low, high) of drawn figures, moved to the figure itself and kept within bounds.

    A figure like the calibration error is greater in a draw than in truth, since a draw is noisier than its cases.
    Therefore the draws are moved until their mean is the figure.

    Parameters
    ----------
    drawn : ndarray of shape (n_rounds,)
        NaN where a round has no such figure. Where all are NaN, the interval is NaN too.
    figure : float
    """
    known = np.asarray(drawn, float)
    known = known[~np.isnan(known)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known - known.mean(), [(1 - level) / 2, (1 + level) / 2]) + figure
    return float(np.clip(low, *bounds)), float(np.clip(high, *bounds))
