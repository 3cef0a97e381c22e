"""Photos of items, as an image model sees them: what the metric between sets of photos is learnt from."""

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from productcat.duplicates.embedding import Embedding
from productcat.duplicates.metric import compact
from productcat.duplicates.thumbnails import thumbnails, unframed
from productcat.jobs.progress import Progress
from productcat.listings.listing import Listing
from productcat.listings.photos import decoded
from training.duplicates.copies import seller_copy

BATCH = 64


@dataclass(frozen=True)
class PhotoTable:
    """Photos of items.

    outputs : dict, level → ndarray of shape (n_photos, n_outputs), float16
        Of the image model; or what a detector keeps of them, int8.
    thumbnails : ndarray of shape (n_photos, 256), int8
    domains, items : ndarray of shape (n_photos,), str
        The domain of each photo, and its item, whose name begins with the domain's.
    """

    outputs: dict[str, np.ndarray]
    thumbnails: np.ndarray
    domains: np.ndarray
    items: np.ndarray

    def rows(self, where):
        """A part. where : ndarray of shape (n_photos,), bool"""
        outputs = {name: each[where] for name, each in self.outputs.items()}
        return PhotoTable(outputs, self.thumbnails[where], self.domains[where], self.items[where])

    def joined(self, other):
        """This table with another below it."""
        outputs = {name: np.concatenate([each, other.outputs[name]]) for name, each in self.outputs.items()}
        rest = ((getattr(self, name), getattr(other, name)) for name in ("thumbnails", "domains", "items"))
        return PhotoTable(outputs, *(np.concatenate(pair) for pair in rest))

    @property
    def weights(self):
        """1 / photos of the item, and all domains alike. → ndarray of shape (n_photos,)"""
        weights = 1.0 / _times(self.items)
        for domain in np.unique(self.domains):
            weights[self.domains == domain] /= weights[self.domains == domain].sum()
        return weights

    def kept(self, bases):
        """With what a detector keeps in the place of the outputs. bases : dict, level → ndarray or None → PhotoTable"""
        kept = {name: compact(self.outputs[name].astype(np.float32), basis) for name, basis in bases.items()}
        return replace(self, outputs=kept)

    def listings(self, sets):
        """Listings of some photos each, of a table that `kept` made. sets : list of rows → list of Embedding"""
        return [
            Embedding("", {name: each[rows] for name, each in self.outputs.items()}, self.thumbnails[rows])
            for rows in sets
        ]

    def save(self, path):
        """Write as one .npz file, whole or not at all."""
        temporary = path.with_suffix(".tmp.npz")
        np.savez(temporary, thumbnails=self.thumbnails, domains=self.domains, items=self.items, **self.outputs)
        temporary.replace(path)

    @classmethod
    def load(cls, path):
        """What `save` wrote."""
        with np.load(path) as file:
            rest = {name: file[name] for name in ("thumbnails", "domains", "items")}
            return cls({name: file[name] for name in file.files if name not in rest}, **rest)


def _times(values):
    """How often each value occurs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return counts[place]


def look_at(listings, domains, model, title):
    """Photos of listings, one item each, through an image model. Unreadable photos are left out.

    Parameters
    ----------
    listings : sequence of Listing
        The id is the item's name.
    domains : sequence of str
    model : ImageModel
    title : str
        Of the progress bar.

    Returns
    -------
    table : PhotoTable
    problems : list of str
        A line for each photo that cannot be read.
    """
    outputs, little, owners, problems = {}, [], [], []
    with Progress(title, len(listings), "listings") as progress:
        for start in range(0, len(listings), BATCH):
            batch = listings[start : start + BATCH]
            wrong = [[] for _ in batch]
            for some, pixels in decoded(batch, model.size, wrong):
                pixels = unframed(pixels)
                for name, each in model.run(pixels)[1].items():
                    outputs.setdefault(name, []).append(each.astype(np.float16))
                little.append(thumbnails(pixels))
                owners += [start + owner for owner in some]
            problems += [line for lines in wrong for line in lines]
            progress.advance(len(batch))
    found = {name: np.concatenate(each) for name, each in outputs.items()}
    ids = [f"{domain}/{listing.id}" for domain, listing in zip(domains, listings, strict=True)]
    table = PhotoTable(found, np.concatenate(little), np.array(domains)[owners], np.array(ids)[owners])
    return table, problems


def with_copies(photos, copies, seed):
    """Listings of single photos, each with copies of it as sellers make them. → list of Listing

    photos : sequence of path
    """
    listings = []
    for number, photo in enumerate(photos):
        with Image.open(photo) as image:
            pixels = np.asarray(image.convert("RGB"))
        rng = np.random.default_rng([seed, number])
        copied = [seller_copy(pixels, rng) for _ in range(copies)]
        listings.append(Listing(f"{number:06}", photos=(pixels, *copied)))
    return listings
