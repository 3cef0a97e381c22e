"""Lay one small gray picture over another, however it was cropped, turned or mirrored, and tell how well they agree.

A copy of a photo that was cropped, stretched, turned or mirrored agrees with it pixel by pixel once the two lie over
each other; a photo of another item does not, however alike the two look. Which of the eight turns, which scale and
which place fit best is found by inverse compositional Gauss-Newton steps (Baker & Matthews 2004, "Lucas-Kanade 20 years
on"), on pictures of half the size first. How well they agree is their correlation, which brightness and contrast do not
change (Evangelidis & Psarakis 2008, "Parametric image alignment using enhanced correlation coefficient maximization").
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Pictures: TypeAlias = NDArray[np.float32]
"""Square gray pictures, shape (n, side, side)."""

Places: TypeAlias = NDArray[np.float32]
"""Where a picture lies in another: scales and shifts along x and y, shape (n, 4). Both go from -1 to 1 on each side."""

WHOLE: Places = np.array([1.0, 1.0, 0.0, 0.0], np.float32)
"""The whole of the other picture."""

FIRST_STEPS, COARSE_STEPS, FINE_STEPS = 3, 5, 6
"""Number of steps on pictures of half the size, for each turn, then for the best ones; and on whole ones for the best.
"""

BEST_TURNS = 3
"""Number of turns that are followed further after the first steps."""

PROMISING = 0.75
"""Correlation of pictures of half the size below which they are not the same, so that nothing more is tried."""

LONGEST_STEP = 0.15
SCALES, FARTHEST = (0.55, 1.8), 0.7
"""Greatest change in a step, least and greatest scale, greatest shift."""

LEAST_OVERLAP = 0.4
"""Share of a picture that must lie on the other."""

STEADY = 1e-3
"""Added to the normal equations, as a share of their mean: flat pictures have no place."""

BLUR = np.array([1, 4, 6, 4, 1], np.float32) / 16
"""Weights of the neighbours, of which details are the difference."""

N_TURNS = 8


@dataclass(frozen=True)
class Agreement:
    """How well pairs of pictures agree where they lie over each other best.

    correlation : ndarray of shape (n,), in [-1, 1]
    details : ndarray of shape (n,), in [-1, 1]
        Correlation of what is left of both when they are blurred and the blurred taken away. Outlines alone agree for
        many items of one kind; details only for the same picture. 0 where the pictures are not promising.
    turns : ndarray of shape (n,), int
        Which of the eight turns of the second picture, as `turned` takes them.
    places : ndarray of shape (n, 4)
        Where the first picture lies in the second, turned.
    """

    correlation: NDArray[np.float32]
    details: NDArray[np.float32]
    turns: NDArray[np.intp]
    places: Places


def agreement(first: Pictures, second: Pictures) -> Agreement:
    """Lay pictures over each other.

    Parameters
    ----------
    first, second : ndarray of shape (n, side, side), float32
        Aligned pairs; the side is even.
    """
    small, others = _halved(first), _halved(second)
    n = len(first)
    descent = _descent(small)
    start = np.tile(WHOLE, (n, 1))
    tried = [_laid(small, descent, turned(others, np.full(n, turn)), start, FIRST_STEPS) for turn in range(N_TURNS)]
    best_turns = np.argsort(-np.stack([each for each, _ in tried], 1), axis=1, kind="stable")[:, :BEST_TURNS]
    places = np.stack([each for _, each in tried], 1)
    every = np.arange(n)
    tried = [_laid(small, descent, turned(others, turns), places[every, turns], COARSE_STEPS) for turns in best_turns.T]
    correlations, places = np.stack([each for each, _ in tried], 1), np.stack([each for _, each in tried], 1)
    which = correlations.argmax(axis=1)
    turns, best, place = best_turns[every, which], correlations.max(axis=1, initial=-1.0), places[every, which]
    details = np.zeros(n, np.float32)
    some = np.flatnonzero(best >= PROMISING)
    if len(some):
        whole, other = first[some], turned(second[some], turns[some])
        best[some], place[some] = _laid(whole, _descent(whole), other, place[some], FINE_STEPS)
        seen, mask = _seen(other, place[some])
        details[some] = _correlation(_details(whole), _details(seen), mask)[0]
    return Agreement(best, details, turns, place)


def turned(pictures: Pictures, turns: NDArray[np.intp]) -> Pictures:
    """Turn or mirror each picture in one of the eight ways. (n, side, side), (n,) → (n, side, side)"""
    side = pictures.shape[1]
    grid = np.arange(side * side).reshape(side, side)
    orders = np.stack([np.rot90(each, k).ravel() for each in (grid, grid.T) for k in range(4)])
    return np.take_along_axis(pictures.reshape(len(pictures), -1), orders[turns], axis=1).reshape(pictures.shape)


def seen_at(pictures: Pictures, places: Places) -> Pictures:
    """Return what lies at some place of each picture, as a picture; what is outside continues the edge."""
    return _seen(pictures, places)[0]


def _descent(first: Pictures) -> NDArray[np.float32]:
    """Return what turns a difference of pictures into changes of scales and shifts, shape (n, 4, n_pixels)."""
    n, side, _ = first.shape
    x = _coordinates(side)
    along_x, along_y = np.gradient(first, axis=2) * (side / 2), np.gradient(first, axis=1) * (side / 2)
    # what a change of scale, place and contrast does to the first picture; beside it, brightness is taken away
    slopes = np.stack([along_x * x, along_y * x[:, None], along_x, along_y, first], axis=1).reshape(n, 5, -1)
    slopes -= slopes.mean(axis=2, keepdims=True)
    products = slopes @ slopes.transpose(0, 2, 1)
    steady = STEADY * (np.trace(products, axis1=1, axis2=2)[:, None, None] / 5 + 1.0)
    found: NDArray[np.float32] = np.linalg.solve(products + steady * np.eye(5, dtype=np.float32), slopes)[:, :4]
    return found


def _laid(
    first: Pictures, descent: NDArray[np.float32], second: Pictures, places: Places, steps: int
) -> tuple[NDArray[np.float32], Places]:
    """Improve the places at which the first pictures lie in the second. → correlations, places"""
    n = len(first)
    best, at = np.full(n, -1.0, np.float32), places
    for step in range(steps + 1):
        seen, mask = _seen(second, places)
        found, apart = _correlation(first, seen, mask)
        better = found > best
        best, at = np.where(better, found, best), np.where(better[:, None], places, at)
        if step < steps:
            change = np.clip((descent @ apart.reshape(n, -1, 1))[:, :, 0], -LONGEST_STEP, LONGEST_STEP)
            scales = places[:, :2] / (1.0 + change[:, :2])
            shifts = places[:, 2:] - scales * change[:, 2:]
            places = np.concatenate([np.clip(scales, *SCALES), np.clip(shifts, -FARTHEST, FARTHEST)], axis=1)
    return best, at


def _correlation(
    first: Pictures, second: Pictures, mask: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Correlate pictures where they overlap. → correlations, second minus first with the contrast of the first"""
    n_seen = np.maximum(mask.sum(axis=(1, 2)), 1.0)
    centred = []
    for each in (first, second):
        mean = (each * mask).sum(axis=(1, 2)) / n_seen
        centred.append((each - mean[:, None, None]) * mask)
    one, other = centred
    squares, others = np.einsum("nij,nij->n", one, one), np.einsum("nij,nij->n", other, other)
    found = np.einsum("nij,nij->n", one, other) / np.sqrt(np.maximum(squares * others, 1e-3))
    found = np.where(n_seen >= LEAST_OVERLAP * mask[0].size, found, np.float32(-1.0))
    apart: Pictures = other * np.sqrt(squares / np.maximum(others, 1e-3))[:, None, None] - one
    return found, apart


