"""Listings in, categories out: photos and title → distributions → divergences → confidences → decisions."""

import warnings
from collections.abc import Mapping
from dataclasses import asdict
from itertools import islice

import numpy as np

from productcat.bundle import Bundle, write_bundle
from productcat.decision import DecisionRule
from productcat.distributions import average, sharpen
from productcat.errors import BundleError, ListingError
from productcat.image_model import ImageModel
from productcat.listing import Listing
from productcat.photo_sets import decoded
from productcat.projections import CategoryProjections
from productcat.title_model import TitleModel

USES = ("photos", "title", "both")
BATCH = 64
"""Listings handled at a time: an iterable may be longer than memory."""


class Categorizer:
    """Tells which of a marketplace's categories a listing belongs to.

    Made by `Categorizer.load`. Batches go in, batches come out, in the order given. A photo that cannot be read is
    left out with a warning that names it, and the rest of the listing still counts.

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
    """

    def __init__(self, bundle, image_model, title_model, projections, rules):
        self.bundle = bundle
        self.image_model = image_model
        self.title_model = title_model
        self.projections = projections
        self.rules = rules
        classes = bundle.read_json("classes.json")
        self.classes = [each["name"] for each in classes]
        self.parents = {level: [each["parents"][level] for each in classes] for level in classes[0]["parents"]}
        self.ensemble = bundle.manifest["ensemble"]

    @classmethod
    def load(cls, bundle=None):
        """Open a bundle: a path, the name of a shipped one, or None for the default.

        Raises
        ------
        BundleError
            The bundle is missing, damaged, or of another format.
        """
        opened = Bundle.open(bundle)
        models = [
            model.load(opened.part(part)) if opened.has(part) else None
            for model, part in ((ImageModel, "image"), (TitleModel, "title"))
        ]
        if models == [None, None]:
            raise BundleError(f"bundle {opened.path}: neither image nor title model in it; use a bundle with one")
        rule = opened.manifest["decision_rule"]
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
        if use not in USES:
            raise ValueError(f"use={use!r}: expected one of {', '.join(USES)}")
        rows = [part for _, part, _, problems in self._seen(listings, use) if not _warn(problems)]
        return np.concatenate(rows) if rows else np.empty((0, len(self.classes)))

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
        return self.projections.confidences(self.class_distributions(listings))

    def predict(self, listings):
        """One Prediction for each listing: assign, shortlist or abstain."""
        return [prediction for prediction, _ in self.judge(listings)]

    def judge(self, listings):
        """Iterator of (Prediction, its confidences as ndarray of shape (n_categories,)), one pair a listing."""
        for batch, distributions, evidence, problems in self._seen(listings, "both"):
            confidences = self.projections.confidences(distributions)
            for listing, row, kind, wrong in zip(batch, confidences, evidence, problems, strict=True):
                yield self.rules[kind].decide(self.projections.categories, row, listing.id, wrong), row

    def add_category(self, name, examples=(), description=""):
        """Make a category known, or define a known one anew; no training.

        Parameters
        ----------
        name : str
        examples : iterable of Listing
            The projection is the mean of their distributions. Without examples, the name and the description are
            read as a title.

        Raises
        ------
        ListingError
            No name, or neither examples nor name give any evidence.
        """
        if not isinstance(name, str) or not name.strip():
            raise ListingError(f"category {name!r}: a category needs a name")
        self.projections = self.projections.with_category(name, self._projection(name, list(examples), description))

    def remove_category(self, name):
        """Forget a category. The last one cannot be removed."""
        if name not in self.projections.categories:
            raise ListingError(f"category {name!r}: not among the {len(self.categories)} categories; see `categories`")
        if len(self.projections.categories) == 1:
            raise ListingError(f"category {name!r}: it is the last one; add another category first")
        self.projections = self.projections.without(name)

    def replace_categories(self, categories):
        """Put a whole new target tree in the place of the old.

        categories : dict, name → iterable of Listing; where it is empty, the name speaks.
        """
        if not isinstance(categories, Mapping) or not categories:
            raise ListingError("replace_categories: expected a dict with at least one name → examples")
        rows = [self._projection(name, list(examples), "") for name, examples in categories.items()]
        old = self.projections
        self.projections = CategoryProjections(categories, np.array(rows), old.floor, old.temperature)

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

        alone = {kind: asdict(self.rules[kind]) for kind in ("photos", "title")}
        rules = {"decision_rule": asdict(self.rule), "decision_rules_alone": alone}
        write_bundle(path, {**self.bundle.manifest, **rules}, fill)

    def _projection(self, name, examples, description):
        listings = examples or [Listing(id=name, title=f"{name} {description}".strip())]
        distributions = self.class_distributions(listings)
        known = distributions[~np.isnan(distributions).any(axis=1)]
        if not len(known):
            known = "the title model knows no word of its name" if self.title_model else "there is no title model here"
            what = "none of its examples can be read" if examples else known
            kinds = [kind for kind, model in (("photo", self.image_model), ("title", self.title_model)) if model]
            raise ListingError(f"category {name!r}: {what}; give examples with a {' or a '.join(kinds)}")
        return known.mean(axis=0)

    def _seen(self, listings, use):
        """Batches of (listings, distributions, kind of evidence of each listing, problems of each listing)."""
        listings = iter(listings)
        while batch := list(islice(listings, BATCH)):
            problems, temperatures = [[] for _ in batch], self.ensemble["temperatures"]
            photos = title = np.full((len(batch), len(self.classes)), np.nan)
            if use != "title":
                photos = sharpen(self._from_photos(batch, problems), temperatures["photos"])
            if use != "photos":
                title = sharpen(self._from_titles(batch), temperatures["title"])
            evidence = [
                "both" if not np.isnan(seen + read) else "title" if np.isnan(seen) else "photos"
                for seen, read in zip(photos[:, 0], title[:, 0], strict=True)
            ]
            yield batch, combine(photos, title, self.ensemble), evidence, problems

    def _from_photos(self, batch, problems):
        """Mean distribution of each listing's photos; unreadable photos are noted in `problems`."""
        sums, counts = np.zeros((len(batch), len(self.classes))), np.zeros(len(batch))
        if self.image_model:
            for owners, pixels in decoded(batch, self.image_model.size, problems):
                np.add.at(sums, owners, self.image_model.run(pixels)[0])
                np.add.at(counts, owners, 1)
        with np.errstate(invalid="ignore"):  # 0 / 0 is the NaN of a listing without photos
            return sums / counts[:, None]

    def _from_titles(self, batch):
        if self.title_model is None:
            return np.full((len(batch), len(self.classes)), np.nan)
        return self.title_model.distributions([each.title for each in batch])


def combine(photos, title, settings):
    """Average the calibrated distributions of the photos and of the title.

    Parameters
    ----------
    photos, title : ndarray of shape (n_listings, n_classes)
        NaN rows where the listing has none; then the other one stands alone.
    settings : dict
        "average": "log" or "plain"; "weights": {"photos", "title"}; "temperatures": {"both"}.
    """
    weights = settings["weights"]["photos"], settings["weights"]["title"]
    together = average([photos, title], weights, settings["average"])
    complete = ~(np.isnan(photos).any(axis=1) | np.isnan(title).any(axis=1))
    together[complete] = sharpen(together[complete], settings["temperatures"]["both"])
    return together


def _warn(problems):
    for line in (line for lines in problems for line in lines):
        warnings.warn(line, UserWarning, stacklevel=4)
