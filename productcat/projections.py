"""Categories as projections: how each category looks as a distribution over the trained classes.

A nearest-centroid classifier (Tibshirani et al. 2002) whose distance is the Kullback-Leibler divergence,
so categories come and go without training. The classes are blind to what they never saw, so a category made of examples
also keeps a prototype: the direction of the mean features of its examples' photos (imprinting, Qi et al. 2018,
"Low-shot learning with imprinted weights").
"""

import json
from dataclasses import asdict, dataclass

import numpy as np

from productcat.distributions import TINY, floor, kl_divergence, products, softmax

SETTINGS, MATRIX = "categories.json", "projections.safetensors"


@dataclass(frozen=True)
class FewShot:
    """What few examples count. Fitted by `training/few_shot.py`.

    scale: of the similarity of a listing's features and a category's prototype, in the logarithm of the evidence;
    0: the prototypes are left out. neutral: the similarity that speaks neither for nor against a category.
    settling: a prototype of so many examples counts half, as the mean of a category shrinks that is known from examples
    (Ioffe 2006, "Probabilistic linear discriminant analysis"). name_counts: the name of a category counts in its
    projection as so many examples. temperature: of the confidences where a whole new tree of categories takes the
    place of the classes.
    """

    scale: float = 0.0
    neutral: float = 0.0
    settling: float = 1.0
    name_counts: float = 0.0
    temperature: float = 1.0


@dataclass(frozen=True)
class Category:
    """One category, as it is known.

    projection : ndarray of shape (n_classes,), sums to 1
    prototype : ndarray of shape (n_features,), or None where no example has a photo
        Mean of the unit vectors of its examples, scaled to length 1.
    examples : int, those with a photo
    """

    projection: np.ndarray
    prototype: np.ndarray | None = None
    examples: int = 0


class CategoryProjections:
    """The marketplace's categories.

    Parameters
    ----------
    categories : sequence of str
    matrix : ndarray of shape (n_categories, n_classes)
        The projections, rows sum to 1.
    floor : float in (0, 1)
        Share of the uniform distribution mixed into every projection, so that no divergence is infinite.
    temperature : float, > 0
        Below 1 sharpens the confidences, above 1 flattens them. Fitted on validation listings.
    prototypes : ndarray of shape (n_categories, n_features), optional
        Rows of zeros for categories without.
    examples : ndarray of shape (n_categories,), optional
        How many examples each prototype is the mean of.
    few_shot : FewShot
    """

    def __init__(
        self, categories, matrix, floor=1e-3, temperature=1.0, prototypes=None, examples=None, few_shot=FewShot()
    ):
        self.categories = list(categories)
        self.matrix = np.asarray(matrix, np.float64)
        self.floor = floor
        self.temperature = temperature
        self.prototypes = np.zeros((len(self.categories), 0), np.float32) if prototypes is None else prototypes
        self.examples = np.zeros(len(self.categories), int) if examples is None else np.asarray(examples, int)
        self.few_shot = few_shot

    @classmethod
    def of_classes(cls, classes, **settings):
        """Each class is a category of its own."""
        return cls(classes, np.eye(len(classes)), **settings)

    @classmethod
    def of(cls, categories, like):
        """New categories, with the settings of known ones.

        categories : dict, name → Category; like : CategoryProjections
        """
        known = categories.values()
        width = max([0, *(len(each.prototype) for each in known if each.prototype is not None)])
        none = np.zeros(width, np.float32)
        prototypes = [none if each.prototype is None else each.prototype for each in known]
        matrix, examples = [each.projection for each in known], [each.examples for each in known]
        return cls(
            categories, np.array(matrix), like.floor, like.temperature, np.array(prototypes), examples, like.few_shot
        )

    def divergences(self, distributions):
        """KL(listing‖projection) in nats, shape (n_listings, n_categories)."""
        return kl_divergence(distributions, floor(self.matrix, self.floor))

    def confidences(self, distributions, features=None):
        """Probabilities of the categories, shape (n_listings, n_categories), rows sum to 1.

        A category's evidence is how far its divergence lies below that of a category sharing nothing with the
        listing, KL_none − KL_c, where KL_none = −H(p) + log(n_classes / floor). Confidence is the evidence to the
        power 1 / temperature, normalised. So the order is that of the divergences, and where the categories are the
        classes and the temperature is 1, confidence is the listing's distribution itself: mapping loses nothing.

        Where a category has a prototype and the listing has features, the evidence of the category is multiplied by
        exp(scale · n / (n + settling) · (similarity − neutral)), n being the number of examples.

        features : ndarray of shape (n_listings, n_features), optional
            Of the listings' photos; rows of NaN for those without photos.
        """
        # log(floored projection) + log(n_classes / floor), and by log1p exactly 0 where the projection is at its floor
        lift = np.log1p((1.0 - self.floor) / self.floor * self.matrix.shape[1] * self.matrix)
        evidence = np.log(np.maximum(products(distributions, lift), TINY))  # of KL_none − KL_c: the entropy cancels
        if features is not None and self.few_shot.scale and self.examples.any():
            evidence = evidence + self._likeness(features)
        return softmax(evidence / self.temperature)

    def _likeness(self, features):
        """What prototypes say, in the logarithm of the evidence; 0 where there is none. (n_listings, n_categories)"""
        known, settings = self.examples > 0, self.few_shot
        found = np.zeros((len(features), len(self.categories)))
        trust = self.examples[known] / (self.examples[known] + settings.settling)
        found[:, known] = settings.scale * trust * (products(features, self.prototypes[known]) - settings.neutral)
        return np.nan_to_num(found)

    def with_category(self, name, category):
        """A copy with one more category, or with a known one defined anew. category : Category"""
        known = {each: self.category(i) for i, each in enumerate(self.categories)}
        return CategoryProjections.of({**known, name: category}, self)

    def without(self, name):
        """A copy without one category."""
        kept = {each: self.category(i) for i, each in enumerate(self.categories) if each != name}
        return CategoryProjections.of(kept, self)

    def category(self, number):
        """→ Category"""
        n_examples = int(self.examples[number])
        return Category(self.matrix[number], self.prototypes[number] if n_examples else None, n_examples)

    def save(self, folder):
        """Write the categories into the "projections" part of a bundle."""
        from safetensors.numpy import save_file

        folder.mkdir(exist_ok=True)
        settings = {
            "categories": self.categories,
            "floor": self.floor,
            "temperature": self.temperature,
            "few_shot": asdict(self.few_shot),
            "examples": self.examples.tolist(),
        }
        (folder / SETTINGS).write_text(json.dumps(settings, ensure_ascii=False, indent=1), "utf-8")
        tensors = {"projections": self.matrix, "prototypes": self.prototypes.astype(np.float32)}
        # safetensors writes the buffer as it lies: a transposed matrix would come back scrambled
        save_file({name: np.ascontiguousarray(each) for name, each in tensors.items()}, folder / MATRIX)

    @classmethod
    def load(cls, folder):
        """The categories in the "projections" part of a bundle; older ones have no prototypes."""
        from safetensors.numpy import load_file

        settings = json.loads((folder / SETTINGS).read_text("utf-8"))
        tensors = load_file(folder / MATRIX)
        return cls(
            settings["categories"],
            tensors["projections"],
            settings["floor"],
            settings["temperature"],
            tensors.get("prototypes"),
            settings.get("examples"),
            FewShot(**settings.get("few_shot", {})),
        )
