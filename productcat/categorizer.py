"""Listings in, categories out: photos and title → distributions → divergences → confidences → decisions."""

import warnings
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from itertools import islice

import numpy as np

from productcat.bundle import Bundle, write_bundle
from productcat.decision import DecisionRule
from productcat.distributions import average, sharpen
from productcat.errors import ListingError
from productcat.image_model import ImageModel
from productcat.listing import Listing
from productcat.photos import read_photo
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
    rule : DecisionRule
        Turns confidences into decisions; may be assigned.
    """

    def __init__(self, bundle, image_model, title_model, projections, rule):
        self.bundle = bundle
        self.image_model = image_model
        self.title_model = title_model
        self.projections = projections
        self.rule = rule
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
        return cls(
            opened,
            ImageModel.load(opened.part("image")),
            TitleModel.load(opened.part("title")),
            CategoryProjections.load(opened.part("projections")),
            DecisionRule(**opened.manifest["decision_rule"]),
        )

    @property
    def categories(self):
        return list(self.projections.categories)

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
        rows = [part for _, part, problems in self._seen(listings, use) if not _warn(problems)]
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
        predictions = []
        for batch, distributions, problems in self._seen(listings, "both"):
            confidences = self.projections.confidences(distributions)
            for listing, row, wrong in zip(batch, confidences, problems, strict=True):
                predictions.append(self.rule.decide(self.projections.categories, row, listing.id, wrong))
        return predictions

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

        write_bundle(path, {**self.bundle.manifest, "decision_rule": asdict(self.rule)}, fill)

    def _projection(self, name, examples, description):
        listings = examples or [Listing(id=name, title=f"{name} {description}".strip())]
        distributions = self.class_distributions(listings)
        known = distributions[~np.isnan(distributions).any(axis=1)]
        if not len(known):
            what = "none of its examples can be read" if examples else "the title model knows no word of its name"
            raise ListingError(f"category {name!r}: {what}; give examples with a photo or a title")
        return known.mean(axis=0)

    def _seen(self, listings, use):
        """Batches of (listings, distributions, problems of each listing)."""
        listings = iter(listings)
        while batch := list(islice(listings, BATCH)):
            problems = [[] for _ in batch]
            parts, settings = {}, self.ensemble
            if use != "title":
                parts["photos"] = self._from_photos(batch, problems)
            if use != "photos":
                parts["title"] = self.title_model.distributions([each.title for each in batch])
            for name, part in parts.items():
                parts[name] = sharpen(part, settings["temperatures"][name])
            distributions = next(iter(parts.values()))
            if use == "both":
                distributions = combine(parts["photos"], parts["title"], settings)
            yield batch, distributions, problems

    def _from_photos(self, batch, problems):
        """Mean distribution of each listing's photos; unreadable photos are noted in `problems`."""
        wanted = [(row, photo) for row, listing in enumerate(batch) for photo in listing.photos]
        distributions = np.full((len(batch), len(self.classes)), np.nan)
        rows, sums = [], np.zeros_like(distributions)
        for start in range(0, len(wanted), BATCH):
            some = wanted[start : start + BATCH]
            pixels, owners = self._read(some, batch, problems)
            if owners:
                np.add.at(sums, owners, self.image_model.run(np.stack(pixels))[0])
                rows += owners
        counts = np.bincount(rows, minlength=len(batch)) if rows else np.zeros(len(batch))
        seen = counts > 0
        distributions[seen] = sums[seen] / counts[seen, None]
        return distributions

    def _read(self, wanted, batch, problems):
        def read(pair):
            try:
                return read_photo(pair[1], self.image_model.size)
            except ListingError as error:
                return error

        with ThreadPoolExecutor() as pool:
            results = list(pool.map(read, wanted))
        pixels, owners = [], []
        for (row, _), result in zip(wanted, results, strict=True):
            if isinstance(result, ListingError):
                problems[row].append(f"listing {batch[row].id!r}: {result}")
            else:
                pixels.append(result)
                owners.append(row)
        return pixels, owners


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
