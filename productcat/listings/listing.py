"""What a seller posts: an id, a title, photos, a price."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from productcat.errors import ListingError
from productcat.listings.photo_kinds import is_image, photo_of
from productcat.notebook import SIDE, card, figure, headline, photo_row

if TYPE_CHECKING:
    from productcat.listings.photo_kinds import Photo

SHOWN = 8
"""Number of photos of a listing that a notebook shows."""

Kind = TypeVar("Kind")


def only(kinds: type[Kind] | tuple[type[Kind], ...], listings: Iterable[Any]) -> Iterator[Kind]:
    """Return the listings as an iterator that refuses what is not one.

    kinds : class or tuple of classes that are accepted
    """
    if isinstance(listings, (kinds, str, dict)) or not hasattr(listings, "__iter__"):
        raise ListingError(f"one {type(listings).__name__} is not a sequence of listings; write [listing]")
    for each in listings:
        if not isinstance(each, kinds):
            raise ListingError(
                f"{each!r:.60} is {type(each).__name__}, expected Listing; write Listing(title=..., photos=[...])"
            )
        yield each


@dataclass(frozen=True, eq=False)
class Listing:
    """One listing. The title, the photos, the price or all of them may be missing.

    Parameters
    ----------
    id : str
        How messages and results name the listing.
    title : str
        Empty means no title.
    photos : sequence
        It becomes a tuple. Each photo is a path, the bytes of an image file (also in a BytesIO), a PIL image, or a
        uint8 array of shape (h, w), (h, w, 3) or (h, w, 4): gray, RGB or RGBA. Photos are opened when they are needed,
        not here.
    price : float, optional
        In the currency of the marketplace. None means that it is not known.

    Raises
    ------
    ListingError
        The title is not text, `photos` is one photo instead of a sequence of photos, one of them is no photo, or the
        price is not a finite number.
    """

    id: str = ""
    title: str = ""
    photos: Sequence[Photo] = ()
    price: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.title, str):
            raise ListingError(
                f"listing {self.id!r}: the title is {type(self.title).__name__}, expected str; use '' for no title"
            )
        if self.photos is None:
            raise ListingError(f"listing {self.id!r}: photos is None, expected a sequence; use () for no photo")
        one_photo = isinstance(self.photos, str | bytes | bytearray | memoryview | np.ndarray | dict)
        if one_photo or hasattr(self.photos, "read") or not hasattr(self.photos, "__iter__"):
            raise ListingError(
                f"listing {self.id!r}: photos is one {type(self.photos).__name__}, expected a sequence; "
                "write photos=(photo,)"
            )
        try:
            object.__setattr__(self, "photos", tuple(map(photo_of, self.photos)))
        except ListingError as error:
            raise ListingError(f"listing {self.id!r}: {error}") from None
        if self.price is not None:
            if not isinstance(self.price, Real) or isinstance(self.price, bool) or not math.isfinite(self.price):
                wrong = f"the price is {self.price!r:.40}, expected a finite number"
                raise ListingError(f"listing {self.id!r}: {wrong}; use None for no price")
            object.__setattr__(self, "price", float(self.price))

    def __eq__(self, other: object) -> bool:
        """Return whether id, title, photos and price are the same. Arrays and images are compared by their pixels."""
        if not isinstance(other, Listing):
            return NotImplemented
        mine, theirs = ((each.id, each.title, each.price, len(each.photos)) for each in (self, other))
        return mine == theirs and all(map(_same_photo, self.photos, other.photos))

    def __hash__(self) -> int:
        return hash((self.id, self.title, len(self.photos)))

    def _repr_html_(self) -> str:
        """Return what a notebook shows: title, id, and the first photos. A photo that cannot be read says so."""
        from productcat.listings.photos import name_of, thumbnail_or_reason  # imports Pillow, which a listing does not

        drawn = []
        for number, photo in enumerate(self.photos[:SHOWN], 1):
            jpeg, reason = thumbnail_or_reason(photo, SIDE)
            drawn.append(figure(jpeg, name_of(photo) or f"photo {number}", reason))
        return card(headline(self.title, self.id), photo_row(drawn, len(self.photos)))


def _same_photo(one: Photo, other: Photo) -> bool:
    if one is other:
        return True  # also an image that was closed
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return isinstance(one, np.ndarray) and isinstance(other, np.ndarray) and np.array_equal(one, other)
    if is_image(one) or is_image(other):
        return is_image(one) and is_image(other) and one == other
    return bool(one == other)
