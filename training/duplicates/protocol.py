"""Measures the metric between sets of photos on items, and on domains, that it has not learnt from.

Every item's photos are divided into two halves; all pairs of left and right halves within a domain are scored, and the
figures are means over the domains. "known catalogue": the detector was adapted to the domain's photos, without labels.
"""

from collections import Counter
from dataclasses import replace

import numpy as np

from productcat.arithmetic.vectors import unit
from productcat.duplicates.detector import DuplicateDetector
from productcat.duplicates.evidence import evidence
from productcat.duplicates.whitening import known_share
from productcat.jobs.progress import Progress
from training.duplicates import metric as duplicates
from training.duplicates.catalogues import Catalogue
from training.duplicates.figures import bootstrap, summary
from training.duplicates.item_photos import domain_folds, halves, item_folds
from training.duplicates.siamese import Samples, fit_head

FOLDS = 5
AGAIN, MOST = 0.2, 5
"""Of some catalogues this share of the items is there again, in as many listings at most."""

WAYS = ("nothing known", "known catalogue")


class Protocol:
    """The items that are measured, and what there is to learn from.

    Parameters
    ----------
    items : list of Item
    table : PhotoTable
        Their photos, item by item, and photos of other domains, which always train.
    config : MetricConfig
    siamese : SiameseConfig
    """

    def __init__(self, items, table, config, siamese, seed=0):
        self.table, self.config, self.siamese, self.seed = table, config, siamese, seed
        self.items, self.folds = items, {}
        self.names = np.array([f"{item.domain}/{item.name}" for item in items])
        self.domains = np.array([item.domain for item in items])
        self.left, self.right = (
            [self._rows(item, side) for item, side in zip(items, sides, strict=True)] for sides in halves(items, seed)
        )

    def _rows(self, item, photos):
        """Rows of some photos of an item; its photos lie in the table in the order in which the item has them."""
        rows = np.flatnonzero(self.table.items == f"{item.domain}/{item.name}")
        return [rows[item.photos.index(photo)] for photo in photos]

    def unseen_domains(self):
        """Leave one domain out. → dict, method → dict, domain → (n_items, n_items) scores"""
        folds = domain_folds(self.items)
        plan = [(folds == fold, [(folds == fold, folds == fold)]) for fold in np.unique(folds)]
        return self._scores("one domain", plan)

    def unseen_items(self):
        """Cross-validation: who scores a pair has learnt from neither of its items. → as `unseen_domains`"""
        folds, plan = item_folds(self.items, FOLDS, self.seed), []
        for one in range(FOLDS):
            for other in range(one + 1, FOLDS):
                blocks = [(one, other), (other, one)]
                # pairs within a fold go to one of those that have not seen it
                blocks += [(one, one)] if other == one + 1 else []
                blocks += [(other, other)] if one == FOLDS - 2 else []
                held_out = (folds == one) | (folds == other)
                plan.append((held_out, [(folds == left, folds == right) for left, right in blocks]))
        return self._scores("all domains", plan)

    def catalogues(self, calibrate):
        """Catalogues of items that the detector has not learnt from, of one domain each and of all domains together.

        The detectors are those of `unseen_domains` and of `unseen_items`, which are called before. In one of each kind
        every item is there twice; in the other a fifth of the items is there again.

        calibrate : callable, Head → Head → list of Catalogue
        """
        rng, found = np.random.default_rng(0), []
        with Progress("catalogues of held-out items", 2 * sum(map(len, self.folds.values())), "catalogues") as progress:
            for kind, folds in self.folds.items():
                for held_out, fold in folds:
                    detector = DuplicateDetector(None, replace(fold.metric, head=calibrate(fold.metric.head)), 0.5)
                    ways = {"all twice": self._twice(held_out), "a fifth again": self._again(held_out, rng)}
                    for times, sets in ways.items():
                        listings = fold.kept.listings([rows for _, rows in sets])
                        found.append(Catalogue.of(f"{kind}, {times}", detector, listings, [item for item, _ in sets]))
                        progress.advance(1)
        return found

    def _twice(self, held_out):
        """The halves of all items. → list of (item, rows)"""
        return [(item, side[item]) for item in np.flatnonzero(held_out) for side in (self.left, self.right)]

    def _again(self, held_out, rng):
        """Half of the photos of most items; of a fifth of them all, as up to MOST listings. → list of (item, rows)"""
        found = []
        for item in np.flatnonzero(held_out):
            rows = rng.permutation([*self.left[item], *self.right[item]])
            parts = np.array_split(rows, min(len(rows), MOST)) if rng.random() < AGAIN else [self.left[item]]
            found += [(item, part) for part in parts]
        return found

    def _scores(self, kind, plan):
        """plan : list of (items held out, list of blocks (items on the left, items on the right))"""
        found, self.folds[kind] = {}, []
        with Progress("models without the items that they judge", len(plan), "models") as progress:
            for held_out, blocks in plan:
                fold = Fold(self, ~np.isin(self.table.items, self.names[held_out]))
                self.folds[kind].append((held_out, fold))
                for left, right in blocks:
                    for domain in np.unique(self.domains[left & held_out]):
                        self._fill(found, fold, domain, left, right)
                progress.advance(1)
        return found

    def _fill(self, found, fold, domain, left, right):
        members = np.flatnonzero(self.domains == domain)
        left, right = members[left[members]], members[right[members]]
        if len(left) and len(right):
            place = np.ix_(np.searchsorted(members, left), np.searchsorted(members, right))
            sets = [self.left[item] for item in left], [self.right[item] for item in right]
            for method, scores in fold.scores(domain, *sets).items():
                matrix = found.setdefault(method, {}).setdefault(domain, np.full([len(members)] * 2, np.nan))
                matrix[place] = scores


