"""`python -m training.few_shot BUNDLE`: what few examples and names of categories count, learnt from simulated tasks.

Categories are drawn out of labelled listings and made known from 0 (the name alone) to 30 of them; the settings of
`categories.projections.FewShot` and the projections' floor are those under which the labels of the others are most
probable. Nothing is trained when a category is added.
"""

import argparse
import json
import sys
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from productcat.arithmetic.vectors import unit
from productcat.calibration.reliability import calibration_error, negative_log_likelihood
from productcat.categories.categorizer import Categorizer
from productcat.categories.ensemble import combined
from productcat.categories.projections import CategoryProjections, FewShot, prototype_of
from productcat.categories.prototypes import Prototypes
from productcat.listings.listing import Listing
from productcat.models.bundle import refuse_existing
from training.commands import FOLDER_OPTIONS, mistakes_in_one_line, write_figures
from training.listings.datasets import DataConfig, load_dataset
from training.metrics import over_draws

SHOTS = (0, 1, 5, 10, 30)
"""Examples a category; 0 is the name alone."""

DRAWS = 10
QUERIES = 200
"""Listings judged in each simulated task, which are enough to fit seven numbers."""

FIT = DataConfig(source="clothing-dataset-small.tar", table="")
"""What the settings of photos are learnt from: its training listings. Its test listings are reported."""

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
"""What the settings of titles are learnt from, where the bundle has a title model."""

MOST_TITLES = 200
"""Titles of each of its categories, which are enough for that."""

REPORTED = DataConfig(source="olx-five.tar", table="")
"""Reported too, where it is at hand, and never learnt from."""


@dataclass(frozen=True)
class Labelled:
    """Listings as a categorizer sees them.

    distributions : ndarray of shape (n, n_classes)
    vectors : dict, "photos" | "title" → ndarray of shape (n, n_features)
    labels : ndarray of shape (n,), int, numbers of `names`
    names : list of str; named : ndarray of shape (n_names, n_classes), rows of NaN for names without a known word
    """

    distributions: np.ndarray
    vectors: dict[str, np.ndarray]
    labels: np.ndarray
    names: list[str]
    named: np.ndarray

    def rows(self, rows):
        """Some of the listings."""
        vectors = {kind: each[rows] for kind, each in self.vectors.items()}
        return Labelled(self.distributions[rows], vectors, self.labels[rows], self.names, self.named)


@dataclass(frozen=True)
class Task:
    """Categories known from some listings, `support`, and others to be judged. names: whether the names count, too."""

    support: Labelled
    queries: Labelled
    names: bool = True

    def confidences(self, few_shot, floor):
        """What the queries are taken for, shape (n_queries, n_names)."""
        rows = zip(self.examples, self.support.named, strict=True)
        matrix = np.array([self._projection(own, named, few_shot.name_counts) for own, named in rows])
        settings = floor, few_shot.temperature, self.prototypes, few_shot
        projections = CategoryProjections(self.support.names, matrix, *settings)
        return projections.confidences(self.queries.distributions, self.queries.vectors)

    @cached_property
    def examples(self):
        """Rows of `support` of each category."""
        return [np.flatnonzero(self.support.labels == number) for number in range(len(self.support.names))]

    @cached_property
    def prototypes(self):
        """Those of the categories, dict, "photos" | "title" → productcat.categories.prototypes.Prototypes."""
        return {
            kind: Prototypes.of([prototype_of(kind, vectors[own]) if len(own) else None for own in self.examples])
            for kind, vectors in self.support.vectors.items()
        }

    def _projection(self, own, named, name_counts):
        counts = name_counts if len(own) else 1.0
        if np.isnan(named).any() or (not self.names and len(own)):
            counts, named = 0.0, np.zeros_like(named)
        if not len(own) + counts:
            return np.full_like(named, 1 / len(named))
        return (self.support.distributions[own].sum(axis=0) + counts * named) / (len(own) + counts)

    def nearest_mean(self):
        """The plain rival: the category whose examples' mean features have the greatest cosine. (n_queries,)"""
        means = [self.support.vectors["photos"][own].mean(axis=0) for own in self.examples]
        return np.argmax(self.queries.vectors["photos"] @ unit(np.stack(means)).T, axis=1)


