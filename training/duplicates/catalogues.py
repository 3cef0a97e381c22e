"""Measures what a threshold finds in whole catalogues: of one kind of goods or mixed, with many copies or few."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from productcat.duplicates.detector import DuplicateDetector
from productcat.duplicates.embedding import Embedding
from training.duplicates.siamese import candidates


@dataclass(frozen=True)
class Catalogue:
    """The pairs that `find` scores in a catalogue of held-out items.

    kind : str
        What goods it holds, and how often the items are in it.
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
    def of(cls, kind: str, detector: DuplicateDetector, listings: Sequence[Embedding], items: ArrayLike) -> Self:
        """Adapt to the listings and score them as `find` does. items : what each listing shows"""
        known, shown = detector.adapt(listings), np.asarray(items)
        seen, same = candidates(known, listings, shown)
        _, times = np.unique(shown, return_counts=True)
        n_missed = int((times * (times - 1) // 2).sum() - same.sum())
        return cls(kind, len(listings), known.metric.head.probabilities(seen).tolist(), same.tolist(), n_missed)


def found_in(catalogues: Iterable[Catalogue], threshold_among: Callable[[int], float]) -> dict[str, dict[str, Any]]:
    """Count what is found in each kind of catalogue.

    Parameters
    ----------
    catalogues : iterable of Catalogue
    threshold_among : callable
        Number of listings → threshold.

    Returns
    -------
    dict, kind → dict
        catalogues: their number. listings: their mean number in a catalogue. found: number of pairs that reach the
        threshold. precision: share of these that is right. recall: share of all pairs of one item that is found.
    """
    by_kind: dict[str, list[Catalogue]] = {}
    for each in catalogues:
        by_kind.setdefault(each.kind, []).append(each)
    figures = {}
    for kind, some in by_kind.items():
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
