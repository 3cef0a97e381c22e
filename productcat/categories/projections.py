"""Categories as projections: how each category looks as a distribution over the trained classes.

This is a nearest-centroid classifier (Tibshirani et al. 2002) whose distance is the Kullback-Leibler divergence, so
categories come and go without training. The classes are blind to what they never saw. So a category made of examples
also keeps prototypes (`prototypes.py`): the mean of its examples' features, and that of their titles.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from productcat.arithmetic.distributions import TINY, softmax
from productcat.arithmetic.divergences import divergences, lift, nearness
from productcat.categories.prototypes import OF_ALL, Prototype, Prototypes
from productcat.models.contents import TEMPERATURES, Contents, Entries, Tensors

SETTINGS, MATRIX = "categories.json", "projections.safetensors"
PREFIXES = {"photos": "", "title": "title_"}
"""Kinds of prototypes, and the prefixes of their settings and tensors on disk."""

MOST_FEW, MOST_OFFSET = 1e6, 1e3
"""Greatest setting of `FewShot`, and greatest offset. Fitted ones are below a hundred, and a few nats."""


MOST_KEPT = 4 * OF_ALL
"""Number of deviations that a bundle may have. Work and memory grow with its square."""


@dataclass(frozen=True)
class FewShot:
    """What few examples count. Fitted by `training/few_shot.py`.

    scale : weight of the similarity of a listing's features and a category's prototype, in the logarithm of the score.
        With 0 the prototypes are left out.
    neutral : the similarity that speaks neither for nor against a category.
    settling : number of examples with which a prototype counts half. The mean of a category that is known from few
        examples is uncertain, and shrinks (Ioffe 2006, "Probabilistic linear discriminant analysis").
    ridge : what is added in every direction to the variance of photos within categories, as `Prototypes` has it.
        With 0 features are compared as they come.
    name_counts : number of examples as which the name of a category counts in its projection.
    temperature : of the confidences where a whole new tree of categories replaces the classes.
    title_scale, title_neutral, title_settling : the first three, of titles. Their words are compared as they come: what
        varies among them is not a common light or background.
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
"""Names of the settings that this productcat reads. A newer one may have written more."""


@dataclass(frozen=True)
class Category:
    """What is known of one category.

    projection : ndarray of shape (n_classes,), sums to 1
    prototypes : dict, "photos" | "title" → Prototype
        Without the kinds of which no example has any.
    offset : float
        As in `CategoryProjections`; 0 until a calibration says otherwise.
    """

    projection: NDArray[np.float64]
    prototypes: dict[str, Prototype] = field(default_factory=dict)
    offset: float = 0.0


def prototype_of(kind: str, vectors: NDArray[np.float32]) -> Prototype:
    """Make the prototype of examples of one kind, of their vectors of shape (n_examples, n_features).

    In what examples differ is kept of photos only, because only they have a ridge.
    """
    return Prototype.of(vectors, deviations=kind == "photos")


