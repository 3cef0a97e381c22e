"""Measures the metric between sets of photos on items, and on domains, that it has not learnt from.

Every item's photos are divided into two halves. All pairs of left and right halves within a domain are scored, and the
figures are means over the domains. "known catalogue": the detector was adapted to the domain's photos, without labels.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from productcat.arithmetic.vectors import unit
from productcat.duplicates.detector import DuplicateDetector
from productcat.duplicates.evidence import evidence
from productcat.jobs.progress import Progress
from training.duplicates.catalogues import Catalogue
from training.duplicates.figures import bootstrap, summary
from training.duplicates.item_photos import Item, domain_folds, halves, item_folds
from training.duplicates.metric import MetricConfig, bases, metric_of
from training.duplicates.photo_table import PhotoTable
from training.duplicates.remembered import remembered
from training.duplicates.siamese import Samples, SiameseConfig, fit_head

FOLDS = 5
AGAIN = 0.2
"""Share of the items that some catalogues hold more than once."""

MOST = 5
"""Number of listings of one such item, at most."""

Rows = NDArray[np.intp] | list[int]
"""Rows of a PhotoTable, the photos of one listing."""

Scores = dict[str, dict[str, NDArray[np.float64]]]
"""Method → domain → scores of all pairs of halves, shape (n_items, n_items)."""

ScoringHead = Callable[[NDArray[np.floating]], NDArray[np.float64]]
"""Evidence of pairs, shape (n_pairs, n_evidence) → their scores, shape (n_pairs,)."""

Block = tuple[NDArray[np.bool_], NDArray[np.bool_]]
"""Which items are on the left of some pairs, and which on the right."""

WAYS = ("nothing known", "known catalogue")


class Protocol:
    """The items that are measured, and what there is to learn from.

    Parameters
    ----------
    items : list of Item
    table : PhotoTable
        Their photos, item by item, and photos of other domains, which always train.
    shops : Samples
        Pairs of large catalogues, which always train, too.
    config : MetricConfig
    siamese : SiameseConfig
    """

    def __init__(
        self,
        items: Sequence[Item],
        table: PhotoTable,
        shops: Samples,
        config: MetricConfig,
        siamese: SiameseConfig,
        seed: int = 0,
    ) -> None:
        self.shops = shops
        self.table, self.config, self.siamese, self.seed = table, config, siamese, seed
        self.items = items
        self.folds: dict[str, list[tuple[NDArray[np.bool_], Fold]]] = {}
        self.names = np.array([f"{item.domain}/{item.name}" for item in items])
        self.domains = np.array([item.domain for item in items])
        self.left, self.right = (
            [self._rows(item, side) for item, side in zip(items, sides, strict=True)] for sides in halves(items, seed)
        )

    def _rows(self, item: Item, photos: Sequence[Path]) -> list[int]:
        """Return the rows of some photos of an item; the table has its photos in the item's order."""
        rows = np.flatnonzero(self.table.items == f"{item.domain}/{item.name}")
        return [rows[item.photos.index(photo)] for photo in photos]

    def unseen_domains(self) -> Scores:
        """Score each domain by models that learnt from the others."""
        folds = domain_folds(self.items)
        plan = [(folds == fold, [(folds == fold, folds == fold)]) for fold in np.unique(folds)]
        return self._scores("one domain", plan)

    def unseen_items(self) -> Scores:
        """Score each pair by a model that learnt from neither of its items (cross-validation)."""
        folds, plan = item_folds(self.items, FOLDS, self.seed), []
        for one in range(FOLDS):
            for other in range(one + 1, FOLDS):
                blocks = [(one, other), (other, one)]
                # pairs within a fold are scored by one of the models that have not seen the fold
                if other == one + 1:
                    blocks.append((one, one))
                if one == FOLDS - 2:
                    blocks.append((other, other))
                held_out = (folds == one) | (folds == other)
                plan.append((held_out, [(folds == left, folds == right) for left, right in blocks]))
        return self._scores("all domains", plan)

    def catalogues(self) -> list[Catalogue]:
        """Make catalogues of items that the detector has not learnt from: of one domain each, and of all domains.

        The detectors are those of `unseen_domains` and of `unseen_items`, which must be called before. One catalogue of
        each kind holds every item twice; the other holds a fifth of the items again.
        """
        rng, found = np.random.default_rng(0), []
        with Progress("catalogues of held-out items", 2 * sum(map(len, self.folds.values())), "catalogues") as progress:
            for kind, folds in self.folds.items():
                for held_out, fold in folds:
                    detector = DuplicateDetector(None, fold.metric, 0.5)
                    ways = {"all twice": self._twice(held_out), "a fifth again": self._again(held_out, rng)}
                    for times, sets in ways.items():
                        listings = fold.kept.listings([rows for _, rows in sets])
                        found.append(Catalogue.of(f"{kind}, {times}", detector, listings, [item for item, _ in sets]))
                        progress.advance(1)
        return found

    def _twice(self, held_out: NDArray[np.bool_]) -> list[tuple[int, Rows]]:
        """Return the halves of all items that are held out. → list of (item, rows)"""
        return [(item, side[item]) for item in np.flatnonzero(held_out).tolist() for side in (self.left, self.right)]

    def _again(self, held_out: NDArray[np.bool_], rng: np.random.Generator) -> list[tuple[int, Rows]]:
        """Return half of the photos of most items; of a fifth all, as up to MOST listings. → list of (item, rows)"""
        found: list[tuple[int, Rows]] = []
        for item in np.flatnonzero(held_out).tolist():
            rows = rng.permutation([*self.left[item], *self.right[item]])
            again = rng.random() < AGAIN
            parts: Sequence[Rows] = np.array_split(rows, min(len(rows), MOST)) if again else [self.left[item]]
            found += [(item, part) for part in parts]
        return found

    def _scores(self, kind: str, plan: Sequence[tuple[NDArray[np.bool_], list[Block]]]) -> Scores:
        """Score blocks of pairs by models. plan : for each model, which items it does not learn from, and its blocks"""
        found: Scores = {}
        self.folds[kind] = []
        with Progress("models without the items that they judge", len(plan), "models") as progress:
            for held_out, blocks in plan:
                fold = Fold(self, ~np.isin(self.table.items, self.names[held_out]))
                self.folds[kind].append((held_out, fold))
                for block in blocks:
                    for domain in np.unique(self.domains[block[0]]):
                        self._fill(found, fold, domain, block)
                progress.advance(1)
        return found

    def _fill(self, found: Scores, fold: "Fold", domain: str, block: Block) -> None:
        """Put scores of the pairs of a block in one domain into the matrices of all methods."""
        members = np.flatnonzero(self.domains == domain)
        left, right = (np.flatnonzero(side[members]) for side in block)
        if len(left) and len(right):
            lefts, rights = [self.left[item] for item in members[left]], [self.right[item] for item in members[right]]
            for method, scores in fold.scores(domain, lefts, rights).items():
                matrix = found.setdefault(method, {}).setdefault(domain, np.full([len(members)] * 2, np.nan))
                matrix[np.ix_(left, right)] = scores


