"""Listings in, categories out: photos and title → distributions → confidences → decisions."""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from itertools import filterfalse, islice
from pathlib import Path
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from productcat.categories.bundle_parts import CLASSES, check_fit, read_classes, read_rules
from productcat.categories.decision import DecisionRule, Prediction
from productcat.categories.ensemble import MODALITIES, Ensemble, Modality, ModelOutputs, combined
from productcat.categories.projections import MATRIX, PREFIXES, SETTINGS, Category, CategoryProjections, prototype_of
from productcat.errors import BundleError, ListingError
from productcat.listings.listing import Listing, only
from productcat.models import image_model as image_files
from productcat.models import title_model as title_files
from productcat.models.bundle import Bundle, write_bundle
from productcat.models.contents import AGAIN
from productcat.models.image_model import DISTRIBUTION, ImageModel, photo_means
from productcat.models.title_model import TitleModel
from productcat.models.word_bags import WordBags
from productcat.problems import OnProblem, Problem, warn
from productcat.wording import is_unicode

LISTINGS_AT_ONCE = 64
"""Number of listings handled together: an iterable may be longer than memory."""

READ_HERE = frozenset(
    {
        CLASSES,
        *(f"{part}/{name}" for part in ("image", "features") for name in image_files.FILES),
        *(f"title/{name}" for name in title_files.FILES),
        *(f"projections/{name}" for name in (SETTINGS, MATRIX)),
    }
)
"""Names of the files that `Categorizer.load` reads: their checksums are compared then, and only once."""

NAMED = 20
"""Number of categories that are not classes which a manifest names at most."""


@dataclass(frozen=True)
class _Batch:
    """Some listings, what the models make of them, and the problems of each."""

    listings: Sequence[Listing]
    outputs: ModelOutputs
    problems: list[list[Problem]]

    def tell(self, on_problem: OnProblem) -> None:
        for each in self.problems:
            for problem in each:
                on_problem(problem)


