"""`python -m training.calibration_gain BUNDLE...`: measure what `productcat calibrate` gains with 200 listings.

A marketplace's categories replace those of the bundle, known from their names or from a few examples. Then the bundle
is calibrated on labelled listings, and judged on others. Its models never learnt from either. Only the seven numbers
of `training.few_shot` were fitted to some of the clothing.
"""

import argparse
import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from productcat.calibration.calibrate import calibrate
from productcat.calibration.reliability import calibration_error, top_k
from productcat.categories.categorizer import Categorizer
from productcat.categories.ensemble import ModelOutputs
from training.commands import FIGURES_OPTION, FOLDER_OPTIONS, command, mistakes_in_one_line, write_figures
from training.listings.datasets import DataConfig, Dataset, load_dataset
from training.metrics import over_draws

SETS = {
    "clothing": DataConfig(source="clothing-dataset-small.tar", table=""),
    "olx-five": DataConfig(source="olx-five.tar", table=""),
}
"""Marketplaces. Each draw takes examples and labelled listings from one half of the listings, and judges the other."""

DESCRIPTIONS = {"longsleeve": "shirt with long sleeves", "outwear": "jacket, coat"}
"""More words for categories whose names are not words."""

SHOTS = (0, 5)
"""Numbers of examples of a category; 0 is the name alone."""

LABELLED = 200
"""Number of listings that a bundle is calibrated on."""

DRAWS = 10
"""Number of draws whose figures are averaged."""

CHANCES = 50
"""Number of sets of labels that are drawn to see what calibration error chance alone makes."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command. A user's mistake is one line on standard error and exit code 1."""
    parser = command("training.calibration_gain", __doc__, FOLDER_OPTIONS, FIGURES_OPTION)
    parser.add_argument("bundles", nargs="+", help="bundles with an image model, or names of shipped ones")
    parser.add_argument("--seed", type=int, default=20)
    options = parser.parse_args(arguments)
    with mistakes_in_one_line():
        figures = {
            bundle: {name: measure(bundle, each, options) for name, each in SETS.items()} for bundle in options.bundles
        }
        write_figures(figures, options.to)
    print(json.dumps(figures, indent=1))


def measure(bundle: str, config: DataConfig, options: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Measure one marketplace. → dict, examples of a category → means over draws, with their errors"""
    dataset, figures = load_dataset(config, options.data, options.work, options.seed), {}
    seen = Categorizer.load(bundle).look(dataset.listings)
    for shots in SHOTS:
        rngs = [np.random.default_rng([options.seed, shots, number]) for number in range(DRAWS)]
        drawn = [draw(dataset, rng.permutation(len(dataset.listings)), shots) for rng in rngs]
        figures[str(shots)] = over_draws([measured(bundle, dataset, seen, *each) for each in drawn])
    return figures


def draw(
    dataset: Dataset, order: NDArray[np.intp], shots: int
) -> tuple[dict[str, NDArray[np.intp]], NDArray[np.intp], NDArray[np.intp]]:
    """Divide the rows of a data set. order : ndarray of shape (n_listings,), int

    Returns
    -------
    examples : dict, category → ndarray of rows
    labelled, judged : ndarray of rows
        Listings to calibrate on, and listings to judge.
    """
    pool, judged = np.array_split(order, 2)
    names = [each["name"] for each in dataset.classes]
    examples = {name: pool[dataset.labels[pool] == number][:shots] for number, name in enumerate(names)}
    left = pool[~np.isin(pool, np.concatenate(list(examples.values())))]
    return examples, left[:LABELLED], judged


def measured(
    bundle: str,
    dataset: Dataset,
    seen: ModelOutputs,
    examples: dict[str, NDArray[np.intp]],
    labelled: NDArray[np.intp],
    judged: NDArray[np.intp],
) -> dict[str, float]:
    """Measure calibration error and top-1 in one draw, before and after. seen : ModelOutputs of all listings

    "of_chance": the calibration error that perfect confidences would have on as many listings.
    """
    truth, names, found = dataset.labels[judged], list(examples), {}
    categorizer = Categorizer.load(bundle)
    shown = {name: [dataset.listings[row] for row in rows] for name, rows in examples.items()}
    categorizer.replace_categories(shown, DESCRIPTIONS)
    for moment in ("before", "after"):
        if moment == "after":
            calibrate(categorizer, [(dataset.listings[row], names[dataset.labels[row]]) for row in labelled])
        confidences = categorizer.confidences(seen.rows(judged))
        found[f"calibration_error_{moment}"] = calibration_error(confidences, truth)
        found[f"top1_{moment}"] = float(top_k(confidences, truth, 1).mean())
    return found | {"of_chance": of_chance(confidences, np.random.default_rng(0))}


def of_chance(confidences: NDArray[np.float64], rng: np.random.Generator) -> float:
    """Return the mean calibration error where labels come true exactly as often as the confidences say.

    confidences : ndarray of shape (n, n_categories)
    """
    found = []
    for _ in range(CHANCES):
        labels = (confidences.cumsum(axis=1) < rng.random((len(confidences), 1))).sum(axis=1)
        found.append(calibration_error(confidences, np.minimum(labels, confidences.shape[1] - 1)))
    return float(np.mean(found))


if __name__ == "__main__":
    main()
