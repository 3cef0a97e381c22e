"""Categories as projections: how each category looks as a distribution over the trained classes.

A nearest-centroid classifier (Tibshirani et al. 2002) whose distance is the Kullback-Leibler divergence,
so categories come and go without training. The classes are blind to what they never saw, so a category made of examples
also keeps prototypes (`categories/prototypes.py`): the mean of its examples' features, and that of their titles.
"""

import json
from dataclasses import asdict, dataclass, field, fields

import numpy as np

from productcat.arithmetic.distributions import TINY, floor, kl_divergence, softmax
from productcat.arithmetic.vectors import products
from productcat.categories.prototypes import Prototype, Prototypes

SETTINGS, MATRIX = "categories.json", "projections.safetensors"
PREFIXES = {"photos": "", "title": "title_"}
"""Kinds of prototypes, and how their settings and what is kept of them on disk are called."""


@dataclass(frozen=True)
class FewShot:
    """What few examples count. Fitted by `training/few_shot.py`.

    scale: of the similarity of a listing's features and a category's prototype, in the logarithm of the score;
    0: the prototypes are left out. neutral: the similarity that speaks neither for nor against a category.
    settling: a prototype of so many examples counts half, as the mean of a category shrinks that is known from examples
    (Ioffe 2006, "Probabilistic linear discriminant analysis"). ridge: what is added in every direction to the variance
    of photos within categories, as `Prototypes` has it; 0: features are compared as they come. name_counts: the name of
    a category counts in its projection as so many examples. temperature: of the confidences where a whole new tree of
    categories takes the place of the classes. title_scale, title_neutral, title_settling: as the first three, of
    titles, whose words are compared as they come: what varies among them is no common light or background.
    """

    scale: float = 0.0
    neutral: float = 0.0
    settling: float = 1.0
    ridge: float = 0.0
    name_counts: float = 0.0
    temperature: float = 1.0
    title_scale: float = 0.0
    title_neutral: float = 0.0
    title_settling: float = 1.0


KNOWN = {each.name for each in fields(FewShot)}
"""Settings that this productcat reads; a newer one may have written more."""


@dataclass(frozen=True)
class Category:
    """One category, as it is known.

    projection : ndarray of shape (n_classes,), sums to 1
    prototypes : dict, "photos" | "title" → Prototype
        Without the kinds of which no example has any.
    offset : float
        As `CategoryProjections` has them; 0 until a calibration says otherwise.
    """

    projection: np.ndarray
    prototypes: dict[str, Prototype] = field(default_factory=dict)
    offset: float = 0.0


