"""Fits to labelled listings what turns the models' answers into confidences: temperatures, shares, the floor, offsets.

First at most six numbers, since labelled listings are few. Guo et al. (2017, "On calibration of modern neural
networks") found one number, a temperature, to calibrate a network better than methods with many. Here it is one for
each kind of evidence, so that photos alone, the title alone and both are each calibrated, and one for the projections;
besides, the share of the photos and the projections' floor. They minimise the negative log-likelihood, a proper score,
plus a Gaussian prior around the present values: where listings are few, or say nothing of a number, it stays as it is.

Then, under a prior of its own, an offset for each category, as in the bias-corrected temperature scaling of Alexandari
et al. (2020, "Maximum likelihood with bias-corrected calibration is hard-to-beat at label shift adaptation"): how often
the categories come differs from one marketplace to the next, and what is known from a name or a few examples draws too
many listings, or too few.
"""

import copy
from dataclasses import dataclass

import numpy as np

from productcat.arithmetic.distributions import softmax
from productcat.arithmetic.minimum import ENOUGH, STEPS, _downhill, minimum
from productcat.calibration.reliability import LEAST, losses
from productcat.categories.ensemble import USES, Sight, combined

SPREAD = {"photos": 0.35, "title": 0.35, "both": 0.35, "share": 0.35, "temperature": 1.0, "floor": 1.0}
"""How far each number may be expected to lie from its present value: standard deviations, of logarithms and log-odds.

Wide enough for 200 listings to double a temperature, narrow enough for 30 not to spoil what is right already. The
floor and the projections' temperature are known less well than the others: of categories that are made of names alone
they may be several times what they are of classes."""

OFFSET_SPREAD = 0.5
"""The same of an offset, in nats: a category with ten listings is moved about half-way to where they want it."""

MOST_CERTAIN = 0.99
"""A share of 0 or 1 has no log-odds; the fit starts here."""


@dataclass(frozen=True)
class Views:
    """Each labelled listing as seen by its photos alone, by its title alone and by both, as far as there is evidence.

    sight : Sight of n_views rows
    labels : ndarray of shape (n_views,), int, numbers of categories
    kinds : ndarray of shape (n_views,), str: "photos", "title", "both"
    listings : ndarray of shape (n_views,), int, numbers of listings
    weights : ndarray of shape (n_views,): those of a listing sum to 1, since they are no independent witnesses
    """

    sight: Sight
    labels: np.ndarray
    kinds: np.ndarray
    listings: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, sight, labels):
        """The views of listings, shape of `labels`: (n_listings,). A listing without evidence has none."""
        seen, read = (~np.isnan(each).any(axis=1) for each in (sight.photos, sight.title))
        rows = [np.flatnonzero(each) for each in (seen, read, seen & read)]
        parts = [sight.rows(each).alone(kind) for kind, each in zip(USES, rows, strict=True)]
        listings = np.concatenate(rows)
        return cls(
            Sight.joined(parts),
            labels[listings],
            np.repeat(USES, [len(each) for each in rows]),
            listings,
            np.where(seen & read, 1 / 3, 1.0)[listings],
        )

    def where(self, chosen):
        """Some of the views. chosen : ndarray of shape (n_views,), bool"""
        others = (self.labels, self.kinds, self.listings, self.weights)
        return Views(self.sight.rows(chosen), *(each[chosen] for each in others))

    def own(self):
        """Of each listing the view by all the evidence that it has."""
        return self.where((self.kinds == "both") | (self.weights == 1.0))

    def confidences(self, ensemble, projections):
        """Confidences under some settings, shape (n_views, n_categories)."""
        return projections.confidences(combined(self.sight, ensemble), self.sight.vectors)


def fit(views, ensemble, projections):
    """Fit the settings to labelled views.

    Parameters
    ----------
    views : Views
    ensemble : dict
        What `productcat.categories.ensemble.combine` reads; the fit starts from its values and stays near them.
    projections : CategoryProjections

    Returns
    -------
    ensemble, projections : new ones; those that were given stay as they are
    """
    present = _values(ensemble, projections)
    names = [name for name in present if name in ("temperature", "floor") or _kind(name) in set(views.kinds)]
    start, spread = (np.array([each[name] for name in names]) for each in (present, SPREAD))

    def loss(values):
        confidences = views.confidences(*_moved(dict(zip(names, values, strict=True)), ensemble, projections))
        return views.weights @ losses(confidences, views.labels) + 0.5 * np.sum(((values - start) / spread) ** 2)

    return _moved(dict(zip(names, minimum(loss, start), strict=True)), ensemble, projections)


def favour(views, ensemble, projections):
    """Fit the offsets of the categories, all other settings staying as they are.

    Takes what `fit` takes, and returns the new projections. The loss is convex in the offsets, so Newton's steps find
    its minimum. The curvature is never written down, only multiplied (Nocedal & Wright 2006, algorithm 7.1): that costs
    no more than the confidences, for ten thousand categories, too.
    """
    present, sure, weights = projections.offsets, OFFSET_SPREAD**-2, views.weights
    scores = np.log(np.maximum(views.confidences(ensemble, projections), LEAST)) - present
    labelled = np.bincount(views.labels, weights, len(present))

    def loss(offsets):
        distances = losses(softmax(scores + offsets), views.labels)
        return weights @ distances + 0.5 * sure * np.sum((offsets - present) ** 2)

    offsets, value = present, loss(present)
    for _ in range(STEPS):
        confidences = softmax(scores + offsets)
        expected = weights @ confidences
        slope = expected - labelled + sure * (offsets - present)
        direction = -_over_curvature(slope, confidences, weights, expected + sure)
        if -slope @ direction < ENOUGH:
            break
        step, value = _downhill(loss, offsets, value, direction, slope)
        if step is None:
            break
        offsets = offsets + step
    projections = copy.copy(projections)
    projections.offsets = offsets
    return projections


def _kind(name):
    """The kind of evidence without which a number means nothing."""
    return "both" if name == "share" else name


def _values(ensemble, projections):
    """Settings as numbers without bounds. → dict name → logarithm of a temperature, or log-odds of a share"""
    weights, temperatures = ensemble["weights"], ensemble["temperatures"]
    share = weights["photos"] / (weights["photos"] + weights["title"])
    shares = {"share": np.clip(share, 1 - MOST_CERTAIN, MOST_CERTAIN), "floor": projections.floor}
    temperatures = {**{kind: temperatures[kind] for kind in USES}, "temperature": projections.temperature}
    odds = {name: np.log(each / (1 - each)) for name, each in shares.items()}
    return {**{name: np.log(each) for name, each in temperatures.items()}, **odds}


def _moved(values, ensemble, projections):
    """New settings, in which some numbers have other values. → (ensemble, projections)"""
    temperatures = {kind: float(np.exp(values[kind])) for kind in USES if kind in values}
    moved = {**ensemble, "temperatures": {**ensemble["temperatures"], **temperatures}}
    if "share" in values:
        share = float(1 / (1 + np.exp(-values["share"])))
        moved["weights"] = {"photos": share, "title": 1 - share}
    projections = copy.copy(projections)
    projections.temperature = float(np.exp(values["temperature"]))
    projections.floor = float(1 / (1 + np.exp(-values["floor"])))
    return moved, projections


def _over_curvature(slope, confidences, weights, diagonal):
    """The slope of `favour`, divided by the curvature: conjugate gradients (Nocedal & Wright 2006, algorithm 5.3).

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
