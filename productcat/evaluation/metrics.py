"""What metrics.json holds, None where there is no figure; and how a figure gets its interval."""

from collections.abc import Sequence
from typing import Any, NotRequired, TypedDict

import numpy as np
from numpy.typing import NDArray

from productcat.arithmetic.bootstrap import interval
from productcat.categories.ensemble import Modality

CURVE_POINTS = 400
"""Number of thresholds of a curve that are kept."""


class Figure(TypedDict):
    """A figure of merit and its bootstrap interval."""

    value: float | None
    low: float | None
    high: float | None


class Draws(TypedDict):
    """How the intervals were made."""

    level: float
    rounds: int
    seed: int


class Decisions(TypedDict):
    """Shares of the listings by decision, and how good the decisions are. rules: modality → settings of its rule"""

    assign: float
    shortlist: float
    abstain: float
    assigned_rightly: float | None
    on_the_shortlist: float | None
    rules: dict[Modality, dict[str, float]]


class Threshold(TypedDict):
    """What a threshold means, of 100,000 listings a day. asked_precision: None for the bundle's own threshold"""

    asked_precision: float | None
    threshold: float | None
    assigned_a_day: int
    wrongly_a_day: int | None
    precision: float | None
    asked_a_day: int


class Bin(TypedDict):
    """A bin of a reliability diagram."""

    confidence: float
    right: float
    listings: int


class CoveragePoint(TypedDict):
    """What a threshold assigns, and how much of it rightly."""

    threshold: float
    coverage: float
    precision: float


class TitleEffect(TypedDict):
    """How often the title helps and harms."""

    listings_with_both: int
    rescued: int
    spoilt: int


class Confusion(TypedDict):
    """How many listings of a label get another answer. share: of the listings of that label"""

    label: str
    answer: str
    listings: int
    share: float


class Mistakes(TypedDict):
    """How many listings are wrong, and of how many the label is suspect."""

    wrong: int
    without_evidence: int
    suspect_labels: int


ClassShares = TypedDict("ClassShares", {"class": str, "training": float, "here": float})
"""Shares of a class in two mixes."""


class MixDrift(TypedDict):
    """How far two mixes of classes are from each other.

    jensen_shannon: in bits. moved: share of the listings that would have to be of another class. differences: the
    classes whose shares differ most. usual: the divergence that 95 % of the samples of this size stay below.
    """

    jensen_shannon: float
    moved: float
    differences: list[ClassShares]
    usual: NotRequired[float]


class Mixes(TypedDict):
    """Drift of the classes that the models see and, where the categories are the classes, of the labels."""

    seen: MixDrift
    labels: NotRequired[MixDrift]


class ComparedFigure(TypedDict):
    """A figure of the bundle's own test listings beside the one here."""

    evidence: Modality
    figure: str
    test: float | None
    here: float | None


class ComparedConfidence(TypedDict):
    """Mean of the highest confidence, of the bundle's own test listings and here."""

    test: float | None
    here: float


class Drift(TypedDict):
    """How far the listings are from those of the training. None stands for what the bundle does not know."""

    mix: Mixes | None
    figures: list[ComparedFigure]
    confidence: dict[Modality, ComparedConfidence]
    titles_without_known_word: float | None


class Metrics(TypedDict):
    """The figures of an evaluation of a categorizer. The keys of every dict of dicts or lists are modalities."""

    bundle: str | None
    bundle_created: str | None
    bundle_seal: str | None
    listings: int
    categories: int
    categories_present: int
    unknown_labels: dict[str, int]
    evidence: dict[Modality, float]
    photos_lost: int
    interval: Draws
    overall: dict[Modality, dict[str, Figure]]
    gains_of_both: dict[Modality, Figure]
    decisions: Decisions
    thresholds: list[Threshold]
    reliability: dict[Modality, list[Bin]]
    coverage: dict[Modality, list[CoveragePoint]]
    title: TitleEffect | None
    confusions: list[Confusion]
    mistakes: Mistakes
    drift: Drift
    per_category: list[dict[str, Any]]


class PairThreshold(TypedDict):
    """The threshold that finds most pairs at a precision."""

    asked_precision: float
    threshold: float | None
    recall: float
    precision: float | None


class PairPoint(TypedDict):
    """What a threshold finds of labelled pairs."""

    threshold: float
    precision: float
    recall: float


class WrongPairs(TypedDict):
    """Pairs on the wrong side of the threshold."""

    missed: int
    reported: int


class PairMetrics(TypedDict):
    """The figures of an evaluation of a detector of duplicates."""

    pairs: int
    same_item: int
    listings: int
    pairs_left_out: int
    missing_listings: list[str]
    listings_without_photo: list[str]
    threshold: float
    interval: Draws
    figures: dict[str, Figure]
    wrong: WrongPairs
    thresholds: list[PairThreshold]
    curve: list[PairPoint]


def with_interval(value: float, drawn: Sequence[float], bounds: tuple[float, float] = (0.0, 1.0)) -> Figure:
    """Return a figure with its interval.

    Parameters
    ----------
    value : float
        NaN where there is no figure.
    drawn : sequence of float, length n_rounds
        The same figure in each bootstrap draw.
    bounds : (float, float)
        Least and greatest value that the figure can have.
    """
    low, high = interval(drawn, value, bounds=bounds)
    return {"value": _known(value), "low": _known(low), "high": _known(high)}


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value


def kept_points(n_thresholds: int) -> NDArray[np.intp]:
    """Return the places of at most CURVE_POINTS thresholds, spread evenly over all. → shape (n_kept,), increasing"""
    return np.unique(np.linspace(0, n_thresholds - 1, CURVE_POINTS).round().astype(int))
