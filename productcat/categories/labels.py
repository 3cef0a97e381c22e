"""The labels of listings → numbers of categories; labels that are no category are left out and counted."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import NoReturn, TypeVar

from productcat.errors import ListingError

NAMED = 5
"""Number of labels that a message names."""

T = TypeVar("T")


class _Missing:
    """Stands where there is no listing, or no label, any more."""


class KnownLabels:
    """Reads labelled listings.

    Parameters
    ----------
    categories : list of str

    Attributes
    ----------
    unknown : Counter, label → listings that are left out because it is not a category
    """

    def __init__(self, categories: Sequence[str]) -> None:
        self.categories = categories
        self.places = {name: number for number, name in enumerate(categories)}
        self.unknown: Counter[str] = Counter()

    def pairs(self, labelled: Iterable[tuple[T, str]]) -> Iterator[tuple[T, int]]:
        """Yield each listing with the number of its category. labelled: (listing, label) each"""
        for listing, label in labelled:
            if label in self.places:
                yield listing, self.places[label]
            else:
                self.unknown[label] += 1

    def refuse(self) -> NoReturn:
        """Raise ListingError, because all labels are unknown."""
        raise ListingError(
            f"no label is a category of the bundle: the labels are {_named(self.unknown)}, "
            f"the categories {_named(self.categories)}; label with these, or give the bundle your categories first"
        )


def paired(listings: Iterable[T], labels: Iterable[str]) -> Iterator[tuple[T, str]]:
    """Yield each listing with its label. Raises ValueError where there are more of the one than of the other."""
    for listing, label in zip_longest(listings, labels, fillvalue=_Missing()):
        if isinstance(listing, _Missing) or isinstance(label, _Missing):
            raise ValueError("labels: expected as many as listings, one each")
        yield listing, label


def _named(names: Collection[str]) -> str:
    """Return some names for a message."""
    shown = ", ".join(repr(each) for each in list(names)[:NAMED])
    return shown + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
