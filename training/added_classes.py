"""`python -m training.added_classes BUNDLE CONFIG`: add classes that a bundle never learnt, from a few examples each.

It tells how far a model of the most frequent classes goes when every other class of the data is added as a category,
without training. It is compared with the nearest class mean on plain ImageNet features, and with a bundle that was
trained on all classes.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from productcat.arithmetic.vectors import unit
from productcat.categories.categorizer import Categorizer
from productcat.categories.ensemble import ModelOutputs
from productcat.jobs.progress import Progress
from productcat.listings.listing import Listing
from training.commands import FIGURES_OPTION, FOLDER_OPTIONS, command, mistakes_in_one_line, write_figures
from training.config import Config, load_config
from training.listings.datasets import Dataset, load_dataset
from training.metrics import mean_class_top_k, over_draws

SHOTS = (1, 5, 20)
"""Numbers of examples of a class that is added."""

DRAWS = 5
"""Number of draws whose figures are averaged."""

KNOWN_EXAMPLES = 200
"""Number of training listings that make the mean of a class that the bundle knows."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command. A user's mistake is one line on standard error and exit code 1."""
    parser = command("training.added_classes", __doc__, FOLDER_OPTIONS, FIGURES_OPTION)
    parser.add_argument("bundle", help="a bundle that was trained on some of the classes")
    parser.add_argument("config", type=Path, help="the TOML file whose [data] has all classes")
    parser.add_argument("--against", default="fashion", help="a bundle trained on all classes (default: fashion)")
    parser.add_argument("--plain", default="general", help="a bundle with plain features (default: general)")
    options = parser.parse_args(arguments)
    with mistakes_in_one_line():
        figures = added_classes(options)
        write_figures(figures, options.to)
    print(json.dumps(figures, indent=1))


def added_classes(options: argparse.Namespace) -> dict[str, Any]:
    """Measure on the test listings, photo and title, where all classes compete that have a training listing.

    Returns
    -------
    dict
        known, added: numbers of classes. trained_on_all: what a bundle that learnt all classes gets of the added ones.
        shots → what each way gets, the mean over the added classes of top-1; "known" is the same over the classes that
        the bundle knows. Each has its standard error over the draws.

    Raises
    ------
    ValueError
        The bundle's classes are not some of those of the data, or the other bundle lacks one of these.
    """
    config = load_config(options.config, Config)
    dataset = load_dataset(config.data, options.data, options.work, config.seed)
    names = [each["name"] for each in dataset.classes]
    known = set(Categorizer.load(options.bundle).classes)
    if not known < set(names):
        raise ValueError(f"{options.bundle}: its classes are not some of the {len(names)} of {options.config}")
    task, whole = Task(dataset, known), Categorizer.load(options.against)
    if unknown := {names[number] for number in task.by_class} - set(whole.categories):
        raise ValueError(
            f"{options.against}: {min(unknown)!r} is not among its categories; give a bundle of all classes"
        )
    plain = Categorizer.load(options.plain).look(task.listings(task.rows), "photos").vectors["photos"]
    features = dict(zip(task.rows.tolist(), plain, strict=True))
    test = task.listings(task.test)
    trained = task.scores(whole, whole.look(test, vectors=whole.projections.reads_vectors))
    figures: dict[str, Any] = {"known": len(known), "added": len(task.added)}
    figures["trained_on_all"] = round(task.share(trained, task.added), 4)
    outputs = Categorizer.load(options.bundle).look(test)
    for shots in SHOTS:
        draws = [task.measure(options.bundle, outputs, features, shots, draw) for draw in range(DRAWS)]
        figures[str(shots)] = over_draws(draws)
    return figures


class Task:
    """Which classes are added, from which listings, and which listings are judged. known : names of classes

    Attributes
    ----------
    names : list of str
        Of all classes.
    by_class : dict, class → ndarray of its training rows
    added : list of int
        Classes that are not known.
    test : ndarray of rows
        The listings that are judged.
    known : dict, class → ndarray of the training rows that make its mean
    rows : ndarray of rows
        All listings whose plain features are needed.
    """

    def __init__(self, dataset: Dataset, known: set[str]) -> None:
        self.dataset, self.names = dataset, [each["name"] for each in dataset.classes]
        train, self.test = dataset.rows("train"), dataset.rows("test")
        labels = dataset.labels[train]
        self.by_class: dict[int, NDArray[np.intp]] = {
            number: train[labels == number] for number in np.unique(labels).tolist()
        }
        self.added = [number for number in self.by_class if self.names[number] not in known]
        rest = [number for number in self.by_class if self.names[number] in known]
        self.known = {number: self.by_class[number][:KNOWN_EXAMPLES] for number in rest}
        self.rows = np.concatenate([*self.known.values(), *(self.by_class[number] for number in self.added), self.test])

    def listings(self, rows: NDArray[np.intp]) -> list[Listing]:
        """Return the listings of some rows."""
        return [self.dataset.listings[row] for row in rows]

    def share(self, scores: NDArray[np.float64], classes: Sequence[int]) -> float:
        """Return the mean over some classes of the share of their test listings that is right; all classes compete."""
        return mean_class_top_k(scores, self.dataset.labels[self.test], 1, classes)

    def scores(self, categorizer: Categorizer, outputs: ModelOutputs) -> NDArray[np.float64]:
        """Return confidences of the test listings, shape (n_test, n_classes); -1 for classes without training listings.

        outputs : ModelOutputs, of the test listings
        """
        confidences = categorizer.confidences(outputs)
        found = np.full((len(self.test), len(self.names)), -1.0)
        for number in self.by_class:
            found[:, number] = confidences[:, categorizer.categories.index(self.names[number])]
        return found

    def measure(
        self, bundle: str, outputs: ModelOutputs, features: dict[int, NDArray[np.float32]], shots: int, draw: int
    ) -> dict[str, float]:
        """Add the classes from one draw of examples. → dict, what → share

        outputs : what the bundle sees of the test listings; features : dict, row → plain features of its photo
        """
        rng = np.random.default_rng([shots, draw])
        drawn = {number: rng.permutation(self.by_class[number])[:shots] for number in self.added}
        categorizer = Categorizer.load(bundle)
        with Progress(f"{shots} examples, draw {draw + 1} of {DRAWS}", len(drawn), "classes") as progress:
            for number, rows in progress.each(drawn.items()):
                categorizer.add_category(self.names[number], self.listings(rows))
        scores, nearest = self.scores(categorizer, outputs), np.full((len(self.test), len(self.names)), -1.0)
        judged = np.array([features[row] for row in self.test])
        for number, rows in (self.known | drawn).items():
            seen = [features[row] for row in rows if not np.isnan(features[row]).any()]
            if seen:
                nearest[:, number] = judged @ unit(np.mean(seen, axis=0))
        found = {"added": self.share(scores, self.added), "known": self.share(scores, list(self.known))}
        return found | {"nearest_mean_added": self.share(nearest, self.added)}


if __name__ == "__main__":
    main()
