"""Makes prototypes of the classes: the examples of an added category are measured against them.

Without them, a category made of a few T-shirts would win every listing that is a little like a T-shirt.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from productcat.arithmetic.vectors import unit
from productcat.categories.projections import Category, CategoryProjections
from productcat.categories.prototypes import Prototype
from productcat.jobs.progress import Progress
from productcat.models.image_model import ImageModel, photo_means
from productcat.models.title_model import TitleModel
from productcat.models.word_bags import WordBags
from training.listings.datasets import Dataset

LISTINGS_AT_ONCE = 256
"""Number of titles that are read in one batch."""

PHOTOS = 64
"""Number of training listings of a class whose photos make its prototype; the mean of more would be nearly the same."""

Batches = Iterable[tuple[NDArray[np.floating], NDArray[np.intp]]]
"""Vectors of shape (n, n_features) with the classes of their listings, shape (n,)."""


def class_projections(dataset: Dataset, image: Path | None, title: Path | None, seed: int) -> CategoryProjections:
    """Make the classes categories, with the prototypes of their training listings.

    Parameters
    ----------
    dataset : training.listings.datasets.Dataset
        With decoded photos.
    image, title : pathlib.Path or None
        Folders of the bundle's parts: the image model whose features make prototypes, and the title model.
    seed : int
        Of the choice of listings whose photos are read.

    Returns
    -------
    CategoryProjections
    """
    prototypes: list[dict[str, Prototype]] = [{} for _ in dataset.classes]
    batches: dict[str, Batches] = {}
    if image:
        batches["photos"] = _photos(dataset, image, seed)
    if title:
        batches["title"] = _titles(dataset, title)
    for modality, parts in batches.items():
        for own, mean in zip(prototypes, _means(parts, len(prototypes)), strict=True):
            if mean.any():
                own[modality] = Prototype(mean, 0)
    known = zip(dataset.classes, np.eye(len(prototypes)), prototypes, strict=True)
    found = {each["name"]: Category(projection, own) for each, projection, own in known}
    return CategoryProjections.of(found, CategoryProjections([], np.empty((0, 0))))


def _photos(dataset: Dataset, image: Path, seed: int) -> Iterator[tuple[NDArray[np.float32], NDArray[np.intp]]]:
    """Yield features of some training listings of each class, with their classes; nothing without features."""
    model, rng = ImageModel.load(image), np.random.default_rng(seed)
    shuffled = rng.permutation(np.unique(dataset.owners[dataset.photo_rows("train")]))
    by_class = [shuffled[dataset.labels[shuffled] == number][:PHOTOS] for number in range(len(dataset.classes))]
    if not model.levels:
        return
    with Progress("prototypes of the classes", len(by_class), "classes") as progress:
        for rows in progress.each(each for each in by_class if len(each)):
            listings = [dataset.listings[row] for row in rows]
            yield (
                photo_means([each.photos for each in listings], model, [[] for _ in listings])[model.levels[-1]],
                dataset.labels[rows],
            )


def _titles(dataset: Dataset, title: Path) -> Iterator[tuple[NDArray[np.float32], NDArray[np.intp]]]:
    """Yield words of training titles, with their classes."""
    bags, rows = WordBags(TitleModel.load(title)), dataset.rows("train")
    for start in range(0, len(rows), LISTINGS_AT_ONCE):
        some = rows[start : start + LISTINGS_AT_ONCE]
        yield bags.vectors([dataset.listings[row].title for row in some]), dataset.labels[some]


def _means(parts: Batches, n_classes: int) -> NDArray[np.float32]:
    """Return the mean unit vector of each class, shape (n_classes, n_features); zeros for classes without vectors."""
    sums, counts = np.zeros((n_classes, 0), np.float32), np.zeros((n_classes, 1), np.float32)
    for vectors, labels in parts:
        sums = sums if sums.shape[1] else np.zeros((n_classes, vectors.shape[1]), np.float32)
        seen = ~np.isnan(vectors).any(axis=1)
        np.add.at(sums, labels[seen], unit(vectors[seen]))
        np.add.at(counts, labels[seen], 1)
    return np.divide(sums, np.maximum(counts, 1))
