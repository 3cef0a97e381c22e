"""Where a smooth function of a few numbers is least."""

import numpy as np

DIFFERENCE, ENOUGH, STEPS, HALVINGS = 1e-7, 1e-8, 100, 30
"""Of the minimisation: the step of a derivative, the gain in nats that is not worth a step, and the most of both."""


def minimum(loss, start):
    """Where a smooth function of a few numbers is least: BFGS (Nocedal & Wright 2006, chapter 6) from `start`.

    The slopes are differences, so it needs nothing but the function. Temperatures can stand in for each other, which
    makes long valleys: a search along one number after the other creeps there, and Nelder-Mead takes several times as
    many evaluations. The same start gives the same result.

    Parameters
    ----------
    loss : callable, ndarray of shape (n,) → float
    start : ndarray of shape (n,)
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


def _slope(loss, place, value):
    return np.array([(loss(place + DIFFERENCE * axis) - value) / DIFFERENCE for axis in np.eye(len(place))])


def downhill(loss, place, value, direction, slope):
    """A step in a direction that gains enough, and the loss there; halved until it does. (None, value) without."""
    step = direction / max(1.0, np.abs(direction).max())
    for _ in range(HALVINGS):
        reached = loss(place + step)
        if reached <= value + 1e-4 * slope @ step:  # Armijo's condition
            return step, reached
        step = step / 2
    return None, value


def _updated(inverse, step, change):
    """The inverse of the curvature, after a step that changed the slope so."""
    along = step @ change
    if along <= 0:  # no curvature that a minimum could have: keep what was known
        return inverse
    aside = np.eye(len(step)) - np.outer(step, change) / along
    return aside @ inverse @ aside.T + np.outer(step, step) / along
