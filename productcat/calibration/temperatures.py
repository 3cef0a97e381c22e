"""Fit to labelled listings what turns the models' answers into confidences: temperatures, shares, the floor, offsets.

At most six numbers come first, because labelled listings are few. Guo et al. (2017, "On calibration of modern neural
networks") found that one number, a temperature, calibrates a network better than methods with many. Here each modality
has a temperature, so that photos alone, the title alone and both are each calibrated, and the projections have one.
The other two are the share of the photos and the projections' floor. They minimise the negative log-likelihood, a
proper score, plus a Gaussian prior around the present values. So a number of which few listings say anything stays.

An offset for each category comes then, under a prior of its own, as in the bias-corrected temperature scaling of
Alexandari et al. (2020, "Maximum likelihood with bias-corrected calibration is hard-to-beat at label shift
adaptation"). How often categories come differs between marketplaces. A category that is known from a name or a few
examples draws too many listings, or too few.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from productcat.arithmetic.distributions import softmax
from productcat.arithmetic.minimum import ENOUGH, STEPS, downhill, minimum
from productcat.calibration.reliability import LEAST, losses
from productcat.categories.ensemble import MODALITIES, Ensemble, ModelOutputs, Weights, combined
from productcat.categories.projections import CategoryProjections

SPREAD = {"photos": 0.35, "title": 0.35, "both": 0.35, "share": 0.35, "temperature": 1.0, "floor": 1.0}
"""Expected distance of each number from its present value: standard deviations of logarithms and log-odds.

