"""The command `productcat predict`."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from productcat.cli import bad_rows, console, options
from productcat.cli.console import FINE, INTERRUPTED, SOME_BAD, STREAM, UNUSABLE, UsageError, command, complain
from productcat.wording import counted

if TYPE_CHECKING:
    from productcat.categories.categorizer import Categorizer
    from productcat.jobs.outputs import Side
    from productcat.listings.listing import Listing
    from productcat.listings.source import Table
    from productcat.problems import Problem

TABLES = (".csv", ".jsonl", ".parquet", ".lst")
"""Endings of files of listings."""

app = typer.Typer(rich_markup_mode=None)


@command(app)
def predict(
    photos: Annotated[
        list[str] | None,
        typer.Argument(metavar="PHOTO", help="An image file; - is standard input."),
    ] = None,
    title: Annotated[str | None, typer.Option(help="The listing's title.")] = None,
    bundle: options.Bundle = None,
    as_json: options.Json = False,
    source: options.From = None,
    target: Annotated[str, typer.Option("--to", help="The file of predictions; - is standard output.")] = STREAM,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the file of an interrupted run.")] = False,
    bad: options.Bad = None,
    columns: options.Columns = None,
    format: options.Format = None,
    photo_root: options.PhotoRoot = None,
) -> int:
    """Tell the category of one listing, or of a file of listings.

    \b
    One listing:
      productcat predict boots.jpg --title "red leather boots"
      productcat predict front.jpg back.jpg
      productcat predict --title "red leather boots" --json

    \b
    Many: CSV, JSON Lines, Parquet, .lst (index, label, path), or a folder <label>/<name>.jpg:
      productcat predict --from listings.csv --to predictions.jsonl
      productcat predict --from listings.csv --to predictions.jsonl --resume
      cat listings.jsonl | productcat predict --from - --to - | head -n 1
      productcat predict --from stock.csv --to - --columns "title=headline, photo_pattern=photos/{id}.jpg"

    The columns are id, title and photos (several separated by "|"). Paths of photos are relative to the file's folder.
    Each listing becomes one line of JSON. Rows that are not listings go to the side file, with their number and the
    reason. --resume continues the file of a run that was interrupted, or whose table has grown. It also predicts again
    the listings of which the title or the photos have changed since, and says how many. By the file <--to>.resume it
    knows which. Remove that file when you do not continue any more.
    """
    for_many = {
        "--to": target != STREAM,
        "--resume": resume,
        "--bad": bad,
        "--columns": columns,
        "--format": format,
        "--photo-root": photo_root,
    }
    for_one = {"PHOTO": photos, "--title": title is not None, "--json": as_json}
    if source is None:
        options.refuse(for_many, "goes with --from")
        if not photos and title is None:
            raise UsageError("give a PHOTO, --title or --from")
        tables = [each for each in photos or () if each.lower().endswith(TABLES)]
        options.refuse(dict.fromkeys(tables, True), "is not a photo; a file of listings goes with --from")
        return _one(bundle, photos or [], title or "", as_json)
    options.refuse(for_one, "does not go with --from")
    options.refuse_same_file({"--from": source, "--to": target, "--bad": bad_rows.side_path(target, bad)})
    if target == STREAM:
        options.refuse({"--resume": resume}, "needs --to FILE")
    from productcat.listings.source import Table

    table = Table(source, options.columns_from(columns), format, photo_root)
    return _many(bundle, table, target, resume, bad)


def _one(bundle: str | None, photos: list[str], title: str, as_json: bool) -> int:
    from productcat.cli.text import prediction_lines
    from productcat.jobs.predict import as_dict
    from productcat.listings.listing import Listing

    categorizer = _load(bundle)
    listing = Listing("", title, tuple(map(console.photo_of, photos)))
    problems: list[Problem] = []
    prediction, confidences = next(categorizer.judge([listing], problems.append))
    prediction = replace(prediction, problems=tuple(each.reason for each in problems))  # there is only one listing
    for problem in prediction.problems:
        complain(problem)
    if prediction.problems and not prediction.candidates:
        return UNUSABLE  # the photos were the only evidence, and what is wrong with them is said
    if as_json:
        console.print_json(as_dict(prediction))
    else:
        console.show(*prediction_lines(categorizer.categories, confidences, prediction, sys.stdout.encoding))
    return SOME_BAD if prediction.problems else FINE


def _many(bundle: str | None, table: Table, target: str, resume: bool, bad: str | None) -> int:
    from productcat.jobs.outputs import refuse_existing

    if not resume and target != STREAM:
        refuse_existing(target)
    total = table.count()
    with closing(bad_rows.side_for(table.path, target, bad, resume)) as side:
        listings = table.read(side.add, complain)
        try:
            decisions, n_troubled = _predict_all(_load(bundle), listings, total, target, resume)
        except KeyboardInterrupt:
            return complain("interrupted" + ("" if target == STREAM else "; go on with --resume"), INTERRUPTED)
        return _sum_up(decisions, n_troubled, side)


def _load(bundle: str | None) -> Categorizer:
    from productcat.categories.categorizer import Categorizer

    return Categorizer.load(bundle)


def _predict_all(
    categorizer: Categorizer, listings: Iterable[Listing], total: int | None, target: str, resume: bool
) -> tuple[Counter[str], int]:
    """Predict with a progress bar → how often each decision was taken, number of listings with unreadable photos."""
    from productcat.jobs.outputs import standard_output
    from productcat.jobs.predict import predict_to_file, predict_to_stream
    from productcat.jobs.progress import Progress

    decisions: Counter[str] = Counter()
    n_troubled = 0
    with ExitStack() as stack:
        progress = stack.enter_context(Progress("predicting", total, "listings"))
        if target == STREAM:
            output = stack.enter_context(standard_output(buffering=0))
            batches = predict_to_stream(categorizer, listings, output)
        else:
            batches = predict_to_file(categorizer, listings, target, resume, complain)
        for batch in stack.enter_context(closing(batches)):
            decisions.update(each.decision for each in batch)
            n_troubled += sum(1 for each in batch if each.problems)
            progress.advance(len(batch))
    return decisions, n_troubled


def _sum_up(decisions: Counter[str], n_troubled: int, side: Side) -> int:
    """Say what was done, unless all went well and nobody looks on. → exit code"""
    counts = ", ".join(f"{number} {decision}" for decision, number in decisions.most_common())
    done = counted(decisions.total(), "listing") + (f" ({counts})" if counts else "")
    left_out = [f"{n_troubled} with problems, named beside their predictions"] if n_troubled else []
    left_out += bad_rows.left_out(side)
    if left_out or not decisions or sys.stderr.isatty():
        return console.sum_up(done, left_out)
    return FINE
