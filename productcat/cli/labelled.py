"""What `calibrate` and `evaluate` share: reading labelled listings, and telling which labels are left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, islice
from typing import TYPE_CHECKING, Annotated

import typer

from productcat.cli.console import UsageError, complain
from productcat.cli.options import columns_from
from productcat.errors import ListingError
from productcat.wording import counted, either, perhaps

if TYPE_CHECKING:
    from productcat.jobs.outputs import Side
    from productcat.listings.columns import BadRow, Columns
    from productcat.listings.listing import Listing

NAMED = 20
"""Number of unknown labels that are named one by one."""

MISSING = frozenset({"nan", "none", "null", "nil", "n/a", "na", "<na>", "#n/a", "-", "--", "?", "unknown"})
"""What programs and people write where there is no label."""

Labelled = Annotated[
    str, typer.Argument(metavar="LABELLED", help="A file of labelled listings, or a folder; - is standard input.")
]
Label = Annotated[str | None, typer.Option("--label", metavar="COLUMN", help="The column of the labels.")]


def columns_of(text: str | None, label: str | None) -> Columns:
    """Return the Columns of --columns and --label."""
    columns = columns_from(text)
    if label is None:
        return columns
    if columns.label != type(columns).label:
        raise UsageError("--label does not go with a label in --columns")
    return replace(columns, label=label)


def read(
    source: str, columns: Columns, side: Side, format: str | None, photo_root: str | None
) -> Iterator[tuple[Listing, str]]:
    """Read pairs of listing and label. Raise ListingError for a source without any label, before naming its rows."""
    from productcat.listings.readers import read_labelled

    held: list[BadRow] = []
    first: list[tuple[Listing, str]] = []

    def on_bad(bad: BadRow) -> None:
        if first:
            side.add(bad)
        else:
            held.append(bad)

    pairs = read_labelled(source, columns, on_bad, format, complain, photo_root)
    first += islice(pairs, 1)
    if not first and held and all(bad.reason.startswith("no label") for bad in held):
        raise ListingError(
            f"{source}: none of its {len(held)} rows has a label, in a column {either(columns.names('label'))}; "
            "name the column of the labels with --label, or put photos into folders that are named by their labels"
        )
    for bad in held:
        side.add(bad)
    return chain(first, pairs)


def name_matched(labels: Mapping[str, str]) -> None:
    """Say once which labels are spelt in another way than their categories. labels: label → category"""
    if labels:
        shown = ", ".join(f"{label!r} as {name!r}" for label, name in islice(labels.items(), NAMED))
        more = f" and {len(labels) - NAMED} more" if len(labels) > NAMED else ""
        complain(f"labels that differ from a category in capitals or spaces only are read as that: {shown}{more}")


def name_unknown(labels: Mapping[str, int], categories: Sequence[str]) -> None:
    """Say which labels are not categories. labels: label → number of listings left out"""
    for label, count in list(labels.items())[:NAMED]:
        way_out = perhaps(label, categories) or "correct the label, or add the category first"
        if label.casefold() in MISSING:
            way_out = "if it stands for no label, label these listings, or leave the label empty"
        complain(f"label {label!r}: not a category of the bundle, {counted(count, 'listing')} left out; {way_out}")
    if len(labels) > NAMED:
        complain(f"{len(labels) - NAMED} more labels that are not categories")