def prototype_of(kind, vectors):
    """That of examples of one kind; in what examples differ is kept of photos only, which alone have a ridge.

    vectors : ndarray of shape (n_examples, n_features) → Prototype
    """
    return Prototype.of(vectors, deviations=kind == "photos")


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
    prototypes : dict, "photos" | "title" → Prototypes, optional
    few_shot : FewShot
    offsets : ndarray of shape (n_categories,), optional
        Added to the logarithms of the confidences before they are normalised: by how much a category is more, or less
        frequent here than its score tells. Fitted by a calibration; 0 without one.
    """

    def __init__(
        self, categories, matrix, floor=1e-3, temperature=1.0, prototypes=None, few_shot=FewShot(), offsets=None
    ):
        self.categories = list(categories)
        self.matrix = np.asarray(matrix, np.float64)
        self.floor = floor
        self.temperature = temperature
        none = Prototypes.of([None] * len(self.categories))
        self.prototypes = {kind: (prototypes or {}).get(kind, none) for kind in PREFIXES}
        self.few_shot = few_shot
        self.offsets = np.zeros(len(self.categories)) if offsets is None else np.asarray(offsets, np.float64)

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
        matrix = np.array([each.projection for each in known])
        prototypes = {kind: Prototypes.of([each.prototypes.get(kind) for each in known]) for kind in PREFIXES}
        offsets = [each.offset for each in known]
        return cls(categories, matrix, like.floor, like.temperature, prototypes, like.few_shot, offsets)

    @property
    def examples(self):
        """How many examples are known of each category: those with a photo or those with a title, whichever are more.

        ndarray of shape (n_categories,), int
        """
        return np.max([each.examples for each in self.prototypes.values()], axis=0)

    @property
    def reads_vectors(self):
        """Which of a listing's vectors, "photos" and "title", count beside what the classes make of it. → set of str"""
        return {kind for kind, each in self.prototypes.items() if self._settings(kind)[0] and each.examples.any()}

    def divergences(self, distributions):
        """KL(listing‖projection) in nats, shape (n_listings, n_categories).

        What `confidences` are defined by; the listing's entropy cancels there, so it is never computed.
        """
        return kl_divergence(distributions, floor(self.matrix, self.floor))

    def confidences(self, distributions, vectors=None):
        """Probabilities of the categories, shape (n_listings, n_categories), rows sum to 1.

        A category's score is how far its divergence lies below that of a category sharing nothing with the
        listing, KL_none − KL_c, where KL_none = −H(p) + log(n_classes / floor). Confidence is the score to the
        power 1 / temperature, normalised. So the order is that of the divergences, and where the categories are the
        classes and the temperature is 1, confidence is the listing's distribution itself: mapping loses nothing. A
        calibration may shift it by the offsets.

        Where a category has a prototype and the listing has a vector of that kind, the score of the category is
        multiplied by exp(scale · n / (n + settling) · (similarity − neutral)), n being the number of examples and
        similarity the product of the category's direction and the listing's features from the centre of all. Where
        classes are categories, too, the similarity to the nearest of them is what is neutral, if that is more.

        vectors : dict, "photos" | "title" → ndarray of shape (n_listings, n_features), optional
            Of the listings' photos and titles; rows of NaN for those without, n_features 0 where none has any.
        """
        # log(floored projection) + log(n_classes / floor), and by log1p exactly 0 where the projection is at its floor
        lift = np.log1p((1.0 - self.floor) / self.floor * self.matrix.shape[1] * self.matrix)
        scores = np.log(np.maximum(products(distributions, lift), TINY))  # of KL_none − KL_c: the entropy cancels
        for kind, rows in (vectors or {}).items():
            if kind in self.reads_vectors and rows.shape[1]:
                scores = scores + self.prototypes[kind].likeness(rows, *self._settings(kind))
        return softmax(scores / self.temperature + self.offsets)

    def _settings(self, kind):
        """What `Prototypes.likeness` takes, of the prototypes of one kind; scale 0: they are left out."""
        settings = [getattr(self.few_shot, PREFIXES[kind] + name) for name in ("scale", "neutral", "settling")]
        return [*settings, self.few_shot.ridge if kind == "photos" else 0.0]

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
        prototypes = {kind: each.prototype(number) for kind, each in self.prototypes.items() if each.present[number]}
        return Category(self.matrix[number], prototypes, float(self.offsets[number]))

    def save(self, folder):
        """Write the categories into the "projections" part of a bundle."""
        from safetensors.numpy import save_file

        folder.mkdir(exist_ok=True)
        settings = {
            "categories": self.categories,
            "floor": self.floor,
            "temperature": self.temperature,
            "few_shot": asdict(self.few_shot),
            "offsets": self.offsets.tolist(),
        }
        tensors = {"projections": self.matrix}
        for kind, prefix in PREFIXES.items():
            own = self.prototypes[kind]
            settings[f"{prefix}examples"], tensors[f"{prefix}prototypes"] = own.examples.tolist(), own.vectors
            if own.kept.any():
                settings[f"{prefix}deviations"], tensors[f"{prefix}deviations"] = own.kept.tolist(), own.deviations
        (folder / SETTINGS).write_text(json.dumps(settings, ensure_ascii=False, indent=1), "utf-8")
        # safetensors writes the buffer as it lies: a transposed matrix would come back scrambled
        save_file({name: np.ascontiguousarray(each) for name, each in tensors.items()}, folder / MATRIX)

    @classmethod
    def load(cls, folder):
        """The categories in the "projections" part of a bundle; older ones lack prototypes, deviations or offsets."""
        from safetensors.numpy import load_file

        settings = json.loads((folder / SETTINGS).read_text("utf-8"))
        tensors = load_file(folder / MATRIX)
        prototypes = {}
        for kind, prefix in PREFIXES.items():
            if f"{prefix}examples" in settings:
                vectors, examples = tensors[f"{prefix}prototypes"], np.array(settings[f"{prefix}examples"], int)
                deviations = tensors.get(f"{prefix}deviations", np.empty((0, vectors.shape[1]), np.float16))
                kept = np.array(settings.get(f"{prefix}deviations", np.zeros_like(examples)), int)
                prototypes[kind] = Prototypes(vectors, examples, deviations, kept)
        return cls(
            settings["categories"],
            tensors["projections"],
            settings["floor"],
            settings["temperature"],
            prototypes,
            FewShot(**{name: each for name, each in settings.get("few_shot", {}).items() if name in KNOWN}),
            settings.get("offsets"),
        )
