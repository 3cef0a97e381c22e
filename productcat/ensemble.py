"""What the models see of listings, and how photos and title become one distribution."""

from dataclasses import dataclass

import numpy as np

from productcat.distributions import average, sharpen

USES = ("photos", "title", "both")
"""Kinds of evidence."""


@dataclass(frozen=True)
class Sight:
    """What the models make of listings. Rows of NaN: no such evidence.

    photos, title : ndarray of shape (n_listings, n_classes)
        Distributions as the models give them, before any temperature.
    features : ndarray of shape (n_listings, n_features), float32
        Unit vectors, of the photos; n_features is 0 where the image model gives none.
    """

    photos: np.ndarray
    title: np.ndarray
    features: np.ndarray

    def rows(self, chosen):
        """Some of the listings. chosen : ndarray of int or bool, as it indexes rows. → Sight"""
        return Sight(self.photos[chosen], self.title[chosen], self.features[chosen])

    def alone(self, kind):
        """The evidence of one kind, "photos" or "title", the other left out; all of it for "both". → Sight"""
        photos, title, features = self.photos, self.title, self.features
        if kind == "photos":
            title = np.full_like(title, np.nan)
        if kind == "title":
            photos, features = np.full_like(photos, np.nan), np.full_like(features, np.nan)
        return Sight(photos, title, features)


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


def combined(sight, settings):
    """The distributions of listings, from what the models see and the ensemble's settings. (n_listings, n_classes)"""
    temperatures = settings["temperatures"]
    photos, title = sharpen(sight.photos, temperatures["photos"]), sharpen(sight.title, temperatures["title"])
    return combine(photos, title, settings)


def kinds_of(sight):
    """The kind of evidence that there is of each listing: "photos", "title" or "both"."""
    seen, read = (~np.isnan(each[:, 0]) for each in (sight.photos, sight.title))
    return [
        "both" if photos and title else "title" if title else "photos" for photos, title in zip(seen, read, strict=True)
    ]
