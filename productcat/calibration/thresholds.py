"""The threshold of duplicates, set from pairs that somebody decided."""

import json
import math
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from productcat.duplicates.metric import SETTINGS
from productcat.errors import ListingError
from productcat.models.bundle import Bundle, write_bundle

ENOUGH = 20
"""Number of decided pairs that a threshold needs."""

ENOUGH_OF_EACH = 5
"""Number of pairs of the same item, and of different ones, that a threshold needs."""

NORMAL_QUANTILE = 1.6449
"""Quantile of the normal distribution for an interval of 90 %."""

DECIMALS = 6


@dataclass(frozen=True)
class DecidedThreshold:
    """A threshold, and what it makes of the decided pairs.

    threshold : float
    right, wrong : int
        Decided pairs that reach it, of the same item and of different ones.
    missed : int
        Decided pairs of the same item that do not.
    low, high : float
        Interval of 90 % for the share that is right.
    """

    threshold: float
    right: int
    wrong: int
    missed: int
    low: float
    high: float


def decided_threshold(scores: NDArray[np.float64], same: NDArray[np.bool_], precision: float) -> DecidedThreshold:
    """Choose the lowest threshold at which enough of the decided pairs are right.

    It lies between the last score that reaches it and the next one, in the middle of their logits.

    Parameters
    ----------
    scores : ndarray of shape (n_pairs,), in [0, 1]
    same : ndarray of shape (n_pairs,), bool
        What was decided.
    precision : float
        Share of the pairs that reach the threshold that is to be of the same item, above 0 and at most 1.

    Raises
    ------
    ListingError
        There are too few decisions, or there is no such threshold.
    """
    n_same, n_different = int(same.sum()), int((~same).sum())
    if len(same) < ENOUGH or min(n_same, n_different) < ENOUGH_OF_EACH:
        raise ListingError(
            f"{n_same} pairs are decided to be the same item and {n_different} to be different, expected "
            f"{ENOUGH} or more in all and {ENOUGH_OF_EACH} of each; decide more, also from below the threshold"
        )
    order = np.argsort(-scores, kind="stable")
    ordered, right = scores[order], np.cumsum(same[order])
    last = np.append(np.diff(ordered) != 0, True)  # pairs of one score reach a threshold together
    found = np.arange(1, len(same) + 1)
    good = np.flatnonzero(last & (right >= precision * found) & (right > 0))
    if not len(good):
        best = np.flatnonzero(last)[0]
        raise ListingError(
            f"no threshold gives a precision of {precision:g}: of the {found[best]} pairs with the highest score, "
            f"{right[best]} are decided to be the same item; ask for less (--precision)"
        )
    cut = int(good[-1])
    threshold = _between(ordered[cut], ordered[cut + 1]) if cut + 1 < len(ordered) else float(ordered[cut])
    low, high = _interval(int(right[cut]), int(found[cut]))
    wrong = int(found[cut] - right[cut])
    return DecidedThreshold(threshold, int(right[cut]), wrong, n_same - int(right[cut]), low, high)


def _between(upper: float, lower: float) -> float:
    """Return a number of few digits above `lower` and not above `upper`, halfway between their logits if it can be."""
    ends = [min(max(each, 1e-9), 1 - 1e-9) for each in (upper, lower)]
    middle = 1 / (1 + math.exp(-sum(math.log(each / (1 - each)) for each in ends) / 2))
    short = round(middle, DECIMALS)
    return short if lower < short <= upper else float(upper)


def _interval(right: int, found: int) -> tuple[float, float]:
    """Return the interval of a share (Wilson 1927, "Probable inference …")."""
    squared = NORMAL_QUANTILE**2
    share, spread = right / found, 1 + squared / found
    centre = (share + squared / (2 * found)) / spread
    half = NORMAL_QUANTILE * math.sqrt(share * (1 - share) / found + squared / (4 * found**2)) / spread
    # the share lies inside, which rounding would break where all pairs are right, or none
    return max(min(centre - half, share), 0.0), min(max(centre + half, share), 1.0)


def save_threshold(bundle: Bundle, target: str | os.PathLike[str], threshold: float) -> None:
    """Write a new bundle that is like another, with another threshold of duplicates.

    Parameters
    ----------
    bundle : Bundle
        With a duplicates part.
    target : str | os.PathLike
        A directory that does not exist.
    threshold : float

    Raises
    ------
    BundleError
        The directory exists or cannot be written.
    """

    def fill(folder: Path) -> None:
        bundle.copy_files(folder)
        file = folder / "duplicates" / SETTINGS
        settings = json.loads(file.read_text("utf-8"))
        settings["threshold"] = threshold
        file.write_text(json.dumps(settings, indent=1), "utf-8")

    write_bundle(target, bundle.manifest, fill)
