"""What a threshold of duplicates means in whole catalogues: of one kind of goods or mixed, with many copies or few."""

from dataclasses import dataclass

import numpy as np

from training.duplicates.siamese import candidates


@dataclass(frozen=True)
class Catalogue:
    """The pairs that `find` scores in a catalogue of held-out items.

    kind : str
        What it is of, and how often the items are there.
    n_listings : int
    scores : list of float
        Of each pair.
    same : list of bool
    n_missed : int
        Pairs of one item that are not among them.
    """

    kind: str
    n_listings: int
    scores: list[float]
    same: list[bool]
    n_missed: int

    @classmethod
    def of(cls, kind, detector, listings, items):
        """Adapt to the listings and score them as `find` does. items : what each listing shows"""
        known, items = detector.adapt(listings), np.asarray(items)
        seen, same = candidates(known, listings, items)
        times = np.unique(items, return_counts=True)[1]
        n_missed = int((times * (times - 1) // 2).sum() - same.sum())
        return cls(kind, len(listings), known.metric.head.probabilities(seen).tolist(), same.tolist(), n_missed)


def found_in(catalogues, threshold_among):
    """What is found in each kind of catalogue.

    Parameters
    ----------
    catalogues : list of Catalogue
    threshold_among : callable
        Number of listings → threshold.

    Returns
    -------
    dict, kind → dict
        catalogues: how many. listings: mean of each. found: pairs that reach the threshold. precision: of these the
        share that is right. recall: share of all pairs of one item that is found.
    """
    figures = {}
    for kind in dict.fromkeys(each.kind for each in catalogues):
        some = [each for each in catalogues if each.kind == kind]
        reached = [np.array(each.scores) >= threshold_among(each.n_listings) for each in some]
        right = sum(int((mask & np.array(each.same)).sum()) for mask, each in zip(reached, some, strict=True))
        found = sum(int(mask.sum()) for mask in reached)
        figures[kind] = {
            "catalogues": len(some),
            "listings": float(np.mean([each.n_listings for each in some])),
            "found": found,
            "precision": right / found if found else None,
            "recall": right / sum(sum(each.same) + each.n_missed for each in some),
        }
    return figures
