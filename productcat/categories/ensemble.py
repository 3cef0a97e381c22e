"""What the models see of listings, and how photos and title become one distribution."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray

from productcat.arithmetic.distributions import TINY, average, information_of, sharpen, softmax
from productcat.models.contents import TEMPERATURES, Entries

Modality = Literal["photos", "title", "both"]
"""What of a listing is looked at."""

MODALITIES: tuple[Modality, ...] = get_args(Modality)

MODALITY_NAMES: dict[Modality, str] = {
    "both": "photos and title",
    "photos": "photos alone",
    "title": "the title alone",
}
"""Modalities in words."""

Average = Literal["log", "plain"]
"""Kind of average: of logarithms, or of probabilities."""

LEAST_WEIGHT, MOST_WEIGHT = 1e-9, 1e9
"""Least sum of the weights of photos and title in a manifest, and greatest weight; only their proportion matters."""


@dataclass(frozen=True)
class Weights:
    """How much photos and title count where a listing has both."""

    photos: float = 0.5
    title: float = 0.5


@dataclass(frozen=True)
class Temperatures:
    """Temperatures of the photos' distributions, of the titles' and of their average."""

    photos: float = 1.0
    title: float = 1.0
    both: float = 1.0


@dataclass(frozen=True)
class Ensemble:
    """How photos and title become one distribution. Fitted on validation listings, and again by a calibration.

    informed : bool
        Whether each modality counts more if the other one says less, as `combine` has it.
    """

    average: Average = "log"
    informed: bool = False
    weights: Weights = field(default_factory=Weights)
    temperatures: Temperatures = field(default_factory=Temperatures)

    @classmethod
    def of(cls, settings: Entries) -> Self:
        """Read what a manifest holds. Settings of a newer productcat are ignored. Raises BundleError."""
        weights, temperatures = settings.object("weights"), settings.object("temperatures")
        photos, title = (weights.number(name, 0, MOST_WEIGHT) for name in ("photos", "title"))
        if photos + title < LEAST_WEIGHT:
            settings.refuse("weights", "at least one above 0")
        return cls(
            "plain" if settings.one_of("average", get_args(Average)) == "plain" else "log",
            settings.truth("informed") if settings.has("informed") else False,
            Weights(photos, title),
            Temperatures(*(temperatures.number(name, *TEMPERATURES) for name in ("photos", "title", "both"))),
        )

    def settings(self) -> dict[str, Any]:
        """Return what a manifest holds. "informed" is there only where it is true."""
        return {name: value for name, value in asdict(self).items() if value is not False}


@dataclass(frozen=True)
class ModelOutputs:
    """What the models make of listings. Rows of NaN mean no evidence.

    photos, title : ndarray of shape (n_listings, n_classes)
        Distributions as the models give them, before any temperature.
    vectors : dict, "photos" | "title" → ndarray of shape (n_listings, n_features), float32
        Unit vectors: features of the photos, and words of the title. n_features is 0 where a model gives none.
    """

    photos: NDArray[np.float64]
    title: NDArray[np.float64]
    vectors: dict[str, NDArray[np.float32]]

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Stack the listings of several parts, at least one."""
        photos, title = (np.concatenate([getattr(each, name) for each in parts]) for name in ("photos", "title"))
        return cls(photos, title, {kind: _stacked([each.vectors[kind] for each in parts]) for kind in parts[0].vectors})

    def rows(self, chosen: NDArray[np.intp] | NDArray[np.bool_]) -> Self:
        """Select listings, by numbers or by a mask."""
        vectors = {kind: rows[chosen] for kind, rows in self.vectors.items()}
        return type(self)(self.photos[chosen], self.title[chosen], vectors)

    def alone(self, modality: Modality) -> Self:
        """Leave out all but one modality; "both" leaves out nothing."""
        if modality == "both":
            return self
        photos, title = self.photos, np.full_like(self.title, np.nan)
        if modality == "title":
            photos, title = np.full_like(self.photos, np.nan), self.title
        kept = {kind: each if kind == modality else np.full_like(each, np.nan) for kind, each in self.vectors.items()}
        return type(self)(photos, title, kept)

    def modalities(self) -> list[Modality]:
        """Return the modality of each listing's evidence; "photos" where there is none."""
        seen, read = (~np.isnan(each[:, 0]) for each in (self.photos, self.title))
        return [
            "both" if photos and title else "title" if title else "photos"
            for photos, title in zip(seen, read, strict=True)
        ]


def _stacked(parts: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Stack rows. Those of a part without evidence, which does not know how wide they are, become NaN."""
    width = max(each.shape[1] for each in parts)
    parts = [each if each.shape[1] else np.full((len(each), width), np.nan, np.float32) for each in parts]
    return np.concatenate(parts).astype(np.float32, copy=False)


def combined(outputs: ModelOutputs, ensemble: Ensemble) -> NDArray[np.float64]:
    """Return the distributions of listings, shape (n_listings, n_classes), from what the models see."""
    photos = sharpen(outputs.photos, ensemble.temperatures.photos)
    return combine(photos, sharpen(outputs.title, ensemble.temperatures.title), ensemble)


def combine(photos: NDArray[np.float64], title: NDArray[np.float64], ensemble: Ensemble) -> NDArray[np.float64]:
    """Average the calibrated distributions of the photos and of the title.

    The weights are fitted where both say something. With them alone, a title that says nothing ("for sale, hardly
    used") would flatten what the photos are sure of. So an informed ensemble lets each count more if the other one says
    less. What a distribution p says is its information, 1 - H(p) / log(n_classes), in [0, 1]. Beside a title without
    information the photos' own distribution comes out, and the other way round.

    Parameters
    ----------
    photos, title : ndarray of shape (n_listings, n_classes)
        NaN rows where the listing has none. Then the other one stands alone.
    ensemble : Ensemble
    """
    weights = ensemble.weights.photos, ensemble.weights.title
    together = np.where(np.isnan(photos), title, photos)  # right where there is only one
    complete = ~(np.isnan(photos).any(axis=1) | np.isnan(title).any(axis=1))
    parts, temperature = [photos[complete], title[complete]], ensemble.temperatures.both
    if ensemble.informed:
        together[complete] = _informed(parts, np.array(weights) / sum(weights), ensemble.average, temperature)
    else:
        together[complete] = sharpen(average(parts, weights, ensemble.average), temperature)
    return together


def _informed(
    parts: list[NDArray[np.float64]], weights: NDArray[np.float64], kind: Average, temperature: float
) -> NDArray[np.float64]:
    """Combine listings that have both. weights : the shares of photos and title, shape (2,)"""
    information = np.stack([information_of(each) for each in parts])
    if kind == "plain":
        shares = weights[:, None] * np.maximum(information, TINY)
        mixed = np.einsum("pn,pnk->nk", shares / shares.sum(axis=0), np.stack(parts))
        powers = 1 + (1 / temperature - 1) * information.min(axis=0)
        return softmax(powers[:, None] * np.log(np.maximum(mixed, TINY)))
    powers = 1 + (weights[:, None] / temperature - 1) * information[::-1]  # each by what the other one says
    return softmax(np.einsum("pn,pnk->nk", powers, np.log(np.maximum(np.stack(parts), TINY))))
