"""The command `productcat calibrate`."""

import difflib
import json
from dataclasses import asdict, replace
from itertools import chain, islice
from typing import Annotated

import typer

from productcat import console, manual_calibrate
from productcat.console import FINE, SOME_BAD, BundleOption, ColumnsOption, FormatOption, UsageError, command, complain
from productcat.errors import ListingError

NAMED = 20
"""So many labels that are no category are named each."""

app = typer.Typer(rich_markup_mode=None)


@app.command(help=manual_calibrate.CALIBRATE)
@command
def calibrate(
    source: Annotated[
        str, typer.Argument(metavar="LABELLED", help="A file of labelled listings, or a folder; - is standard input.")
    ],
    target: Annotated[str, typer.Option("--to", metavar="NEWBUNDLE", help="The new bundle, a directory to be made.")],
    bundle: BundleOption = None,
    label: Annotated[str | None, typer.Option("--label", metavar="COLUMN", help="The column of the labels.")] = None,
    precision: Annotated[float | None, typer.Option("--precision", help="Assign only at this precision.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
    columns: ColumnsOption = None,
    format: FormatOption = None,
):
    """What `manual_calibrate.CALIBRATE` says."""
    from productcat.outputs import refuse_existing

    if precision is not None and not 0.0 < precision <= 1.0:
        raise UsageError(f"--precision {precision:g} is not above 0 and at most 1; 98 % is 0.98")
    columns = _columns(columns, label)
    refuse_existing(target, "a bundle is written to a new directory")  # before the models, which take a while
    side = console.Spoken()
    with console.told_to(side) as problems:
        pairs = _labelled(source, columns, side, format)
        categorizer, found = _fitted(bundle, pairs, source, format, precision)
        categorizer.save(target)
    left_out = _name_left_out(found, categorizer.categories)
    if as_json:
        print(json.dumps(_as_dict(target, found, categorizer), indent=1, ensure_ascii=False))
    else:
        from productcat.display import calibration_lines

        print("\n".join(calibration_lines(found, categorizer.rules)))
    return _sum_up(target, found, left_out, problems, side)


def _columns(text, label):
    """The Columns of --columns and --label."""
    columns = console.columns_from(text)
    if label is None:
        return columns
    if columns.label != type(columns).label:
        raise UsageError("--label does not go with a label in --columns")
    return replace(columns, label=label)


def _labelled(source, columns, side, format):
    """Pairs of listing and label. A source without a single label is refused before each of its rows is named."""
    from productcat.readers import read_labelled

    held = []
    add = held.append
    pairs = read_labelled(source, columns, lambda bad: add(bad), format)
    first = list(islice(pairs, 1))
    if not first and held and all(bad.reason.startswith("no label") for bad in held):
        names = columns.names("label")
        raise ListingError(
            f"{source}: none of its {len(held)} rows has a label, in a column {' or '.join(names)!r}; "
            "name the column of the labels with --label"
        )
    for bad in held:
        side.add(bad)
    add = side.add
    return chain(first, pairs)


def _fitted(bundle, pairs, source, format, precision):
    """Load a bundle and calibrate it. → (Categorizer, Calibration)"""
    from itertools import tee

    from productcat import calibration
    from productcat.categorizer import Categorizer
    from productcat.progress import Progress
    from productcat.readers import count_rows

    categorizer = Categorizer.load(bundle)
    with Progress("looking", count_rows(source, format), "listings") as progress:

        def counted():
            for pair in pairs:
                progress.advance(1)
                yield pair

        listings, labels = tee(counted())  # read in step, so that the listings may be longer than memory
        found = calibration.calibrate(
            categorizer, (listing for listing, _ in listings), (label for _, label in labels), precision
        )
    return categorizer, found


def _name_left_out(found, categories):
    """Say which labels and listings were left out. → how many listings"""
    for label, count in list(found.unknown_labels.items())[:NAMED]:
        alike = difflib.get_close_matches(label, categories, 1)
        way_out = f"is it {alike[0]!r}?" if alike else "label anew, or add the category first"
        complain(f"label {label!r}: no category of the bundle, {count} listings left out; {way_out}")
    if len(found.unknown_labels) > NAMED:
        complain(f"{len(found.unknown_labels) - NAMED} more labels that are no categories")
    for id in found.without_evidence:
        complain(f"listing {id!r}: neither a photo that can be read nor a known word in its title; left out")
    return sum(found.unknown_labels.values()) + len(found.without_evidence)


def _as_dict(target, found, categorizer):
    """What --json prints."""
    projections = {name: getattr(categorizer.projections, name) for name in ("temperature", "floor")}
    return {
        "bundle": target,
        **asdict(found),
        "settings": {**categorizer.ensemble, "projections": projections},
        "rules": {kind: asdict(rule) for kind, rule in categorizer.rules.items()},
    }


def _sum_up(target, found, left_out, problems, side):
    parts = [f"{target}: calibrated on {found.n_listings} listings"]
    counts = {"listings left out": left_out, "problems with photos": len(problems), "bad rows": side.count}
    parts += [f"{count} {what}, named above" for what, count in counts.items() if count]
    return complain("; ".join(parts), SOME_BAD if len(parts) > 1 else FINE)
