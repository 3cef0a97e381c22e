"""The labels of listings as numbers of categories. Labels that are not a category are left out and counted."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from typing import NoReturn

from productcat.errors import ListingError
from productcat.listings.listing import Listing

NAMED = 5
"""Number of labels that a message names."""


class KnownLabels:
    """Reads labelled listings.

    Parameters
    ----------
    categories : list of str

    Attributes
    ----------
    unknown : Counter, label → number of listings left out because it is not a category
    """

    def __init__(self, categories: list[str]) -> None:
        self.categories = categories
        self.places = {name: number for number, name in enumerate(categories)}
        self.unknown: Counter[str] = Counter()

    def pairs(self, labelled: Iterable[tuple[Listing, str]]) -> Iterator[tuple[Listing, int]]:
        """Yield each listing with the number of its category, and leave out the others."""
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


def _named(names: Collection[str]) -> str:
    """Return some names for a message."""
    shown = ", ".join(repr(each) for each in list(names)[:NAMED])
    return shown + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
