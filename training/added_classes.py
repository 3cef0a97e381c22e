"""`python -m training.added_classes BUNDLE CONFIG`: classes that a bundle never learnt, added from a few examples each.

The question is how far a model of the most frequent classes goes when every other class of the data is added as a
category, without training. Beside it the nearest class mean on plain ImageNet features, and a bundle that
was trained on all classes.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from productcat.arithmetic.vectors import unit
from productcat.categories.categorizer import Categorizer
from productcat.jobs.progress import Progress
from training.commands import FIGURES_OPTION, FOLDER_OPTIONS, mistakes_in_one_line, write_figures
from training.config import load_config
from training.listings.datasets import load_dataset
from training.metrics import mean_class_top_k, over_draws

SHOTS = (1, 5, 20)
"""Examples a class that is added."""

DRAWS = 5
KNOWN_EXAMPLES = 200
"""Training listings of which the mean of a class is made that the bundle knows."""


def main(arguments=None):
    """The command. A user's mistake is one line on standard error and exit code 1."""
    description, parents = __doc__.split("\n")[0], [FOLDER_OPTIONS, FIGURES_OPTION]
    parser = argparse.ArgumentParser("python -m training.added_classes", description=description, parents=parents)
    parser.add_argument("bundle", help="a bundle that was trained on some of the classes")
    parser.add_argument("config", type=Path, help="the TOML file whose [data] has all classes")
    parser.add_argument("--against", default="fashion", help="a bundle trained on all classes (default: fashion)")
    parser.add_argument("--plain", default="general", help="a bundle with plain features (default: general)")
    options = parser.parse_args(arguments)
    with mistakes_in_one_line():
        figures = added_classes(options)
        write_figures(figures, options.to)
    print(json.dumps(figures, indent=1))


def added_classes(options):
    """Measure on the test listings, photo and title, all classes competing that have a training listing.

    Returns
    -------
    dict
        known, added: how many classes; trained_on_all: what a bundle that learnt all gets of the added ones; shots →
        what each way gets, the mean over the added classes of top-1, "known" the same over the classes that the bundle
        knows; each with its standard error over the draws.
    """
    config = load_config(options.config)
    dataset = load_dataset(config.data, options.data, options.work, config.seed)
    names = [each["name"] for each in dataset.classes]
    known = set(Categorizer.load(options.bundle).classes)
    if not known < set(names):
        raise ValueError(f"{options.bundle}: its classes are not some of the {len(names)} of {options.config}")
    train, test = dataset.rows("train"), dataset.rows("test")
    by_class = {number: train[dataset.labels[train] == number] for number in np.unique(dataset.labels[train]).tolist()}
    added = [number for number in by_class if names[number] not in known]
    task, whole = Task(dataset, names, by_class, added, test), Categorizer.load(options.against)
    if unknown := {names[number] for number in by_class} - set(whole.categories):
        raise ValueError(
            f"{options.against}: {min(unknown)!r} is not among its categories; give a bundle of all classes"
        )
    plain = Categorizer.load(options.plain).look(task.listings(task.rows), "photos").vectors["photos"]
    features = dict(zip(task.rows.tolist(), plain, strict=True))
    trained = task.scores(whole, whole.look(task.listings(test), vectors=whole.projections.reads_vectors))
    figures = {"known": len(known), "added": len(added), "trained_on_all": round(task.share(trained, added), 4)}
    sight = Categorizer.load(options.bundle).look(task.listings(test))
    for shots in SHOTS:
        draws = [task.measure(options.bundle, sight, features, shots, draw) for draw in range(DRAWS)]
        figures[str(shots)] = over_draws(draws)
    return figures


class Task:
    """Which classes are added, from which listings, and which listings are judged.

    by_class : dict, class → ndarray of its training rows; added : list of int, classes; test : ndarray, rows
    """

    def __init__(self, dataset, names, by_class, added, test):
        self.dataset, self.names, self.by_class, self.added, self.test = dataset, names, by_class, added, test
        self.known = {number: rows[:KNOWN_EXAMPLES] for number, rows in by_class.items() if number not in set(added)}
        self.rows = np.concatenate([*self.known.values(), *(by_class[number] for number in added), test])

    def listings(self, rows):
        """The listings of some rows."""
        return [self.dataset.listings[row] for row in rows]

    def share(self, scores, classes):
        """Mean over some classes of the share of their test listings that are right, all classes competing."""
        return mean_class_top_k(scores, self.dataset.labels[self.test], 1, classes)

    def scores(self, categorizer, sight):
        """Confidences of the test listings by number of class, below all others where it has no training listing.

        sight : productcat.categories.ensemble.Sight, of the test listings
        """
        confidences = categorizer.confidences(sight)
        found = np.full((len(self.test), len(self.names)), -1.0)
        for number in self.by_class:
            found[:, number] = confidences[:, categorizer.categories.index(self.names[number])]
        return found

    def measure(self, bundle, sight, features, shots, draw):
        """Add the classes from one draw of examples. → dict, what → share

        sight : what the bundle sees of the test listings; features : dict, row → plain features of its photo
        """
        rng = np.random.default_rng([shots, draw])
        drawn = {number: rng.permutation(self.by_class[number])[:shots] for number in self.added}
        categorizer = Categorizer.load(bundle)
        with Progress(f"{shots} examples, draw {draw + 1} of {DRAWS}", len(drawn), "classes") as progress:
            for number, rows in progress.each(drawn.items()):
                categorizer.add_category(self.names[number], self.listings(rows))
        scores, nearest = self.scores(categorizer, sight), np.full((len(self.test), len(self.names)), -1.0)
        judged = np.array([features[row] for row in self.test])
        for number, rows in (self.known | drawn).items():
            seen = [features[row] for row in rows if not np.isnan(features[row]).any()]
            if seen:
                nearest[:, number] = judged @ unit(np.mean(seen, axis=0))
        found = {"added": self.share(scores, self.added), "known": self.share(scores, self.known)}
        return found | {"nearest_mean_added": self.share(nearest, self.added)}


if __name__ == "__main__":
    main()
