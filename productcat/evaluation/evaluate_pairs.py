"""How well a detector tells duplicates, on labelled pairs: scores, figures with intervals, and the worst pairs."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from productcat.arithmetic.bootstrap import LEVEL, ROUNDS, draws
from productcat.duplicates.decisions import LabelledPair
from productcat.duplicates.detector import DuplicateDetector
from productcat.duplicates.embedding import Embedding
from productcat.duplicates.matches import ReportedPair
from productcat.duplicates.pairs import DuplicatePair
from productcat.duplicates.safe_csv import as_listed, plain
from productcat.errors import ListingError
from productcat.evaluation.metrics import PairMetrics, PairPoint, PairThreshold, kept_points, with_interval
from productcat.evaluation.pair_figures import PrecisionRecall
from productcat.listings.listing import Listing
from productcat.problems import OnProblem, warn

WORST = 8
"""Number of pairs of each kind that are shown."""

PAIRS_AT_ONCE = 1024
"""Number of pairs that are scored together."""

PRECISIONS = (0.9, 0.95, 0.99)
"""Precisions for each of which a threshold is reported."""


@dataclass(frozen=True)
class PairEvaluation:
    """What a detector says of labelled pairs.

    Attributes
    ----------
    detector : DuplicateDetector
        The one that scored, adapted if that was asked for.
    pairs : list of LabelledPair
    scores : ndarray of shape (n_pairs,)
    labels : ndarray of shape (n_pairs,), bool
    embeddings : dict, id → Embedding, of the listings of the pairs
    missing : tuple of str
        Ids that no listing has; their pairs are left out.
    n_left_out : int
        Number of pairs that are left out.
    n_listings : int
        Number of listings that were looked at.
    """

    detector: DuplicateDetector
    pairs: list[LabelledPair]
    scores: NDArray[np.float64]
    labels: NDArray[np.bool_]
    embeddings: dict[str, Embedding]
    missing: tuple[str, ...]
    n_left_out: int
    n_listings: int

    @property
    def without_photo(self) -> list[str]:
        """Ids of the listings without a photo that can be read; their pairs score 0."""
        return [id for id, each in self.embeddings.items() if not len(each)]

    def worst(self, same: bool) -> list[ReportedPair]:
        """Return the pairs of one label that are farthest on the wrong side of the threshold.

        same : bool
            Pairs of one item that are missed, lowest score first; or pairs of different items that are reported,
            highest score first.
        """
        threshold = self.detector.threshold
        wrong = self.labels & (self.scores < threshold) if same else ~self.labels & (self.scores >= threshold)
        order = sorted(np.flatnonzero(wrong), key=lambda i: self.scores[i] if same else -self.scores[i])
        return [self._reported(int(number)) for number in order[:WORST]]

    def _reported(self, number: int) -> ReportedPair:
        pair = self.pairs[number]
        matches = self.detector.explain(self.embeddings[pair.left], self.embeddings[pair.right])
        found = DuplicatePair(pair.left, pair.right, float(self.scores[number]))
        return ReportedPair(found, matches, matches.title_words)


def evaluate_pairs(
    detector: DuplicateDetector,
    listings: Iterable[Listing],
    pairs: Iterable[LabelledPair],
    adapt: bool = True,
    on_problem: OnProblem = warn,
) -> PairEvaluation:
    """Score labelled pairs as `find` scores them in this catalogue.

    Parameters
    ----------
    detector : DuplicateDetector
        Its threshold decides which pairs are wrong.
    listings : iterable of Listing
        A catalogue, as `find` would search it.
    pairs : iterable of LabelledPair
        Of a file that was written for a spreadsheet, too; see `safe_csv`.
    adapt : bool
        First adapt to all the listings, as `find` does. Otherwise only those of the pairs are looked at.
    on_problem : callable
        As in `DuplicateDetector.embed`.

    Raises
    ------
    ListingError
        No pair of one item, or none of different items, can be used.
    """
    pairs = list(pairs)
    named = set(chain.from_iterable((each.left, each.right) for each in pairs))
    wanted = named | set(map(plain, named))
    n_listings = 0

    def needed() -> Iterator[Listing]:
        nonlocal n_listings
        for each in listings:
            n_listings += 1
            if adapt or each.id in wanted:
                yield each

    embeddings = detector.embed(needed(), on_problem)
    detector = (detector.adapt(embeddings) if adapt else detector).among(n_listings)
    known = {each.id: each for each in embeddings if each.id in wanted}
    pairs = as_listed(pairs, known)
    wanted = set(chain.from_iterable((each.left, each.right) for each in pairs))
    known = {id: each for id, each in known.items() if id in wanted}
    usable = [each for each in pairs if each.left in known and each.right in known]
    labels = np.array([each.same for each in usable], bool)
    missing = tuple(sorted(wanted - set(known)))
    if labels.all() or not labels.any():
        unknown = f" (no listing is called {missing[0]!r})" if missing else ""
        raise ListingError(
            f"{labels.sum()} pairs of the same item and {(~labels).sum()} of different items can be used{unknown}, "
            "expected at least one of each; label more, and give the file that has their listings"
        )
    counted = {each.id: each for each in detector.without_shared(embeddings)[0] if each.id in wanted}
    scores = _scores(detector, usable, counted)
    return PairEvaluation(detector, usable, scores, labels, known, missing, len(pairs) - len(usable), len(embeddings))


def _scores(
    detector: DuplicateDetector, pairs: Sequence[LabelledPair], known: Mapping[str, Embedding]
) -> NDArray[np.float64]:
    parts = []
    for start in range(0, len(pairs), PAIRS_AT_ONCE):
        some = pairs[start : start + PAIRS_AT_ONCE]
        parts.append(detector.score([known[each.left] for each in some], [known[each.right] for each in some]))
    return np.concatenate(parts)


def measure_pairs(evaluation: PairEvaluation, seed: int = 0, rounds: int = ROUNDS) -> PairMetrics:
    """Return all figures of labelled pairs, as metrics.json holds them.

    Intervals come from drawing pairs, as if each were independent of the others.
    """
    scores, labels, threshold = evaluation.scores, evaluation.labels, evaluation.detector.threshold
    values = _figures(scores, labels, threshold)
    drawn = [
        _figures(scores, labels, threshold, weights)
        for weights in draws(len(labels), seed, rounds)
        if weights[labels].any()
    ]
    curve = PrecisionRecall.of(scores, labels)
    return {
        "pairs": len(labels),
        "same_item": int(labels.sum()),
        "listings": evaluation.n_listings,
        "pairs_left_out": evaluation.n_left_out,
        "missing_listings": list(evaluation.missing),
        "listings_without_photo": evaluation.without_photo,
        "threshold": threshold,
        "interval": {"level": LEVEL, "rounds": rounds, "seed": seed},
        "figures": {name: with_interval(value, [each[name] for each in drawn]) for name, value in values.items()},
        "wrong": {
            "missed": int((labels & (scores < threshold)).sum()),
            "reported": int((~labels & (scores >= threshold)).sum()),
        },
        "thresholds": [_at(curve, precision) for precision in PRECISIONS],
        "curve": [_point(curve, place) for place in kept_points(len(curve.threshold))],
    }


def _figures(
    scores: NDArray[np.float64],
    labels: NDArray[np.bool_],
    threshold: float,
    weights: NDArray[np.float64] | None = None,
) -> dict[str, float]:
    curve = PrecisionRecall.of(scores, labels, weights)
    found = np.flatnonzero(curve.threshold >= threshold)
    some = len(found) and curve.found_right[found[-1]] + curve.found_wrong[found[-1]] > 0
    return {
        "average_precision": curve.average_precision,
        "auc": curve.auc,
        "precision": float(curve.precision[found[-1]]) if some else float("nan"),
        "recall": float(curve.recall[found[-1]]) if some else 0.0,
    }


def _point(curve: PrecisionRecall, place: int) -> PairPoint:
    return {
        "threshold": float(curve.threshold[place]),
        "precision": float(curve.precision[place]),
        "recall": float(curve.recall[place]),
    }


def _at(curve: PrecisionRecall, precision: float) -> PairThreshold:
    """Return the threshold that finds most at a precision."""
    place = curve.at_precision(precision)
    if place is None:
        return {"asked_precision": precision, "threshold": None, "recall": 0.0, "precision": None}
    point = _point(curve, place)
    return {
        "asked_precision": precision,
        "threshold": point["threshold"],
        "recall": point["recall"],
        "precision": point["precision"],
    }
