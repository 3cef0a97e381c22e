"""A table of listings that a job reads, and may read again."""

from dataclasses import dataclass
from pathlib import Path

from productcat.listings.readers import count_rows, read_listings

STREAM = "-"
"""Standard input or output."""


@dataclass
class Table:
    """Where the listings come from: path, Columns and format as `read_listings` takes them.

    kept: the listings of a stream, which cannot be read again, once `keep` was called.
    """

    path: str
    columns: object
    format: str | None
    kept: list | None = None

    @property
    def name(self):
        """How a reader of the report knows it."""
        return "standard input" if self.path == STREAM else Path(self.path).name

    def count(self):
        """About how many listings there are, or None. Raises ListingError where there is no such file."""
        return count_rows(self.path, self.format)

    def keep(self):
        """Prepare for being read twice."""
        if not Path(self.path).is_file() and not Path(self.path).is_dir():
            self.kept = []

    def read(self, on_bad):
        """Iterate over the listings."""
        for listing in read_listings(self.path, self.columns, on_bad, self.format):
            if self.kept is not None:
                self.kept.append(listing)
            yield listing

    def again(self):
        """The listings once more, without a word on bad rows."""
        return self.kept if self.kept is not None else self.read(_ignore)


def _ignore(_):
    pass