class Fold:
    """The methods, learnt from some of the photos. known : ndarray of shape (n_photos,), bool"""

    def __init__(self, protocol, known):
        self.table, config = protocol.table, protocol.config
        bases = duplicates.bases(self.table.rows(known), config)
        self.kept = self.table.kept(bases)
        part = self.kept.rows(known)
        samples = Samples.drawn(part, bases, config, protocol.siamese, protocol.seed)
        self.metric = duplicates.metric_of(part, bases, fit_head(samples, protocol.siamese), config)
        self.heads = {name: fit(samples) for name, fit in HEADS.items()}
        self.ways = {}

    def scores(self, domain, left, right):
        """All methods' scores of pairs of sets of rows. → dict, method → (n_left, n_right)"""
        found = untrained(self.table, left, right)
        shape = len(left), len(right)
        for way, detector in self._detectors(domain).items():
            seen = self._evidence(detector, left, right)
            found[f"Siamese network, {way}"] = detector.metric.probabilities(seen).reshape(shape)
            found[f"whitened means, {way}"] = seen[:, 0].reshape(shape)
            for name, head in self.heads.items():
                found[f"{name}, {way}"] = head(seen).reshape(shape)
        return found

    def _detectors(self, domain):
        """A detector that knows nothing of a domain, and one adapted to its photos. → dict, way → DuplicateDetector"""
        if domain not in self.ways:
            items = np.unique(self.table.items[self.table.domains == domain])
            plain = DuplicateDetector(None, self.metric, 0.5)
            catalogue = self.kept.listings([np.flatnonzero(self.table.items == item) for item in items])
            self.ways[domain] = {WAYS[0]: plain, WAYS[1]: plain.adapt(catalogue)}
        return self.ways[domain]

    def _evidence(self, detector, left, right):
        pairs = np.indices((len(left), len(right))).reshape(2, -1).T
        return evidence(*(detector.sets(self.kept.listings(each)) for each in (left, right)), pairs)


def untrained(table, left, right):
    """Features as the network gives them, and thumbnails: the baselines. → dict, method → (n_left, n_right)"""
    little = table.thumbnails.astype(np.float32)
    found = {}
    for name, values in {**table.outputs, "thumbnails": little}.items():
        vectors = unit(values.astype(np.float32))
        means = [np.stack([unit(vectors[rows].mean(axis=0)) for rows in side]) for side in (left, right)]
        found[f"{name}, means"] = means[0] @ means[1].T
        found[f"{name}, best photos"] = best_of_sets(vectors @ vectors.T, left, right)
    return found


def best_of_sets(values, left, right):
    """The greatest of each pair of sets. values : (n, n); left, right : sequences of rows → (n_left, n_right)"""
    starts = [np.cumsum([0, *map(len, sets[:-1])]) for sets in (left, right)]
    picked = values[np.ix_(np.concatenate(left), np.concatenate(right))]
    return np.maximum.reduceat(np.maximum.reduceat(picked, starts[0], axis=0), starts[1], axis=1)


def fit_logistic(samples):
    """Logistic regression on the evidence, all domains alike. → callable, evidence → scores"""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    scale = StandardScaler()
    seen = scale.fit_transform(samples.seen[:, :-1])
    fitted = LogisticRegression(class_weight="balanced", max_iter=1000)
    fitted.fit(seen, samples.same, samples.weights * len(seen))
    return lambda evidence: fitted.decision_function(scale.transform(evidence))


def fit_boosting(samples):
    """Gradient boosting on the evidence, all domains alike. → callable, evidence → scores"""
    from sklearn.ensemble import HistGradientBoostingClassifier

    fitted = HistGradientBoostingClassifier(max_leaf_nodes=8, class_weight="balanced", random_state=0)
    return fitted.fit(samples.seen[:, :-1], samples.same, samples.weights * len(samples.seen)).decision_function


HEADS = {"logistic regression": fit_logistic, "gradient boosting": fit_boosting}
"""Simpler heads, which see the same evidence as the Siamese network in spaces whose dimensions count alike."""


def report(scores, seed=0):
    """Figures and intervals of each method. → dict, method → {"figures": …, "intervals": …}"""
    return {method: {"figures": summary(each), "intervals": bootstrap(each, seed)} for method, each in scores.items()}


def compared(items):
    """With how many right halves each left half is compared in its domain, on average. items : list of Item → float"""
    sizes = np.array(list(Counter(item.domain for item in items).values()))
    return float((sizes**2).sum() / sizes.sum())


def most_similar(scores, k):
    """Pairs as `find` would propose them: each listing's k most similar, in all domains, in both ways.

    scores : as `Protocol.unseen_items` gives them, of the Siamese network

    Returns
    -------
    seen : ndarray of shape (n_pairs, 2)
        Logits, and how well the catalogue was known.
    same : ndarray of shape (n_pairs,), bool
    """
    seen, same = [], []
    for way in WAYS:
        for matrix in scores[f"Siamese network, {way}"].values():
            best = np.argsort(-matrix, axis=1)[:, :k]
            picked = np.clip(np.take_along_axis(matrix, best, axis=1).ravel(), 1e-12, 1 - 1e-12)
            share = known_share(len(matrix)) if way == WAYS[1] else 0.0
            seen.append(np.stack([np.log(picked) - np.log1p(-picked), np.full(len(picked), share)], axis=1))
            same.append((best == np.arange(len(matrix))[:, None]).ravel())
    return np.concatenate(seen), np.concatenate(same)
