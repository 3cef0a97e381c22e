"""Photos of items, as an image model sees them: the metric between sets of photos is learnt from these."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from productcat.duplicates.embedding import Embedding
from productcat.duplicates.metric import compact
from productcat.duplicates.thumbnails import thumbnails, unframed
from productcat.jobs.progress import Progress
from productcat.listings.listing import Listing
from productcat.listings.photos import decoded
from productcat.models.image_model import ImageModel
from productcat.problems import Problem
from training.duplicates.copies import seller_copy

LISTINGS_AT_ONCE = 64
"""Number of listings whose photos are read in one batch."""


@dataclass(frozen=True)
class PhotoTable:
    """Photos of items.

    outputs : dict, level → ndarray of shape (n_photos, n_outputs), float16
        Of the image model; or what a detector keeps of these, int8.
    thumbnails : ndarray of shape (n_photos, 256), int8
    domains, items : ndarray of shape (n_photos,), str
        The domain of each photo, and its item, whose name begins with the domain's.
    """

    outputs: dict[str, NDArray[Any]]
    thumbnails: NDArray[np.int8]
    domains: NDArray[np.str_]
    items: NDArray[np.str_]

    def rows(self, where: NDArray[np.bool_]) -> "PhotoTable":
        """Return some of the photos. where : ndarray of shape (n_photos,), bool"""
        outputs = {name: each[where] for name, each in self.outputs.items()}
        return PhotoTable(outputs, self.thumbnails[where], self.domains[where], self.items[where])

    def joined(self, other: "PhotoTable") -> "PhotoTable":
        """Return this table with another below it."""
        return PhotoTable(
            {name: np.concatenate([each, other.outputs[name]]) for name, each in self.outputs.items()},
            np.concatenate([self.thumbnails, other.thumbnails]),
            np.concatenate([self.domains, other.domains]),
            np.concatenate([self.items, other.items]),
        )

    @property
    def weights(self) -> NDArray[np.float64]:
        """1 / photos of the item, scaled so that all domains count the same; shape (n_photos,)."""
        _, place, counts = np.unique(self.items, return_inverse=True, return_counts=True)
        weights = 1.0 / counts[place]
        for domain in np.unique(self.domains):
            weights[self.domains == domain] /= weights[self.domains == domain].sum()
        return weights

    def kept(self, bases: Mapping[str, NDArray[np.float32] | None]) -> "PhotoTable":
        """Replace the outputs by what a detector keeps of them. bases : as `metric.bases` gives them"""
        kept = {name: compact(self.outputs[name].astype(np.float32), basis) for name, basis in bases.items()}
        return replace(self, outputs=kept)

    def listings(self, sets: Iterable[NDArray[np.intp] | list[int]]) -> list[Embedding]:
        """Make listings of some photos each, from a table that `kept` made. sets : rows of each listing"""
        return [
            Embedding("", {name: each[rows] for name, each in self.outputs.items()}, self.thumbnails[rows])
            for rows in sets
        ]

    def save(self, path: Path) -> None:
        """Write as one .npz file, whole or not at all."""
        temporary = path.with_suffix(".tmp.npz")
        rest: dict[str, Any] = {"thumbnails": self.thumbnails, "domains": self.domains, "items": self.items}
        np.savez(temporary, **rest | self.outputs)
        temporary.replace(path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote."""
        with np.load(path) as file:
            rest = {name: file[name] for name in ("thumbnails", "domains", "items")}
            return cls({name: file[name] for name in file.files if name not in rest}, **rest)


def look_at(
    listings: Sequence[Listing], domains: Sequence[str], model: ImageModel, title: str
) -> tuple[PhotoTable, list[str]]:
    """Run photos of listings, one item each, through an image model. Unreadable photos are left out.

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
    outputs: dict[str, list[NDArray[np.float16]]] = {}
    little, owners, problems = [], [], []
    with Progress(title, len(listings), "listings") as progress:
        for start in range(0, len(listings), LISTINGS_AT_ONCE):
            batch = listings[start : start + LISTINGS_AT_ONCE]
            wrong: list[list[str]] = [[] for _ in batch]
            for some, pixels in decoded([each.photos for each in batch], model.size, wrong):
                pixels = unframed(pixels)
                for name, each in model.run(pixels)[1].items():
                    outputs.setdefault(name, []).append(each.astype(np.float16))
                little.append(thumbnails(pixels))
                owners += [start + owner for owner in some]
            for listing, reasons in zip(batch, wrong, strict=True):
                problems += [str(Problem(listing.id, why)) for why in reasons]
            progress.advance(len(batch))
    found = {name: np.concatenate(each) for name, each in outputs.items()}
    ids = [f"{domain}/{listing.id}" for domain, listing in zip(domains, listings, strict=True)]
    table = PhotoTable(found, np.concatenate(little), np.array(domains)[owners], np.array(ids)[owners])
    return table, problems


def with_copies(photos: Iterable[Path], copies: int, seed: int) -> list[Listing]:
    """Make listings of single photos, each with copies of it as sellers make them."""
    listings = []
    for number, photo in enumerate(photos):
        with Image.open(photo) as image:
            pixels = np.asarray(image.convert("RGB"))
        rng = np.random.default_rng([seed, number])
        copied = [seller_copy(pixels, rng) for _ in range(copies)]
        listings.append(Listing(f"{number:06}", photos=(pixels, *copied)))
    return listings
