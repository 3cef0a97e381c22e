"""The command line: `productcat`. The only room that prints or exits."""

import functools
import json
import os
import sys
import warnings
from collections import Counter
from contextlib import closing
from dataclasses import fields
from typing import Annotated

import typer

from productcat import __version__
from productcat.errors import ListingError, ProductcatError

FINE, SOME_BAD, USAGE, UNUSABLE, INTERRUPTED, NOT_READ = 0, 1, 2, 3, 130, 141
EXIT_CODES = """\b
Exit codes:
  0    fine
  1    done, but without some rows or photos, which are named
  2    wrong usage
  3    the bundle, the input or the output cannot be used
  130  interrupted
  141  the reader of the output has closed it
"""
SETTINGS = {"help_option_names": ["-h", "--help"]}

app = typer.Typer(
    help=f"Which category does a listing belong to? Answers from its photos and its title.\n\n{EXIT_CODES}",
    rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False, context_settings=SETTINGS,
)  # fmt: skip
bundle_app = typer.Typer(help="Look into a bundle, and check it.", rich_markup_mode=None)
app.add_typer(bundle_app, name="bundle")


class UsageError(ProductcatError):
    """Options that do not go together."""


def main(arguments=None):
    """Run the command line on a list of arguments (by default the program's own), and exit."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # an emoji on an ASCII terminal is no reason to die
    sys.exit(_run(arguments))


def _run(arguments):
    try:
        code = app(args=arguments, prog_name="productcat", standalone_mode=False)
        sys.stdout.flush()
        return code
    except UsageError as error:
        return _complain(f"{error}; see --help", USAGE)
    except ProductcatError as error:
        return _complain(error, UNUSABLE)
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
    except BrokenPipeError:
        return _forget_output()
    except OSError as error:
        _forget_output()
        return _complain(f"{error.filename or 'standard output'}: {error.strerror}", UNUSABLE)
    except Exception as error:
        if not hasattr(error, "format_message"):  # what typer raises for wrong usage
            raise
        return _complain(f"{error.format_message().rstrip('.')}; see --help", USAGE)


def _complain(message, code=None):
    line = " ".join(str(message).split())
    print(f"productcat: {line}", file=sys.stderr)
    return code


def _forget_output():
    """Let nothing more be written to standard output, at exit either."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return NOT_READ


def _command(function):
    """Keep from typer the exceptions that `_run` answers, and make the returned number the exit code."""

    @functools.wraps(function)
    def command(*arguments, **options):
        try:
            code = function(*arguments, **options)
            sys.stdout.flush()
        except BrokenPipeError:
            code = _forget_output()
        except KeyboardInterrupt:
            code = _complain("interrupted", INTERRUPTED)
        raise typer.Exit(code or FINE)

    return command


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


@bundle_app.callback(invoke_without_command=True)
def bundle(context: typer.Context):
    """Look into a bundle, and check it."""
    if context.invoked_subcommand is None:
        print(context.get_help())


PREDICT_HELP = f"""Tell the category of one listing, or of a file of listings.

\b
One listing:
  productcat predict boots.jpg --title "red leather boots"
  productcat predict front.jpg back.jpg
  productcat predict --title "red leather boots" --json

\b
Many: CSV, JSON Lines, Parquet, or a folder <label>/<name>.jpg:
  productcat predict --from listings.csv --to predictions.jsonl
  productcat predict --from listings.csv --to predictions.jsonl --resume
  cat listings.jsonl | productcat predict --from - --to - | head -n 1
  productcat predict --from stock.csv --to - --columns "title=headline, photo_pattern=photos/{{id}}.jpg"

Columns are id, title and photos (several separated by "|"); photos' paths start at the file's folder. Each listing becomes
a line of JSON. Rows that are no listing go to the side file, with number and reason.

{EXIT_CODES}"""


