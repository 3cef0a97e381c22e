"""Listings in, categories out: photos and title → distributions → confidences → decisions."""

import warnings
from collections.abc import Mapping
from dataclasses import asdict
from itertools import filterfalse, islice

import numpy as np

from productcat.categories.decision import DecisionRule
from productcat.categories.ensemble import USES, Sight, combined, kinds_of
from productcat.categories.projections import PREFIXES, Category, CategoryProjections, prototype_of
from productcat.errors import BundleError, ListingError
from productcat.listings.listing import Listing, only
from productcat.models.bundle import Bundle, write_bundle
from productcat.models.image_model import DISTRIBUTION, ImageModel, photo_means
from productcat.models.title_model import TitleModel
from productcat.models.title_words import WordBags
from productcat.wording import is_unicode

BATCH = 64
"""Listings handled at a time: an iterable may be longer than memory."""

NAMED = 20
"""Categories that are no classes and that a manifest names, at most."""


class Categorizer:
    """Tells which of a marketplace's categories a listing belongs to.

    Made by `Categorizer.load`. Batches go in, batches come out, in the order given. A photo that cannot be read is
    left out, and the rest of the listing still counts: `predict` names it in the listing's `problems`, all else in a
    warning.

    Attributes
    ----------
    classes : list of str, length n_classes
        What the models were trained on.
    categories : list of str, length n_categories
        What the marketplace wants; changed by `add_category`, `remove_category`, `replace_categories`.
    rules : dict, kind of evidence ("photos", "title", "both") → DecisionRule
        Turn confidences into decisions. Photos alone, or the title alone, may need another threshold than both for
        the same share of right answers.
    rule : DecisionRule
        The one for listings with both. Assigning a rule puts it in the place of all of them.
    image_model, title_model : ImageModel, TitleModel or None
    feature_model : ImageModel or None
        Whose features prototypes are made of: the bundle's part "features" or, without it, the image model.
    """

    def __init__(self, bundle, image_model, title_model, projections, rules):
        self.bundle = bundle
        self.image_model = image_model
        has_features = image_model and bundle.has("features")
        self.feature_model = ImageModel.load(bundle.part("features")) if has_features else image_model
        self.title_model = title_model
        self.word_bags = WordBags(title_model) if title_model else None
        self.projections = projections
        self.rules = rules
        classes = bundle.read_json("classes.json")
        self.classes = [each["name"] for each in classes]
        self.parents = {level: [each["parents"][level] for each in classes] for level in classes[0]["parents"]}
        self.ensemble = bundle.setting("ensemble")

    @classmethod
    def load(cls, bundle=None):
        """Open a bundle: a path, the name of a shipped one, or None for the default.

        Raises
        ------
        BundleError
            The bundle is missing, damaged, or of another format.
        """
        opened = Bundle.open(bundle)
        kinds = (ImageModel, "image"), (TitleModel, "title")
        models = [model.load(opened.part(part)) if opened.has(part) else None for model, part in kinds]
        if models == [None, None]:
            raise BundleError(f"bundle {opened.path}: neither image nor title model in it; use a bundle with one")
        rule = opened.setting("decision_rule")
        rules = {"both": rule, "photos": rule, "title": rule, **opened.manifest.get("decision_rules_alone", {})}
        rules = {evidence: DecisionRule(**settings) for evidence, settings in rules.items()}
        return cls(opened, *models, CategoryProjections.load(opened.part("projections")), rules)

    @property
    def categories(self):
        return list(self.projections.categories)

    @property
    def rule(self):
        return self.rules["both"]

    @rule.setter
    def rule(self, rule):
        self.rules = dict.fromkeys(USES, rule)

    def class_distributions(self, listings, use="both"):
        """What the trained models see.

        Parameters
        ----------
        listings : iterable of Listing
        use : "photos" | "title" | "both"

        Returns
        -------
        ndarray of shape (n_listings, n_classes)
            Calibrated probabilities, rows sum to 1; a NaN row where there is no evidence.
        """
        seen = self._seen(listings, use, vectors=())
        rows = [combined(sight, self.ensemble) for _, sight, problems in seen if not _warn(problems)]
        return np.concatenate([np.empty((0, len(self.classes))), *rows])

    def look(self, listings, use="both", vectors=PREFIXES):
        """What the models see, before anything is made of it. vectors: kinds of those that are wanted. → Sight"""
        parts = [sight for _, sight, problems in self._seen(listings, use, vectors) if not _warn(problems)]
        return Sight.joined(parts) if parts else Sight(*[np.empty((0, len(self.classes)))] * 2, {})

    def roll_up(self, distributions, level):
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

    def predict_proba(self, listings):
        """Calibrated confidences, shape (n_listings, n_categories), rows sum to 1; NaN rows without evidence."""
        judged = self._judged(listings, known := self.projections)
        rows = [confidences for _, _, problems, confidences in judged if not _warn(problems)]
        return np.concatenate([np.empty((0, len(known.categories))), *rows])

    def confidences(self, sight):
        """As `predict_proba`, of what the models saw. sight : Sight, with the vectors that the projections read"""
        return self.projections.confidences(combined(sight, self.ensemble), sight.vectors)

    def predict(self, listings):
        """One Prediction for each listing: assign, shortlist or abstain."""
        return [prediction for prediction, _ in self.judge(listings)]

    def judge(self, listings):
        """Iterator of (Prediction, its confidences as ndarray of shape (n_categories,)), one pair a listing."""
        known = self.projections  # the caller, or another thread, may put others in its place
        for batch, sight, problems, confidences in self._judged(listings, known):
            for listing, row, kind, wrong in zip(batch, confidences, kinds_of(sight), problems, strict=True):
                yield self.rules[kind].decide(known.categories, row, listing.id, wrong), row

    def _judged(self, listings, known):
        """Batches of (listings, Sight, problems, confidences in the `known` categories)."""
        for batch, sight, problems in self._seen(listings, "both", known.reads_vectors):
            yield batch, sight, problems, known.confidences(combined(sight, self.ensemble), sight.vectors)

    def add_category(self, name, examples=(), description=""):
        """Make a category known, or define a known one anew; no training.

        Parameters
        ----------
        name : str
        examples : iterable of Listing
            The projection is the mean of their distributions, the prototypes those of the features of their photos and
            of the words of their titles. The name counts as some examples more, where the title model knows its
            words and the bundle says so. Without examples, the name and the description are all.
        description : str
            More words beside the name.

        Raises
        ------
        ListingError
            No name, or neither examples nor name give any evidence; that a name says little is a warning.
        """
        self.projections = self.projections.with_category(name, self._category(name, examples, description))

    def remove_category(self, name):
        """Forget a category. The last one cannot be removed."""
        if name not in self.projections.categories:
            raise ListingError(f"category {name!r}: not among the {len(self.categories)} categories; see `categories`")
        if len(self.projections.categories) == 1:
            raise ListingError(f"category {name!r}: it is the last one; add another category first")
        self.projections = self.projections.without(name)

    def replace_categories(self, categories, descriptions=None):
        """Put a whole new target tree in the place of the old.

        categories : dict, name → iterable of Listing; where it is empty, the name speaks.
        descriptions : dict, name → str, optional; as `add_category` takes them.
        """
        if not isinstance(categories, Mapping) or not categories:
            raise ListingError("replace_categories: expected a dict with at least one name → examples")
        said = descriptions or {}
        found = {name: self._category(name, examples, said.get(name, "")) for name, examples in categories.items()}
        self.projections = CategoryProjections.of(found, self.projections)
        self.projections.temperature = self.projections.few_shot.temperature
        self.bundle.manifest.pop("calibration", None)  # it was of the categories that are gone

    def save(self, path):
        """Write this categorizer as a new bundle; the parts that it does not own, such as duplicates, are copied.

        Raises
        ------
        BundleError
            The directory exists or cannot be written.
        """

        def fill(folder):
            self.bundle.copy_files(folder)
            self.projections.save(folder / "projections")

        manifest = {key: each for key, each in self.bundle.manifest.items() if key != "categories"}
        manifest |= {"ensemble": self.ensemble, "decision_rule": asdict(self.rule)}
        manifest["decision_rules_alone"] = {kind: asdict(self.rules[kind]) for kind in ("photos", "title")}
        if self.categories != self.classes:
            added = [*filterfalse(set(self.classes).__contains__, self.categories)]
            manifest["categories"] = {"number": len(self.categories), "that are no classes": added[:NAMED]}
        write_bundle(path, manifest, fill)

    def _category(self, name, examples, description):
        """What is known of a category. → Category"""
        if not isinstance(name, str) or not name.strip() or not is_unicode(name):
            raise ListingError(f"category {name!r}: a category needs a name, in UTF-8")
        sight = self.look(examples := list(only(Listing, examples)))
        known = _evident(combined(sight, self.ensemble))
        named = self._named(text := f"{name} {description}".strip())
        if examples and not len(known):
            why = "none of its examples has a photo that can be read or a title with a known word"
            raise ListingError(f"category {name!r}: {why}; give {self._wanted()}")
        if not len(known) and not len(named):
            why = "the title model knows no word of its name" if self.title_model else "there is no title model here"
            raise ListingError(f"category {name!r}: {why}; give {self._wanted()}")
        if not len(known) and self.title_model.guesses(text):
            _warn([[f"category {name!r}: its name has no known word, its pieces say little; give {self._wanted()}"]])
        weights = [1.0] * len(known) + [self.projections.few_shot.name_counts if len(known) else 1.0] * len(named)
        projection = np.average(np.concatenate([known, named]), axis=0, weights=weights)
        vectors = {kind: _evident(rows) for kind, rows in sight.vectors.items()}
        prototypes = {kind: prototype_of(kind, rows) for kind, rows in vectors.items() if rows.size}
        return Category(projection, prototypes)

    def _named(self, text):
        """A category's name seen through the classes, shape (1, n_classes), or (0, n_classes) without a known word."""
        return _evident(self.class_distributions([Listing(title=text)], "title"))

    def _wanted(self):
        kinds = [kind for kind, model in (("photo", self.image_model), ("title", self.title_model)) if model]
        return f"examples with a {' or a '.join(kinds)}"

    def _seen(self, listings, use, vectors):
        """Batches of (listings, Sight, problems of each listing). vectors: kinds of those that are wanted."""
        if use not in USES:
            raise ValueError(f"use={use!r}: expected one of {', '.join(USES)}")
        listings = only(Listing, listings)
        while batch := list(islice(listings, BATCH)):
            problems = [[] for _ in batch]
            nothing = np.full((len(batch), len(self.classes)), np.nan), np.empty((len(batch), 0), np.float32)
            photos, features = titles, words = nothing
            if self.image_model and use != "title":
                photos, features = self._from_photos(batch, problems, "photos" in vectors, nothing)
            if self.title_model and use != "photos":
                titles, words = self._from_titles(batch, "title" in vectors)
            yield batch, Sight(photos, titles, {"photos": features, "title": words}), problems

    def _from_photos(self, batch, problems, vectors, nothing):
        """Mean distribution of each listing's photos and, with `vectors`, the direction of their mean features.

        Unreadable photos are noted in `problems`. nothing: what is given where no listing has any.
        """
        means = photo_means(batch, self.image_model, problems)
        distributions, features = means.get(DISTRIBUTION, nothing[0]), nothing[1]
        if vectors and self.feature_model is not self.image_model:
            means = photo_means(batch, self.feature_model, [[] for _ in batch])  # their problems are noted
        if vectors and self.feature_model.levels:
            features = means.get(self.feature_model.levels[-1], features)
        return distributions, features

    def _from_titles(self, batch, vectors):
        """Distribution of each listing's title and, with `vectors`, its words; evidence by both or by none."""
        titles = [each.title for each in batch]
        distributions = self.title_model.distributions(titles)
        words = self.word_bags.vectors(titles) if vectors else np.empty((len(batch), 0), np.float32)
        return distributions, np.where(np.isnan(distributions[:, :1]), np.float32(np.nan), words)


def _evident(rows):
    """The rows that are evidence."""
    return rows[~np.isnan(rows).any(axis=1)]


def _warn(problems):
    for line in (line for lines in problems for line in lines):
        warnings.warn(line, UserWarning, stacklevel=4)
