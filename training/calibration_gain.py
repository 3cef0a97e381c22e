"""`python -m training.calibration_gain BUNDLE`: what `productcat calibrate` makes of confidences, with 200 listings.

A marketplace's categories are put in the place of the bundle's, known from their names or from a few examples. Then the
bundle is calibrated on labelled listings, and judged on others.
"""

import argparse
import json

import numpy as np

from productcat.calibration import calibrate
from productcat.categorizer import Categorizer
from productcat.reliability import calibration_error
from training.commands import FIGURES_OPTION, FOLDER_OPTIONS, mistakes_in_one_line, write_figures
from training.datasets import DataConfig, load_dataset
from training.metrics import over_draws, top_k

SETS = {
    "clothing, test": (DataConfig(source="clothing-dataset-small.tar", table=""), True),
    "olx-five": (DataConfig(source="olx-five.tar", table=""), False),
}
"""Marketplaces, and whether their data bring a split: then `test` is judged, else what is drawn for nothing else."""

DESCRIPTIONS = {"longsleeve": "shirt with long sleeves", "outwear": "jacket, coat"}
"""More words for names of categories that are no words."""

SHOTS = (0, 5)
"""Examples a category; 0 is the name alone."""

LABELLED = 200
"""Listings that a bundle is calibrated on."""

DRAWS = 5


def main(arguments=None):
    """The command. A user's mistake is one line on standard error and exit code 1."""
    description, parents = __doc__.split("\n")[0], [FOLDER_OPTIONS, FIGURES_OPTION]
    parser = argparse.ArgumentParser("python -m training.calibration_gain", description=description, parents=parents)
    parser.add_argument("bundle", help="a bundle with an image model, or the name of a shipped one")
    parser.add_argument("--seed", type=int, default=20)
    options = parser.parse_args(arguments)
    with mistakes_in_one_line():
        figures = {name: measure(*each, options) for name, each in SETS.items()}
    print(json.dumps(figures, indent=1))
    write_figures(figures, options.to)


def measure(config, split, options):
    """One marketplace. → dict, examples a category → means over draws, with their standard errors"""
    dataset, figures = load_dataset(config, options.data, options.work, options.seed), {}
    for shots in SHOTS:
        rngs = [np.random.default_rng([options.seed, shots, draw]) for draw in range(DRAWS)]
        figures[str(shots)] = over_draws([measured(options.bundle, dataset, split, shots, rng) for rng in rngs])
    return figures


def measured(bundle, dataset, split, shots, rng):
    """One draw: calibration error and top-1, before and after. split: the data bring one. → dict"""
    names = [each["name"] for each in dataset.classes]
    pool = rng.permutation(dataset.rows("train") if split else len(dataset.listings))
    examples = {number: pool[dataset.labels[pool] == number][:shots] for number in range(len(names))}
    pool = pool[~np.isin(pool, np.concatenate(list(examples.values())))]
    labelled, judged = pool[:LABELLED], dataset.rows("test") if split else pool[LABELLED:]
    categorizer = Categorizer.load(bundle)
    shown = {names[number]: [dataset.listings[row] for row in rows] for number, rows in examples.items()}
    categorizer.replace_categories(shown, DESCRIPTIONS)
    listings = [dataset.listings[row] for row in judged]
    found = {}
    for moment in ("before", "after"):
        if moment == "after":
            known = [names[number] for number in dataset.labels[labelled]]
            calibrate(categorizer, [dataset.listings[row] for row in labelled], known)
        confidences = categorizer.predict_proba(listings)
        found[f"calibration_error_{moment}"] = calibration_error(confidences, dataset.labels[judged])
        found[f"top1_{moment}"] = float(top_k(confidences, dataset.labels[judged], 1).mean())
    return found


if __name__ == "__main__":
    main()