@app.command(help=PREDICT_HELP)
@_command
def predict(
    photos: Annotated[
        list[str] | None, typer.Argument(metavar="[PHOTO]...", help="JPEG, PNG or WebP; - is standard input.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="The listing's title.")] = None,
    bundle: Annotated[
        str | None, typer.Option(envvar="PRODUCTCAT_BUNDLE", help="A bundle's path or name; else the default one.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
    source: Annotated[str | None, typer.Option("--from", help="A file of listings, or a folder; - is standard input.")] = None,
    target: Annotated[str, typer.Option("--to", help="The file of predictions; - is standard output.")] = "-",
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the file of an interrupted run.")] = False,
    bad: Annotated[
        str | None, typer.Option(help="The side file. [default: <--to>.bad.jsonl; with --to -, standard error]")
    ] = None,
    columns: Annotated[
        str | None, typer.Option(help="Names of columns, as role=name, ...; roles: id, title, photos, photo_pattern.")
    ] = None,
    format: Annotated[str | None, typer.Option(help="csv, jsonl, parquet or folders. [default: seen from the content]")] = None,
):
    """See PREDICT_HELP."""
    for_many = {"--to": target != "-", "--resume": resume, "--bad": bad, "--columns": columns, "--format": format}
    for_one = {"PHOTO": photos, "--title": title is not None, "--json": as_json}
    if source is None:
        _refuse(for_many, "goes with --from")
        if not photos and title is None:
            raise UsageError("give a PHOTO, --title or --from")
        return _one(bundle, photos or (), title or "", as_json)
    _refuse(for_one, "does not go with --from")
    if target == "-":
        _refuse({"--resume": resume}, "needs --to FILE")
    return _many(bundle, source, target, resume, bad, _columns(columns), format)


def _refuse(options, reason):
    given = [name for name, value in options.items() if value]
    if given:
        raise UsageError(f"{given[0]} {reason}")


def _columns(text):
    """Columns from "role=name, role=name"."""
    from productcat.columns import Columns

    pairs = [part.partition("=") for part in (text or "").split(",") if part.strip()]
    given = {role.strip(): name.strip() for role, _, name in pairs}
    roles = [each.name for each in fields(Columns)]
    wrong = [role for role, name in given.items() if role not in roles or not name]
    if wrong:
        raise UsageError(f"--columns: {wrong[0]!r} is not role=name with a role of {', '.join(roles)}")
    return Columns(**given)


def _one(bundle, photos, title, as_json):
    from productcat.batch import to_json
    from productcat.categorizer import Categorizer
    from productcat.display import prediction_lines
    from productcat.listing import Listing

    categorizer = Categorizer.load(bundle)
    listing = Listing("", title, [sys.stdin.buffer.read() if photo == "-" else photo for photo in photos])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        confidences = categorizer.predict_proba([listing])[0]
    begin = f"listing {listing.id!r}: "
    problems = [str(each.message).removeprefix(begin) for each in caught if str(each.message).startswith(begin)]
    for problem in problems:
        _complain(problem)
    prediction = categorizer.rule.decide(categorizer.categories, confidences, listing.id, problems)
    if problems and not prediction.candidates:
        return UNUSABLE  # the photos were the only evidence, and what is wrong with them is said
    if as_json:
        print(to_json(prediction))
    else:
        print("\n".join(prediction_lines(categorizer.categories, confidences, prediction, sys.stdout.encoding)))
    return SOME_BAD if problems else FINE


class _Spoken:
    """Takes bad rows and says them on standard error."""

    def __init__(self):
        self.count = 0

    def add(self, bad):
        self.count += 1
        _complain(f"row {bad.number}: {bad.reason}")

    def close(self):
        pass


def _many(bundle, source, target, resume, bad, columns, format):
    from productcat.batch import SideFile, predict_to_file, predict_to_stream, refuse_existing
    from productcat.categorizer import Categorizer
    from productcat.progress import Progress
    from productcat.readers import count_rows, read_listings

    if not resume and target != "-":
        refuse_existing(target)
    total = count_rows(source, format)
    side = _Spoken() if target == "-" and not bad else SideFile(bad or f"{target}.bad.jsonl", resume)
    decisions, troubled = Counter(), 0
    try:
        categorizer = Categorizer.load(bundle)
        listings = read_listings(source, columns, side.add, format)
        with closing(side), Progress("predicting", total, "listings") as progress:
            for batch in predict(categorizer, listings):
                decisions.update(each.decision for each in batch)
                troubled += sum(1 for each in batch if each.problems)
                progress.advance(len(batch))
    except KeyboardInterrupt:
        return _complain("interrupted" + ("" if target == "-" else "; go on with --resume"), INTERRUPTED)
    return _sum_up(decisions, troubled, side)


def _sum_up(decisions, troubled, side):
    counts = ", ".join(f"{number} {decision}" for decision, number in decisions.most_common())
    parts = [f"{decisions.total()} listings" + (f" ({counts})" if counts else "")]
    parts += [f"{troubled} with photos that cannot be read, see their problems"] if troubled else []
    parts += [f"{side.count} bad rows" + (f", see {side.path}" if isinstance(side, SideFile) else "")] if side.count else []
    bad = bool(troubled or side.count)
    if bad or sys.stderr.isatty():
        _complain("; ".join(parts))
    return SOME_BAD if bad else FINE


SHOW_HELP = f"""Print what a bundle is: where it comes from, its figures, its settings.

\b
  productcat bundle show
  productcat bundle show my-bundle --json

{EXIT_CODES}"""
VERIFY_HELP = f"""Compare each file of a bundle with its checksum; each problem is a line.

\b
  productcat bundle verify
  productcat bundle verify my-bundle

{EXIT_CODES}"""
Path = Annotated[str | None, typer.Argument(envvar="PRODUCTCAT_BUNDLE", help="A bundle's path or name; else the default one.")]


@bundle_app.command(help=SHOW_HELP)
@_command
def show(
    path: Path = None, as_json: Annotated[bool, typer.Option("--json", help="Print the manifest as it is.")] = False
):
    """See SHOW_HELP."""
    from productcat.bundle import find, read_manifest
    from productcat.display import bundle_lines

    folder = find(path)
    manifest = read_manifest(folder)
    if as_json:
        print(json.dumps(manifest, indent=1, ensure_ascii=False))
        return
    print("\n".join(bundle_lines(folder, manifest)))


@bundle_app.command(help=VERIFY_HELP)
@_command
def verify(path: Path = None):
    """See VERIFY_HELP."""
    from productcat.bundle import Bundle, find, read_manifest

    folder = find(path)
    opened = Bundle(folder, read_manifest(folder))
    problems = opened.problems()
    for problem in problems:
        print(problem)
    if problems:
        return UNUSABLE
    print(f"{folder}: sound, {len(opened.manifest['sha256'])} files have their checksums")


if __name__ == "__main__":
    main()
