"""Measures what a threshold finds in whole catalogues: of one kind of goods or mixed, with many copies or few."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from productcat.duplicates.detector import DuplicateDetector
from productcat.duplicates.embedding import Embedding
from productcat.evaluation.pair_figures import recall_at_precision
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
        known, shown = detector.adapt(listings).among(len(listings)), np.asarray(items)
        seen, same, pairs = candidates(known, listings, shown)
        counts = np.array([len(each) for each in listings])
        logits = known.metric.in_catalogue(pairs, known.metric.head.ways(seen), counts)
        _, times = np.unique(shown, return_counts=True)
        n_missed = int((times * (times - 1) // 2).sum() - same.sum())
        return cls(kind, len(listings), (1 / (1 + np.exp(-logits))).tolist(), same.tolist(), n_missed)


def threshold_in(catalogues: Sequence[Catalogue], precision: float) -> float:
    """Return the lowest threshold from which on this share of the pairs found in all catalogues is right."""
    scores = np.concatenate([np.array(each.scores, float) for each in catalogues])
    same = np.concatenate([np.array(each.same, bool) for each in catalogues])
    return min(float(recall_at_precision(scores, same, precision)[1]), 1.0)


def found_in(catalogues: Iterable[Catalogue], threshold: float) -> dict[str, dict[str, Any]]:
    """Count what is found in each kind of catalogue.

    Parameters
    ----------
    catalogues : iterable of Catalogue
    threshold : float

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
        reached = [np.array(each.scores) >= threshold for each in some]
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