class Fold:
    """The methods, learnt from some of the photos. known : ndarray of shape (n_photos,), bool"""

    def __init__(self, protocol: Protocol, known: NDArray[np.bool_]) -> None:
        self.table, config = protocol.table, protocol.config
        directions = bases(self.table.rows(known), config)
        self.kept = self.table.kept(directions)
        part = self.kept.rows(known)
        samples = Samples.drawn(part, directions, config, protocol.siamese, protocol.seed)
        self.metric = metric_of(part, directions, fit_head(samples, protocol.shops, protocol.siamese), config)
        self.heads = {name: fit(samples) for name, fit in HEADS.items()}
        self.ways: dict[str, dict[str, DuplicateDetector]] = {}

    def scores(self, domain: str, left: Sequence[Rows], right: Sequence[Rows]) -> dict[str, NDArray[np.floating]]:
        """Score pairs of sets of rows by all methods. → dict, method → (n_left, n_right)"""
        found = untrained(self.table, left, right)
        shape = len(left), len(right)
        for way, detector in self._detectors(domain).items():
            seen = self._evidence(detector, left, right)
            found[f"Siamese network, {way}"] = detector.metric.head.probabilities(
                detector.metric.all_evidence(seen)
            ).reshape(shape)
            found[f"whitened means, {way}"] = seen[:, 0].reshape(shape)
            for name, head in self.heads.items():
                found[f"{name}, {way}"] = head(seen).reshape(shape)
        return found

    def _detectors(self, domain: str) -> dict[str, DuplicateDetector]:
        """Return a detector that knows nothing of a domain, and one adapted to its photos. → dict, way → detector"""
        if domain not in self.ways:
            items = np.unique(self.table.items[self.table.domains == domain])
            plain = DuplicateDetector(None, self.metric, 0.5)
            catalogue = self.kept.listings([np.flatnonzero(self.table.items == item) for item in items])
            self.ways[domain] = {WAYS[0]: plain, WAYS[1]: plain.adapt(catalogue)}
        return self.ways[domain]

    def _evidence(
        self, detector: DuplicateDetector, left: Sequence[Rows], right: Sequence[Rows]
    ) -> NDArray[np.float32]:
        pairs = np.indices((len(left), len(right))).reshape(2, -1).T
        lefts, rights = (detector.sets(self.kept.listings(each)) for each in (left, right))
        return evidence(lefts, rights, pairs, compare=remembered)


