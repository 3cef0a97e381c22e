"""Categories of classifieds listings, from their photos and their titles.

The public names are loaded on first use, so `import productcat` costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # so that editors and type checkers know the names
    from productcat.categories.categorizer import Categorizer
    from productcat.categories.decision import Candidate, DecisionRule, Prediction
    from productcat.duplicates.detector import DuplicateDetector
    from productcat.duplicates.groups import DuplicateGroup
    from productcat.duplicates.pairs import DuplicatePair
    from productcat.errors import BundleError, ListingError, ProductcatError
    from productcat.index.listing_index import ListingIndex
    from productcat.listings.listing import Listing
    from productcat.listings.readers import read_listings

__version__ = "0.2.0"

__all__ = [
    "BundleError",
    "Candidate",
    "Categorizer",
    "DecisionRule",
    "DuplicateDetector",
    "DuplicateGroup",
    "DuplicatePair",
    "Listing",
    "ListingError",
    "ListingIndex",
    "Prediction",
    "ProductcatError",
    "read_listings",
]

_HOMES = {
    "BundleError": "productcat.errors",
    "Candidate": "productcat.categories.decision",
    "Categorizer": "productcat.categories.categorizer",
    "DecisionRule": "productcat.categories.decision",
    "DuplicateDetector": "productcat.duplicates.detector",
    "DuplicateGroup": "productcat.duplicates.groups",
    "DuplicatePair": "productcat.duplicates.pairs",
    "Listing": "productcat.listings.listing",
    "ListingError": "productcat.errors",
    "ListingIndex": "productcat.index.listing_index",
    "Prediction": "productcat.categories.decision",
    "ProductcatError": "productcat.errors",
    "read_listings": "productcat.listings.readers",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value  # so that the next access does not come here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
