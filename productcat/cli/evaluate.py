"""The commands `productcat evaluate` and `productcat duplicates evaluate`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from productcat import __version__
from productcat.cli import bad_rows, console, duplicates, labelled, options
from productcat.cli.console import STREAM, UsageError, command, complain
from productcat.errors import ListingError
from productcat.wording import counted

if TYPE_CHECKING:
    from productcat.categories.categorizer import Categorizer
    from productcat.duplicates.decisions import LabelledPair
    from productcat.evaluation.evaluate import Evaluation
    from productcat.evaluation.evaluate_pairs import PairEvaluation
    from productcat.evaluation.metrics import Metrics, PairMetrics
    from productcat.jobs.outputs import Side
    from productcat.listings.listing import Listing
    from productcat.listings.source import Table
    from productcat.reports.evaluation import Origin

METRICS, REPORT = "metrics.json", "report.html"

ReportOption = Annotated[str, typer.Option("--to", metavar="FOLDER", help="The report, a folder to be made.")]

app = typer.Typer(rich_markup_mode=None)


@command(app)
def evaluate(
    source: labelled.Labelled,
    target: ReportOption,
    bundle: options.Bundle = None,
    label: labelled.Label = None,
    columns: options.Columns = None,
    format: options.Format = None,
    photo_root: options.PhotoRoot = None,
) -> int:
    """Measure a bundle on labelled listings, and write a report.

    \b
      productcat evaluate labelled.csv --to report
      productcat evaluate labelled.csv --to report-of-mine --bundle my-bundle --label shelf
      productcat evaluate stock.jsonl --to report-of-stock --columns "title=headline"

    In the new folder, metrics.json holds the figures. report.html shows them with plots and photos; open it in a
    browser. It compares photos, title and both, with intervals. It shows whether confidences can be relied on, what
    thresholds mean in listings a day, and which categories are confused. It shows which answers the title corrected or
    spoilt, the most confident mistakes (wrong labels are among them), each category, and how far these listings are
    from those of the training.

    Labels are names of the bundle's categories (productcat categories list). They stand in a column label, category or
    articleType, or in the one that --label names. Other columns are as for predict, and a folder <label>/<name>.jpg
    works too. Capitals and spaces do not matter. Take listings as they come, and none that the models learnt from. A
    row without a label, a label that is not a category and a photo that cannot be read are named and left out. A
    listing without evidence counts as wrong.
    The plots need matplotlib: pip install matplotlib.
    """
    roles = labelled.columns_of(columns, label)
    _refuse_early(target)
    side = bad_rows.StderrLog(source)
    pairs = labelled.read(source, roles, side, format, photo_root)
    categorizer, found = _evaluated(bundle, pairs, source, format, side)
    labelled.name_matched(found.matched_labels)
    labelled.name_unknown(found.unknown_labels, categorizer.categories)
    notes = _notes(found, side)
    figures = _write_report(target, found, notes, _name(source), _name(categorizer.bundle.path))
    from productcat.cli.text import evaluation_lines

    console.show(*evaluation_lines(figures))
    n_unknown = sum(found.unknown_labels.values())
    left_out = [f"{counted(n_unknown, 'listing')} with unknown labels left out, named above"] if n_unknown else []
    left_out += bad_rows.left_out(side)
    return console.sum_up(f"{_report(target)}: evaluated on {counted(figures['listings'], 'listing')}", left_out)


def _refuse_early(target: str) -> None:
    """Raise what can be known before the models, which take a while."""
    from productcat.jobs.outputs import refuse_existing, refuse_unwritable
    from productcat.reports.canvas import refuse_without_matplotlib

    refuse_existing(target, "a report is written to a new folder, give another name")
    refuse_unwritable(target)
    refuse_without_matplotlib()


def _name(path: str | Path) -> str:
    return "standard input" if str(path) == STREAM else Path(path).name


def _report(target: str) -> Path:
    return Path(target) / REPORT


def _evaluated(
    bundle: str | None, pairs: Iterable[tuple[Listing, str]], source: str, format: str | None, side: Side
) -> tuple[Categorizer, Evaluation]:
    """Load a bundle and evaluate it."""
    from productcat.categories.categorizer import Categorizer
    from productcat.evaluation import evaluate as evaluation
    from productcat.jobs.progress import Progress
    from productcat.listings.readers import count_rows

    categorizer = Categorizer.load(bundle)
    with Progress("looking", count_rows(source, format), "listings") as progress:
        found = evaluation.evaluate(categorizer, progress.each(pairs), on_problem=side.add_problem)
    return categorizer, found


def _notes(found: Evaluation, side: Side) -> list[str]:
    """Return what the report says about rows and photos that are not in its figures."""
    labels = list(found.unknown_labels.items())
    n_others = sum(count for _, count in labels[labelled.NAMED :])
    n_without_evidence = int((~found.answers[found.whole].known).sum())
    return _counts(
        (side.count, "row", "that cannot be used: no label, or not a listing"),
        *(
            (count, "listing", f"labelled {label!r}, which is not a category")
            for label, count in labels[: labelled.NAMED]
        ),
        (n_others, "listing", f"with {len(labels) - labelled.NAMED:,} more labels that are not categories"),
        (len(side.problems), "photo", "that cannot be read"),
        (n_without_evidence, "listing", "without evidence, counted as wrong"),
    )


def _counts(*notes: tuple[int, str, str]) -> list[str]:
    """Say how many of what there are, for each (number, noun, what about them) that is not 0."""
    return [f"{counted(number, noun)} {about}" for number, noun, about in notes if number]


def _write_report(target: str, found: Evaluation, notes: list[str], source: str, bundle: str) -> Metrics:
    """Make figures and report. → the figures"""
    from productcat.evaluation.figures import measure
    from productcat.jobs.progress import Progress
    from productcat.reports.evaluation import Origin, report

    with Progress("measuring and drawing", None, ""):
        figures = measure(found)
        origin = Origin(source, bundle, notes)
        _write(target, figures, origin, report(found, figures, origin))
    return figures


def _write(target: str, figures: Metrics | PairMetrics, origin: Origin, report: Iterable[bytes]) -> None:
    from productcat.jobs.outputs import write_folder

    made = {
        "productcat": __version__,
        "source": origin.source,
        "left_out": origin.notes,
        "bundle_folder": origin.bundle,
    }
    metrics = json.dumps(made | figures, indent=1, ensure_ascii=False) + "\n"
    write_folder(target, {METRICS: [metrics.encode()], REPORT: report})


@command(duplicates.app, "evaluate")
def evaluate_pairs(
    source: Annotated[str, typer.Argument(metavar="PAIRS", help="A CSV of labelled pairs; - is standard input.")],
    listings: Annotated[str, typer.Option("--listings", help="The file of the listings, or a folder.")],
    target: ReportOption,
    threshold: options.Threshold = None,
    adapt: options.Adapt = True,
    bundle: options.Bundle = None,
    columns: options.Columns = None,
    format: options.Format = None,
    photo_root: options.PhotoRoot = None,
) -> int:
    """Measure on labelled pairs how well duplicates are found, and write a report.

    \b
      productcat duplicates evaluate pairs.csv --listings listings.csv --to report
      productcat duplicates evaluate pairs.csv --listings listings.csv --to strict-report --threshold 0.9 --no-adapt

    PAIRS is CSV with the columns left, right and label: the ids of two listings, and 1 or yes for the same item, 0 or
    no for different items. The output of productcat duplicates find becomes such a file when somebody adds the labels.
    Give find a low --threshold, since pairs that it leaves out cannot be missed here. LISTINGS are as for find. Like
    find, the detector first learns what all of them have in common, unless --no-adapt is given.

    In the new folder, metrics.json holds the figures. report.html shows precision and recall at every threshold, what
    is found at the bundle's own threshold, and the worst pairs with their photos. A pair with a listing that is not in
    LISTINGS is left out. The plots need matplotlib: pip install matplotlib.
    """
    from productcat.listings.source import Table

    if listings == STREAM:
        raise UsageError("--listings is read twice; give a file")
    table = Table(listings, options.columns_from(columns), format, photo_root)
    _refuse_early(target)
    side = bad_rows.StderrLog(source)
    pairs = _read_pairs(source, side)
    side.source = listings
    found = _scored(bundle, threshold, table, pairs, side, adapt)
    for id in found.missing[: labelled.NAMED]:
        complain(f"listing {id!r}: not in {listings}; its pairs are left out")
    missing = f"left out, since {counted(len(found.missing), 'listing')} of theirs cannot be found in the file"
    notes = _counts(
        (side.count, "row", "that cannot be used"),
        (found.n_left_out, "pair", missing),
        (len(side.problems), "photo", "that cannot be read, or listing without any"),
    )
    figures = _write_pair_report(target, found, table, notes, _name(source), bundle)
    from productcat.cli.text import pair_evaluation_lines

    console.show(*pair_evaluation_lines(figures))
    return console.sum_up(f"{_report(target)}: evaluated on {counted(figures['pairs'], 'pair')}", notes)


def _read_pairs(source: str, side: Side) -> list[LabelledPair]:
    """Read all labelled pairs of a file. Raise ListingError for a file without one."""
    from productcat.evaluation.labelled_pairs import read_labelled_pairs

    pairs = list(read_labelled_pairs(source, side.add))
    if not pairs:
        raise ListingError(f"{source}: no labelled pair in it; see --help for what it should hold")
    return pairs


def _scored(
    bundle: str | None,
    threshold: float | None,
    table: Table,
    pairs: list[LabelledPair],
    side: Side,
    adapt: bool,
) -> PairEvaluation:
    """Load a detector and score pairs."""
    from productcat.evaluation import evaluate_pairs as pair_evaluation
    from productcat.jobs.progress import Progress

    total = table.count()
    detector = duplicates.detector_of(bundle, threshold)
    with Progress("looking at photos", total, "listings") as progress:
        listings = progress.each(table.read(side.add, complain))
        return pair_evaluation.evaluate_pairs(detector, listings, pairs, adapt, side.add_problem)


def _write_pair_report(
    target: str, found: PairEvaluation, table: Table, notes: list[str], source: str, bundle: str | None
) -> PairMetrics:
    """Make figures and report. → the figures"""
    from productcat.evaluation.evaluate_pairs import measure_pairs
    from productcat.jobs.progress import Progress
    from productcat.models.bundle import find
    from productcat.reports.evaluation import Origin
    from productcat.reports.labelled_pairs import pair_report
    from productcat.reports.listing_cards import draw
    from productcat.reports.reported_groups import ReportedGroup

    with Progress("measuring and drawing", None, ""):
        figures = measure_pairs(found)
        worst = [*found.worst(False), *found.worst(True)]
        shown = dict(draw(map(ReportedGroup.of_pair, worst), table.again())) if worst else {}
        origin = Origin(source, _name(find(bundle)), notes)
        _write(target, figures, origin, pair_report(found, figures, shown, origin))
    return figures