def _seen(pictures: Pictures, places: Places) -> tuple[Pictures, NDArray[np.float32]]:
    """Return what lies at places of pictures, between pixels in proportion, and 1 where that is inside, 0 outside."""
    side = pictures.shape[1]
    x = _coordinates(side)
    columns, inside_x = _between(places[:, 0, None] * x + places[:, 2, None], side)
    rows, inside_y = _between(places[:, 1, None] * x + places[:, 3, None], side)
    mask = (inside_y[:, :, None] & inside_x[:, None, :]).astype(np.float32)
    seen: Pictures = np.matmul(np.matmul(rows, pictures), columns.transpose(0, 2, 1))
    return seen, mask


def _between(coordinates: NDArray[np.float32], side: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the weights of the pixels of a line at coordinates, shape (n, n_wanted, side), and which are inside."""
    pixels = (coordinates + 1.0) * (side / 2) - 0.5
    inside = (pixels >= -0.5) & (pixels <= side - 0.5)
    apart = np.abs(np.clip(pixels, 0, side - 1)[:, :, None] - np.arange(side, dtype=np.float32))
    return np.maximum(1.0 - apart, 0.0), inside


def _coordinates(side: int) -> NDArray[np.float32]:
    return ((np.arange(side) + 0.5) / side * 2 - 1).astype(np.float32)


def _halved(pictures: Pictures) -> Pictures:
    n, side, _ = pictures.shape
    found: Pictures = pictures.reshape(n, side // 2, 2, side // 2, 2).mean(axis=(2, 4))
    return found


def _details(pictures: Pictures) -> Pictures:
    """Take the blurred picture away."""
    blurred = pictures
    for axis in (1, 2):
        padded = np.pad(blurred, [(2 * (axis == each),) * 2 for each in range(3)], mode="edge")
        length = pictures.shape[axis]
        parts = (padded.take(range(start, start + length), axis=axis) * weight for start, weight in enumerate(BLUR))
        blurred = sum(parts, np.zeros_like(pictures))
    return pictures - blurred
