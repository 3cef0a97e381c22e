"""`python -m training.calibration_gain BUNDLE...`: what `productcat calibrate` makes of confidences, with 200 listings.

A marketplace's categories are put in the place of the bundle's, known from their names or from a few examples. Then the
bundle is calibrated on labelled listings, and judged on others. Its models never learnt from either; what few examples
count (`training.few_shot`), seven numbers, was fitted to some of the clothing.
"""

import argparse
import json

import numpy as np

from productcat.calibration.calibrate import calibrate
from productcat.calibration.reliability import calibration_error
from productcat.categories.categorizer import Categorizer
from training.commands import FIGURES_OPTION, FOLDER_OPTIONS, mistakes_in_one_line, write_figures
from training.listings.datasets import DataConfig, load_dataset
from training.metrics import over_draws, top_k

SETS = {
    "clothing": DataConfig(source="clothing-dataset-small.tar", table=""),
    "olx-five": DataConfig(source="olx-five.tar", table=""),
}
"""Marketplaces. In each draw a half of the listings is drawn from, and the other half is judged."""

DESCRIPTIONS = {"longsleeve": "shirt with long sleeves", "outwear": "jacket, coat"}
"""More words for names of categories that are no words."""

SHOTS = (0, 5)
"""Examples a category; 0 is the name alone."""

LABELLED = 200
"""Listings that a bundle is calibrated on."""

DRAWS = 10
CHANCES = 50
"""Sets of labels drawn to see what calibration error chance alone makes."""


def main(arguments=None):
    """The command. A user's mistake is one line on standard error and exit code 1."""
    description, parents = __doc__.split("\n")[0], [FOLDER_OPTIONS, FIGURES_OPTION]
    parser = argparse.ArgumentParser("python -m training.calibration_gain", description=description, parents=parents)
    parser.add_argument("bundles", nargs="+", help="bundles with an image model, or names of shipped ones")
    parser.add_argument("--seed", type=int, default=20)
    options = parser.parse_args(arguments)
    with mistakes_in_one_line():
        figures = {
            bundle: {name: measure(bundle, each, options) for name, each in SETS.items()} for bundle in options.bundles
        }
        write_figures(figures, options.to)
    print(json.dumps(figures, indent=1))


def measure(bundle, config, options):
    """One marketplace. → dict, examples a category → means over draws, with their errors"""
    dataset, figures = load_dataset(config, options.data, options.work, options.seed), {}
    seen = Categorizer.load(bundle).look(dataset.listings)
    for shots in SHOTS:
        rngs = [np.random.default_rng([options.seed, shots, number]) for number in range(DRAWS)]
        drawn = [draw(dataset, rng.permutation(len(dataset.listings)), shots) for rng in rngs]
        figures[str(shots)] = over_draws([measured(bundle, dataset, seen, *each) for each in drawn])
    return figures


def draw(dataset, order, shots):
    """→ (dict, category → its examples, as rows; ndarray, rows of the labelled listings; ndarray, rows to judge)"""
    pool, judged = np.array_split(order, 2)
    names = [each["name"] for each in dataset.classes]
    examples = {name: pool[dataset.labels[pool] == number][:shots] for number, name in enumerate(names)}
    left = pool[~np.isin(pool, np.concatenate(list(examples.values())))]
    return examples, left[:LABELLED], judged


def measured(bundle, dataset, seen, examples, labelled, judged):
    """One draw: calibration error and top-1, before and after. seen : Sight of all listings → dict

    "of_chance": the calibration error that perfect confidences would have on as many listings.
    """
    truth, names, found = dataset.labels[judged], list(examples), {}
    categorizer = Categorizer.load(bundle)
    shown = {name: [dataset.listings[row] for row in rows] for name, rows in examples.items()}
    categorizer.replace_categories(shown, DESCRIPTIONS)
    for moment in ("before", "after"):
        if moment == "after":
            known = [names[number] for number in dataset.labels[labelled]]
            calibrate(categorizer, [dataset.listings[row] for row in labelled], known)
        confidences = categorizer.confidences(seen.rows(judged))
        found[f"calibration_error_{moment}"] = calibration_error(confidences, truth)
        found[f"top1_{moment}"] = float(top_k(confidences, truth, 1).mean())
    return found | {"of_chance": of_chance(confidences, np.random.default_rng(0))}


def of_chance(confidences, rng):
    """Mean calibration error where labels come true just as often as the confidences, shape (n, n_names), say."""
    found = []
    for _ in range(CHANCES):
        labels = (confidences.cumsum(axis=1) < rng.random((len(confidences), 1))).sum(axis=1)
        found.append(calibration_error(confidences, np.minimum(labels, confidences.shape[1] - 1)))
    return float(np.mean(found))


if __name__ == "__main__":
    main()
