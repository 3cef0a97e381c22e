"""`python -m training.few_shot BUNDLE`: learn from simulated tasks what few examples and names of categories count.

Each task draws categories from labelled listings and makes them known from 0 (the name alone) to 30 of these. The
settings of `categories.projections.FewShot`, and the projections' floor, are fitted so that the labels of the other
listings are most probable. Nothing is trained when a category is added.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from productcat.calibration.reliability import calibration_error, negative_log_likelihood
from productcat.categories.categorizer import Categorizer
from productcat.categories.ensemble import combined
from productcat.categories.projections import FewShot
from productcat.listings.listing import Listing
from productcat.models.bundle import refuse_existing
from training.categories.tasks import SHOTS, Labelled, Task, draw, simulated
from training.commands import FOLDER_OPTIONS, command, mistakes_in_one_line, write_figures
from training.listings.datasets import DataConfig, Dataset, load_dataset
from training.metrics import over_draws

DRAWS = 10
"""Number of draws whose figures are averaged in the report."""

FIT = DataConfig(source="clothing-dataset-small.tar", table="")
"""The data whose training listings teach the settings of photos. Its test listings are reported."""

FIT_TITLES = DataConfig(
    source="pricerunner-titles.csv",
    table="",
    id="product_id",
    title="product_title",
    label="category_label",
    photos="",
    photo_pattern="",
    parents=(),
)
"""The data that teach the settings of titles, where the bundle has a title model."""

MOST_TITLES = 200
"""Number of titles of each of its categories, which are enough for that."""

REPORTED = DataConfig(source="olx-five.tar", table="")
"""Data that are reported too, where they are there, and that nothing is learnt from."""

Fitted = tuple[FewShot, float]
"""Settings of few examples, and the projections' floor."""


def fit(tasks: Sequence[Task]) -> Fitted:
    """Fit the settings and the floor."""

    def settings(logarithms: NDArray[np.float64]) -> Fitted:
        *numbers, odds = map(float, np.exp(logarithms))
        return FewShot(*numbers), odds / (1 + odds)

    return _likeliest(settings, tasks, start=np.log([10.0, 0.3, 1.0, 1.0, 1.0, 0.5, 0.1]))


def fit_titles(tasks: Sequence[Task], few_shot: FewShot, floor: float) -> FewShot:
    """Fit what prototypes of titles count, and keep all other settings."""
    names = ("title_scale", "title_neutral", "title_settling")

    def settings(logarithms: NDArray[np.float64]) -> Fitted:
        return replace(few_shot, **dict(zip(names, map(float, np.exp(logarithms)), strict=True))), floor

    return _likeliest(settings, tasks, start=np.log([10.0, 0.3, 1.0]))[0]


def _likeliest(
    settings: Callable[[NDArray[np.float64]], Fitted], tasks: Sequence[Task], start: NDArray[np.float64]
) -> Fitted:
    """Return the settings under which the labels of the tasks' queries are most probable.

    settings : function from ndarray of the shape of `start` to what `Task.confidences` takes
    """
    from scipy.optimize import minimize

    def loss(logarithms: NDArray[np.float64]) -> float:
        found = settings(logarithms)
        losses = [negative_log_likelihood(task.confidences(*found), task.queries.labels) for task in tasks]
        # the second term keeps in place what the tasks do not tell
        return float(np.mean(losses) + 1e-3 * np.sum((logarithms - start) ** 2))

    # scipy's own steps are a share of the start, which is 0 here for some
    steps = {"initial_simplex": start + np.vstack([np.zeros(len(start)), np.eye(len(start))])}
    return settings(minimize(loss, start, method="Nelder-Mead", options={"maxiter": 300, "xatol": 0.02} | steps).x)


