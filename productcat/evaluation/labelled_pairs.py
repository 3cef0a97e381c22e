"""Files of labelled pairs → LabelledPair, one at a time: CSV with the columns left, right and label.

The file of pairs that `productcat duplicates find` writes is such a file once it has a column `label`. Other columns
are ignored.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from productcat.errors import ListingError
from productcat.listings.columns import BadRow, OnRemark
from productcat.listings.file_formats import Source, detect, rows
from productcat.listings.readers import OnBad, text_of

SAME = {"1", "true", "yes", "y", "same", "duplicate"}
"""Labels of pairs that show the same item, in small letters."""

DIFFERENT = {"0", "false", "no", "n", "different", "none"}
"""Labels of pairs that show different items, in small letters."""


@dataclass(frozen=True)
class LabelledPair:
    """Two listings, by id, and whether they show the same item."""

    left: str
    right: str
    same: bool


class _PairColumns:
    """Finds the columns of a CSV of pairs, as `Columns` finds those of listings."""

    EXAMPLE: ClassVar[str] = "left,right,label"

    def find(self, header: Sequence[str], name: object, _on_remark: OnRemark) -> dict[str, str]:
        """Return role → name in `header`. Raises ListingError, naming the column that is missing."""
        plain = {each.strip().lower(): each for each in reversed(header)}
        for role in self.EXAMPLE.split(","):
            if role not in plain:
                raise ListingError(f"{name}: no column {role!r}; expected the columns {self.EXAMPLE}")
        return {role: plain[role] for role in self.EXAMPLE.split(",")}


def read_labelled_pairs(path: str | os.PathLike[str], on_bad: OnBad) -> Iterator[LabelledPair]:
    """Read the pairs of a file, in order.

    Parameters
    ----------
    path : str | os.PathLike
        "-" is standard input.
    on_bad : callable
        Called with the BadRow of each row that is not a labelled pair.

    Raises
    ------
    ListingError
        The file is missing, empty, or lacks a column.
    """
    source: Source = "-" if path == "-" else Path(path)
    if source != "-":
        detect(source, "csv")  # raises for a file that is missing
    return _pairs(source, on_bad)


def _pairs(path: Source, on_bad: OnBad) -> Iterator[LabelledPair]:
    first_rows: dict[frozenset[str], int] = {}
    for row in rows(path, _PairColumns(), "csv"):
        try:
            if isinstance(row, BadRow):
                raise ListingError(row.reason)
            pair = _pair({role: text_of(role, value).strip() for role, value in row.values.items()})
            first = first_rows.setdefault(frozenset((pair.left, pair.right)), row.number)
            if first != row.number:
                raise ListingError(f"the pair of row {first} once more; keep one of them")
        except ListingError as error:
            on_bad(BadRow(row.number, str(error), row.text.strip()))
        else:
            yield pair


def _pair(values: Mapping[str, str]) -> LabelledPair:
    left, right, label = values["left"], values["right"], values["label"]
    if not left or not right:
        raise ListingError("an id is missing; give the ids of both listings")
    if left == right:
        raise ListingError(f"{left!r} with itself; a pair is of two listings")
    if label.lower() not in SAME | DIFFERENT:
        found = f"the label {label!r}" if label else "no label"
        raise ListingError(f"{found}; write 1 or yes for the same item, 0 or no for different items")
    return LabelledPair(left, right, label.lower() in SAME)