def untrained(table: PhotoTable, left: Sequence[Rows], right: Sequence[Rows]) -> dict[str, NDArray[np.floating]]:
    """Score by the baselines: features as the network gives them, and thumbnails. → dict, method → (n_left, n_right)"""
    used = np.unique(np.concatenate([*left, *right]))
    sides = [[np.searchsorted(used, rows) for rows in side] for side in (left, right)]
    little = table.thumbnails[used].astype(np.float32)
    found = {}
    for name, values in {**{name: each[used] for name, each in table.outputs.items()}, "thumbnails": little}.items():
        vectors = unit(values.astype(np.float32))
        means = [np.stack([unit(vectors[rows].mean(axis=0)) for rows in side]) for side in sides]
        found[f"{name}, means"] = means[0] @ means[1].T
        found[f"{name}, best photos"] = best_of_sets(vectors @ vectors.T, *sides)
    return found


def best_of_sets(values: NDArray[np.floating], left: Sequence[Rows], right: Sequence[Rows]) -> NDArray[np.floating]:
    """Return the greatest value of each pair of sets. values : ndarray of shape (n, n) → (n_left, n_right)"""
    starts = [np.cumsum([0, *map(len, sets[:-1])]) for sets in (left, right)]
    picked = values[np.ix_(np.concatenate(left), np.concatenate(right))]
    return np.maximum.reduceat(np.maximum.reduceat(picked, starts[0], axis=0), starts[1], axis=1)


def fit_logistic(samples: Samples) -> ScoringHead:
    """Fit logistic regression on the evidence, with all domains counting the same."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    scale = StandardScaler()
    seen = scale.fit_transform(samples.seen[:, :-1])
    fitted = LogisticRegression(class_weight="balanced", max_iter=1000)
    fitted.fit(seen, samples.same, samples.weights * len(seen))
    return lambda evidence: fitted.decision_function(scale.transform(evidence))


def fit_boosting(samples: Samples) -> ScoringHead:
    """Fit gradient boosting on the evidence, with all domains counting the same."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    fitted = HistGradientBoostingClassifier(max_leaf_nodes=8, class_weight="balanced", random_state=0)
    return fitted.fit(samples.seen[:, :-1], samples.same, samples.weights * len(samples.seen)).decision_function


HEADS = {"logistic regression": fit_logistic, "gradient boosting": fit_boosting}
"""Simpler heads, which see the same evidence as the Siamese network in spaces whose dimensions count the same."""


def report(scores: Scores, seed: int = 0) -> dict[str, dict[str, Any]]:
    """Return figures and intervals of each method. → dict, method → {"figures": …, "intervals": …}"""
    return {method: {"figures": summary(each), "intervals": bootstrap(each, seed)} for method, each in scores.items()}
