"""Reads items with several photos each, and divides their photos to learn and to measure duplicates.

Layout: `<root>/<domain>/<item>/<nn>.jpg`, as a folder or as a tar of it. Two halves of an item's photos stand for two
listings of one item. All other pairs of halves within a domain are pairs of different items. Every draw depends on the
seed and on the domain and name of an item, not on its neighbours: when items are added, the halves of the others stay.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from productcat.errors import ListingError
from productcat.listings.file_formats import SUFFIXES
from productcat.listings.photos import read_photo
from training.listings.archives import unpacked

FEWEST_PHOTOS = 2
"""Number of photos below which an item cannot be divided into halves."""

SMALL = (8, 8)
"""Height and width in pixels at which a photo is decoded fastest, to see whether it can be read."""


Photos = tuple[Path, ...]


@dataclass(frozen=True)
class Item:
    """One physical item. Its domain says where it comes from: a shop, a kind of goods, a place where photos are taken.

    photos: paths, in the order of their names.
    """

    domain: str
    name: str
    photos: Photos


def read_items(source: Path, work: Path) -> tuple[list[Item], list[str]]:
    """Read the items with at least two photos.

    Parameters
    ----------
    source : pathlib.Path
        Folder or tar of `<domain>/<item>/<nn>.jpg`. Files with the endings of photos count.
    work : pathlib.Path
        A tar is unpacked here.

    Returns
    -------
    items : list of Item
        Sorted by domain and name.
    left_out : list of str
        A line for each photo that cannot be read, and for each item with too few photos.

    Raises
    ------
    ListingError
        There is no such source, it cannot be unpacked, or no item in it has two photos.
    """
    root = unpacked(source, work)
    found = [_item(folder) for domain in _folders(root) for folder in _folders(domain)]
    photos = [photo for item in found for photo in item.photos]
    with ThreadPoolExecutor() as pool:
        problems = dict(zip(photos, pool.map(problem_of, photos), strict=True))
    found = [replace(item, photos=tuple(photo for photo in item.photos if not problems[photo])) for item in found]
    items = [item for item in found if len(item.photos) >= FEWEST_PHOTOS]
    if not items:
        raise ListingError(f"{source}: no item with {FEWEST_PHOTOS} photos in it; expected <domain>/<item>/<nn>.jpg")
    few = [item for item in found if len(item.photos) < FEWEST_PHOTOS]
    left_out = [f"item {item.domain}/{item.name}: {len(item.photos)} photos, too few to divide" for item in few]
    return items, [*filter(None, problems.values()), *left_out]


def problem_of(photo: Any) -> str:
    """Return what is wrong with the file of a photo; empty for one that can be read."""
    try:
        read_photo(photo, SMALL)
    except ListingError as error:
        return str(error)
    return ""


def readable_of(photos: Sequence[Any], order: Iterable[int], number: int) -> list[Any]:
    """Return the first photos that can be read, `number` at most. order : places of the photos, as they are tried"""
    return list(islice((photos[place] for place in order if not problem_of(photos[place])), number))


def _folders(path: Path) -> list[Path]:
    return sorted(each for each in path.iterdir() if each.is_dir() and not each.name.startswith("."))


def _item(folder: Path) -> Item:
    files = (file for file in folder.iterdir() if file.is_file() and not file.name.startswith("."))
    photos = tuple(sorted(file for file in files if file.suffix.lower() in SUFFIXES))
    return Item(folder.parent.name, folder.name, photos)


def describe_items(items: Sequence[Item], left_out: Sequence[str]) -> Iterator[str]:
    """Yield lines that tell what was read and what was left out."""
    counts = Counter(item.domain for item in items)
    n_photos = sum(len(item.photos) for item in items)
    yield f"{len(items)} items with {n_photos} photos in {len(counts)} domains"
    yield ", ".join(f"{domain}: {counts[domain]}" for domain in sorted(counts))
    if left_out:
        yield f"left out: {len(left_out)}; {'; '.join(left_out)}"


def halves(items: Iterable[Item], seed: int) -> tuple[list[Photos], list[Photos]]:
    """Divide the photos of each item at random into two disjoint halves, as if it had been listed twice.

    Parameters
    ----------
    items : iterable of Item
        Each with at least two photos.
    seed : int

    Returns
    -------
    left, right : list of tuple of Path, length n_items
        The halves of one item have n // 2 and n - n // 2 photos; chance decides which side gets more.
    """
    pairs = [_halves(item, seed) for item in items]
    return [left for left, _ in pairs], [right for _, right in pairs]


def _halves(item: Item, seed: int) -> tuple[Photos, Photos]:
    n_photos = len(item.photos)
    if n_photos < FEWEST_PHOTOS:
        subject = f"item {item.domain}/{item.name}"
        raise ValueError(f"{subject}: {n_photos} photos cannot be divided into halves; leave it out")
    rng = np.random.default_rng([seed, _number(f"{item.domain}/{item.name}")])
    order = rng.permutation(n_photos)
    sizes = n_photos // 2, n_photos - n_photos // 2
    n_left = sizes[rng.integers(2)]
    left, right = (tuple(item.photos[place] for place in sorted(side)) for side in (order[:n_left], order[n_left:]))
    return left, right


def item_folds(items: Sequence[Item], n_folds: int, seed: int) -> NDArray[np.intp]:
    """Deal items into the folds of a cross-validation: the items of a fold are new, their domains are not.

    Each domain is spread over the folds as evenly as possible, and so are all items together. The order of the items
    does not matter.

    Returns
    -------
    ndarray of shape (n_items,), int
        From 0 to n_folds - 1.
    """
    if not 2 <= n_folds <= len(items):
        raise ValueError(f"n_folds={n_folds}: expected from 2 to {len(items)}, the number of items")
    names = [f"{item.domain}/{item.name}" for item in items]
    # One domain is dealt after the other, so the remainders of the domains do not all fall to the first folds.
    order = sorted(range(len(items)), key=lambda row: (items[row].domain, _number(f"{seed} {names[row]}"), names[row]))
    folds = np.empty(len(items), int)
    folds[order] = np.arange(len(items)) % n_folds
    return folds


def domain_folds(items: Iterable[Item]) -> NDArray[np.intp]:
    """Return the folds of a cross-validation over domains: each domain in turn is one that the training never saw.

    Returns
    -------
    ndarray of shape (n_items,), int
        The number of each item's domain in the sorted domains.
    """
    _, folds = np.unique([item.domain for item in items], return_inverse=True)
    return folds


def _number(text: str) -> int:
    """Return a number from 0 to 2**64 - 1 that depends on the text alone."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
