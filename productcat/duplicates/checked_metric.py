"""Load the "duplicates" part of a bundle after a look at it: shapes, finite numbers, and levels that the network has.

How the head is stored is a matter of `metric.py`. Here only its numbers are known to be finite.
"""

import math
from collections.abc import Iterator, Mapping

import numpy as np

from productcat.duplicates.evidence import names
from productcat.duplicates.metric import SETTINGS, TENSORS, SetMetric
from productcat.errors import BundleError
from productcat.models.bundle import Bundle
from productcat.models.contents import AGAIN, Contents, Entries, Tensors
from productcat.models.image_model import FILES, ImageModel

MOST_WEIGHT = 1e9
"""Greatest absolute value of a number in the settings. Weights of evidence are below a hundred."""


def read_here(bundle: Bundle) -> set[str]:
    """Return the names of the files that a detector reads: their checksums are compared then, and only once."""
    network = bundle.features_name()
    return {f"duplicates/{name}" for name in (SETTINGS, TENSORS)} | {f"{network}/{name}" for name in FILES}


def load_metric(contents: Contents, image_model: ImageModel) -> SetMetric:
    """Load the metric between sets of photos that `image_model` sees.

    Raises
    ------
    BundleError
        A file is missing or damaged, or what it says is no such part. The message names file and key.
    """
    settings, tensors = contents.entries(SETTINGS), contents.tensors(TENSORS)
    for number in _numbers(settings.entries):
        if not abs(number) <= MOST_WEIGHT:
            raise BundleError(f"{settings.said} has a number that is not finite, or beyond {MOST_WEIGHT:g}; {AGAIN}")
    levels = settings.object("levels")
    if not levels.entries:
        settings.refuse("levels", "at least one")
    for name in levels.entries:
        _check_level(name, levels, tensors, image_model)
    settings.number("threshold", 0, 1)
    if settings.has("compared"):
        settings.number("compared", 0)
    try:
        metric = SetMetric.load(contents.folder)
        nothing = metric.ways(np.zeros((1, len(names(metric.levels))), np.float32))
        if nothing.shape != (1, 2) or not np.isfinite(nothing).all():
            raise ValueError("what it makes of no evidence is not a number")
        return metric
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        said = f"{type(error).__name__}: {error}"[:100]
        raise BundleError(f"{settings.said} does not say what a metric has to ({said!a}); {AGAIN}") from None


def _check_level(name: str, levels: Entries, tensors: Tensors, image_model: ImageModel) -> None:
    """Raise BundleError unless the tensors of a level fit together, and the network has it."""
    if name not in image_model.levels:
        raise BundleError(f"{levels.said}: the network has no output {name!a:.60}; {AGAIN}")
    n_outputs = image_model.widths.get(name)
    n_features = len(tensors.array(f"{name}/mean", n_outputs if not tensors.has(f"{name}/basis") else None))
    if not n_features:
        tensors.refuse(f"{name}/mean", "is empty")
    if tensors.has(f"{name}/basis"):
        tensors.array(f"{name}/basis", n_outputs, n_features)
    triangle = tensors.array(f"{name}/covariance", n_features * (n_features + 1) // 2)
    variances = triangle[np.cumsum([0, *range(n_features, 1, -1)])]
    if (variances < 0).any() or not (variances > 0).any():
        tensors.refuse(f"{name}/covariance", "has a variance below 0, or none above")
    n_dimensions = levels.number(name, 1, n_features)
    if n_dimensions != int(n_dimensions):
        levels.refuse(name, "a whole number of dimensions")


def _numbers(found: object) -> Iterator[float]:
    """Yield all numbers of JSON. Whole ones may be too large for floating point."""
    if isinstance(found, Mapping):
        for each in found.values():
            yield from _numbers(each)
    elif isinstance(found, list):
        for each in found:
            yield from _numbers(each)
    elif isinstance(found, int | float):
        yield found if abs(found) < 1e300 else math.inf
