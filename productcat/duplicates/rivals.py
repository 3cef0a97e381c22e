"""What else the listings of a pair resemble, and what a match that stands out from it counts.

A photo on a turntable looks like all others on it, and a black belt like many belts. That an item was shown again is
likely only if the match is better than what its listings resemble besides: the ratio test of Lowe 2004, "Distinctive
image features from scale-invariant keypoints", here with logits. The second best of the others is asked, not the best,
since an item may be there a third time. Copies of either listing are no rivals, however many there are.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

FEWEST = 10
"""Number of others that each listing of a pair must have been compared with: among fewer, nothing is usual."""

MOST = 16
"""Number of the best other matches of a listing that are looked at."""

LEAST = -2.0
"""Logit that a rival has at least: how much less is no difference."""

PAIRS_AT_ONCE = 65_536


@dataclass(frozen=True)
class Contrast:
    """What it counts that a match of other photos stands out.

    own : float
        Times that the logit of the match itself counts.
    rival : float
        Times that the logit of its rival counts against it.
    bias : float
    """

    own: float
    rival: float
    bias: float

    def logits(
        self,
        items: NDArray[np.float64],
        rivals: NDArray[np.float64],
        share: float | NDArray[np.float64],
        single: NDArray[np.bool_],
    ) -> NDArray[np.float64]:
        """Return the logits of pairs in their catalogue.

        Parameters
        ----------
        items : ndarray of shape (n_pairs,)
            Logits of other photos of one item.
        rivals : ndarray of shape (n_pairs,)
            As `rivals` gives them.
        share : float, or ndarray of shape (n_pairs,)
            How well the catalogue is known, in [0, 1): so much of the contrast counts.
        single : ndarray of shape (n_pairs,), bool
            Which pairs are of one photo each. The contrast never counts for these: in a shop of such listings no belt
            may come near to another, and still it is another belt.

        Returns
        -------
        ndarray of shape (n_pairs,)
            As they were where there is no rival.
        """
        stands_out = (self.own - 1.0) * items - self.rival * np.maximum(rivals, LEAST) + self.bias
        stands_out = np.where(single, np.minimum(stands_out, 0.0), stands_out)
        found: NDArray[np.float64] = items + np.where(np.isnan(rivals), 0.0, share * stands_out)
        return found

    def settings(self) -> dict[str, float]:
        """Return it as it is stored."""
        return asdict(self)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        """Read it as it is stored."""
        return cls(**{name: float(settings[name]) for name in ("own", "rival", "bias")})


def rivals(pairs: NDArray[np.intp], ways: NDArray[np.float64], n_listings: int) -> NDArray[np.float64]:
    """Return how well one of the listings of a pair matches a third: the second best of these.

    Parameters
    ----------
    pairs : ndarray of shape (n_pairs, 2), int
        Numbers of listings; each pair once.
    ways : ndarray of shape (n_pairs, 2)
        Logits of both ways to be one item: other photos, and copies.
    n_listings : int

    Returns
    -------
    ndarray of shape (n_pairs,)
        The logit of the greater of both listings' second best, LEAST or more. NaN where a listing was compared with
        fewer than FEWEST others.
    """
    ends = np.concatenate([pairs, pairs[:, ::-1]])
    degrees = np.bincount(ends[:, 0], minlength=n_listings)
    copied = ways[:, 1] > 0
    copies = np.sort(_codes(ends[np.tile(copied, 2)], n_listings))
    others, logits = _best(ends[~np.tile(copied, 2)], np.tile(ways[~copied, 0], 2), n_listings)
    found = np.empty(len(pairs))
    for start in range(0, len(pairs), PAIRS_AT_ONCE):
        some = pairs[start : start + PAIRS_AT_ONCE]
        sides = [_second(some[:, [one, 1 - one]], others, logits, copies, n_listings) for one in (0, 1)]
        found[start : start + PAIRS_AT_ONCE] = np.maximum(*sides)
    return np.where((degrees[pairs] >= FEWEST).all(axis=1), found, np.nan)


def _codes(pairs: NDArray[np.intp], n_listings: int) -> NDArray[np.intp]:
    return pairs[..., 0] * n_listings + pairs[..., 1]


def _best(
    ends: NDArray[np.intp], logits: NDArray[np.float64], n_listings: int
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the best matches of each listing. → others, -1 where there is none, and logits, (n_listings, MOST) each"""
    order = np.lexsort((ends[:, 1], -logits, ends[:, 0]))
    ends, logits = ends[order], logits[order]
    degrees = np.bincount(ends[:, 0], minlength=n_listings)
    ranks = np.arange(len(ends)) - np.repeat(np.cumsum(degrees) - degrees, degrees)
    some = ranks < MOST
    others, best = np.full((n_listings, MOST), -1), np.full((n_listings, MOST), -np.inf)
    others[ends[some, 0], ranks[some]], best[ends[some, 0], ranks[some]] = ends[some, 1], logits[some]
    return others, best


def _second(
    pairs: NDArray[np.intp],
    others: NDArray[np.intp],
    logits: NDArray[np.float64],
    copies: NDArray[np.intp],
    n_listings: int,
) -> NDArray[np.float64]:
    """Return the second best match of the first listing of each pair that is neither the second nor a copy of it."""
    thirds, second = others[pairs[:, 0]], pairs[:, 1:]
    codes = second * n_listings + thirds
    places = np.minimum(np.searchsorted(copies, codes), max(len(copies) - 1, 0))
    of_second = copies[places] == codes if len(copies) else np.zeros(codes.shape, bool)
    open_ = np.where((thirds == second) | of_second, -np.inf, logits[pairs[:, 0]])
    best: NDArray[np.float64] = np.maximum(np.partition(open_, -2, axis=1)[:, -2], LEAST)
    return best
