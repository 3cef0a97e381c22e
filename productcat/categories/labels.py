"""The labels of listings as numbers of categories. Labels that are not a category are left out and counted.

A label that differs from one category in capitals or spaces only is that category. Whether an accent is part of its
letter or follows it makes no difference either.
"""

import unicodedata
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
    matched : dict, label → the category that it differs from in capitals or spaces only
    """

    def __init__(self, categories: list[str]) -> None:
        self.categories = categories
        self.places = {name: number for number, name in enumerate(categories)}
        self.unknown: Counter[str] = Counter()
        self.matched: dict[str, str] = {}
        self._alike: dict[str, list[str]] = {}
        for name in categories:
            self._alike.setdefault(_folded(name), []).append(name)

    def pairs(self, labelled: Iterable[tuple[Listing, str]]) -> Iterator[tuple[Listing, int]]:
        """Yield each listing with the number of its category, and leave out the others."""
        for listing, label in labelled:
            name = label if label in self.places else self._match(label)
            if name is None:
                self.unknown[label] += 1
            else:
                yield listing, self.places[name]

    def _match(self, label: str) -> str | None:
        """Return the one category that a label spells in another way, and take a note of it."""
        alike = self._alike.get(_folded(label), [])
        if len(alike) != 1:
            return None  # of two such categories nobody knows which is meant
        self.matched[label] = alike[0]
        return alike[0]

    def refuse(self) -> NoReturn:
        """Raise ListingError, because all labels are unknown."""
        raise ListingError(
            f"no label is a category of the bundle: the labels are {_named(self.unknown)}, "
            f"the categories {_named(self.categories)}; label with these, or give the bundle your categories first"
        )


def _folded(name: str) -> str:
    """Return what names have in common that one capital spelling may stand for: Turkish writes I for two letters."""
    return " ".join(unicodedata.normalize("NFD", unicodedata.normalize("NFC", name).upper().casefold()).split())


def _named(names: Collection[str]) -> str:
    """Return some names for a message."""
    shown = ", ".join(repr(each) for each in list(names)[:NAMED])
    return shown + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
