"""Everything that productcat raises on purpose.

    ProductcatError
    ├── BundleError     a bundle is missing, damaged, of another format, or does not fit what is asked
    └── ListingError    a listing, photo, title, file or row cannot be used

Each message names its subject (which bundle file, which listing, which row) and the way out.
"""


class ProductcatError(Exception):
    """Base of all errors that productcat raises on purpose."""


class BundleError(ProductcatError):
    """A bundle is missing, damaged, of another format, or does not fit what is asked of it."""


class ListingError(ProductcatError):
    """A listing, or the photo, title, file or row it comes from, cannot be used."""
