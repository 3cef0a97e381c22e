"""What the models see of listings, and how photos and title become one distribution."""

from dataclasses import dataclass

import numpy as np

from productcat.arithmetic.distributions import TINY, average, information_of, sharpen, softmax

KINDS = {"both": "photos and title", "photos": "photos alone", "title": "the title alone"}
"""Kinds of evidence in words."""


USES = ("photos", "title", "both")
"""Kinds of evidence."""


@dataclass(frozen=True)
class Sight:
    """What the models make of listings. Rows of NaN: no such evidence.

    photos, title : ndarray of shape (n_listings, n_classes)
        Distributions as the models give them, before any temperature.
    vectors : dict, "photos" | "title" → ndarray of shape (n_listings, n_features), float32
        Unit vectors: features of the photos, and words of the title; n_features is 0 where a model gives none.
    """

    photos: np.ndarray
    title: np.ndarray
    vectors: dict[str, np.ndarray]

    @classmethod
    def joined(cls, parts):
        """Listings below listings. parts : list of Sight, at least one"""
        photos, title = (np.concatenate([getattr(each, name) for each in parts]) for name in ("photos", "title"))
        return cls(photos, title, {kind: _stacked([each.vectors[kind] for each in parts]) for kind in parts[0].vectors})

    def rows(self, chosen):
        """Some of the listings. chosen : ndarray of int or bool, as it indexes rows. → Sight"""
        vectors = {kind: rows[chosen] for kind, rows in self.vectors.items()}
        return Sight(self.photos[chosen], self.title[chosen], vectors)

    def alone(self, kind):
        """The evidence of one kind, "photos" or "title", the other left out; all of it for "both". → Sight"""
        if kind == "both":
            return self
        rows = {name: getattr(self, name) for name in ("photos", "title")}
        rows |= {name: np.full_like(each, np.nan) for name, each in rows.items() if name != kind}
        vectors = {name: each if name == kind else np.full_like(each, np.nan) for name, each in self.vectors.items()}
        return Sight(rows["photos"], rows["title"], vectors)


def _stacked(parts):
    """Rows below rows; those of a part that does not know how wide they are, without evidence, become NaN."""
    width = max(each.shape[1] for each in parts)
    parts = [each if each.shape[1] else np.full((len(each), width), np.nan, np.float32) for each in parts]
    return np.concatenate(parts).astype(np.float32, copy=False)


def combine(photos, title, settings):
    """Average the calibrated distributions of the photos and of the title.

    Weights that are fitted where both say something would let a title that says nothing ("for sale, hardly used")
    flatten what the photos are sure of. So with "informed" each counts the more for itself the less the other one says,
    by the information that a distribution p holds, 1 - H(p) / log(n_classes), in [0, 1]. With a title that holds none
    the photos' own distribution comes out, and the other way round.

    Parameters
    ----------
    photos, title : ndarray of shape (n_listings, n_classes)
        NaN rows where the listing has none; then the other one stands alone.
    settings : dict
        "average": "log" or "plain"; "weights": {"photos", "title"}; "temperatures": {"both"}; "informed": bool.
    """
    weights = settings["weights"]["photos"], settings["weights"]["title"]
    together = np.where(np.isnan(photos), title, photos)  # right where there is only one
    complete = ~(np.isnan(photos).any(axis=1) | np.isnan(title).any(axis=1))
    parts, temperature = [photos[complete], title[complete]], settings["temperatures"]["both"]
    if settings.get("informed"):
        together[complete] = _informed(parts, np.array(weights) / sum(weights), settings["average"], temperature)
    else:
        together[complete] = sharpen(average(parts, weights, settings["average"]), temperature)
    return together


def _informed(parts, weights, kind, temperature):
    """`combine` where there are both. parts : two arrays; weights : their shares, shape (2,) → as `parts`"""
    information = np.stack([information_of(each) for each in parts])
    if kind == "plain":
        shares = weights[:, None] * np.maximum(information, TINY)
        mixed = np.einsum("pn,pnk->nk", shares / shares.sum(axis=0), np.stack(parts))
        powers = 1 + (1 / temperature - 1) * information.min(axis=0)
        return softmax(powers[:, None] * np.log(np.maximum(mixed, TINY)))
    powers = 1 + (weights[:, None] / temperature - 1) * information[::-1]  # each by what the other one says
    return softmax(np.einsum("pn,pnk->nk", powers, np.log(np.maximum(np.stack(parts), TINY))))


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
