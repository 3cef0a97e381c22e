"""What the commands share that read labelled listings: the column of the labels, and a word on what is left out."""

from dataclasses import replace
from itertools import chain, islice, tee
from typing import Annotated

import typer

from productcat.cli import console
from productcat.cli.console import UsageError, complain
from productcat.errors import ListingError
from productcat.wording import counted, either, perhaps

NAMED = 20
"""So many labels that are no category are named each."""

LabelOption = Annotated[str | None, typer.Option("--label", metavar="COLUMN", help="The column of the labels.")]


def labelled_columns(text, label):
    """The Columns of --columns and --label."""
    columns = console.columns_from(text)
    if label is None:
        return columns
    if columns.label != type(columns).label:
        raise UsageError("--label does not go with a label in --columns")
    return replace(columns, label=label)


def labelled_listings(source, columns, side, format):
    """Pairs of listing and label. A source without a single label is refused before each of its rows is named."""
    from productcat.listings.readers import read_labelled

    held = []
    add = held.append
    pairs = read_labelled(source, columns, lambda bad: add(bad), format)
    first = list(islice(pairs, 1))
    if not first and held and all(bad.reason.startswith("no label") for bad in held):
        raise ListingError(
            f"{source}: none of its {len(held)} rows has a label, in a column {either(columns.names('label'))}; "
            "name the column of the labels with --label, or put photos into folders that are named by their labels"
        )
    for bad in held:
        side.add(bad)
    add = side.add
    return chain(first, pairs)


def apart(pairs):
    """Pairs of listing and label → iterators of both. Read in step, they may be longer than memory."""
    listings, labels = tee(pairs)
    return (listing for listing, _ in listings), (label for _, label in labels)


def name_unknown(labels, categories):
    """Say which labels are no category. labels: dict, label → listings left out"""
    for label, count in list(labels.items())[:NAMED]:
        way_out = perhaps(label, categories) or "label anew, or add the category first"
        complain(f"label {label!r}: no category of the bundle, {counted(count, 'listing')} left out; {way_out}")
    if len(labels) > NAMED:
        complain(f"{len(labels) - NAMED} more labels that are no categories")
