"""A table of listings that a job reads, and may read again."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from productcat.listings.columns import Columns, OnRemark
from productcat.listings.listing import Listing
from productcat.listings.readers import OnBad, count_rows, read_listings
from productcat.problems import warn

STREAM = "-"
"""Standard input or output."""


@dataclass
class Table:
    """Where the listings come from.

    path, columns, format, photo_root : as `read_listings` takes them
    kept : list of Listing, optional
        The listings of a stream, which cannot be read again, once `keep` was called.
    extra : dict, name of an extra column → dict, id → cell
        As far as the table was read.
    """

    path: str
    columns: Columns
    format: str | None
    photo_root: str | None = None
    kept: list[Listing] | None = None
    extra: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name by which a reader of the report knows the table."""
        return "standard input" if self.path == STREAM else Path(self.path).name

    def count(self) -> int | None:
        """Return about how many listings there are, if that is known. Raise ListingError for a missing file."""
        return count_rows(self.path, self.format)

    def keep(self) -> None:
        """Prepare for being read twice."""
        if not Path(self.path).is_file() and not Path(self.path).is_dir():
            self.kept = []

    def read(self, on_bad: OnBad, on_remark: OnRemark = warn) -> Iterator[Listing]:
        """Read the listings."""
        read = read_listings(self.path, self.columns, on_bad, self.format, on_remark, self._note, self.photo_root)
        for listing in read:
            if self.kept is not None:
                self.kept.append(listing)
            yield listing

    def _note(self, id: str, cells: dict[str, str]) -> None:
        for name, cell in cells.items():
            self.extra.setdefault(name, {})[id] = cell

    def again(self) -> Iterable[Listing]:
        """Return the listings once more, and say nothing of bad rows."""
        return self.kept if self.kept is not None else self.read(_ignore, _ignore)


def _ignore(_: object) -> None:
    pass
