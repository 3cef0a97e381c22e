"""Which listings train, which validate, which test: as given, or by groups that share a photo or a title."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd

from productcat.errors import ListingError

SPLITS = ("train", "val", "test")
SHARES = (0.8, 0.1, 0.1)
"""How listings are divided where no split is given."""

NAMES = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
"""What splits are called elsewhere."""


def choose_splits(path, listings, given, seed):
    """The split of each listing, and a word on where it comes from.

    path: a CSV of id and split, or None. given: the split of each listing's folder, or "".
    """
    if any(given):
        return complete(given, listings, seed), "by folders"
    if path and path.is_file():
        return read_splits(path, listings), f"by {path.name}"
    return split_by_groups(listings, seed), "here, by groups of the same photo or title"


def read_splits(path, listings):
    """The splits in a CSV of id and split. → list of "train", "val" or "test"

    Raises
    ------
    ListingError
        A column is missing, a listing has no split, or a split has another name.
    """
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    if not {"id", "split"} <= set(table.columns):
        raise ListingError(f"{path}: its columns are {', '.join(table.columns)}; expected id and split")
    known = dict(zip(table["id"], table["split"], strict=True))
    for listing in listings:
        if listing.id not in known:
            raise ListingError(f"{path}: no split for listing {listing.id!r}; add it, or set splits to an empty text")
        if known[listing.id] not in NAMES:
            split = known[listing.id]
            raise ListingError(f"{path}: listing {listing.id!r} has split {split!r}; expected train, val or test")
    return [NAMES[known[listing.id]] for listing in listings]


def complete(given, listings, seed):
    """Where a split has no listing, take some of "train" for it, by groups. → list of "train", "val" or "test" """
    rows = [number for number, split in enumerate(given) if split == "train"]
    drawn = split_by_groups([listings[row] for row in rows], seed)
    result = list(given)
    for row, split in zip(rows, drawn, strict=True):
        if split not in given:
            result[row] = split
    return result


def split_by_groups(listings, seed):
    """Divide listings so that those sharing a photo or a title stay together. → list of "train", "val" or "test"

    A group's place depends on its first member's id and the seed alone, so more listings do not reshuffle the others.
    """
    leader = list(range(len(listings)))

    def find(number):
        while leader[number] != number:
            leader[number] = leader[leader[number]]
            number = leader[number]
        return number

    first = {}
    for number, listing in enumerate(listings):
        for key in _keys(listing):
            other = find(first.setdefault(key, number))
            mine = find(number)
            leader[max(mine, other)] = min(mine, other)
    bounds = np.cumsum(SHARES)[:-1]
    places = [_fraction(f"{seed} {listings[find(number)].id}") for number in range(len(listings))]
    return [SPLITS[int(np.searchsorted(bounds, place, side="right"))] for place in places]


def _keys(listing):
    """What two listings of one group share: the folded title, or the bytes of a photo."""
    if listing.title.strip():
        yield " ".join(listing.title.casefold().split())
    for photo in listing.photos:
        try:
            yield hashlib.sha256(photo if isinstance(photo, bytes) else Path(photo).read_bytes()).digest()
        except OSError:
            continue  # counted as unreadable when the photos are decoded


def _fraction(text):
    """A number in [0, 1) that depends on the text alone."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") / 2**48
