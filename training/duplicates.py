"""Learns the metric between sets of photos: backgrounds without labels, the Siamese network from pairs.

Two disjoint sets of an item's photos are a pair of duplicates, sets of two items of one domain are none. Each training
domain is a catalogue that is new to the detector: it is shown in the space of all other domains, adapted to it.
"""

from dataclasses import dataclass

import numpy as np

from productcat.duplicates import NEIGHBOURS
from productcat.pair_figures import recall_at_precision
from productcat.photo_evidence import TURNS, copy_evidence
from productcat.progress import Progress
from productcat.set_metric import Head, Level, SetMetric, compact
from productcat.whitening import Background, known_share
from training.siamese import Siamese


@dataclass(frozen=True)
class MetricConfig:
    """Settings of the metric; the `[metric]` table of a training configuration.

    features: kept of each level; of a network's wider output the directions that vary most. dimensions: of the spaces.
    precision: `threshold` is the lowest score at which this share of the pairs above it are duplicates, among the most
    similar pairs of held-out halves in known catalogues.
    """

    features: tuple[int, ...] = (1024, 512)
    dimensions: int = 384
    precision: float = 0.985


def bases(table, config):
    """Directions that are kept of each level's output. → dict, level → (n_outputs, n_features) or None"""
    found = {}
    for (name, outputs), n_features in zip(table.outputs.items(), config.features, strict=True):
        if outputs.shape[1] <= n_features:
            found[name] = None
            continue
        features = compact(outputs.astype(np.float32)).astype(np.float64)
        features /= np.linalg.norm(features, axis=1, keepdims=True)
        # not centred: the directions serve vectors that have not been centred either
        _, directions = np.linalg.eigh((features * table.weights[:, None]).T @ features)
        found[name] = directions[:, ::-1][:, :n_features].astype(np.float32)
    return found


class Spaces:
    """Photos projected for training: each domain as a catalogue that the detector was adapted to.

    Parameters
    ----------
    table : PhotoTable
    features : dict, level → ndarray of shape (n_photos, n_features)
        As `PhotoTable.features` gives them.
    dimensions : int
    """

    def __init__(self, table, features, dimensions):
        self.table, self.features, self.dimensions = table, features, dimensions

    def project(self, domain):
        """All photos of a domain, by what the other domains tell, adapted to the domain's photos.

        Returns
        -------
        vectors : dict, level → ndarray of shape (n_photos of the domain, dimensions)
            Not scaled to length 1.
        shares : ndarray of shape (n_photos of the domain,)
            Of the background that each photo is.
        share : float
            How well the catalogue is known.
        """
        mine = self.table.domains == domain
        listings = self.table.rows(mine).weights * len(np.unique(self.table.items[mine]))
        others, vectors = self.table.rows(~mine).weights, {}
        for level, features in self.features.items():
            catalogue = Background.of(features[~mine], others).adapted(features[mine], listings)
            vectors[level] = catalogue.space(self.dimensions).project(features[mine])
        share = known_share(listings.sum())
        return vectors, share * listings / listings.sum(), share


class Domain:
    """One domain's items, to draw catalogues from. space : as `Spaces.project` gives it"""

    def __init__(self, table, space):
        self.space = space
        self.rows = [np.flatnonzero(table.items == item) for item in np.unique(table.items)]
        little = table.thumbnails.astype(np.float32)
        lengths = np.maximum(np.linalg.norm(little, axis=1), 1e-6)
        turned = [little @ little[:, turn].T for turn in TURNS]
        self.copies = copy_evidence(np.max(turned, axis=0) / lengths[:, None] / lengths)

    def draw(self, config, rng):
        """Two listings of each item, of random photos, as `Siamese` takes them."""
        chosen = rng.permutation(len(self.rows))[: config.items]
        halves = [self._halves(self.rows[item], config.most_photos, rng) for item in chosen]
        return self.batch(*zip(*halves, strict=True))

    def _halves(self, rows, most, rng):
        rows = rng.permutation(rows)
        cut = rng.integers(1, len(rows))
        sides = rows[:cut], rows[cut:]
        # as often whole halves as parts of them: listings show few photos or many
        sides = [side if rng.random() < 0.5 else side[: rng.integers(1, len(side) + 1)] for side in sides]
        return [side[:most] for side in sides]

    def batch(self, left, right):
        """What `Siamese` takes. left, right : sequences of ndarray of rows, one each item"""
        vectors, shares, share = self.space
        most = max(map(len, [*left, *right]))
        inputs = {"share": np.float32(share), "copies": best_of_sets(self.copies, left, right)}
        for side, sets in (("left", left), ("right", right)):
            inputs[f"{side}/shares"] = _padded(shares[:, None], sets, most)[..., 0]
            for level, each in vectors.items():
                inputs[f"{side}/{level}"] = _padded(each, sets, most)
        return inputs


def _padded(values, sets, most):
    padded = np.zeros((len(sets), most, values.shape[1]), np.float32)
    for number, rows in enumerate(sets):
        padded[number, : len(rows)] = values[rows]
    return padded