@dataclass(frozen=True, eq=False)
class CategoryProjections:
    """The marketplace's categories. Methods that change something return a new one.

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
        Added to the logarithms of the confidences before they are normalised: how much more or less frequent a category
        is here than its score tells. Fitted by a calibration; 0 without one.
    """

    categories: Sequence[str]
    matrix: NDArray[np.float64]
    floor: float = 1e-3
    temperature: float = 1.0
    prototypes: Mapping[str, Prototypes] = field(default_factory=dict)
    few_shot: FewShot = FewShot()
    offsets: NDArray[np.float64] = None  # type: ignore[assignment]  # zeros, which `__post_init__` counts

    def __post_init__(self) -> None:
        n_categories, given = len(self.categories), self.prototypes or {}
        whole = {
            "categories": list(self.categories),
            "matrix": np.asarray(self.matrix, np.float64),
            "prototypes": {kind: given.get(kind) or Prototypes.of([None] * n_categories) for kind in PREFIXES},
            "offsets": np.zeros(n_categories) if self.offsets is None else np.asarray(self.offsets, np.float64),
        }
        for name, value in whole.items():
            object.__setattr__(self, name, value)

    @classmethod
    def of_classes(cls, classes: Sequence[str], **settings: Any) -> Self:
        """Make each class a category of its own."""
        return cls(classes, np.eye(len(classes)), **settings)

    @classmethod
    def of(cls, categories: Mapping[str, Category], like: Self) -> Self:
        """Make new categories, by name, with the settings of known ones."""
        known = categories.values()
        matrix = np.array([each.projection for each in known])
        prototypes = {kind: Prototypes.of([each.prototypes.get(kind) for each in known]) for kind in PREFIXES}
        offsets = np.array([each.offset for each in known])
        return cls(list(categories), matrix, like.floor, like.temperature, prototypes, like.few_shot, offsets)

    @property
    def examples(self) -> NDArray[np.int_]:
        """Number of examples of each category with a photo, or with a title if these are more. (n_categories,)"""
        return np.asarray(np.max([each.examples for each in self.prototypes.values()], axis=0))

    @property
    def reads_vectors(self) -> set[str]:
        """Which of a listing's vectors, "photos" and "title", count beside what the classes make of it."""
        return {kind for kind, each in self.prototypes.items() if self._settings(kind)[0] and each.examples.any()}

    @cached_property
    def _lift(self) -> NDArray[np.float64]:
        return lift(self.matrix, self.floor)

    def nearness(self, distributions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how near each category is to each listing, in nats, shape (n_listings, n_categories).

        `productcat/arithmetic/divergences.py` defines it: KL_none − KL_c.
        """
        return nearness(distributions, self._lift)

    def divergences(
        self, distributions: NDArray[np.float64], near: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """Return KL(listing‖projection) in nats, shape (n_listings, n_categories).

        near : what `nearness` returned for these distributions, if it is known already
        """
        return divergences(distributions, self.nearness(distributions) if near is None else near, self.floor)

    def confidences(
        self,
        distributions: NDArray[np.float64],
        vectors: Mapping[str, NDArray[np.float32]] | None = None,
        near: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float64]:
        """Return the probabilities of the categories, shape (n_listings, n_categories), rows sum to 1.

        The score of a category is its `nearness`, KL_none − KL_c. Its confidence is the score to the power
        1 / temperature, normalised. So confidences have the order of the divergences. Where the categories are the
        classes and the temperature is 1, they are the listing's distribution itself: mapping loses nothing. A
        calibration may shift them by the offsets.

        Prototypes count where a category has one and the listing has a vector of that kind. They multiply the score of
        the category by exp(scale · n / (n + settling) · (similarity − neutral)). n is the number of examples, and the
        similarity is the product of the category's direction and the listing's features from the centre of all. Where
        classes are categories, too, the similarity to the nearest of them is neutral, if that is more.

        vectors : dict, "photos" | "title" → ndarray of shape (n_listings, n_features), optional
            Of the listings' photos and titles; rows of NaN for those without, n_features 0 where none has any.
        near : what `nearness` returned for these distributions, if it is known already
        """
        scores = np.log(np.maximum(self.nearness(distributions) if near is None else near, TINY))
        for kind, rows in (vectors or {}).items():
            if kind in self.reads_vectors and rows.shape[1]:
                scores = scores + self.prototypes[kind].likeness(rows, *self._settings(kind))
        return softmax(scores / self.temperature + self.offsets)

    def _settings(self, kind: str) -> tuple[float, float, float, float]:
        """Return what `Prototypes.likeness` takes. With scale 0 the prototypes are left out."""
        few = self.few_shot
        if kind == "photos":
            return few.scale, few.neutral, few.settling, few.ridge
        return few.title_scale, few.title_neutral, few.title_settling, 0.0

    def with_category(self, name: str, category: Category) -> Self:
        """Return a copy with one more category, or with a known one defined again."""
        return self.with_categories({name: category})

    def with_categories(self, categories: Mapping[str, Category]) -> Self:
        """Return a copy with more categories, by name, or with known ones defined again."""
        known = {each: self.category(i) for i, each in enumerate(self.categories)}
        return self.of(known | dict(categories), self)

    def without(self, name: str) -> Self:
        """Return a copy without one category."""
        return self.of({each: self.category(i) for i, each in enumerate(self.categories) if each != name}, self)

    def category(self, number: int) -> Category:
        """Return what is known of one category."""
        prototypes = {kind: each.prototype(number) for kind, each in self.prototypes.items() if each.present[number]}
        return Category(self.matrix[number], prototypes, float(self.offsets[number]))

    def save(self, folder: Path) -> None:
        """Write the categories into the "projections" part of a bundle."""
        from safetensors.numpy import save_file

        folder.mkdir(exist_ok=True)
        settings: dict[str, Any] = {
            "categories": self.categories,
            "floor": self.floor,
            "temperature": self.temperature,
            "few_shot": asdict(self.few_shot),
            "offsets": self.offsets.tolist(),
        }
        tensors: dict[str, NDArray[Any]] = {"projections": self.matrix}
        for kind, prefix in PREFIXES.items():
            own = self.prototypes[kind]
            settings[f"{prefix}examples"], tensors[f"{prefix}prototypes"] = own.examples.tolist(), own.vectors
            if own.kept.any():
                settings[f"{prefix}deviations"], tensors[f"{prefix}deviations"] = own.kept.tolist(), own.deviations
        (folder / SETTINGS).write_text(json.dumps(settings, ensure_ascii=False, indent=1), "utf-8")
        # safetensors writes the buffer as it lies in memory: a transposed matrix would come back scrambled
        save_file({name: np.ascontiguousarray(each) for name, each in tensors.items()}, folder / MATRIX)

    @classmethod
    def load(cls, folder: Path | Contents, n_classes: int | None = None) -> Self:
        """Read the "projections" part of a bundle. Older ones lack prototypes, deviations or offsets.

        n_classes : the number of classes, where it is known

        Raises
        ------
        BundleError
            A file is missing or damaged, or what it says is no such part.
        """
        contents = Contents.of(folder)
        settings, tensors = contents.entries(SETTINGS), contents.tensors(MATRIX)
        categories = settings.texts("categories")
        if not categories:
            settings.refuse("categories", "at least one")
        n_categories = len(categories)
        matrix = tensors.distributions("projections", n_categories, n_classes)
        prototypes = {
            kind: _prototypes(prefix, settings, tensors, n_categories)
            for kind, prefix in PREFIXES.items()
            if settings.has(f"{prefix}examples")
        }
        return cls(
            categories,
            matrix,
            settings.share("floor"),
            settings.number("temperature", *TEMPERATURES),
            prototypes,
            _few_shot(settings.object("few_shot")) if settings.has("few_shot") else FewShot(),
            _offsets(settings, n_categories) if settings.has("offsets") else None,  # type: ignore[arg-type]
        )


def _prototypes(prefix: str, settings: Entries, tensors: Tensors, n_categories: int) -> Prototypes:
    """Read the prototypes of one kind. prefix : of their names"""
    vectors = tensors.array(f"{prefix}prototypes", n_categories, None)
    width = vectors.shape[1]
    examples = np.array(settings.counts(f"{prefix}examples", n_categories), int)
    deviations, kept = np.empty((0, width), np.float16), np.zeros(n_categories, int)
    if settings.has(f"{prefix}deviations"):
        kept = np.array(settings.counts(f"{prefix}deviations", n_categories), int)
    if tensors.has(f"{prefix}deviations") or kept.any():
        deviations = tensors.array(f"{prefix}deviations", int(kept.sum()), width)
    if ((kept > examples) | ((kept > 0) & (examples < 2))).any() or kept.sum() > MOST_KEPT:
        settings.refuse(
            f"{prefix}deviations", f"up to {prefix}examples of each, none of a single one, {MOST_KEPT} in all"
        )
    return Prototypes(vectors, examples, deviations, kept)


def _few_shot(settings: Entries) -> FewShot:
    """Read what few examples count. A newer productcat may have written more settings."""
    known = {
        name: settings.number(name, -MOST_FEW if name.endswith("neutral") else 0, MOST_FEW)
        for name in sorted(KNOWN)
        if settings.has(name)
    }
    if settings.has("temperature"):
        settings.number("temperature", *TEMPERATURES)
    return FewShot(**known)


def _offsets(settings: Entries, n_categories: int) -> NDArray[np.float64]:
    found = np.array(settings.numbers("offsets", n_categories), np.float64)
    if (np.abs(found) > MOST_OFFSET).any():
        settings.refuse("offsets", f"numbers from {-MOST_OFFSET} to {MOST_OFFSET}")
    return found
