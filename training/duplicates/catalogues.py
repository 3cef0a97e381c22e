"""Measures what a threshold finds in whole catalogues: of one kind of goods or mixed, with many copies or few."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from productcat.duplicates.detector import DuplicateDetector
from productcat.duplicates.embedding import Embedding
from productcat.duplicates.metric import SetMetric
from productcat.evaluation.pair_figures import recall_at_precision
from training.duplicates.siamese import candidates


@dataclass(frozen=True)
class Catalogue:
    """The pairs that `find` scores in a catalogue of held-out items.

    kind : str
        What goods it holds, and how often the items are in it.
    n_listings : int
    logits : list of float
        Of each pair, as if the catalogue were small.
    same : list of bool
    n_missed : int
        Pairs of one item that are not among them.
    """

    kind: str
    n_listings: int
    logits: list[float]
    same: list[bool]
    n_missed: int

    @classmethod
    def of(cls, kind: str, detector: DuplicateDetector, listings: Sequence[Embedding], items: ArrayLike) -> Self:
        """Adapt to the listings and score them as `find` does. items : what each listing shows"""
        known, shown = detector.adapt(listings), np.asarray(items)
        seen, same, _ = candidates(known, listings, shown)
        _, times = np.unique(shown, return_counts=True)
        n_missed = int((times * (times - 1) // 2).sum() - same.sum())
        return cls(kind, len(listings), known.metric.head.logits(seen).tolist(), same.tolist(), n_missed)


def scores_in(catalogue: Catalogue, metric: SetMetric) -> NDArray[np.float64]:
    """Return the probabilities of the pairs of a catalogue among so many listings, shape (n_pairs,)."""
    logits = np.array(catalogue.logits) + replace(metric, n_listings=catalogue.n_listings).rarer
    scores: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-logits))
    return scores


def threshold_in(catalogues: Sequence[Catalogue], metric: SetMetric, precision: float) -> float:
    """Return the lowest threshold from which on this share of the pairs found in all catalogues is right."""
    scores = np.concatenate([scores_in(each, metric) for each in catalogues])
    same = np.concatenate([np.array(each.same, bool) for each in catalogues])
    return min(float(recall_at_precision(scores, same, precision)[1]), 1.0)


def found_in(catalogues: Iterable[Catalogue], metric: SetMetric) -> dict[str, dict[str, Any]]:
    """Count what is found in each kind of catalogue.

    Parameters
    ----------
    catalogues : iterable of Catalogue
    metric : SetMetric
        Its threshold counts, and with how many others a listing was compared when it was chosen.

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
        reached = [scores_in(each, metric) >= metric.threshold for each in some]
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
