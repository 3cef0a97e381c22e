"""The command `productcat calibrate`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from productcat.cli import bad_rows, console, labelled, options
from productcat.cli.console import UsageError, command, complain
from productcat.wording import counted

if TYPE_CHECKING:
    from productcat.calibration.calibrate import Calibration
    from productcat.categories.categorizer import Categorizer
    from productcat.jobs.outputs import Side
    from productcat.listings.listing import Listing

app = typer.Typer(rich_markup_mode=None)


@command(app)
def calibrate(
    source: labelled.Labelled,
    target: options.NewBundle,
    bundle: options.Bundle = None,
    label: labelled.Label = None,
    precision: Annotated[float | None, typer.Option("--precision", help="Assign only at this precision.")] = None,
    as_json: options.Json = False,
    columns: options.Columns = None,
    format: options.Format = None,
    photo_root: options.PhotoRoot = None,
) -> int:
    """Fit confidences to your marketplace, and write a new bundle.

    \b
      productcat calibrate labelled.csv --to my-bundle
      productcat calibrate labelled.csv --to strict-bundle --precision 0.98
      productcat calibrate labelled.csv --to tuned-bundle --bundle my-bundle --label shelf --json

    LABELLED are listings of your marketplace with the right category. A few hundred are good; 10 is the minimum.
    Labels are names of the bundle's categories (productcat categories list). They stand in a column label, category or
    articleType, or in the one that --label names. Other columns are as for predict, and a folder <label>/<name>.jpg
    works too. Capitals and spaces do not matter. Take listings as they come, not only easy ones, and none that the
    models learnt from. A label that is not
    a category, a photo that cannot be read and a listing without evidence are named and left out.

    Models and categories stay as they are. The temperatures, the weight of the photos and the projections' floor are
    fitted, and how much each category is favoured because it is frequent. With --precision, a category is assigned from
    the lowest confidence at which this share of the assigned listings is right; without it, the decision rules stay.
    The table compares before and after. The figures after are what to expect of future listings, since each listing is
    judged by settings that were fitted on others. If the labels agree with the bundle no more often than by chance, the
    first note below the table says so: then labels and listings probably do not belong together.
    """
    from productcat.jobs.outputs import refuse_bundle

    if precision is not None and not 0.0 < precision <= 1.0:
        raise UsageError(f"--precision {precision:g}: expected a share above 0 and at most 1; 98 % is 0.98")
    roles = labelled.columns_of(columns, label)
    refuse_bundle(target)  # before the models, which take a while
    side = bad_rows.StderrLog(source)
    pairs = labelled.read(source, roles, side, format, photo_root)
    categorizer, found = _fitted(bundle, pairs, source, format, precision, side)
    categorizer.save(target)
    n_left_out = _name_left_out(found, categorizer.categories)
    if as_json:
        console.print_json(_as_dict(target, found, categorizer), indent=1)
    else:
        from productcat.cli.text import calibration_lines

        console.show(*calibration_lines(found, categorizer.rules))
    left_out = [f"{counted(n_left_out, 'listing')} left out, named above"] if n_left_out else []
    left_out += bad_rows.left_out(side)
    done = f"{target}: calibrated on {counted(found.n_listings, 'listing')}"
    done += ", whose labels are probably wrong, see the notes" if found.agreement.is_chance else ""
    return console.sum_up(done, left_out)


def _fitted(
    bundle: str | None,
    pairs: Iterable[tuple[Listing, str]],
    source: str,
    format: str | None,
    precision: float | None,
    side: Side,
) -> tuple[Categorizer, Calibration]:
    """Load a bundle and calibrate it."""
    from productcat.calibration import calibrate as calibration
    from productcat.categories.categorizer import Categorizer
    from productcat.jobs.progress import Progress
    from productcat.listings.readers import count_rows

    categorizer = Categorizer.load(bundle)
    with Progress("looking", count_rows(source, format), "listings") as progress:
        found = calibration.calibrate(categorizer, progress.each(pairs), precision, side.add_problem)
    return categorizer, found


def _name_left_out(found: Calibration, categories: list[str]) -> int:
    """Say which labels and listings were left out. → number of listings"""
    labelled.name_matched(found.matched_labels)
    labelled.name_unknown(found.unknown_labels, categories)
    for id in found.without_evidence:
        complain(f"listing {id!r}: neither a photo that can be read nor a known word in its title; left out")
    return sum(found.unknown_labels.values()) + len(found.without_evidence)


def _as_dict(target: str, found: Calibration, categorizer: Categorizer) -> dict[str, Any]:
    """Return what --json prints."""
    projections = {name: getattr(categorizer.projections, name) for name in ("temperature", "floor")}
    return {
        "bundle": target,
        **{name: each for name, each in asdict(found).items() if each or name != "matched_labels"},
        "settings": {**categorizer.ensemble.settings(), "projections": projections},
        "rules": {kind: asdict(rule) for kind, rule in categorizer.rules.items()},
    }
