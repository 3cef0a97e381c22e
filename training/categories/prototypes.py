"""Prototypes of the classes: what examples of a category that is added are measured against.

Without them a category that is made of a few T-shirts would take over all listings that are a little like them.
"""

import numpy as np

from productcat.arithmetic.vectors import unit
from productcat.categories.projections import Category, CategoryProjections
from productcat.categories.prototypes import Prototype
from productcat.jobs.progress import Progress
from productcat.models.image_model import ImageModel, photo_means
from productcat.models.title_model import TitleModel
from productcat.models.title_words import WordBags

BATCH = 256

PHOTOS = 64
"""Training listings of a class whose photos its prototype is made of; the mean of more would be nearly the same."""


def class_projections(dataset, image, title, seed):
    """The classes as categories, with the prototypes of their training listings.

    Parameters
    ----------
    dataset : training.listings.datasets.Dataset
        With decoded photos.
    image, title : pathlib.Path or None
        Folders of the bundle's parts: the image model whose features prototypes are made of, and the title model.
    seed : int
        Of the listings whose photos are looked at.

    Returns
    -------
    CategoryProjections
    """
    prototypes = [{} for _ in dataset.classes]
    photos, titles = _photos(dataset, image, seed) if image else [], _titles(dataset, title) if title else []
    for kind, parts in {"photos": photos, "title": titles}.items():
        for number, mean in enumerate(_means(parts, len(prototypes))):
            if mean.any():
                prototypes[number][kind] = Prototype(mean, 0)
    known = zip(dataset.classes, np.eye(len(prototypes)), prototypes, strict=True)
    found = {each["name"]: Category(projection, own) for each, projection, own in known}
    return CategoryProjections.of(found, CategoryProjections([], np.empty((0, 0))))


def _photos(dataset, image, seed):
    """Batches of (features of some training listings of each class, their labels); none without features."""
    model, rng = ImageModel.load(image), np.random.default_rng(seed)
    rows = rng.permutation(np.unique(dataset.owners[dataset.photo_rows("train")]))
    rows = [rows[dataset.labels[rows] == number][:PHOTOS] for number in range(len(dataset.classes))]
    if not model.levels:
        return
    with Progress("prototypes of the classes", len(rows), "classes") as progress:
        for some in progress.each(each for each in rows if len(each)):
            listings = [dataset.listings[row] for row in some]
            yield photo_means(listings, model, [[] for _ in listings])[model.levels[-1]], dataset.labels[some]


def _titles(dataset, title):
    """Batches of (words of training titles, their labels)."""
    bags, rows = WordBags(TitleModel.load(title)), dataset.rows("train")
    for start in range(0, len(rows), BATCH):
        some = rows[start : start + BATCH]
        yield bags.vectors([dataset.listings[row].title for row in some]), dataset.labels[some]


def _means(parts, n_classes):
    """Means of the classes' unit vectors, rows of zeros for those without. parts : batches of (vectors, labels)"""
    sums, counts = np.zeros((n_classes, 0), np.float32), np.zeros((n_classes, 1), np.float32)
    for vectors, labels in parts:
        sums = sums if sums.shape[1] else np.zeros((n_classes, vectors.shape[1]), np.float32)
        seen = ~np.isnan(vectors).any(axis=1)
        np.add.at(sums, labels[seen], unit(vectors[seen]))
        np.add.at(counts, labels[seen], 1)
    return sums / np.maximum(counts, 1)
