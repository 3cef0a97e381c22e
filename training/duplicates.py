"""Learns the metric between sets of photos: backgrounds without labels, the Siamese network from pairs.

Two disjoint halves of an item's photos are a pair of duplicates, halves of two items of one domain are none. Each
training domain is shown in two ways: as a place that nobody knows, in the space of all other domains, and as a
catalogue that the detector was adapted to.
"""

from dataclasses import dataclass

import keras
import numpy as np

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
    """Photos projected for training: each domain as one that is unknown, and as a known catalogue.

    Parameters
    ----------
    table : PhotoTable
    features : dict, level → ndarray of shape (n_photos, n_features)
        As `PhotoTable.features` gives them.
    dimensions : int
    """

    def __init__(self, table, features, dimensions):
        self.table, self.features, self.dimensions = table, features, dimensions

    def background(self, known, level):
        """Of some rows. known : ndarray of shape (n_photos,), bool"""
        part = self.table.rows(known)
        return Background.of(self.features[level][known], part.weights)

    def project(self, known, domain):
        """All photos of a domain, by what `known` rows tell, and adapted to the domain's photos besides.

        Returns
        -------
        list of (vectors, shares, share)
            vectors : dict, level → ndarray of shape (n_photos of the domain, dimensions), not scaled to length 1
            shares : ndarray of shape (n_photos of the domain,), of the background that each photo is
            share : how well the catalogue is known
        """
        mine = self.table.domains == domain
        listings = self.table.rows(mine).weights * len(np.unique(self.table.items[mine]))
        plain, adapted = {}, {}
        for level, features in self.features.items():
            background = self.background(known, level)
            catalogue = background.adapted(features[mine], listings)
            plain[level] = background.space(self.dimensions).project(features[mine])
            adapted[level] = catalogue.space(self.dimensions).project(features[mine])
        share = known_share(listings.sum())
        return [(plain, 0.0 * listings, 0.0), (adapted, share * listings / listings.sum(), share)]


class Domain:
    """One domain's items, to draw batches of set pairs from."""

    def __init__(self, table, ways):
        self.ways = ways
        self.rows = [np.flatnonzero(table.items == item) for item in np.unique(table.items)]
        little = table.thumbnails.astype(np.float32)
        lengths = np.maximum(np.linalg.norm(little, axis=1), 1e-6)
        turned = [little @ little[:, turn].T for turn in TURNS]
        self.copies = copy_evidence(np.max(turned, axis=0) / lengths[:, None] / lengths)

    def draw(self, config, rng):
        """A batch of random sets, as `Siamese` takes it."""
        chosen = rng.permutation(len(self.rows))[: config.items]
        left, right = zip(*(self._halves(self.rows[item], config.most_photos, rng) for item in chosen), strict=True)
        return self.batch(left, right, self.ways[rng.integers(len(self.ways))])

    def _halves(self, rows, most, rng):
        rows = rng.permutation(rows)
        cut = rng.integers(1, len(rows))
        sides = rows[:cut], rows[cut:]
        # as often whole halves as parts of them: listings show few photos or many
        sides = [side if rng.random() < 0.5 else side[: rng.integers(1, len(side) + 1)] for side in sides]
        return [side[:most] for side in sides]

    def batch(self, left, right, way):
        """What `Siamese` takes. left, right : sequences of ndarray of rows, one each item; way : of `ways`"""
        vectors, shares, share = way
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


def train_siamese(domains, levels, config, seed=0):
    """Train the network on batches of one domain each, all domains alike. domains : list of Domain → Siamese"""
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    network = Siamese(levels, config)
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(config.learning_rate, config.steps))
    network.compile(optimizer, lambda same, logits: pair_loss(same, logits, config.contrast), jit_compile=False)
    with Progress("Siamese network", config.steps, "batches") as progress:
        for _ in range(config.steps):
            inputs = domains[rng.integers(len(domains))].draw(config, rng)
            loss = network.train_on_batch(inputs, np.eye(len(inputs["copies"]), dtype=np.float32)[..., None])
            progress.advance(1, f"loss {float(np.ravel(loss)[0]):.3f}")
    return network


def pair_loss(same, logits, contrast):
    """Cross-entropy of all pairs, duplicates and others alike in weight, and of each listing's choice of its twin.

    same, logits : tensors of shape (n, n, 1); `same` is the identity.
    """
    ops = keras.ops
    same, logits = same[..., 0], logits[..., 0]
    number = ops.cast(ops.shape(logits)[0], "float32")
    weights = same / number + (1 - same) / ops.maximum(number * (number - 1), 1.0)
    pairs = ops.sum(weights * (ops.softplus(logits) - same * logits)) / 2
    choices = [ops.sum(same * ops.log_softmax(logits, axis=axis)) / number for axis in (0, 1)]
    return (1 - contrast) * pairs - contrast * sum(choices) / 2


def domains_of(table, known_bases, config):
    """The domains of a table, each projected as unknown and as adapted to. → list of Domain"""
    spaces = Spaces(table, table.features(known_bases), config.dimensions)
    names = np.unique(table.domains)
    return [Domain(table.rows(table.domains == name), spaces.project(table.domains != name, name)) for name in names]


def metric_of(table, known_bases, head, config, threshold=0.5, compared=None):
    """What a head and the photos of a table tell. threshold, compared: as `SetMetric` has them → SetMetric"""
    weights = table.weights
    levels = {
        name: Level(known_bases[name], Background.of(each, weights), config.dimensions)
        for name, each in table.features(known_bases).items()
    }
    return SetMetric(levels, head, threshold, compared=compared)


def samples(domains, levels, config, seed, batches=100):
    """Evidence of random pairs, for heads that learn from rows.

    Returns
    -------
    evidence : ndarray of shape (n_pairs, n_evidence)
    same : ndarray of shape (n_pairs,), bool
        All duplicates of each batch, and as many others again as hardest by their means, and as many at random.
    """
    rng, network, rows, labels = np.random.default_rng(seed), Siamese(levels, config), [], []
    for _ in range(batches):
        seen = np.asarray(network.evidence(domains[rng.integers(len(domains))].draw(config, rng)))
        same = np.eye(len(seen), dtype=bool)
        hardest = np.argmax(np.where(same, -np.inf, seen[..., 0]), axis=1)
        taken = same | (rng.random(same.shape) < 1 / len(same))
        taken[np.arange(len(same)), hardest] = True
        rows.append(seen[taken])
        labels.append(same[taken])
    return np.concatenate(rows), np.concatenate(labels)


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