def draw(labelled, queries, shots, rng, names=True, most=None):
    """A task. queries: Labelled, or None for the listings that are not drawn. most: so many queries at most. → Task

    Where the others are judged, at most a half of a category's listings become examples.
    """
    rows = [rng.permutation(np.flatnonzero(labelled.labels == number)) for number in range(len(shots))]
    most_of = [len(each) // 2 if queries is None else len(each) for each in rows]
    chosen = [each[: min(n, limit)] for each, n, limit in zip(rows, shots, most_of, strict=True)]
    support = np.concatenate(chosen)
    if queries is None:
        queries = labelled.rows(np.setdiff1d(np.arange(len(labelled.labels)), support))
    queries = queries.rows(rng.permutation(len(queries.labels))[:most])
    return Task(labelled.rows(support), queries, names)


def simulated(labelled, seed, draws=4):
    """Tasks to learn from: all categories alike, with and without names, some by their names alone, and all but one.

    In the last a category of examples must not take what belongs to others of which no photo is known.
    """
    rng, tasks = np.random.default_rng(seed), []
    for _ in range(draws):
        for n in SHOTS:
            tasks.append(draw(labelled, None, [n] * len(labelled.names), rng, most=QUERIES))
        tasks.append(draw(labelled, None, rng.choice(SHOTS, len(labelled.names)), rng, most=QUERIES))
        tasks.append(draw(labelled, None, rng.choice(SHOTS[1:], len(labelled.names)), rng, False, most=QUERIES))
        for own in rng.choice(len(labelled.names), 2, replace=False):
            shots = np.where(np.arange(len(labelled.names)) == own, rng.choice(SHOTS[1:]), 0)
            tasks.append(draw(labelled, None, shots, rng, most=QUERIES))
    return tasks


def fit(tasks):
    """The settings under which the labels of the tasks' queries are most probable. → FewShot, floor"""

    def settings(logarithms):
        *numbers, odds = map(float, np.exp(logarithms))
        return FewShot(*numbers), odds / (1 + odds)

    return _likeliest(settings, tasks, start=np.log([10.0, 0.3, 1.0, 1.0, 1.0, 0.5, 0.1]))


def fit_titles(tasks, few_shot, floor):
    """What prototypes of titles count, all else staying as it is. → FewShot"""
    names = ("title_scale", "title_neutral", "title_settling")

    def settings(logarithms):
        return replace(few_shot, **dict(zip(names, map(float, np.exp(logarithms)), strict=True))), floor

    return _likeliest(settings, tasks, start=np.log([10.0, 0.3, 1.0]))[0]


def _likeliest(settings, tasks, start):
    """The settings under which the labels of the tasks' queries are most probable.

    settings : function from ndarray of the shape of `start` to what `Task.confidences` takes
    """
    from scipy.optimize import minimize

    def loss(logarithms):
        found = settings(logarithms)
        losses = [negative_log_likelihood(task.confidences(*found), task.queries.labels) for task in tasks]
        return np.mean(losses) + 1e-3 * np.sum((logarithms - start) ** 2)  # keeps what the tasks do not tell in place

    # steps of its own: scipy's are a share of the start, which is 0 here for some
    steps = {"initial_simplex": start + np.vstack([np.zeros(len(start)), np.eye(len(start))])}
    return settings(minimize(loss, start, method="Nelder-Mead", options={"maxiter": 300, "xatol": 0.02} | steps).x)


def report(labelled, queries, few_shot, floor, seed):
    """Means over draws, with their standard errors. → dict, examples a category → dict of figures"""
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


def seen(categorizer, dataset, rows, use="photos"):
    """Listings through a categorizer. dataset : Dataset; use : "photos" | "title" → Labelled"""
    names = [each["name"] for each in dataset.classes]
    sight = categorizer.look([dataset.listings[row] for row in rows], use)
    distributions = combined(sight, categorizer.ensemble)
    good = ~np.isnan(distributions).any(axis=1)
    named = categorizer.class_distributions([Listing(title=name) for name in names], "title")
    return Labelled(distributions[good], {use: sight.vectors[use][good]}, dataset.labels[rows][good], names, named)


def main(arguments=None):
    """The command. A user's mistake is one line on standard error and exit code 1."""
    description, parents = __doc__.split("\n")[0], [FOLDER_OPTIONS]
    parser = argparse.ArgumentParser("python -m training.few_shot", description=description, parents=parents)
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


def run(categorizer, options):
    """Fit, put the settings into the categorizer, and measure. → dict of figures"""
    known = load_dataset(FIT, options.data, options.work, options.seed)
    train, test = (seen(categorizer, known, known.rows(split)) for split in ("train", "test"))
    few_shot, floor = fit(simulated(train, options.seed))
    if categorizer.title_model:
        offers = load_dataset(FIT_TITLES, options.data, options.work, options.seed)
        rng = np.random.default_rng(options.seed)  # the table is sorted by product
        rows = [rng.permutation(np.flatnonzero(offers.labels == label)) for label in range(len(offers.classes))]
        offers = seen(categorizer, offers, np.concatenate([each[:MOST_TITLES] for each in rows]), "title")
        few_shot = fit_titles(simulated(offers, options.seed), few_shot, floor)
    print(few_shot, floor, file=sys.stderr)
    categorizer.projections = replace(categorizer.projections, few_shot=few_shot, floor=floor)
    figures = {"settings": asdict(few_shot) | {"floor": floor}}
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
