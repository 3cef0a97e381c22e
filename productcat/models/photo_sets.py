"""The photos of many listings, decoded and looked at in batches of photos, whatever each listing has."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from productcat.duplicates.whitening import unit
from productcat.errors import ListingError
from productcat.listings.photos import read_photo
from productcat.models.image_model import DISTRIBUTION

BATCH = 64
"""Photos decoded together."""


def decoded(listings, size, problems):
    """Read the photos of some listings.

    Parameters
    ----------
    listings : sequence of Listing
    size : (height, width)
        As `read_photo` takes it.
    problems : list of list, length n_listings
        Gets a line for each photo that cannot be read, under its listing.

    Yields
    ------
    owners : list of int, length n
        The number of the listing of each photo of the batch; unreadable photos are left out.
    pixels : ndarray of shape (n, height, width, 3), dtype uint8
    """
    wanted = [(owner, photo) for owner, listing in enumerate(listings) for photo in listing.photos]

    def read(pair):
        try:
            return read_photo(pair[1], size)
        except ListingError as error:
            return error

    with ThreadPoolExecutor() as pool:
        for start in range(0, len(wanted), BATCH):
            some = wanted[start : start + BATCH]
            pixels, owners = [], []
            for (owner, _), result in zip(some, pool.map(read, some), strict=True):
                if isinstance(result, ListingError):
                    problems[owner].append(f"listing {listings[owner].id!r}: {result}")
                else:
                    pixels.append(result)
                    owners.append(owner)
            if owners:
                yield owners, np.stack(pixels)


def photo_means(listings, model, problems):
    """What an image model makes of each listing's photos, all of them together.

    Parameters
    ----------
    listings : sequence of Listing
    model : ImageModel
    problems : list of list, length n_listings
        As `decoded` takes it.

    Returns
    -------
    dict, name → ndarray with a row for each listing, of NaN where no photo could be read
        Of shape (n_listings, n_classes) for `DISTRIBUTION`: the mean of the photos' distributions. Of shape
        (n_listings, n_features), float32, for each level of the model: the direction of the mean of the photos'
        features, each scaled to length 1. Empty when not one photo of all these listings could be read.
    """
    sums, counts = {}, np.zeros((len(listings), 1))
    for owners, pixels in decoded(listings, model.size, problems):
        distributions, embeddings = model.run(pixels)
        parts = {DISTRIBUTION: distributions} | {level: unit(each) for level, each in embeddings.items()}
        for name, rows in parts.items():
            if name not in sums:
                sums[name] = np.zeros((len(listings), rows.shape[1]), rows.dtype)
            np.add.at(sums[name], owners, rows)
        np.add.at(counts, owners, 1)
    with np.errstate(invalid="ignore"):  # 0 / 0 is the NaN of a listing without photos
        means = {DISTRIBUTION: sums.pop(DISTRIBUTION) / counts} if sums else {}
    return means | {level: np.where(counts > 0, unit(each), np.float32(np.nan)) for level, each in sums.items()}
