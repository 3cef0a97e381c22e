"""Decides which listings train, validate and test: as given, or by groups that share a photo or a title."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from productcat.errors import ListingError
from productcat.listings.listing import Listing

SPLITS = ("train", "val", "test")
SHARES = (0.8, 0.1, 0.1)
"""Shares of the listings in each split where no split is given."""

NAMES = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
"""Names that data use for splits → our names."""


def choose_splits(
    path: Path | None, listings: Sequence[Listing], given: Sequence[str], seed: int
) -> tuple[list[str], str]:
    """Return the split of each listing, and where the splits come from, in words.

    path: a CSV of id and split, or None. given: the split of each listing's folder, or "".
    """
    if any(given):
        return complete(given, listings, seed), "by folders"
    if path and path.is_file():
        return read_splits(path, listings), f"by {path.name}"
    return split_by_groups(listings, seed), "here, by groups of the same photo or title"


def read_splits(path: Path, listings: Sequence[Listing]) -> list[str]:
    """Read the split of each listing, "train", "val" or "test", from a CSV of id and split.

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
        split = known.get(listing.id)
        if split is None:
            raise ListingError(f"{path}: no split for listing {listing.id!r}; add it, or set splits to an empty text")
        if split not in NAMES:
            raise ListingError(f"{path}: listing {listing.id!r} has split {split!r}; expected train, val or test")
    return [NAMES[known[listing.id]] for listing in listings]


def complete(given: Sequence[str], listings: Sequence[Listing], seed: int) -> list[str]:
    """Return the given splits; a split without listings gets some of "train", by groups."""
    rows = [number for number, split in enumerate(given) if split == "train"]
    drawn = split_by_groups([listings[row] for row in rows], seed)
    result = list(given)
    for row, split in zip(rows, drawn, strict=True):
        if split not in given:
            result[row] = split
    return result


def split_by_groups(listings: Sequence[Listing], seed: int) -> list[str]:
    """Divide listings into "train", "val" and "test"; those that share a photo or a title stay together.

    A group's split depends only on the seed and the id of its first member. So more listings do not move the others.
    """
    leader = list(range(len(listings)))

    def find(number: int) -> int:
        while leader[number] != number:
            leader[number] = leader[leader[number]]
            number = leader[number]
        return number

    first: dict[str | bytes, int] = {}
    for number, listing in enumerate(listings):
        for key in _keys(listing):
            other = find(first.setdefault(key, number))
            mine = find(number)
            leader[max(mine, other)] = min(mine, other)
    bounds = np.cumsum(SHARES)[:-1]
    places = [_fraction(f"{seed} {listings[find(number)].id}") for number in range(len(listings))]
    return [SPLITS[int(np.searchsorted(bounds, place, side="right"))] for place in places]


def _keys(listing: Listing) -> Iterator[str | bytes]:
    """Yield what two listings of one group share: the title in small letters, and the hash of each photo's file."""
    if listing.title.strip():
        yield " ".join(listing.title.casefold().split())
    for photo in listing.photos:
        try:
            yield hashlib.sha256(photo if isinstance(photo, bytes) else Path(str(photo)).read_bytes()).digest()
        except OSError:
            continue  # it is reported as unreadable when the photos are decoded


def _fraction(text: str) -> float:
    """Return a number in [0, 1) that depends only on the text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") / 2**48
