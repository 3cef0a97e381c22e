"""The labels of listings → numbers of categories; labels that are no category are left out and counted."""

from collections import Counter
from itertools import zip_longest

from productcat.errors import ListingError

NAMED = 5
"""So many labels are named in a message."""

_MISSING = object()


class KnownLabels:
    """Reads labelled listings.

    Parameters
    ----------
    categories : list of str

    Attributes
    ----------
    unknown : Counter, label → listings left out because it is no category
    """

    def __init__(self, categories):
        self.categories = categories
        self.places = {name: number for number, name in enumerate(categories)}
        self.unknown = Counter()

    def pairs(self, listings, labels):
        """Iterator of (listing, number of its category).

        Raises ValueError where there are more labels than listings, or fewer.
        """
        for listing, label in zip_longest(listings, labels, fillvalue=_MISSING):
            if listing is _MISSING or label is _MISSING:
                raise ValueError("labels: expected as many as listings, one each")
            if label in self.places:
                yield listing, self.places[label]
            else:
                self.unknown[label] += 1

    def refuse(self):
        """Raise ListingError, because there is no other label than unknown ones."""
        raise ListingError(
            f"no label is a category of the bundle: the labels are {_named(self.unknown)}, "
            f"the categories {_named(self.categories)}; label with these, or give the bundle your categories first"
        )


def _named(names):
    """Some names for a message."""
    shown = ", ".join(repr(each) for each in list(names)[:NAMED])
    return shown + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
