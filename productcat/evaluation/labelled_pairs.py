"""Files of labelled pairs → LabelledPair: CSV with the columns left, right and label, or verdict instead of label.

The file of pairs that `productcat duplicates find` writes is such a file once it has a column `label`. The decisions
that the report saves have a column `verdict`. Other columns are ignored.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from productcat.duplicates.decisions import KnownItems, LabelledPair
from productcat.errors import ListingError
from productcat.listings.columns import BadRow, OnRemark
from productcat.listings.file_formats import Source, detect, rows
from productcat.listings.readers import TEXT_SHOWN, OnBad, text_of
from productcat.wording import shortened

SAME = {"1", "true", "yes", "y", "same", "duplicate"}
"""Labels of pairs that show the same item, in small letters."""

DIFFERENT = {"0", "false", "no", "n", "different", "none"}
"""Labels of pairs that show different items, in small letters."""


class _PairColumns:
    """Finds the columns of a CSV of pairs, as `Columns` finds those of listings."""

    EXAMPLE: ClassVar[str] = "left,right,label"

    def find(self, header: Sequence[str], name: object, _on_remark: OnRemark) -> dict[str, str]:
        """Return role → name in `header`. Raises ListingError, naming the column that is missing."""
        plain = {each.strip().lower(): each for each in reversed(header)}
        if "verdict" in plain:
            plain["label"] = plain["verdict"]
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
    return _each_once(source, on_bad)


def _each_once(path: Source, on_bad: OnBad) -> Iterator[LabelledPair]:
    first_rows: dict[frozenset[str], int] = {}
    for number, text, pair in _pairs(path, on_bad):
        first = first_rows.setdefault(frozenset((pair.left, pair.right)), number)
        if first == number:
            yield pair
        else:
            on_bad(BadRow(number, f"the pair of row {first} once more; keep one of them", text))


def _pairs(path: Source, on_bad: OnBad) -> Iterator[tuple[int, str, LabelledPair]]:
    """Yield the number of each good row, its text and the pair."""
    for row in rows(path, _PairColumns(), "csv"):
        text = row.text.strip()[:TEXT_SHOWN]
        try:
            if isinstance(row, BadRow):
                raise ListingError(row.reason)
            yield row.number, text, _pair({role: text_of(role, value).strip() for role, value in row.values.items()})
        except ListingError as error:
            on_bad(BadRow(row.number, str(error), text))


def read_decisions(path: str | os.PathLike[str], on_bad: OnBad) -> list[LabelledPair]:
    """Read what somebody decided of pairs. A pair may occur more than once.

    Parameters
    ----------
    path, on_bad
        As for `read_labelled_pairs`.

    Raises
    ------
    ListingError
        The file is missing, empty, or lacks a column. Or decisions contradict each other, directly or through others.
    """
    source: Source = "-" if path == "-" else Path(path)
    if source != "-":
        detect(source, "csv")  # raises for a file that is missing
    decided: dict[frozenset[str], tuple[int, LabelledPair]] = {}
    for number, _, pair in _pairs(source, on_bad):
        first, before = decided.setdefault(frozenset((pair.left, pair.right)), (number, pair))
        if before.same != pair.same:
            of = f"{shortened(pair.left)!r} and {shortened(pair.right)!r}"
            raise ListingError(f"{path}: rows {first} and {number} decide differently of {of}; remove one of them")
    pairs = [pair for _, pair in decided.values()]
    try:
        KnownItems.of([*dict.fromkeys(id for pair in pairs for id in pair[:2])], pairs)
    except ListingError as error:
        raise ListingError(f"{path}: {error}") from None
    return pairs


def _pair(values: Mapping[str, str]) -> LabelledPair:
    left, right, label = values["left"], values["right"], values["label"]
    if not left or not right:
        raise ListingError("an id is missing; give the ids of both listings")
    if left == right:
        raise ListingError(f"{shortened(left)!r} with itself; a pair is of two listings")
    if label.lower() not in SAME | DIFFERENT:
        found = f"the label {shortened(label)!r}" if label else "no label"
        raise ListingError(f"{found}; write 1 or yes for the same item, 0 or no for different items")
    return LabelledPair(left, right, label.lower() in SAME)
