"""Options that several commands have, and what they refuse."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from productcat.cli.console import STREAM, UsageError

if TYPE_CHECKING:
    from productcat.listings.columns import Columns as TableColumns


def probability(threshold: float | None) -> float | None:
    """Refuse a `--threshold` that is not between 0 and 1."""
    if threshold is not None and not 0.0 <= threshold <= 1.0:
        raise UsageError(f"--threshold {threshold} is not between 0 and 1")
    return threshold


def share(precision: float | None) -> float | None:
    """Refuse a `--precision` that is not a share."""
    if precision is not None and not 0.0 < precision <= 1.0:
        raise UsageError(f"--precision {precision:g}: expected a share above 0 and at most 1; 98 % is 0.98")
    return precision


def _below_all(precision: float | None) -> float | None:
    """Refuse a `--precision` that is not a share, or is all: no pair is certain."""
    if precision is not None and not 0.0 < precision < 1.0:
        raise UsageError(f"--precision {precision:g}: expected a share above 0 and below 1; 98 % is 0.98")
    return precision


def _known_format(format: str | None) -> str | None:
    if format is None:  # which saves the import
        return None
    from productcat.listings.file_formats import FORMATS

    if format not in FORMATS:
        raise UsageError(f"--format {format}: expected one of {', '.join(FORMATS)}")
    return format


BUNDLE_HELP = "A bundle's path or name. [default: fashion]"
BundlePath = Annotated[str | None, typer.Argument(envvar="PRODUCTCAT_BUNDLE", help=BUNDLE_HELP)]
Bundle = Annotated[str | None, typer.Option("--bundle", envvar="PRODUCTCAT_BUNDLE", help=BUNDLE_HELP)]
NewBundle = Annotated[str, typer.Option("--to", metavar="NEWBUNDLE", help="The new bundle, a directory to be made.")]
From = Annotated[str | None, typer.Option("--from", help="A file of listings, or a folder; - is standard input.")]
Columns = Annotated[
    str | None,
    typer.Option("--columns", help="Columns: role=name, ...; roles: id, title, photos, label, price, photo_pattern."),
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="csv, jsonl, parquet, lst or folders. [default: recognized from the content]",
        callback=_known_format,
    ),
]
PhotoRoot = Annotated[
    str | None,
    typer.Option("--photo-root", metavar="FOLDER", help="Open no photo outside it: for a table that a stranger wrote."),
]
Threshold = Annotated[
    float | None,
    typer.Option(
        "--threshold",
        help="Lowest probability of a duplicate, 0 to 1. [default: the bundle's own]",
        callback=probability,
    ),
]
Bad = Annotated[
    str | None, typer.Option("--bad", help="The side file. [default: <--to>.bad.jsonl; with --to -, standard error]")
]
Adapt = Annotated[bool, typer.Option("--adapt/--no-adapt", help="Learn what all the listings have in common.")]
Precision = Annotated[
    float | None,
    typer.Option("--precision", help="Share of the pairs found that is to be right.", callback=share),
]
Expected = Annotated[
    float | None,
    typer.Option(
        "--precision", help="Share of the pairs that is to be right, instead of --threshold.", callback=_below_all
    ),
]
Ignore = Annotated[
    str | None,
    typer.Option("--ignore", metavar="FOLDER", help="Pictures that never count, such as size charts and logos."),
]
TitlesAlone = Annotated[
    bool, typer.Option("--titles-alone", help="Find pairs of which a side has no photo too, by their titles.")
]
Decided = Annotated[
    str | None,
    typer.Option("--decided", help="Pairs that somebody decided: CSV left,right,verdict; verdicts: same, different."),
]
Apart = Annotated[
    str | None,
    typer.Option("--apart", metavar="COLUMN", help="Two listings with different values in it are never duplicates."),
]
Together = Annotated[
    str | None,
    typer.Option("--together", metavar="COLUMN", help="Two listings with the same value in it always are duplicates."),
]
SafeCsv = Annotated[
    bool,
    typer.Option("--safe-csv", help="Write ids that a spreadsheet would run, such as =1+1, with an apostrophe first."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def refuse(options: Mapping[str, object], reason: str) -> None:
    """Raise UsageError when one of some options, name → value, was given."""
    given = [name for name, value in options.items() if value]
    if given:
        raise UsageError(f"{given[0]} {reason}")


def refuse_both(threshold: float | None, precision: float | None) -> None:
    """Raise UsageError when both a threshold and a precision were given: each says where the line is."""
    if threshold is not None and precision is not None:
        raise UsageError("--threshold and --precision both choose the threshold; give one of them")


def refuse_same_file(files: Mapping[str, str | None]) -> None:
    """Raise UsageError when two options name the same file. files: option → path, None or "-" """
    known: dict[str, str] = {}
    for option, path in files.items():
        if path in (None, STREAM) or (os.path.exists(path) and not os.path.isfile(path)):
            continue  # a pipe or a device takes what it gets
        if (first := known.setdefault(os.path.realpath(path), option)) != option:
            raise UsageError(f"{first} and {option} are the same file")


def columns_from(text: str | None) -> TableColumns:
    """Return the columns that --columns names."""
    from productcat.listings.columns import Columns as TableColumns

    try:
        return TableColumns.from_text(text or "")
    except ValueError as error:
        raise UsageError(f"--columns: {error}") from None
