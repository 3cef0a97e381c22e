"""Figures of merit of distributions against labels, in addition to those of `productcat/calibration/reliability.py`.

A NaN row (no evidence) counts as wrong, except in the calibration error, which ignores listings without evidence.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from productcat.calibration.reliability import calibration_error, coverage_at_precision, top_k
from productcat.evaluation import answers
from productcat.evaluation.answers import Answers


def mean_class_top_k(
    distributions: NDArray[np.float64], labels: NDArray[np.intp], k: int, classes: Sequence[int] | None = None
) -> float:
    """Return top-k of each class that occurs, averaged over the classes, so that rare ones count like frequent ones.

    classes : sequence of int, optional
        Look only at the listings of these classes; all classes still compete.
    """
    hits = top_k(distributions, labels, k)
    present = [each for each in np.unique(labels) if classes is None or each in classes]
    return float(np.mean([hits[labels == each].mean() for each in present])) if present else float("nan")


def macro_f1(distributions: NDArray[np.float64], labels: NDArray[np.intp]) -> float:
    """Return F1 of each class that occurs in the labels or the answers, averaged."""
    return answers.macro_f1(Answers.of(distributions, labels).best, labels, distributions.shape[1])


def summary(distributions: NDArray[np.float64], labels: NDArray[np.intp]) -> dict[str, float]:
    """Return the figures that every table shows."""
    coverage, _ = coverage_at_precision(distributions, labels, 0.99)
    return {
        "top1": float(top_k(distributions, labels, 1).mean()),
        "top5": float(top_k(distributions, labels, 5).mean()),
        "macro_f1": macro_f1(distributions, labels),
        "expected_calibration_error": calibration_error(distributions, labels),
        "coverage_at_99_precision": coverage,
    }


def over_draws(draws: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return means of figures over draws and, of more than one draw, their standard errors."""
    values = {name: np.array([each[name] for each in draws]) for name in draws[0]}
    found = {name: round(float(each.mean()), 4) for name, each in values.items()}
    if len(draws) > 1:
        for name, each in values.items():
            found[f"{name}_error"] = round(float(each.std(ddof=1) / np.sqrt(len(each))), 4)
    return found