def report(
    labelled: Labelled, queries: Labelled | None, few_shot: FewShot, floor: float, seed: int
) -> dict[int, dict[str, float]]:
    """Measure means over draws, with their standard errors. → dict, examples of a category → dict of figures"""
    found = {}
    for n in SHOTS:
        rng, figures = np.random.default_rng([seed, n]), []
        for _ in range(DRAWS if n else 1):
            task = draw(labelled, queries, [n] * len(labelled.names), rng)
            confidences, labels = task.confidences(few_shot, floor), task.queries.labels
            row = {"top1": float((confidences.argmax(axis=1) == labels).mean())}
            row["calibration_error"] = calibration_error(confidences, labels)
            if n:
                row["nearest_mean_top1"] = float((task.nearest_mean() == labels).mean())
            figures.append(row)
        found[n] = over_draws(figures)
    return found


def seen(
    categorizer: Categorizer, dataset: Dataset, rows: NDArray[np.intp], modality: Literal["photos", "title"] = "photos"
) -> Labelled:
    """Return listings as a categorizer sees them; those without evidence are left out."""
    names = [each["name"] for each in dataset.classes]
    outputs = categorizer.look([dataset.listings[row] for row in rows], modality)
    distributions = combined(outputs, categorizer.ensemble)
    good = ~np.isnan(distributions).any(axis=1)
    named = categorizer.class_distributions([Listing(title=name) for name in names], "title")
    vectors: dict[str, NDArray[np.float32]] = {modality: outputs.vectors[modality][good]}
    return Labelled(distributions[good], vectors, dataset.labels[rows][good], names, named)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command. A user's mistake is one line on standard error and exit code 1."""
    parser = command("training.few_shot", __doc__, FOLDER_OPTIONS)
    parser.add_argument("bundle", help="a bundle with an image model, or the name of a shipped one")
    parser.add_argument("--to", type=Path, help="the bundle with the settings: a new directory")
    parser.add_argument("--report", type=Path, help="write the figures to this JSON file")
    parser.add_argument("--seed", type=int, default=20)
    options = parser.parse_args(arguments)
    with mistakes_in_one_line():
        if options.to:
            refuse_existing(options.to)
        categorizer = Categorizer.load(options.bundle)
        figures = run(categorizer, options)
        if options.to:
            categorizer.save(options.to)
        write_figures(figures, options.report)
    print(json.dumps(figures, indent=1))


def run(categorizer: Categorizer, options: argparse.Namespace) -> dict[str, Any]:
    """Fit, put the settings into the categorizer, and measure. → dict of figures"""
    known = load_dataset(FIT, options.data, options.work, options.seed)
    train, test = (seen(categorizer, known, known.rows(split)) for split in ("train", "test"))
    few_shot, floor = fit(simulated(train, options.seed))
    if categorizer.title_model:
        offers = load_dataset(FIT_TITLES, options.data, options.work, options.seed)
        rng = np.random.default_rng(options.seed)  # the table is sorted by product
        rows = [rng.permutation(np.flatnonzero(offers.labels == label)) for label in range(len(offers.classes))]
        titles = seen(categorizer, offers, np.concatenate([each[:MOST_TITLES] for each in rows]), "title")
        few_shot = fit_titles(simulated(titles, options.seed), few_shot, floor)
    print(few_shot, floor, file=sys.stderr)
    categorizer.projections = replace(categorizer.projections, few_shot=few_shot, floor=floor)
    figures: dict[str, Any] = {"settings": asdict(few_shot) | {"floor": floor}}
    figures["clothing, test"] = report(train, test, few_shot, floor, options.seed)
    if (options.data / REPORTED.source).exists():
        other = load_dataset(REPORTED, options.data, options.work, options.seed)
        five = seen(categorizer, other, np.arange(len(other.listings)))
        figures["olx-five"] = report(five, None, few_shot, floor, options.seed)
    else:
        print(f"{options.data / REPORTED.source} is not there: not measured", file=sys.stderr)
    return figures


if __name__ == "__main__":
    main()
