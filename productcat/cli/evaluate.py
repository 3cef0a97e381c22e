"""The commands `productcat evaluate` and `productcat duplicates evaluate`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from productcat import __version__
from productcat.cli import bad_rows, console, manual_evaluate
from productcat.cli.console import (
    FINE,
    SOME_BAD,
    AdaptOption,
    BundleOption,
    ColumnsOption,
    FormatOption,
    UsageError,
    command,
    complain,
)
from productcat.cli.duplicates import ThresholdOption, detector_of
from productcat.cli.labelled import NAMED, LabelOption, labelled_columns, labelled_listings, name_unknown
from productcat.errors import ListingError
from productcat.wording import counted

METRICS, REPORT = "metrics.json", "report.html"

app = typer.Typer(rich_markup_mode=None)
pairs_app = typer.Typer(rich_markup_mode=None)

TargetOption = Annotated[str, typer.Option("--to", metavar="FOLDER", help="The report, a folder to be made.")]


@app.command(help=manual_evaluate.EVALUATE)
@command
def evaluate(
    source: Annotated[
        str, typer.Argument(metavar="LABELLED", help="A file of labelled listings, or a folder; - is standard input.")
    ],
    target: TargetOption,
    bundle: BundleOption = None,
    label: LabelOption = None,
    columns: ColumnsOption = None,
    format: FormatOption = None,
):
    """What `manual_evaluate.EVALUATE` says."""
    columns = labelled_columns(columns, label)
    _refuse_early(target)
    side = bad_rows.Spoken(source)
    with bad_rows.told_to(side) as problems:
        pairs = labelled_listings(source, columns, side, format)
        categorizer, found = _looked_at(bundle, pairs, source, format)
    name_unknown(found.unknown_labels, categorizer.categories)
    notes = _notes(found, problems, side)
    figures = _written(target, found, notes, _name(source), _name(categorizer.bundle.path))
    from productcat.cli.text import evaluation_lines

    print("\n".join(evaluation_lines(figures)))
    return _sum_up(target, f"evaluated on {counted(figures['listings'], 'listing')}", found, problems, side)


def _refuse_early(target):
    """Raise what can be known before the models, which take a while."""
    from productcat.jobs.outputs import refuse_existing, refuse_unwritable
    from productcat.reports.canvas import refuse_without_matplotlib

    refuse_existing(target, "a report is written to a new folder, give another name")
    refuse_unwritable(target)
    refuse_without_matplotlib()


def _name(path):
    return "standard input" if str(path) == "-" else Path(path).name


def _looked_at(bundle, pairs, source, format):
    """Load a bundle and evaluate it. → (Categorizer, Evaluation)"""
    from productcat.categories.categorizer import Categorizer
    from productcat.evaluation import evaluate as evaluation
    from productcat.jobs.progress import Progress
    from productcat.listings.readers import count_rows

    categorizer = Categorizer.load(bundle)
    with Progress("looking", count_rows(source, format), "listings") as progress:
        found = evaluation.evaluate(categorizer, progress.each(pairs))
    return categorizer, found


def _notes(found, problems, side):
    """What the report tells of rows and photos that are not in its figures."""
    labels = list(found.unknown_labels.items())
    rest = sum(count for _, count in labels[NAMED:])
    without = int((~found.answers[found.whole].known).sum())
    notes = [(side.count, "row", "that cannot be used: no label, or no listing")]
    notes += [(count, "listing", f"labelled {label!r}, which is no category") for label, count in labels[:NAMED]]
    notes += [(rest, "listing", f"with {len(labels) - NAMED:,} more labels that are no categories")]
    notes += [(len(problems), "photo", "that cannot be read")]
    notes += [(without, "listing", "without evidence, taken for wrong")]
    return [f"{counted(count, noun)} {what}" for count, noun, what in notes if count]


def _written(target, found, notes, source, bundle):
    """Make figures and report. → the figures"""
    from productcat.evaluation.figures import measure
    from productcat.jobs.progress import Progress
    from productcat.reports.evaluation import Origin, report

    with Progress("measuring and drawing", None, ""):
        figures = measure(found)
        origin = Origin(source, bundle, notes)
        _write(target, figures, origin, report(found, figures, origin))
    return figures


def _write(target, figures, origin, chunks):
    from productcat.jobs.outputs import write_folder

    made = {
        "productcat": __version__,
        "source": origin.source,
        "left_out": origin.notes,
        "bundle_folder": origin.bundle,
    }
    metrics = json.dumps(made | figures, indent=1, ensure_ascii=False) + "\n"
    write_folder(target, {METRICS: [metrics.encode()], REPORT: chunks})


def _sum_up(target, done, found, problems, side):
    parts = [f"{Path(target) / REPORT}: {done}"]
    unknown = sum(found.unknown_labels.values())
    parts += [f"{counted(unknown, 'listing')} with unknown labels left out, named above"] if unknown else []
    parts += bad_rows.troubles(len(problems), side)
    return complain("; ".join(parts), SOME_BAD if len(parts) > 1 else FINE)


@pairs_app.command("evaluate", help=manual_evaluate.PAIRS)
@command
def evaluate_pairs(
    source: Annotated[str, typer.Argument(metavar="PAIRS", help="A CSV of labelled pairs; - is standard input.")],
    listings: Annotated[str, typer.Option("--listings", help="The file of the listings, or a folder.")],
    target: TargetOption,
    threshold: ThresholdOption = None,
    adapt: AdaptOption = True,
    bundle: BundleOption = None,
    columns: ColumnsOption = None,
    format: FormatOption = None,
):
    """What `manual_evaluate.PAIRS` says."""
    from productcat.listings.source import Table

    if listings == "-":
        raise UsageError("--listings is read twice; give a file")
    table = Table(listings, console.columns_from(columns), format)
    _refuse_early(target)
    side = bad_rows.Spoken(source)
    with bad_rows.told_to(side) as problems:
        pairs = _read_pairs(source, side)
        side.source = listings
        name, found = _scored(bundle, threshold, table, pairs, side, adapt)
    for id in found.missing[:NAMED]:
        complain(f"listing {id!r}: not in {listings}; its pairs are left out")
    notes = _pair_notes(found, problems, side)
    figures = _pairs_written(target, found, table, notes, _name(source), name)
    from productcat.cli.text import pair_evaluation_lines

    print("\n".join(pair_evaluation_lines(figures)))
    parts = [f"{Path(target) / REPORT}: evaluated on {counted(figures['pairs'], 'pair')}", *notes]
    return complain("; ".join(parts), SOME_BAD if notes else FINE)


def _read_pairs(source, side):
    """All labelled pairs of a file; a file without one is refused."""
    from productcat.evaluation.labelled_pairs import read_labelled_pairs

    pairs = list(read_labelled_pairs(source, side.add))
    if not pairs:
        raise ListingError(f"{source}: no labelled pair in it; see --help for what it should hold")
    return pairs


def _scored(bundle, threshold, table, pairs, side, adapt):
    """Load a detector and score pairs. → (the bundle's name, PairEvaluation)"""
    from productcat.evaluation import evaluate_pairs as pair_evaluation
    from productcat.jobs.progress import Progress
    from productcat.models.bundle import find

    total = table.count()
    detector = detector_of(bundle, threshold)
    with Progress("looking at photos", total, "listings") as progress:
        listings = progress.each(table.read(side.add))
        found = pair_evaluation.evaluate_pairs(detector, listings, pairs, adapt)
    return _name(find(bundle)), found


def _pair_notes(found, problems, side):
    missing = f"left out, since {counted(len(found.missing), 'listing')} of theirs cannot be found in the file"
    notes = [(side.count, "row", "that cannot be used"), (found.n_left_out, "pair", missing)]
    notes += [(len(problems), "photo", "that cannot be read, or listing without any")]
    return [f"{counted(count, noun)} {what}" for count, noun, what in notes if count]


def _pairs_written(target, found, table, notes, source, bundle):
    """Make figures and report. → the figures"""
    from productcat.evaluation.evaluate_pairs import measure_pairs
    from productcat.jobs.progress import Progress
    from productcat.reports.duplicates import draw
    from productcat.reports.evaluation import Origin
    from productcat.reports.labelled_pairs import pair_report

    with Progress("measuring and drawing", None, ""):
        figures = measure_pairs(found)
        judged = [*found.worst(False), *found.worst(True)]
        shown = dict(draw(judged, table.again())) if judged else {}
        origin = Origin(source, bundle, notes)
        _write(target, figures, origin, pair_report(found, figures, shown, origin))
    return figures
