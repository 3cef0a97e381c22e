"""Evidence that two photos are one picture, however one of them was cropped, turned or lit, and of its colours."""

import numpy as np
from numpy.typing import NDArray

from productcat.duplicates.registration import PROMISING, agreement, seen_at, turned
from productcat.duplicates.thumbnails import COLOUR_SIDE, SIDE, Thumbnails, colours, grays

COLUMNS = ("outlines", "details", "hue", "light")
"""What `compared` says of two photos, see there."""

DETAILS = COLUMNS.index("details")

EVIDENCE = ("outlines", "details", "copy", "hue", "light")
"""What `picture_evidence` makes of it."""

SURE = 0.8
"""Correlation of details from which two photos are called copies. Those of different items hardly ever reach it."""

SHARP_OUTLINES, SHARP_DETAILS = 0.01, 0.05
"""Differences from a correlation of 1 that saving and scaling make between pictures of one photo."""

PAIRS_AT_ONCE = 2_048

FULL = 16.0
"""Strength of a colour, of 128, from which its difference counts in full: gray has no hue."""

_KEY = np.random.default_rng(0).integers(1, 2**20, SIDE * SIDE)


def compared(first: Thumbnails, second: Thumbnails) -> NDArray[np.float32]:
    """Say of pairs of photos how surely they are one picture, and how their colours differ.

    Parameters
    ----------
    first, second : ndarray of shape (n, LENGTH), int8
        Which is first does not matter.

    Returns
    -------
    ndarray of shape (n, 4), float32
        outlines, details: the correlations of `registration.agreement`, 0 or more. hue: root mean square difference of
        the blue and red chroma where the pictures lie over each other, in units of a full colour, after the best
        common factor. light: absolute difference of the mean luma, in [0, 1]. Both are 0 without colours.
    """
    found = np.zeros((len(first), len(COLUMNS)), np.float32)
    for start in range(0, len(first), PAIRS_AT_ONCE):
        rows = slice(start, start + PAIRS_AT_ONCE)
        found[rows] = _compared(first[rows], second[rows])
    return found


def _compared(first: Thumbnails, second: Thumbnails) -> NDArray[np.float32]:
    # in an order of their own, so that it does not matter which is first
    swapped = (first[:, : SIDE * SIDE] @ _KEY > second[:, : SIDE * SIDE] @ _KEY)[:, None]
    first, second = np.where(swapped, second, first), np.where(swapped, first, second)
    found, correlation = _one_way(first, second)
    some = np.flatnonzero(correlation >= PROMISING)
    if len(some):
        other, again = _one_way(second[some], first[some])
        better = again > correlation[some]
        found[some[better]] = other[better]
    return found


def _one_way(first: Thumbnails, second: Thumbnails) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Lay the first over the second. → columns, correlations"""
    laid = agreement(grays(first), grays(second))
    columns = [np.maximum(laid.correlation, 0.0), np.maximum(laid.details, 0.0)]
    ours, theirs = colours(first), colours(second)
    n, planes = len(first), ours.shape[1]
    turns, places = np.repeat(laid.turns, planes), np.repeat(laid.places, planes, axis=0)
    lying = seen_at(turned(theirs.reshape(-1, COLOUR_SIDE, COLOUR_SIDE), turns), places).reshape(n, planes, -1)
    ours = ours.reshape(n, planes, -1)
    coloured = ours.any(axis=(1, 2)) & theirs.reshape(n, -1).any(axis=1)  # not so in what an old index has kept
    columns.append(np.where(coloured, _apart(ours[:, 1:].reshape(n, -1), lying[:, 1:].reshape(n, -1)), 0.0))
    columns.append(np.where(coloured, np.abs(ours[:, 0].mean(axis=1) - lying[:, 0].mean(axis=1)) / 255, 0.0))
    return np.stack(columns, axis=1).astype(np.float32), laid.correlation


def _apart(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how far chroma is apart where one may be weaker in all by up to a half. (n, n_values) each → (n,)"""
    strengths = [np.sqrt(np.einsum("nv,nv->n", each, each) / each.shape[1]) for each in (ours, theirs)]
    factor = np.clip((strengths[0] + 1.0) / (strengths[1] + 1.0), 0.5, 2.0)
    apart: NDArray[np.float32] = ours - theirs * factor[:, None]
    greatest = np.maximum(np.maximum(strengths[0], strengths[1] * factor), FULL)
    difference: NDArray[np.float32] = np.sqrt((apart**2).mean(axis=1)) / greatest
    return difference


def picture_evidence(seen: NDArray[np.float32]) -> NDArray[np.float32]:
    """Say how surely pairs of photos are one picture, from what `compared` says. (n, 4) → (n, 5)

    outlines, details: 0 for a correlation that says nothing, then its logarithm: between 0.96 and 0.99 lies more than
    between 0.1 and 0.8. copy: the same, for what of the details' correlation is above SURE. hue, light: as they are.
    """
    outlines, details, hue, light = seen.T
    columns = [
        _above(outlines, PROMISING, SHARP_OUTLINES),
        _above(details, 0.0, SHARP_DETAILS),
        _above(details, SURE, SHARP_DETAILS),
        hue,
        light,
    ]
    return np.stack(columns, axis=1)


def _above(correlation: NDArray[np.float32], least: float, sharp: float) -> NDArray[np.float32]:
    one, lowest, add = np.float32(1.0), np.float32(least), np.float32(sharp)  # all of one precision, so that 0 is 0
    found: NDArray[np.float32] = np.log((one - lowest + add) / (one - np.maximum(correlation, lowest) + add))
    return found
