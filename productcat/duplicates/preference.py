"""Which listing of a group is kept: an order of preference, such as "price:lowest, photos, title, id"."""

import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from productcat.listings.listing import Listing
from productcat.listings.photo_kinds import Photo
from productcat.listings.photos import pixels_of
from productcat.listings.prices import price_of

DEFAULT_ORDER = "photos, size, title, id"
"""Most photos, then the largest photo, the longest title, the oldest id."""

MOST = "highest", "most", "largest", "longest", "newest"
LEAST = "lowest", "fewest", "smallest", "shortest", "oldest"
"""Words for the ends of an order."""

USUAL = {"photos": "most", "size": "largest", "title": "longest", "id": "oldest", "price": None}
"""What every listing has, and which end of it is preferred where none is named."""


def natural_order(text: str) -> list[tuple[int, int, str]]:
    """Return a key by which texts are sorted as people do: "a2" before "a10"."""
    parts = re.findall(r"[0-9]+|[^0-9]+", text)
    return [
        (0, len(bare := part.lstrip("0")), bare) if "0" <= part[0] <= "9" else (1, 0, part.casefold()) for part in parts
    ]


@dataclass(frozen=True)
class ListingFacts:
    """What is known of a listing when one of a group is chosen.

    id : str
    n_photos : int
        Number of photos that can be read.
    title : str
    price : float, optional
    pixels : int
        Of the largest of the photos that lie in memory.
    files : tuple of paths
        The other photos; they are opened if their size matters.
    """

    id: str
    n_photos: int = 0
    title: str = ""
    price: float | None = None
    pixels: int = 0
    files: tuple[str | os.PathLike[str], ...] = ()

    @classmethod
    def of(cls, listing: Listing) -> Self:
        """Note what matters of a listing, without its photos where they are large."""
        files = tuple(each for each in listing.photos if isinstance(each, str | os.PathLike))
        others: list[Photo] = [each for each in listing.photos if not isinstance(each, str | os.PathLike)]
        pixels = max(map(pixels_of, others), default=0)
        return cls(listing.id, len(listing.photos), listing.title, listing.price, pixels, files)

    def value(self, name: str) -> Any:
        """Return what is compared under a name of USUAL, None if it is not known."""
        if name == "photos":
            return self.n_photos
        if name == "size":
            return max([self.pixels, *map(pixels_of, self.files)])
        if name == "title":
            return len(self.title)
        return natural_order(self.id) if name == "id" else self.price


@dataclass(frozen=True)
class _Wish:
    """One part of an order. end: a word of MOST or LEAST, "" where `first` has the values to take first."""

    name: str
    end: str
    first: tuple[str, ...] = ()

    @property
    def said(self) -> str:
        """The wish in words, such as "largest photo" or "first by condition"."""
        what = {"size": "photo"}.get(self.name, self.name)
        return f"{self.end} {what}" if self.end else f"first by {what}"

    def value(self, facts: ListingFacts, columns: Mapping[str, Mapping[str, str]]) -> Any:
        """Return what is compared, so that the least is best or, at an end of MOST, the greatest. None: not known."""
        cell = None if self.name in USUAL else columns.get(self.name, {}).get(facts.id, "").strip()
        if self.first:
            said = facts.value(self.name) if cell is None else cell
            return self.first.index(text) if (text := str(said).casefold()) in self.first else None
        if cell is None:
            return facts.value(self.name)
        return _measure(cell) if cell else None


def _measure(cell: str) -> tuple[int, float, list[tuple[int, int, str]]]:
    """Return a number as one, and other text, such as a date, in natural order."""
    try:
        number: float | None = float(cell)
    except ValueError:
        number = price_of(cell)
    known = number is not None and math.isfinite(number)
    return (0, number or 0.0, []) if known else (1, 0.0, natural_order(cell))


@dataclass(frozen=True)
class Preference:
    """An order of preference. Among the listings that are best by one wish, the next wish decides.

    At last the usual order decides. `Preference.of` makes one.

    columns : mapping, name of a column → mapping, id → cell
    """

    wishes: tuple[_Wish, ...]
    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, order: str = DEFAULT_ORDER, columns: Mapping[str, Mapping[str, str]] | None = None) -> Self:
        """Read an order of preference.

        Parameters
        ----------
        order : str
            Wishes, the most important first: "photos" (most), "size" (largest photo), "title" (longest), "id" (oldest,
            where "a2" is older than "a10"), or the name of a column. After a colon stands which end is preferred,
            "price:lowest", "views:highest", or which values, best first: "condition:new|good|used". An empty cell comes
            last.
        columns : mapping, name of a column → mapping, id → cell

        Raises
        ------
        ValueError
            The order cannot be understood. The message names the part.
        """
        wishes = [_wish(part.strip()) for part in order.split(",") if part.strip()]
        named = {each.name for each in wishes}
        wishes += [_wish(name) for name in DEFAULT_ORDER.split(", ") if name not in named]
        return cls(tuple(wishes), columns or {})

    @property
    def wanted(self) -> tuple[str, ...]:
        """The names of the columns that a table must have for this."""
        return tuple(dict.fromkeys(each.name for each in self.wishes if each.name not in USUAL))

    def best(self, candidates: Sequence[ListingFacts]) -> int:
        """Return the place of the one to keep."""
        return self._chosen(candidates)[0]

    def why(self, candidates: Sequence[ListingFacts]) -> str:
        """Say which wishes chose the one to keep, such as "most photos, oldest id"."""
        return ", ".join(wish.said for wish in self._chosen(candidates)[1])

    def _chosen(self, candidates: Sequence[ListingFacts]) -> tuple[int, list[_Wish]]:
        """Return the place of the one to keep, and the wishes that left others out."""
        places = list(range(len(candidates)))
        decided = []
        for wish in self.wishes:
            if len(places) == 1:
                break
            values = {place: wish.value(candidates[place], self.columns) for place in places}
            known = [each for each in values.values() if each is not None]
            if known:
                best = max(known) if wish.end in MOST else min(known)
                left = [place for place in places if values[place] == best]
                decided += [wish] if len(left) < len(places) else []
                places = left
        return places[0], decided


def _wish(part: str) -> _Wish:
    name, colon, how = (each.strip() for each in part.partition(":"))
    name = name.lower() if name.lower() in USUAL else name
    if name and colon and (how.lower() in MOST or how.lower() in LEAST):
        return _Wish(name, how.lower())
    if colon and name and how and not {"|"} & {how[0], how[-1]} and "|" in how:
        return _Wish(name, "", tuple(each.strip().casefold() for each in how.split("|")))
    if not colon and (end := USUAL.get(name)):
        return _Wish(name, end)
    if name and not how:
        raise ValueError(f"{part!r}: say which end, {name}:lowest or {name}:highest, or which values, {name}:a|b")
    raise ValueError(f"{part!r} is not a name, name:lowest, name:highest or name:value|value")
