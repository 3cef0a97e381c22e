"""The photos of many listings, decoded in batches of photos, whatever each listing has."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from productcat.errors import ListingError
from productcat.photos import read_photo

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
