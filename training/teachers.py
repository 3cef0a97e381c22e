"""What trained bundles say of training photos, from which another network learns; the setting `teachers`."""

import numpy as np

from productcat.categorizer import Categorizer
from productcat.listing import Listing
from productcat.progress import Progress


def said_by(bundles, dataset, kept):
    """The mean of what the image models of some bundles say of each training photo, calibrated as they are.

    Parameters
    ----------
    bundles : sequence of Bundle
        Of the classes of the dataset, in their order.
    dataset : training.datasets.Dataset
    kept : pathlib.Path
        A file, in which it is looked up when it is there.

    Returns
    -------
    ndarray of shape (n_photos, n_classes), float32
        In the order of `dataset.photo_rows("train")`, rows sum to 1. None without bundles.

    Raises
    ------
    ValueError
        A bundle has other classes, or no image model.
    """
    if not bundles:
        return None
    if kept.exists():
        return np.load(kept)
    names = [each["name"] for each in dataset.classes]
    photos = [photo for listing in dataset.listings for photo in listing.photos]
    listings = [Listing(photos=(photos[row],)) for row in dataset.photo_rows("train")]
    teachers = [Categorizer.load(bundle.path) for bundle in bundles]
    for bundle, teacher in zip(bundles, teachers, strict=True):  # all of them before minutes of work with the first
        if teacher.classes != names or not bundle.has("image"):
            raise ValueError(f"{bundle.path}: no teacher, which needs an image model of the same classes")
    said = np.zeros((len(listings), len(names)), np.float32)
    with Progress("teachers", len(listings) * len(bundles), "photos") as progress:
        for teacher in teachers:
            said += teacher.class_distributions(progress.each(listings), "photos") / len(teachers)
    temporary = kept.with_suffix(".tmp.npy")
    np.save(temporary, said)
    temporary.replace(kept)
    return said
