"""Fits temperatures, weights and decision rules, which the categorizer needs besides its models."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Self, get_args

import numpy as np
from numpy.typing import NDArray

from productcat.arithmetic.distributions import sharpen
from productcat.calibration.reliability import negative_log_likelihood, rule_at_precision
from productcat.categories.decision import DecisionRule
from productcat.categories.ensemble import Average, Ensemble, Modality, Temperatures, Weights, combine

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

    def of(self, modality: Modality) -> Self:
        """Return the settings for one modality: "photos", "title" or "both"."""
        if modality == "photos" and self.photos_precision:
            return replace(self, precision=self.photos_precision)
        return self


def fit_ensemble(
    photos: NDArray[np.float64] | None,
    title: NDArray[np.float64] | None,
    labels: NDArray[np.intp],
    config: EnsembleConfig = EnsembleConfig(),
) -> tuple[Ensemble, dict[Average, float]]:
    """Fit temperatures and weights by negative log-likelihood.

    Parameters
    ----------
    photos, title : ndarray of shape (n_listings, n_classes), or None
        Answers of the two models for validation listings; NaN rows where there is no evidence. None: no such model.
    labels : ndarray of shape (n_listings,), int

    Returns
    -------
    ensemble : Ensemble
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
    temperatures = Temperatures(**{modality: fit_temperature(each, labels) for modality, each in seen.items()})
    kinds = [kind for kind in get_args(Average) if config.average in (kind, "best")]
    if len(seen) == 1:
        return Ensemble(kinds[0], True, Weights(), temperatures), {}
    parts = sharpen(seen["photos"], temperatures.photos), sharpen(seen["title"], temperatures.title)
    tried = {kind: _fit_weights(*parts, labels, kind, temperatures, config.equal_weights) for kind in kinds}
    losses = {kind: negative_log_likelihood(combine(*parts, tried[kind]), labels) for kind in kinds}
    return tried[min(losses, key=losses.__getitem__)], losses


def calibrated(
    photos: NDArray[np.float64] | None, title: NDArray[np.float64] | None, ensemble: Ensemble
) -> dict[Modality, NDArray[np.float64]]:
    """Apply what `fit_ensemble` found. → dict, "photos", "title" and "both" → (n_listings, n_classes)

    Where only one modality has evidence, the dict holds that one only.
    """
    temperatures = {"photos": ensemble.temperatures.photos, "title": ensemble.temperatures.title}
    seen = {modality: sharpen(each, temperatures[modality]) for modality, each in _evident(photos, title).items()}
    return seen if len(seen) < 2 else {**seen, "both": combine(seen["photos"], seen["title"], ensemble)}


def _evident(
    photos: NDArray[np.float64] | None, title: NDArray[np.float64] | None
) -> dict[Modality, NDArray[np.float64]]:
    """Return the answers of those models that have evidence for some listing."""
    given: dict[Modality, NDArray[np.float64] | None] = {"photos": photos, "title": title}
    return {modality: each for modality, each in given.items() if each is not None and not np.isnan(each).all()}


def fit_temperature(distributions: NDArray[np.float64], labels: NDArray[np.intp]) -> float:
    """Return the temperature with the lowest negative log-likelihood (Guo et al. 2017)."""
    from scipy.optimize import minimize_scalar

    def loss(log_temperature: float) -> float:
        return negative_log_likelihood(sharpen(distributions, np.exp(log_temperature)), labels)

    return float(np.exp(minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded").x))


def _fit_weights(
    photos: NDArray[np.float64],
    title: NDArray[np.float64],
    labels: NDArray[np.intp],
    kind: Average,
    temperatures: Temperatures,
    equal: bool,
) -> Ensemble:
    from scipy.optimize import minimize

    def ensemble(values: NDArray[np.float64]) -> Ensemble:
        share = 0.5 if equal else float(1 / (1 + np.exp(-values[1])))
        both = replace(temperatures, both=float(np.exp(values[0])))
        return Ensemble(kind, True, Weights(share, 1 - share), both)

    def loss(values: NDArray[np.float64]) -> float:
        return negative_log_likelihood(combine(photos, title, ensemble(values)), labels)

    return ensemble(minimize(loss, np.zeros(1 if equal else 2), method="Nelder-Mead").x)


def fit_rule(
    confidences: NDArray[np.float64], labels: NDArray[np.intp], config: DecisionConfig = DecisionConfig()
) -> dict[str, Any]:
    """Fit the decision rule. → the dict that a manifest holds

    confidences : ndarray of shape (n, n_categories); labels : ndarray of shape (n,), int, numbers of categories
    """
    if config.assign_at:
        return asdict(DecisionRule(config.assign_at, config.shortlist_at, config.shortlist_size))
    return asdict(rule_at_precision(confidences, labels, config.precision, config.shortlist_at, config.shortlist_size))