def best_of_sets(values, left, right):
    """The greatest of each pair of sets. values : (n, n); left, right : sequences of rows → (n_left, n_right)"""
    starts = [np.cumsum([0, *map(len, sets[:-1])]) for sets in (left, right)]
    picked = values[np.ix_(np.concatenate(left), np.concatenate(right))]
    return np.maximum.reduceat(np.maximum.reduceat(picked, starts[0], axis=0), starts[1], axis=1)


@dataclass(frozen=True)
class Samples:
    """Pairs of listings to learn from: of each the most similar others in its catalogue, as `find` proposes them.

    seen : ndarray of shape (n_pairs, n_evidence); same : ndarray of shape (n_pairs,), bool
    domains : ndarray of shape (n_pairs,), int
    """

    seen: np.ndarray
    same: np.ndarray
    domains: np.ndarray

    @classmethod
    def drawn(cls, domains, levels, config, seed=0):
        """domains : list of Domain"""
        rng, network, drawn = np.random.default_rng(seed), Siamese(levels, config), []
        prior = network.head().weights
        with Progress("catalogues to learn from", len(domains) * config.catalogues, "catalogues") as progress:
            for number, domain in enumerate(domains):
                for _ in range(config.catalogues):
                    seen = np.asarray(network.evidence(domain.draw(config, rng)))
                    near = nearest(seen @ prior, NEIGHBOURS)
                    same = np.eye(len(near), dtype=bool)[near]
                    drawn.append((seen[near], same, np.full(len(same), number)))
                    progress.advance(1)
        return cls(*map(np.concatenate, zip(*drawn, strict=True)))


def nearest(logits, k):
    """Where a pair is among the k best of its row or of its column. (n, m) → (n, m), bool"""
    least = [np.sort(logits, axis=axis).take([-min(k, logits.shape[axis])], axis) for axis in (0, 1)]
    return (logits >= least[0]) | (logits >= least[1])


def train_siamese(samples, levels, config):
    """Fit the network by logistic regression, each weight with a normal prior: convex, so solved as it stands.

    Every domain has an intercept of its own, and the network gets their mean. With one for all, whatever tells the
    domains apart would pass for evidence: cars look alike, and come with many photos. `calibrated` sets the level.

    samples : Samples → Siamese
    """
    from scipy.optimize import minimize
    from scipy.special import expit

    network = Siamese(levels, config)
    n_evidence, n_domains = samples.seen.shape[1], samples.domains.max() + 1
    start = np.append(network.head().weights, np.full(n_domains, network.head().bias))
    free = np.append(network.learnt, np.ones(n_domains))
    seen, signs = samples.seen.astype(np.float64), np.where(samples.same, 1.0, -1.0)
    weights = 1 / (n_domains * np.bincount(samples.domains)[samples.domains])

    def loss(values):
        margins = signs * (seen @ values[:n_evidence] + values[n_evidence:][samples.domains])
        slopes = -weights * signs * expit(-margins)
        slopes = np.append(slopes @ seen, np.bincount(samples.domains, slopes))
        pull = config.l2 * (values - start)
        return weights @ np.logaddexp(0, -margins) + pull @ (values - start) / 2, free * (slopes + pull)

    tight = {"maxiter": 5000, "maxfun": 5000, "ftol": 1e-13, "gtol": 1e-8}
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options=tight).x
    network.counting.assign(found[:n_evidence])
    network.bias.assign(found[n_evidence:].mean())
    return network


def domains_of(table, known_bases, config):
    """The domains of a table, each as a catalogue that is new. → list of Domain"""
    spaces = Spaces(table, table.features(known_bases), config.dimensions)
    return [Domain(table.rows(table.domains == name), spaces.project(name)) for name in np.unique(table.domains)]


def metric_of(table, known_bases, head, config, threshold=0.5, compared=None):
    """What a head and the photos of a table tell. threshold, compared: as `SetMetric` has them → SetMetric"""
    weights = table.weights
    levels = {
        name: Level(known_bases[name], Background.of(each, weights), config.dimensions)
        for name, each in table.features(known_bases).items()
    }
    return SetMetric(levels, head, threshold, compared=compared)


def calibrated(head, seen, same, precision):
    """Bring a head's probabilities into line with held-out pairs (Platt 1999), in unknown and in known catalogues.

    Parameters
    ----------
    head : Head
    seen : ndarray of shape (n_pairs, 2)
        Logits that such heads made of the pairs, and how well the catalogue was known.
    same : ndarray of shape (n_pairs,), bool
    precision : float

    Returns
    -------
    head : Head
    threshold : float
        The lowest probability at which this share of the pairs above it are duplicates, where the catalogue is known.
    """
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=1e6).fit(seen, same)
    line, known = Head(fitted.coef_[0], float(fitted.intercept_[0])), seen[:, 1] > 0
    _, threshold = recall_at_precision(line.probabilities(seen[known]), same[known], precision)
    weights = head.weights * line.weights[0]
    weights[-1] += line.weights[1]  # the last piece of evidence is how well the catalogue is known
    return Head(weights, head.bias * line.weights[0] + line.bias), min(float(threshold), 1.0)
