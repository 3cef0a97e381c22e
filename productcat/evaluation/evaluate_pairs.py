"""How well a detector tells duplicates, on labelled pairs: scores, figures with intervals, and the worst pairs."""

from dataclasses import dataclass
from itertools import chain

import numpy as np

from productcat.arithmetic.bootstrap import LEVEL, ROUNDS, draws, interval
from productcat.duplicates.detector import DuplicateDetector
from productcat.duplicates.matches import Judged
from productcat.duplicates.pairs import DuplicatePair
from productcat.errors import ListingError
from productcat.evaluation.pair_figures import PrecisionRecall

WORST = 8
"""So many pairs of each kind are shown."""

AT_ONCE = 1024
"""Pairs scored together."""

PRECISIONS = (0.9, 0.95, 0.99)
CURVE_POINTS = 400


@dataclass(frozen=True)
class PairEvaluation:
    """What a detector says of labelled pairs.

    Attributes
    ----------
    detector : DuplicateDetector
        The one that scored, adapted if it was to be.
    pairs : list of LabelledPair
    scores : ndarray of shape (n_pairs,)
    labels : ndarray of shape (n_pairs,), bool
    embeddings : dict, id → Embedding, of the listings of the pairs
    missing : tuple of str
        Ids that no listing has; their pairs are left out.
    n_left_out : int
        Pairs that are left out.
    n_listings : int
        Listings that were looked at.
    """

    detector: DuplicateDetector
    pairs: list
    scores: np.ndarray
    labels: np.ndarray
    embeddings: dict
    missing: tuple[str, ...]
    n_left_out: int
    n_listings: int

    @property
    def without_photo(self):
        """Ids of the listings without a photo that can be read; their pairs score 0."""
        return [id for id, each in self.embeddings.items() if not len(each)]

    def worst(self, same):
        """The pairs of one label that are farthest on the wrong side of the threshold. → list of Judged

        same : bool
            Pairs of one item that are missed, lowest score first; or pairs of different items that are reported,
            highest score first.
        """
        threshold = self.detector.threshold
        wrong = self.labels & (self.scores < threshold) if same else ~self.labels & (self.scores >= threshold)
        order = sorted(np.flatnonzero(wrong), key=lambda i: self.scores[i] if same else -self.scores[i])
        return [self._judged(number) for number in order[:WORST]]

    def _judged(self, number):
        pair = self.pairs[number]
        matches = self.detector.explain(self.embeddings[pair.left], self.embeddings[pair.right])
        return Judged(DuplicatePair(pair.left, pair.right, float(self.scores[number])), matches)


def evaluate_pairs(detector, listings, pairs, adapt=True):
    """Score labelled pairs.

    Parameters
    ----------
    detector : DuplicateDetector
        Its threshold counts.
    listings : iterable of Listing
        A catalogue, as `find` would search it.
    pairs : iterable of LabelledPair
    adapt : bool
        First adapt to all the listings, as `find` does. Otherwise only those of the pairs are looked at.

    Returns
    -------
    PairEvaluation

    Raises
    ------
    ListingError
        Not a pair of one item, or not one of different items, can be used.
    """
    pairs = list(pairs)
    wanted = set(chain.from_iterable((each.left, each.right) for each in pairs))
    embeddings = detector.embed(each for each in listings if adapt or each.id in wanted)
    detector = detector.adapt(embeddings) if adapt else detector
    known = {each.id: each for each in embeddings if each.id in wanted}
    usable = [each for each in pairs if each.left in known and each.right in known]
    labels = np.array([each.same for each in usable], bool)
    missing = tuple(sorted(wanted - set(known)))
    if labels.all() or not labels.any():
        unknown = f" (no listing is called {missing[0]!r})" if missing else ""
        raise ListingError(
            f"{labels.sum()} pairs of the same item and {(~labels).sum()} of different items can be used{unknown}, "
            "expected at least one of each; label more, and give the file that has their listings"
        )
    scores = _scores(detector, usable, known)
    return PairEvaluation(detector, usable, scores, labels, known, missing, len(pairs) - len(usable), len(embeddings))


def _scores(detector, pairs, known):
    parts = []
    for start in range(0, len(pairs), AT_ONCE):
        some = pairs[start : start + AT_ONCE]
        parts.append(detector.score([known[each.left] for each in some], [known[each.right] for each in some]))
    return np.concatenate(parts)


def measure_pairs(evaluation, seed=0, rounds=ROUNDS):
    """All figures of labelled pairs, as metrics.json holds them: None where there is no figure.

    Intervals come from drawing pairs, as if each were independent of the others.
    """
    scores, labels, threshold = evaluation.scores, evaluation.labels, evaluation.detector.threshold
    value, drawn = _figures(scores, labels, threshold), []
    for weights in draws(len(labels), seed, rounds):
        if weights[labels].any():
            drawn.append(_figures(scores, labels, threshold, weights))
    curve = PrecisionRecall.of(scores, labels)
    kept = np.unique(np.linspace(0, len(curve.threshold) - 1, CURVE_POINTS).round().astype(int))
    return {
        "pairs": len(labels),
        "same_item": int(labels.sum()),
        "listings": evaluation.n_listings,
        "pairs_left_out": evaluation.n_left_out,
        "missing_listings": list(evaluation.missing),
        "listings_without_photo": evaluation.without_photo,
        "threshold": threshold,
        "interval": {"level": LEVEL, "rounds": rounds, "seed": seed},
        "figures": {name: _with_interval(each, [figures[name] for figures in drawn]) for name, each in value.items()},
        "wrong": {
            "missed": int((labels & (scores < threshold)).sum()),
            "reported": int((~labels & (scores >= threshold)).sum()),
        },
        "thresholds": [_at(curve, precision) for precision in PRECISIONS],
        "curve": [
            {"threshold": float(t), "precision": float(p), "recall": float(r)}
            for t, p, r in zip(curve.threshold[kept], curve.precision[kept], curve.recall[kept], strict=True)
        ],
    }


def _figures(scores, labels, threshold, weights=None):
    curve = PrecisionRecall.of(scores, labels, weights)
    found = np.flatnonzero(curve.threshold >= threshold)
    some = len(found) and curve.found_right[found[-1]] + curve.found_wrong[found[-1]] > 0
    return {
        "average_precision": curve.average_precision,
        "auc": curve.auc,
        "precision": float(curve.precision[found[-1]]) if some else float("nan"),
        "recall": float(curve.recall[found[-1]]) if some else 0.0,
    }


def _with_interval(value, drawn):
    values = (value, *interval(drawn, value))
    return {name: None if np.isnan(each) else each for name, each in zip(("value", "low", "high"), values, strict=True)}


def _at(curve, precision):
    """The threshold that finds most at a precision."""
    cut = curve.at_precision(precision)
    if cut is None:
        return {"asked_precision": precision, "threshold": None, "recall": 0.0, "precision": None}
    return {
        "asked_precision": precision,
        "threshold": float(curve.threshold[cut]),
        "recall": float(curve.recall[cut]),
        "precision": float(curve.precision[cut]),
    }
