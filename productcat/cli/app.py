"""The command line: `productcat`. Its commands `predict` and `bundle`; the others are in `cli_*.py`."""

import sys
import warnings
from collections import Counter
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import Annotated

import typer

from productcat import __version__
from productcat.cli import bad_rows, console, manual
from productcat.cli import calibrate as cli_calibrate
from productcat.cli import categories as cli_categories
from productcat.cli import duplicates as cli_duplicates
from productcat.cli import evaluate as cli_evaluate
from productcat.cli import index as cli_index
from productcat.cli.bad_rows import side_for
from productcat.cli.console import (
    FINE,
    INTERRUPTED,
    SOME_BAD,
    UNUSABLE,
    BadOption,
    BundleOption,
    ColumnsOption,
    FormatOption,
    UsageError,
    columns_from,
    command,
    complain,
    refuse,
)
from productcat.wording import counted

TABLES = (".csv", ".jsonl", ".parquet", ".lst")
"""What files of listings end in."""

app = typer.Typer(
    help=manual.PROGRAM,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
bundle_app = console.group("Look into a bundle, and check it.")
app.add_typer(bundle_app, name="bundle")
app.add_typer(cli_calibrate.app)  # a command of its own, no group
app.add_typer(cli_categories.app, name="categories")
app.add_typer(cli_duplicates.app, name="duplicates")
app.add_typer(cli_evaluate.app)
app.add_typer(cli_index.app, name="index")
cli_duplicates.app.add_typer(cli_evaluate.pairs_app)


def main(arguments=None):
    """Run the command line on a list of arguments (by default the program's own), and exit."""
    console.run(app, arguments)


@app.callback(invoke_without_command=True)
def productcat(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
):
    """The words before the command."""
    if version:
        print(f"productcat {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command(help=manual.PREDICT)
@command
def predict(
    photos: Annotated[
        list[str] | None, typer.Argument(metavar="PHOTO", help="JPEG, PNG or WebP; - is standard input.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="The listing's title.")] = None,
    bundle: BundleOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
    source: Annotated[
        str | None, typer.Option("--from", help="A file of listings, or a folder; - is standard input.")
    ] = None,
    target: Annotated[str, typer.Option("--to", help="The file of predictions; - is standard output.")] = "-",
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the file of an interrupted run.")] = False,
    bad: BadOption = None,
    columns: ColumnsOption = None,
    format: FormatOption = None,
):
    """What `manual.PREDICT` says."""
    for_many = {"--to": target != "-", "--resume": resume, "--bad": bad, "--columns": columns, "--format": format}
    for_one = {"PHOTO": photos, "--title": title is not None, "--json": as_json}
    if source is None:
        refuse(for_many, "goes with --from")
        if not photos and title is None:
            raise UsageError("give a PHOTO, --title or --from")
        tables = [each for each in photos or () if each.lower().endswith(TABLES)]
        refuse(dict.fromkeys(tables, True), "is no photo; a file of listings goes with --from")
        return _one(bundle, photos or (), title or "", as_json)
    refuse(for_one, "does not go with --from")
    console.refuse_same_file({"--from": source, "--to": target, "--bad": bad_rows.side_path(target, bad)})
    if target == "-":
        refuse({"--resume": resume}, "needs --to FILE")
    return _many(bundle, source, target, resume, bad, columns, format)


def _one(bundle, photos, title, as_json):
    from productcat.cli.text import prediction_lines
    from productcat.jobs.predict import as_dict
    from productcat.listings.listing import Listing

    categorizer = _load(bundle)
    listing = Listing("", title, [sys.stdin.buffer.read() if photo == "-" else photo for photo in photos])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of large photos; what is wrong with one is said below
        prediction, confidences = next(categorizer.judge([listing]))
    problems = [problem.removeprefix(f"listing {listing.id!r}: ") for problem in prediction.problems]
    for problem in problems:
        complain(problem)
    if problems and not prediction.candidates:
        return UNUSABLE  # the photos were the only evidence, and what is wrong with them is said
    if as_json:
        console.print_json(as_dict(replace(prediction, problems=tuple(problems))))
    else:
        print("\n".join(prediction_lines(categorizer.categories, confidences, prediction, sys.stdout.encoding)))
    return SOME_BAD if problems else FINE


def _many(bundle, source, target, resume, bad, columns, format):
    from productcat.jobs.outputs import refuse_existing
    from productcat.listings.readers import count_rows, read_listings

    columns = columns_from(columns)
    if not resume and target != "-":
        refuse_existing(target)
    total = count_rows(source, format)
    with closing(side_for(source, target, bad, resume)) as side:
        listings = read_listings(source, columns, side.add, format)
        try:
            decisions, troubled = _predict_all(_load(bundle), listings, total, target, resume)
        except KeyboardInterrupt:
            return complain("interrupted" + ("" if target == "-" else "; go on with --resume"), INTERRUPTED)
        return _sum_up(decisions, troubled, side)


def _load(bundle):
    from productcat.categories.categorizer import Categorizer

    return Categorizer.load(bundle)


def _predict_all(categorizer, listings, total, target, resume):
    """Predict with a progress bar → how often each decision was taken, how many listings have unreadable photos."""
    from productcat.jobs.predict import predict_to_file, predict_to_stream
    from productcat.jobs.progress import Progress

    decisions, troubled = Counter(), 0
    with ExitStack() as stack:
        progress = stack.enter_context(Progress("predicting", total, "listings"))
        if target == "-":
            output = stack.enter_context(open(sys.stdout.fileno(), "wb", buffering=0, closefd=False))
            batches = predict_to_stream(categorizer, listings, output)
        else:
            batches = predict_to_file(categorizer, listings, target, resume)
        for batch in stack.enter_context(closing(batches)):
            decisions.update(each.decision for each in batch)
            troubled += sum(1 for each in batch if each.problems)
            progress.advance(len(batch))
    return decisions, troubled


def _sum_up(decisions, troubled, side):
    counts = ", ".join(f"{number} {decision}" for decision, number in decisions.most_common())
    parts = [counted(decisions.total(), "listing") + (f" ({counts})" if counts else "")]
    parts += [f"{troubled} with problems, named beside their predictions"] if troubled else []
    parts += [f"{counted(side.count, 'bad row')}, {side.place}"] if side.count else []
    bad = bool(troubled or side.count)
    if bad or not decisions or sys.stderr.isatty():
        complain("; ".join(parts))
    return SOME_BAD if bad else FINE


BundleArgument = Annotated[
    str | None, typer.Argument(envvar="PRODUCTCAT_BUNDLE", help="A bundle's path or name. [default: fashion]")
]


@bundle_app.command(help=manual.SHOW)
@command
def show(
    path: BundleArgument = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole manifest.")] = False,
):
    """What `manual.SHOW` says."""
    from productcat.cli.bundle_summary import bundle_lines
    from productcat.models.bundle import Bundle, find, read_manifest

    if as_json:
        console.print_json(read_manifest(find(path)), indent=1)
    else:
        print("\n".join(bundle_lines(Bundle.open(path))))


@bundle_app.command(help=manual.VERIFY)
@command
def verify(path: BundleArgument = None):
    """What `manual.VERIFY` says."""
    from productcat.models.bundle import Bundle, find, read_manifest

    folder = find(path)
    opened = Bundle(folder, read_manifest(folder))
    problems = opened.problems()
    for problem in problems:
        print(problem)
    if problems:
        return UNUSABLE
    print(f"{folder}: sound, {len(opened.manifest['sha256'])} files have their checksums")
