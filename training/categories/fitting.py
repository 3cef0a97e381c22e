"""Fits temperatures, weights and decision rules, which the categorizer needs besides its models."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from productcat.arithmetic.distributions import sharpen
from productcat.calibration.reliability import negative_log_likelihood, rule_at_precision
from productcat.categories.decision import DecisionRule
from productcat.categories.ensemble import combine

AVERAGES = ("log", "plain", "best")


@dataclass(frozen=True)
class EnsembleConfig:
    """Settings of the ensemble; the `[ensemble]` table of a training configuration.

    average: "log", "plain", or "best": the one with the lower negative log-likelihood on validation listings.
    equal_weights: photos and title count the same (the plain average of the two). Otherwise the weights are fitted.
    """

    average: str = "best"
    equal_weights: bool = False

    def __post_init__(self) -> None:
        if self.average not in AVERAGES:
            raise ValueError(f"average is {self.average!r}: expected one of {', '.join(AVERAGES)}")


@dataclass(frozen=True)
class DecisionConfig:
    """Settings of the decision rule; the `[decision]` table of a training configuration.

    precision: assign from the lowest confidence at which this share of the validation listings is right. Photos
    alone, the title alone, and both have a threshold each.
    shortlist_at, shortlist_size: the lowest confidence that a seller is shown, and the largest number of categories.
    photos_precision: precision of what is assigned by photos alone, which seldom reach that of titles; 0: `precision`.
    assign_at: a confidence to assign from, instead of a precision; 0: none.
    """

    precision: float = 0.99
    shortlist_at: float = 0.5
    shortlist_size: int = 5
    photos_precision: float = 0.0
    assign_at: float = 0.0

    def of(self, modality: str) -> Self:
        """Return the settings for one modality: "photos", "title" or "both"."""
        if modality == "photos" and self.photos_precision:
            return replace(self, precision=self.photos_precision)
        return self


def fit_ensemble(
    photos: NDArray[np.floating] | None,
    title: NDArray[np.floating] | None,
    labels: NDArray[np.intp],
    config: EnsembleConfig = EnsembleConfig(),
) -> tuple[dict[str, Any], dict[str, float]]:
    """Fit temperatures and weights by negative log-likelihood.

    Parameters
    ----------
    photos, title : ndarray of shape (n_listings, n_classes), or None
        Answers of the two models for validation listings; NaN rows where there is no evidence. None: no such model.
    labels : ndarray of shape (n_listings,), int

    Returns
    -------
    settings : dict
        "average", "weights", "temperatures", "informed", as `productcat.categories.ensemble.combine` reads them.
    comparison : dict
        Negative log-likelihood of each kind of average that was tried; empty where there is nothing to average.

    Raises
    ------
    ValueError
        Neither photos nor title have evidence.
    """
    seen = _evident(photos, title)
    if not seen:
        raise ValueError("no validation listing has a photo or a title that the models know: nothing can be fitted")
    fitted = {modality: fit_temperature(each, labels) for modality, each in seen.items()}
    temperatures = {"photos": 1.0, "title": 1.0, **fitted}
    kinds = ("log", "plain") if config.average == "best" else (config.average,)
    if len(seen) == 1:
        return _settings(kinds[0], 0.5, temperatures, 1.0), {}
    parts = sharpen(seen["photos"], fitted["photos"]), sharpen(seen["title"], fitted["title"])
    tried = {kind: _fit_weights(*parts, labels, kind, temperatures, config.equal_weights) for kind in kinds}
    losses = {kind: negative_log_likelihood(combine(*parts, tried[kind]), labels) for kind in kinds}
    return tried[min(losses, key=losses.__getitem__)], losses


def calibrated(
    photos: NDArray[np.floating] | None, title: NDArray[np.floating] | None, settings: dict[str, Any]
) -> dict[str, NDArray[np.floating]]:
    """Apply what `fit_ensemble` found. → dict, "photos", "title" and "both" → (n_listings, n_classes)

    Where only one modality has evidence, the dict holds that one only.
    """
    temperatures = settings["temperatures"]
    seen = {modality: sharpen(each, temperatures[modality]) for modality, each in _evident(photos, title).items()}
    return seen if len(seen) < 2 else {**seen, "both": combine(seen["photos"], seen["title"], settings)}


def _evident(
    photos: NDArray[np.floating] | None, title: NDArray[np.floating] | None
) -> dict[str, NDArray[np.floating]]:
    """Return the answers of those models that have evidence for some listing."""
    given = {"photos": photos, "title": title}
    return {modality: each for modality, each in given.items() if each is not None and not np.isnan(each).all()}


def fit_temperature(distributions: NDArray[np.floating], labels: NDArray[np.intp]) -> float:
    """Return the temperature with the lowest negative log-likelihood (Guo et al. 2017)."""
    from scipy.optimize import minimize_scalar

    def loss(log_temperature: float) -> float:
        return negative_log_likelihood(sharpen(distributions, np.exp(log_temperature)), labels)

    return float(np.exp(minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded").x))


def _fit_weights(
    photos: NDArray[np.floating],
    title: NDArray[np.floating],
    labels: NDArray[np.intp],
    kind: str,
    temperatures: dict[str, float],
    equal: bool,
) -> dict[str, Any]:
    from scipy.optimize import minimize

    def settings(values: NDArray[np.float64]) -> dict[str, Any]:
        share = 0.5 if equal else 1 / (1 + np.exp(-values[1]))
        return _settings(kind, float(share), temperatures, float(np.exp(values[0])))

    def loss(values: NDArray[np.float64]) -> float:
        return negative_log_likelihood(combine(photos, title, settings(values)), labels)

    return settings(minimize(loss, np.zeros(1 if equal else 2), method="Nelder-Mead").x)


def _settings(kind: str, share: float, temperatures: dict[str, float], both: float) -> dict[str, Any]:
    """Return what `productcat.categories.ensemble.combine` reads.

    share: weight of the photos. both: temperature of photos and title together.
    """
    return {
        "average": kind,
        "informed": True,
        "weights": {"photos": share, "title": 1 - share},
        "temperatures": {**temperatures, "both": both},
    }


def fit_rule(
    confidences: NDArray[np.floating], labels: NDArray[np.intp], config: DecisionConfig = DecisionConfig()
) -> dict[str, Any]:
    """Fit the decision rule. → the dict that a manifest holds

    confidences : ndarray of shape (n, n_categories); labels : ndarray of shape (n,), int, numbers of categories
    """
    if config.assign_at:
        return asdict(DecisionRule(config.assign_at, config.shortlist_at, config.shortlist_size))
    return asdict(rule_at_precision(confidences, labels, config.precision, config.shortlist_at, config.shortlist_size))