class Categorizer:
    """Tells which of a marketplace's categories a listing belongs to.

    `Categorizer.load` makes one. Batches go in, batches come out, in the order given. A photo that cannot be read is
    left out, and the rest of the listing still counts. `predict` names the photo in the listing's `problems`. The other
    methods give it to `on_problem`, by default as a warning.

    Threads may share a categorizer. One thread at a time may change the categories. Meanwhile each prediction of
    another thread sees those of before or those of after. Calibrate, and assign rules, before you share it.

    Attributes
    ----------
    classes : list of str, length n_classes
        What the models were trained on.
    categories : list of str, length n_categories
        What the marketplace wants; changed by `add_category`, `remove_category`, `add_categories` and
        `replace_categories`.
    rules : dict, "photos" | "title" | "both" → DecisionRule
        Turn confidences into decisions. Photos alone, or the title alone, may need another threshold than both for the
        same share of right answers.
    rule : DecisionRule
        The rule for listings with both. Assigning a rule replaces all of them.
    ensemble : Ensemble
        How photos and title become one distribution.
    image_model, title_model : ImageModel, TitleModel or None
    feature_model : ImageModel or None
        The model of whose features prototypes are made: the bundle's part "features" or, without it, the image model.
    """

    def __init__(
        self,
        bundle: Bundle,
        image_model: ImageModel | None,
        title_model: TitleModel | None,
        projections: CategoryProjections,
        rules: dict[Modality, DecisionRule],
    ) -> None:
        self.bundle = bundle
        self.image_model = image_model
        self.feature_model = image_model
        if image_model and bundle.has("features"):
            self.feature_model = ImageModel.load(bundle.contents("features"))
        self.title_model = title_model
        self.word_bags = WordBags(title_model) if title_model else None
        self.projections = projections
        self.rules = rules
        self.classes, self.parents = read_classes(bundle.contents())
        self.ensemble = Ensemble.of(bundle.entries("ensemble"))
        check_fit(bundle, len(self.classes), image_model, self.feature_model, title_model, projections)

    @classmethod
    def load(cls, bundle: str | os.PathLike[str] | None = None) -> Self:
        """Open a bundle: a path, the name of a shipped one, or None for the default.

        Raises
        ------
        BundleError
            The bundle is missing, damaged, or of another format.
        """
        opened = Bundle.of_manifest(bundle)
        if not opened.has("image") and not opened.has("title"):
            raise BundleError(f"bundle {opened.path}: neither image nor title model in it; use a bundle with one")
        with opened.checking(READ_HERE), ThreadPoolExecutor(1) as pool:
            image = pool.submit(ImageModel.load, opened.contents("image")) if opened.has("image") else None
            title_model = TitleModel.load(opened.contents("title")) if opened.has("title") else None
            rules, projections = read_rules(opened), CategoryProjections.load(opened.contents("projections"))
            image_model = image.result() if image else None
            return cls(opened, image_model, title_model, projections, rules)

    @property
    def categories(self) -> list[str]:
        """What the marketplace wants."""
        return list(self.projections.categories)

    @property
    def rule(self) -> DecisionRule:
        """The rule for listings with photos and title."""
        return self.rules["both"]

    @rule.setter
    def rule(self, rule: DecisionRule) -> None:
        self.rules = dict.fromkeys(MODALITIES, rule)

    def class_distributions(
        self, listings: Iterable[Listing], use: Modality = "both", on_problem: OnProblem = warn
    ) -> NDArray[np.float64]:
        """Return what the trained models see.

        Parameters
        ----------
        listings : iterable of Listing
        use : "photos" | "title" | "both"

        Returns
        -------
        ndarray of shape (n_listings, n_classes)
            Calibrated probabilities, rows sum to 1. A row of NaN where there is no evidence.

        `on_problem` is called with the Problem of each photo that cannot be read. By default each is a warning.
        """
        rows = [np.empty((0, len(self.classes)))]
        for batch in self._batches(listings, use, vectors=()):
            batch.tell(on_problem)
            rows.append(self._combined(batch.outputs))
        return np.concatenate(rows)

    def look(
        self,
        listings: Iterable[Listing],
        use: Modality = "both",
        vectors: Collection[str] = tuple(PREFIXES),
        on_problem: OnProblem = warn,
    ) -> ModelOutputs:
        """Return what the models see, before any temperature. vectors : "photos", "title", those that are wanted"""
        parts = []
        for batch in self._batches(listings, use, vectors):
            batch.tell(on_problem)
            parts.append(batch.outputs)
        nothing = np.empty((0, len(self.classes)))
        return ModelOutputs.joined(parts) if parts else ModelOutputs(nothing, nothing, {})

    def roll_up(self, distributions: NDArray[np.float64], level: str) -> tuple[list[str], NDArray[np.float64]]:
        """Sum the probabilities of the classes that share a parent.

        Parameters
        ----------
        distributions : ndarray of shape (n_listings, n_classes)
        level : str
            A key of `parents`, such as "subCategory".

        Returns
        -------
        names : list of str, length n_parents, sorted
        sums : ndarray of shape (n_listings, n_parents)
        """
        if level not in self.parents:
            raise ValueError(f"level={level!r}: the classes have {', '.join(self.parents) or 'no parents'}")
        names = sorted(set(self.parents[level]))
        member = np.array(self.parents[level])[:, None] == np.array(names)
        return names, distributions @ member

    def predict_proba(self, listings: Iterable[Listing], on_problem: OnProblem = warn) -> NDArray[np.float64]:
        """Return calibrated confidences, shape (n_listings, n_categories). Rows sum to 1, or are NaN: no evidence.

        `on_problem` is called with the Problem of each photo that cannot be read. By default each is a warning.
        """
        known, rows = self.projections, []
        for batch in self._batches(listings, "both", known.reads_vectors):
            batch.tell(on_problem)
            rows.append(self._confidences(known, batch.outputs))
        return np.concatenate([np.empty((0, len(known.categories))), *rows])

    def confidences(self, outputs: ModelOutputs) -> NDArray[np.float64]:
        """Return confidences as `predict_proba` does, from what `look` returned."""
        return self._confidences(self.projections, outputs)

    def predict(self, listings: Iterable[Listing]) -> list[Prediction]:
        """Return a Prediction for each listing: assign, shortlist or abstain."""
        return [prediction for prediction, _ in self.judge(listings)]

    def judge(
        self, listings: Iterable[Listing], on_problem: OnProblem | None = None
    ) -> Iterator[tuple[Prediction, NDArray[np.float64]]]:
        """Yield for each listing its Prediction and its confidences, shape (n_categories,).

        on_problem : called with each Problem besides, which the Prediction has as text
        """
        known = self.projections  # the caller or another thread may replace them meanwhile
        for batch in self._batches(listings, "both", known.reads_vectors):
            if on_problem:
                batch.tell(on_problem)
            distributions = self._combined(batch.outputs)
            near = known.nearness(distributions)
            rows = self._complete(known.confidences(distributions, batch.outputs.vectors, near), batch.outputs)
            judged = rows, known.divergences(distributions, near), batch.outputs.modalities(), batch.problems
            for listing, row, nats, modality, problems in zip(batch.listings, *judged, strict=True):
                rule = self.rules[modality]
                yield rule.decide(known.categories, row, listing.id, map(str, problems), nats), row

    def add_category(
        self,
        name: str,
        examples: Iterable[Listing] = (),
        description: str = "",
        on_problem: OnProblem = warn,
    ) -> None:
        """Make a category known, or define a known one again, without training.

        Parameters
        ----------
        name : str
        examples : iterable of Listing
            The projection is the mean of their distributions. The prototypes are the means of the features of their
            photos and of the words of their titles. The name counts as some more examples, where the title model knows
            its words and the bundle says so. Without examples only the name and the description count.
        description : str
            More words beside the name.
        on_problem : callable
            Called with each Problem: a photo that cannot be read, or a name that says little.

        Raises
        ------
        ListingError
            There is no name, or neither examples nor name give any evidence.
        """
        category = self._category(name, examples, description, on_problem)
        self.projections = self.projections.with_category(name, category)

    def remove_category(self, name: str) -> None:
        """Forget a category. The last one cannot be removed."""
        if name not in self.projections.categories:
            raise ListingError(f"category {name!r}: not among the {len(self.categories)} categories; see `categories`")
        if len(self.projections.categories) == 1:
            raise ListingError(f"category {name!r}: it is the last one; add another category first")
        self.projections = self.projections.without(name)

    def add_categories(
        self,
        categories: Mapping[str, Iterable[Listing]],
        descriptions: Mapping[str, str] | None = None,
        on_problem: OnProblem = warn,
        skip_bad: bool = False,
    ) -> list[str]:
        """Make several categories known, or define known ones again, as `add_category` does.

        It takes, returns and raises what `replace_categories` does.
        """
        found, left_out = self._categories(categories, descriptions, on_problem, skip_bad)
        self.projections = self.projections.with_categories(found)
        return left_out

    def replace_categories(
        self,
        categories: Mapping[str, Iterable[Listing]],
        descriptions: Mapping[str, str] | None = None,
        on_problem: OnProblem = warn,
        skip_bad: bool = False,
    ) -> list[str]:
        """Replace all categories by others.

        Parameters
        ----------
        categories : dict, name → iterable of Listing
            Examples of each category. Where there are none, the name speaks.
        descriptions : dict, name → str, optional
            As in `add_category`.
        on_problem : callable
            As in `add_category`.
        skip_bad : bool
            Leave out a category of which neither examples nor name give evidence, and tell `on_problem`.

        Returns
        -------
        list of str
            The categories that were left out.

        Raises
        ------
        ListingError
            Some categories give no evidence: all of them are named, and nothing has changed. With `skip_bad` only if
            none would be left.
        """
        found, left_out = self._categories(categories, descriptions, on_problem, skip_bad)
        temperature = self.projections.few_shot.temperature
        self.projections = replace(CategoryProjections.of(found, self.projections), temperature=temperature)
        self.bundle = self.bundle.with_manifest(calibration=None)  # it was of the categories that are gone
        return left_out

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write this categorizer as a new bundle. Parts that it does not own, such as duplicates, are copied.

        Raises
        ------
        BundleError
            The directory exists or cannot be written.
        """

        def fill(folder: Path) -> None:
            self.bundle.copy_files(folder)
            self.projections.save(folder / "projections")

        manifest = {key: each for key, each in self.bundle.manifest.items() if key != "categories"}
        manifest |= {"ensemble": self.ensemble.settings(), "decision_rule": asdict(self.rule)}
        alone: tuple[Modality, ...] = ("photos", "title")
        manifest["decision_rules_alone"] = {modality: asdict(self.rules[modality]) for modality in alone}
        if self.categories != self.classes:
            added = [*filterfalse(set(self.classes).__contains__, self.categories)]
            manifest["categories"] = {"number": len(self.categories), "that are no classes": added[:NAMED]}
        write_bundle(path, manifest, fill)

    def _categories(
        self,
        categories: Mapping[str, Iterable[Listing]],
        descriptions: Mapping[str, str] | None,
        on_problem: OnProblem,
        skip_bad: bool,
    ) -> tuple[dict[str, Category], list[str]]:
        """Find out what is known of several categories. → by name; names of those left out, without evidence"""
        if not isinstance(categories, Mapping) or not categories:
            raise ListingError("categories: expected a dict with at least one name → examples")
        found: dict[str, Category] = {}
        bad: dict[str, list[str]] = {}  # what is wrong → names
        for name, examples in categories.items():
            try:
                found[name] = self._category(name, examples, (descriptions or {}).get(name, ""), on_problem)
            except ListingError as error:
                bad.setdefault(str(error).removeprefix(f"category {name!r}: "), []).append(name)
        reasons = [
            f"{'category' if len(names) == 1 else 'categories'} {', '.join(map(repr, names))}: {why}"
            for why, names in bad.items()
        ]
        if bad and (not skip_bad or not found):
            way_out = ", or leave them out (skip_bad=True, --skip-bad)" if found else ""
            raise ListingError("; ".join(reasons) + way_out)
        for each in reasons:
            on_problem(Problem(None, f"{each}; left out"))
        return found, [name for names in bad.values() for name in names]

    def _category(self, name: str, examples: Iterable[Listing], description: str, on_problem: OnProblem) -> Category:
        """Find out what is known of a category."""
        if not isinstance(name, str) or not name.strip() or not is_unicode(name):
            raise ListingError(f"category {name!r}: a category needs a name, in UTF-8")
        outputs = self.look(examples := list(only(Listing, examples)), on_problem=on_problem)
        known = _evident(self._combined(outputs))
        text = f"{name} {description}".strip()
        named = _evident(self.class_distributions([Listing(title=text)], "title"))
        if examples and not len(known):
            why = "none of its examples has a photo that can be read or a title with a known word"
            raise ListingError(f"category {name!r}: {why}; give {self._wanted()}")
        if not len(known) and not len(named):
            why = "the title model knows no word of its name" if self.title_model else "there is no title model here"
            raise ListingError(f"category {name!r}: {why}; give {self._wanted()}")
        if not len(known) and self.title_model and self.title_model.guesses(text):
            why = "its name has no known word, its pieces say little"
            on_problem(Problem(None, f"category {name!r}: {why}; give {self._wanted()}"))
        weights = [1.0] * len(known) + [self.projections.few_shot.name_counts if len(known) else 1.0] * len(named)
        projection = np.average(np.concatenate([known, named]), axis=0, weights=weights)
        vectors = {kind: _evident(rows) for kind, rows in outputs.vectors.items()}
        prototypes = {kind: prototype_of(kind, rows) for kind, rows in vectors.items() if rows.size}
        return Category(projection, prototypes)

    def _combined(self, outputs: ModelOutputs) -> NDArray[np.float64]:
        """Return the distributions of listings; NaN only without evidence."""
        return self._complete(combined(outputs, self.ensemble), outputs)

    def _confidences(self, known: CategoryProjections, outputs: ModelOutputs) -> NDArray[np.float64]:
        """Return the confidences of categories; NaN only without evidence."""
        return self._complete(known.confidences(self._combined(outputs), outputs.vectors), outputs)

    def _complete(self, rows: NDArray[np.float64], outputs: ModelOutputs) -> NDArray[np.float64]:
        """Return rows of listings as they are. Raise BundleError when one is NaN though the listing has evidence."""
        evident = ~(np.isnan(outputs.photos).any(axis=1) & np.isnan(outputs.title).any(axis=1))
        if not np.isfinite(rows[evident]).all():
            raise BundleError(f"bundle {self.bundle.path}: it gives confidences that are not numbers; {AGAIN}")
        return rows

    def _wanted(self) -> str:
        kinds = [kind for kind, model in (("photo", self.image_model), ("title", self.title_model)) if model]
        return f"examples with a {' or a '.join(kinds)}"

    def _batches(self, listings: Iterable[Listing], use: Modality, vectors: Collection[str]) -> Iterator[_Batch]:
        """Look at listings, batch by batch. vectors : kinds of vectors that are wanted"""
        if use not in MODALITIES:
            raise ValueError(f"use={use!r}: expected one of {', '.join(MODALITIES)}")
        listings = only(Listing, listings)
        while batch := list(islice(listings, LISTINGS_AT_ONCE)):
            reasons: list[list[str]] = [[] for _ in batch]
            photos = titles = np.full((len(batch), len(self.classes)), np.nan)
            features = words = np.empty((len(batch), 0), np.float32)
            if self.image_model and use != "title":
                means = photo_means([each.photos for each in batch], self.image_model, reasons)
                photos = means.get(DISTRIBUTION, photos)
                if "photos" in vectors:
                    features = self._features(batch, means, features)
                    features = np.where(np.isnan(photos[:, :1]), np.float32(np.nan), features)  # as for words
            if self.title_model and self.word_bags and use != "photos":
                texts = [each.title for each in batch]
                titles = self.title_model.distributions(texts)
                words = self.word_bags.vectors(texts) if "title" in vectors else words
                words = np.where(np.isnan(titles[:, :1]), np.float32(np.nan), words)  # evidence by both or by none
            problems = [[Problem(each.id, why) for why in found] for each, found in zip(batch, reasons, strict=True)]
            yield _Batch(batch, ModelOutputs(photos, titles, {"photos": features, "title": words}), problems)

    def _features(
        self, batch: list[Listing], means: Mapping[str, NDArray[np.float32]], nothing: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return the direction of the mean features of each listing's photos, `nothing` where no photo can be read.

        means : what the image model made of the photos; a bundle may have a feature model of its own
        """
        model = self.feature_model
        if model is None or not model.levels:
            return nothing
        if model is not self.image_model:
            means = photo_means([each.photos for each in batch], model, [[] for _ in batch])  # problems are known
        return means.get(model.levels[-1], nothing)


Evident = TypeVar("Evident", np.float32, np.float64)


def _evident(rows: NDArray[Evident]) -> NDArray[Evident]:
    """Return the rows that are evidence."""
    return rows[np.logical_not(np.isnan(rows).any(axis=1))]
