"""How common it is in a catalogue that an item is shown again in other photos, estimated from the catalogue itself.

Probabilities are learnt where every item is shown twice. In most catalogues few are, and where a thousand belts are
compared some look like one. The share is that from which the probabilities add up to what it says, by expectation and
maximization (Saerens, Latinne & Decaestecker 2002, "Adjusting the outputs of a classifier to new a priori
probabilities"). It is not estimated for copies: one picture is one picture, however few are posted again.
"""

import numpy as np
from numpy.typing import NDArray

KNOWN_PAIRS = 10.0
"""Number of pairs of other photos that a catalogue is taken to hold besides what is seen: a small one tells little."""

ROUNDS = 200
"""Number of rounds, at most."""

CLOSE = 1e-6
"""Change of the share that ends the rounds."""


def how_common(items: NDArray[np.float64], copies: NDArray[np.float64], n_listings: int) -> float:
    """Estimate how common items are that are shown again in other photos.

    Parameters
    ----------
    items, copies : ndarray of shape (n_pairs,)
        Logits of each way to be one item, of all pairs compared, as if every item were shown twice.
    n_listings : int

    Returns
    -------
    float in (0, 1]
        The share of what would be there if every item were shown twice. It multiplies the odds of `items`.
    """
    share, expected = 1.0, n_listings / 2
    for _ in range(ROUNDS):
        some = items + np.log(share)
        either = np.logaddexp(some, copies)
        found = float(np.exp(some - either - np.logaddexp(0.0, -either)).sum())
        before, share = share, min((found + KNOWN_PAIRS) / (expected + KNOWN_PAIRS), 1.0)
        if abs(share - before) < CLOSE:
            break
    return share
