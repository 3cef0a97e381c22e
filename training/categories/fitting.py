"""Fits on validation listings what the categorizer needs besides its models: temperatures, weights, the threshold."""

from dataclasses import asdict, dataclass, replace

import numpy as np

from productcat.arithmetic.distributions import sharpen
from productcat.calibration.reliability import negative_log_likelihood, rule_at_precision
from productcat.categories.decision import DecisionRule
from productcat.categories.ensemble import combine

AVERAGES = ("log", "plain", "best")


@dataclass(frozen=True)
class EnsembleConfig:
    """Settings of the ensemble; the `[ensemble]` table of a training configuration.

    average: "log", "plain", or "best": the one with the lower negative log-likelihood on validation listings.
    equal_weights: photos and title count alike (the plain average of the two); otherwise the weights are fitted.
    """

    average: str = "best"
    equal_weights: bool = False

    def __post_init__(self):
        if self.average not in AVERAGES:
            raise ValueError(f"average is {self.average!r}: expected one of {', '.join(AVERAGES)}")


@dataclass(frozen=True)
class DecisionConfig:
    """Settings of the decision rule; the `[decision]` table of a training configuration.

    precision: assign from the lowest confidence at which this share of the validation listings is right. Photos
    alone, the title alone and both have a threshold each.
    shortlist_at, shortlist_size: the least confidence of what a seller is shown, and the most categories.
    photos_precision: of what is assigned by photos alone, which seldom reach that of titles; 0: as `precision`.
    assign_at: a confidence to assign from, in the place of a precision; 0: none.
    """

    precision: float = 0.99
    shortlist_at: float = 0.5
    shortlist_size: int = 5
    photos_precision: float = 0.0
    assign_at: float = 0.0

    def of(self, use):
        """The settings for one kind of evidence: "photos", "title" or "both"."""
        alone = use == "photos" and self.photos_precision
        return replace(self, precision=self.photos_precision) if alone else self


def fit_ensemble(photos, title, labels, config=EnsembleConfig()):
    """Fit temperatures and weights by negative log-likelihood.

    Parameters
    ----------
    photos, title : ndarray of shape (n_listings, n_classes), or None
        What the two models say of validation listings; NaN rows where there is no evidence. None: no such model.
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
    fitted = {use: fit_temperature(each, labels) for use, each in seen.items()}
    temperatures = {"photos": 1.0, "title": 1.0, **fitted}
    kinds = ("log", "plain") if config.average == "best" else (config.average,)
    if len(seen) == 1:
        return _settings(kinds[0], 0.5, temperatures, 1.0), {}
    photos, title = (sharpen(each, temperatures[use]) for use, each in seen.items())
    tried = {kind: _fit_weights(photos, title, labels, kind, temperatures, config.equal_weights) for kind in kinds}
    losses = {kind: negative_log_likelihood(combine(photos, title, tried[kind]), labels) for kind in kinds}
    return tried[min(losses, key=losses.get)], losses


def calibrated(photos, title, settings):
    """What `fit_ensemble` makes of the models' answers. → dict, "photos", "title", "both" → (n_listings, n_classes)

    Where there is evidence of one kind only, that kind is all.
    """
    seen = {use: sharpen(each, settings["temperatures"][use]) for use, each in _evident(photos, title).items()}
    return seen if len(seen) < 2 else {**seen, "both": combine(seen["photos"], seen["title"], settings)}


def _evident(photos, title):
    """Of the two models' answers those that are evidence for some listing. → dict"""
    given = {"photos": photos, "title": title}
    return {use: each for use, each in given.items() if each is not None and not np.isnan(each).all()}


def fit_temperature(distributions, labels):
    """The temperature with the lowest negative log-likelihood (Guo et al. 2017)."""
    from scipy.optimize import minimize_scalar

    def loss(log_temperature):
        return negative_log_likelihood(sharpen(distributions, np.exp(log_temperature)), labels)

    return float(np.exp(minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded").x))


def _fit_weights(photos, title, labels, kind, temperatures, equal):
    from scipy.optimize import minimize

    def settings(values):
        share = 0.5 if equal else 1 / (1 + np.exp(-values[1]))
        return _settings(kind, float(share), temperatures, float(np.exp(values[0])))

    def loss(values):
        return negative_log_likelihood(combine(photos, title, settings(values)), labels)

    return settings(minimize(loss, np.zeros(1 if equal else 2), method="Nelder-Mead").x)


def _settings(kind, share, temperatures, both):
    """What `productcat.categories.ensemble.combine` reads. share: the weight of the photos. both: a temperature."""
    return {
        "average": kind,
        "informed": True,
        "weights": {"photos": share, "title": 1 - share},
        "temperatures": {**temperatures, "both": both},
    }


def fit_rule(confidences, labels, config=DecisionConfig()):
    """The decision rule, as the dict in a manifest. labels : int, shape (n,), numbers of categories."""
    if config.assign_at:
        return asdict(DecisionRule(config.assign_at, config.shortlist_at, config.shortlist_size))
    return asdict(rule_at_precision(confidences, labels, config.precision, config.shortlist_at, config.shortlist_size))