They let 200 listings double a temperature, and do not let 30 spoil what is right already. The floor and the
projections' temperature are known less well than the others: for categories made of names alone they may be several
times what they are for classes."""

OFFSET_SPREAD = 0.5
"""Expected distance of an offset from its present value, in nats. Ten listings move a category about half-way."""

MOST_CERTAIN = 0.99
"""Share at which the fit starts instead of 1, which has no log-odds."""


@dataclass(frozen=True)
class Settings:
    """What is fitted."""

    ensemble: Ensemble
    projections: CategoryProjections


@dataclass(frozen=True)
class Views:
    """Each labelled listing as seen by its photos alone, by its title alone and by both, as far as there is evidence.

    outputs : ModelOutputs of n_views rows
    labels : ndarray of shape (n_views,), numbers of categories
    modalities : ndarray of shape (n_views,), "photos", "title" or "both"
    listings : ndarray of shape (n_views,), numbers of listings
    weights : ndarray of shape (n_views,)
        Those of a listing sum to 1, because its views are not independent witnesses.
    """

    outputs: ModelOutputs
    labels: NDArray[np.intp]
    modalities: NDArray[np.str_]
    listings: NDArray[np.intp]
    weights: NDArray[np.float64]

    @classmethod
    def of(cls, outputs: ModelOutputs, labels: NDArray[np.intp]) -> Self:
        """Make the views of listings, whose labels have the shape (n_listings,). One without evidence has none."""
        seen, read = (~np.isnan(each).any(axis=1) for each in (outputs.photos, outputs.title))
        rows = [np.flatnonzero(each) for each in (seen, read, seen & read)]
        parts = [outputs.rows(each).alone(modality) for modality, each in zip(MODALITIES, rows, strict=True)]
        listings = np.concatenate(rows)
        return cls(
            ModelOutputs.joined(parts),
            labels[listings],
            np.repeat(MODALITIES, [len(each) for each in rows]),
            listings,
            np.where(seen & read, 1 / 3, 1.0)[listings],
        )

    def where(self, chosen: NDArray[np.bool_]) -> Self:
        """Select some of the views, by a mask of shape (n_views,)."""
        others = self.labels[chosen], self.modalities[chosen], self.listings[chosen], self.weights[chosen]
        return type(self)(self.outputs.rows(chosen), *others)

    def own(self) -> Self:
        """Select of each listing the view by all the evidence that it has."""
        return self.where((self.modalities == "both") | (self.weights == 1.0))

    def confidences(self, settings: Settings) -> NDArray[np.float64]:
        """Return confidences under some settings, shape (n_views, n_categories)."""
        return settings.projections.confidences(combined(self.outputs, settings.ensemble), self.outputs.vectors)


def fit(views: Views, present: Settings) -> Settings:
    """Fit temperatures, the share of the photos and the floor, starting from the present values and near them."""
    values = _values(present)
    told = {*views.modalities, "temperature", "floor"}  # the share means nothing where no listing has both
    names = [name for name in values if ("both" if name == "share" else name) in told]
    start, spread = (np.array([each[name] for name in names]) for each in (values, SPREAD))

    def settings(place: NDArray[np.float64]) -> Settings:
        return _moved(dict(zip(names, place, strict=True)), present)

    def loss(place: NDArray[np.float64]) -> float:
        prior = 0.5 * np.sum(((place - start) / spread) ** 2)
        return float(views.weights @ losses(views.confidences(settings(place)), views.labels) + prior)

    return settings(minimum(loss, start))


def favour(views: Views, settings: Settings) -> Settings:
    """Fit the offsets of the categories, and leave all other settings as they are.

    The loss is convex in the offsets, so Newton's steps find its minimum. The curvature is never written down, only
    multiplied (Nocedal & Wright 2006, algorithm 7.1). That costs no more than the confidences, even for ten thousand
    categories.
    """
    present, sure, weights = settings.projections.offsets, OFFSET_SPREAD**-2, views.weights
    scores = np.log(np.maximum(views.confidences(settings), LEAST)) - present
    labelled = np.bincount(views.labels, weights, len(present))

    def loss(offsets: NDArray[np.float64]) -> float:
        distances = losses(softmax(scores + offsets), views.labels)
        return float(weights @ distances + 0.5 * sure * np.sum((offsets - present) ** 2))

    offsets, value = present, loss(present)
    for _ in range(STEPS):
        confidences = softmax(scores + offsets)
        expected = weights @ confidences
        slope = expected - labelled + sure * (offsets - present)
        direction = -_over_curvature(slope, confidences, weights, expected + sure)
        if -slope @ direction < ENOUGH:
            break
        step, value = downhill(loss, offsets, value, direction, slope)
        if step is None:
            break
        offsets = offsets + step
    return replace(settings, projections=replace(settings.projections, offsets=offsets))


def _values(settings: Settings) -> dict[str, float]:
    """Return settings as numbers without bounds: logarithms of temperatures, log-odds of shares."""
    weights, temperatures = settings.ensemble.weights, settings.ensemble.temperatures
    share = weights.photos / (weights.photos + weights.title)
    shares = {"share": np.clip(share, 1 - MOST_CERTAIN, MOST_CERTAIN), "floor": settings.projections.floor}
    logarithms: dict[str, float] = {modality: np.log(getattr(temperatures, modality)) for modality in MODALITIES}
    logarithms["temperature"] = np.log(settings.projections.temperature)
    return {**logarithms, **{name: np.log(each / (1 - each)) for name, each in shares.items()}}


def _moved(values: dict[str, float], settings: Settings) -> Settings:
    """Return new settings, in which some numbers have other values."""
    temperatures = {modality: float(np.exp(values[modality])) for modality in MODALITIES if modality in values}
    ensemble = replace(settings.ensemble, temperatures=replace(settings.ensemble.temperatures, **temperatures))
    if "share" in values:
        share = float(1 / (1 + np.exp(-values["share"])))
        ensemble = replace(ensemble, weights=Weights(share, 1 - share))
    temperature = float(np.exp(values["temperature"]))
    floor = float(1 / (1 + np.exp(-values["floor"])))
    return Settings(ensemble, replace(settings.projections, temperature=temperature, floor=floor))


def _over_curvature(
    slope: NDArray[np.float64],
    confidences: NDArray[np.float64],
    weights: NDArray[np.float64],
    diagonal: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Divide the slope of `favour` by the curvature: conjugate gradients (Nocedal & Wright 2006, algorithm 5.3).

    The curvature is `diagonal` less the sum over the listings of weight · p pᵀ, where p are a listing's confidences.
    """
    found, left, way = np.zeros_like(slope), slope, slope / diagonal
    first = size = left @ way
    for _ in range(STEPS):
        if size <= ENOUGH * first:
            break
        turned = diagonal * way - (weights * (confidences @ way)) @ confidences
        step = size / (way @ turned)
        found, left = found + step * way, left - step * turned
        before, size = size, left @ (left / diagonal)
        way = left / diagonal + size / before * way
    return found
