"""The command `productcat calibrate`."""

from dataclasses import asdict
from typing import Annotated

import typer

from productcat.cli import bad_rows, console, manual_calibrate
from productcat.cli.console import (
    FINE,
    SOME_BAD,
    BundleOption,
    ColumnsOption,
    FormatOption,
    UsageError,
    command,
    complain,
)
from productcat.cli.labelled import LabelOption, labelled_columns, labelled_listings, name_unknown
from productcat.wording import counted

app = typer.Typer(rich_markup_mode=None)


@app.command(help=manual_calibrate.CALIBRATE)
@command
def calibrate(
    source: Annotated[
        str, typer.Argument(metavar="LABELLED", help="A file of labelled listings, or a folder; - is standard input.")
    ],
    target: Annotated[str, typer.Option("--to", metavar="NEWBUNDLE", help="The new bundle, a directory to be made.")],
    bundle: BundleOption = None,
    label: LabelOption = None,
    precision: Annotated[float | None, typer.Option("--precision", help="Assign only at this precision.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
    columns: ColumnsOption = None,
    format: FormatOption = None,
):
    """What `manual_calibrate.CALIBRATE` says."""
    from productcat.jobs.outputs import refuse_bundle

    if precision is not None and not 0.0 < precision <= 1.0:
        raise UsageError(f"--precision {precision:g} is not above 0 and at most 1; 98 % is 0.98")
    columns = labelled_columns(columns, label)
    refuse_bundle(target)  # before the models, which take a while
    side = bad_rows.Spoken(source)
    with bad_rows.told_to(side) as problems:
        pairs = labelled_listings(source, columns, side, format)
        categorizer, found = _fitted(bundle, pairs, source, format, precision)
        categorizer.save(target)
    left_out = _name_left_out(found, categorizer.categories)
    if as_json:
        console.print_json(_as_dict(target, found, categorizer), indent=1)
    else:
        from productcat.cli.text import calibration_lines

        print("\n".join(calibration_lines(found, categorizer.rules)))
    return _sum_up(target, found, left_out, problems, side)


def _fitted(bundle, pairs, source, format, precision):
    """Load a bundle and calibrate it. → (Categorizer, Calibration)"""
    from productcat.calibration import calibrate as calibration
    from productcat.categories.categorizer import Categorizer
    from productcat.jobs.progress import Progress
    from productcat.listings.readers import count_rows

    categorizer = Categorizer.load(bundle)
    with Progress("looking", count_rows(source, format), "listings") as progress:
        found = calibration.calibrate(categorizer, progress.each(pairs), precision)
    return categorizer, found


def _name_left_out(found, categories):
    """Say which labels and listings were left out. → how many listings"""
    name_unknown(found.unknown_labels, categories)
    for id in found.without_evidence:
        complain(f"listing {id!r}: neither a photo that can be read nor a known word in its title; left out")
    return sum(found.unknown_labels.values()) + len(found.without_evidence)


def _as_dict(target, found, categorizer):
    """What --json prints."""
    projections = {name: getattr(categorizer.projections, name) for name in ("temperature", "floor")}
    return {
        "bundle": target,
        **asdict(found),
        "settings": {**asdict(categorizer.ensemble), "projections": projections},
        "rules": {kind: asdict(rule) for kind, rule in categorizer.rules.items()},
    }


def _sum_up(target, found, left_out, problems, side):
    parts = [f"{target}: calibrated on {counted(found.n_listings, 'listing')}"]
    parts += [f"{counted(left_out, 'listing')} left out, named above"] if left_out else []
    parts += bad_rows.troubles(len(problems), side)
    return complain("; ".join(parts), SOME_BAD if len(parts) > 1 else FINE)
