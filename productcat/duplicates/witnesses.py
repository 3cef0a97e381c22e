"""Pairs of listings that others speak for: both are duplicates of several that show one photo only.

Two copies of a picture that were cropped on opposite sides have little in common, but both agree with other copies. If
a listing with one photo is the same item as each of two others, these are the same: the photo cannot show two items.
One such witness may be mistaken, so several are asked, as for shared near neighbours (Jarvis & Patrick 1973,
"Clustering using a similarity measure based on shared near neighbors").
"""

import numpy as np
from numpy.typing import NDArray

from productcat.duplicates.neighbours import Pairs

FEWEST = 2
"""Number of witnesses that a pair needs."""

SHARE = 0.34
"""Share of the duplicates of the listing with fewer of them that must speak for the pair."""

MOST = 640
"""Number of duplicates of a listing above which it is no witness: so many make the cost quadratic."""


def with_witnesses(
    pairs: Pairs, scores: NDArray[np.float64], threshold: float, single: NDArray[np.bool_]
) -> tuple[Pairs, NDArray[np.float64]]:
    """Raise the scores of pairs that others speak for to what follows from the best witness; add those that are new.

    Parameters
    ----------
    pairs : ndarray of shape (n_pairs, 2), int
        Each once, the smaller number first, in ascending order.
    scores : ndarray of shape (n_pairs,)
    threshold : float
        Score from which a pair counts as duplicates.
    single : ndarray of shape (n_listings,), bool
        Which listings show one photo.

    Returns
    -------
    pairs, scores
        As they were given.
    """
    n = len(single)
    sure = scores >= threshold
    ends = np.concatenate([pairs[sure], pairs[sure][:, ::-1]])
    known = np.tile(scores[sure], 2)
    order = np.lexsort((ends[:, 1], ends[:, 0]))
    ends, known = ends[order], known[order]
    degrees = np.bincount(ends[:, 0], minlength=n)
    starts = np.cumsum(degrees) - degrees
    codes, values = [], []
    for witness in np.flatnonzero(single & (degrees > 1) & (degrees <= MOST)):
        rows = slice(starts[witness], starts[witness] + degrees[witness])
        first, second = np.triu_indices(degrees[witness], 1)
        listings, sureness = ends[rows, 1], known[rows]
        codes.append(listings[first] * n + listings[second])
        values.append(sureness[first] * sureness[second])
    if not codes:
        return pairs, scores
    code, value = np.concatenate(codes), np.concatenate(values)
    spoken, place, times = np.unique(code, return_inverse=True, return_counts=True)
    best = np.zeros(len(spoken))
    np.maximum.at(best, place, value)
    both = np.stack(np.divmod(spoken, n), axis=1)
    enough = (times >= FEWEST) & (times >= SHARE * (degrees[both].min(axis=1) - 1))
    every = np.append(pairs[:, 0] * n + pairs[:, 1], spoken[enough])
    raised = np.append(scores, best[enough])
    order = np.lexsort((-raised, every))
    every, raised = every[order], raised[order]
    first_of = np.append(True, np.diff(every) != 0)
    return np.stack(np.divmod(every[first_of], n), axis=1), raised[first_of]
