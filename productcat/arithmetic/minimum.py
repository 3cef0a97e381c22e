"""The minimum of a smooth function of a few numbers."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

DIFFERENCE = 1e-7
"""Step from which a derivative is estimated."""

ENOUGH = 1e-8
"""Least gain, in nats, that is worth a step."""

STEPS = 100
"""Number of steps at most."""

HALVINGS = 30
"""Number of times that a step is halved at most."""

Vector: TypeAlias = NDArray[np.float64]
Loss: TypeAlias = Callable[[Vector], float]


def minimum(loss: Loss, start: Vector) -> Vector:
    """Return where a smooth function is least: BFGS (Nocedal & Wright 2006, chapter 6) from `start`.

    The slopes are differences, so only the function itself is needed. Temperatures can compensate each other, which
    makes long valleys: a search along one number after the other creeps there, and Nelder-Mead needs several times as
    many evaluations. The same start gives the same result.

    Parameters
    ----------
    loss : callable, ndarray of shape (n,) → float
    start : ndarray of shape (n,)

    Returns
    -------
    ndarray of shape (n,)
    """
    place, value = start, loss(start)
    slope = _slope(loss, place, value)
    inverse = np.eye(len(start)) / max(1.0, np.abs(slope).max())  # so that the first step is at most 1 long
    for _ in range(STEPS):
        direction = -inverse @ slope
        if -slope @ direction < ENOUGH:
            break
        step, reached = downhill(loss, place, value, direction, slope)
        if step is None:
            break
        place, value = place + step, reached
        before, slope = slope, _slope(loss, place, value)
        inverse = _updated(inverse, step, slope - before)
    return place


def _slope(loss: Loss, place: Vector, value: float) -> Vector:
    return np.array([(loss(place + DIFFERENCE * axis) - value) / DIFFERENCE for axis in np.eye(len(place))])


def downhill(loss: Loss, place: Vector, value: float, direction: Vector, slope: Vector) -> tuple[Vector | None, float]:
    """Return a step in a direction, halved until it gains enough, and the loss there; (None, value) without."""
    step = direction / max(1.0, np.abs(direction).max())
    for _ in range(HALVINGS):
        reached = loss(place + step)
        if reached <= value + 1e-4 * slope @ step:  # Armijo's condition
            return step, reached
        step = step / 2
    return None, value


def _updated(inverse: NDArray[np.float64], step: Vector, change: Vector) -> NDArray[np.float64]:
    """Return the inverse of the curvature after a step that changed the slope by `change`."""
    along = step @ change
    if along <= 0:  # not the curvature of a minimum: keep what was known
        return inverse
    aside = np.eye(len(step)) - np.outer(step, change) / along
    return aside @ inverse @ aside.T + np.outer(step, step) / along
