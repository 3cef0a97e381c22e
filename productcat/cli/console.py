"""What the commands share: exit codes, options, one line on standard error for each mistake."""

import functools
import json
import os
import sys
import warnings
from pathlib import Path
from typing import Annotated

import typer

from productcat.errors import ProductcatError

FINE, SOME_BAD, USAGE, UNUSABLE, INTERRUPTED, NOT_READ = 0, 1, 2, 3, 130, 141

BundleOption = Annotated[
    str | None,
    typer.Option("--bundle", envvar="PRODUCTCAT_BUNDLE", help="A bundle's path or name. [default: fashion]"),
]
ColumnsOption = Annotated[
    str | None,
    typer.Option("--columns", help="Columns, as role=name, ...; roles: id, title, photos, label, photo_pattern."),
]


def _known_format(format):
    if format is None:  # then spare the import
        return None
    from productcat.listings.tables import FORMATS

    if format not in FORMATS:
        raise UsageError(f"--format {format}: expected one of {', '.join(FORMATS)}")
    return format


FormatOption = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="csv, jsonl, parquet, lst or folders. [default: seen from the content]",
        callback=_known_format,
    ),
]
BadOption = Annotated[
    str | None, typer.Option("--bad", help="The side file. [default: <--to>.bad.jsonl; with --to -, standard error]")
]
AdaptOption = Annotated[bool, typer.Option("--adapt/--no-adapt", help="Learn what all the listings have in common.")]


def probability(threshold):
    """The callback of `--threshold`."""
    if threshold is not None and not 0.0 <= threshold <= 1.0:
        raise UsageError(f"--threshold {threshold} is not between 0 and 1")
    return threshold


class UsageError(ProductcatError):
    """Options that do not go together."""


def run(app, arguments=None):
    """Run a typer app on a list of arguments (by default the program's own), and exit."""
    for name in ("stdin", "stdout", "stderr"):  # in this order, so that each gets its own descriptor again
        if getattr(sys, name) is None:  # it was closed, as by >&-
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w"))  # noqa: SIM115, for the whole run
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # an emoji on an ASCII terminal is no reason to die
    sys.exit(_run(app, arguments))


def _run(app, arguments):
    try:
        code = app(args=arguments, prog_name="productcat", standalone_mode=False)
        sys.stdout.flush()
        return code
    except UsageError as error:
        return complain(f"{error}; see --help", USAGE)
    except ProductcatError as error:
        return complain(error, UNUSABLE)
    except KeyboardInterrupt:
        return complain("interrupted", INTERRUPTED)
    except BrokenPipeError:
        return _forget_output()
    except OSError as error:
        _forget_output()
        return complain(f"{error.filename or 'standard output'}: {error.strerror}", UNUSABLE)
    except Exception as error:
        if _from_interrupt(error):
            return complain("interrupted", INTERRUPTED)
        if not hasattr(error, "format_message"):  # what typer raises for wrong usage
            raise
        said = error.format_message().rstrip(".")
        return complain(said + (" See --help" if said.endswith("?") else "; see --help"), USAGE)


def _say(message, _category, filename, *_, **__):
    """A warning as one line, without its place in the code. What is wrong with a photo is said without Pillow."""
    if Path(filename).parent.name != "PIL":
        complain(message)


def _from_interrupt(error):
    """Whether Ctrl-C is behind an error: a compiled module that it hits on import says that it cannot be imported."""
    while error and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def complain(message, code=None):
    """Say one line on standard error. → the code, as it was given"""
    line = " ".join(str(message).split())
    print(f"productcat: {line}", file=sys.stderr)
    return code


def _forget_output():
    """Let nothing more be written to standard output, at exit either."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return NOT_READ


def command(function):
    """Keep from typer the exceptions that `run` answers, and make the returned number the exit code."""

    @functools.wraps(function)
    def wrapped(*arguments, **options):
        try:
            with warnings.catch_warnings():
                warnings.showwarning = _say
                code = function(*arguments, **options)
            sys.stdout.flush()
        except BrokenPipeError:
            code = _forget_output()
        except KeyboardInterrupt:
            code = complain("interrupted", INTERRUPTED)
        raise typer.Exit(code or FINE)

    return wrapped


def group(help):
    """A typer app for commands that share a first word; without a second one it prints its help."""

    def alone(context: typer.Context):
        if context.invoked_subcommand is None:
            print(context.get_help())

    return typer.Typer(help=help, rich_markup_mode=None, callback=alone, invoke_without_command=True)


def refuse(options, reason):
    """Raise UsageError when one of some options, a dict name → value, was given."""
    given = [name for name, value in options.items() if value]
    if given:
        raise UsageError(f"{given[0]} {reason}")


def columns_from(text):
    """The Columns that --columns names."""
    from productcat.listings.readers import Columns

    try:
        return Columns.from_text(text or "")
    except ValueError as error:
        raise UsageError(f"--columns: {error}") from None


def refuse_same_file(files):
    """Raise UsageError when two options name one file. files: dict, option → path, None or "-" """
    known = {}
    for option, path in files.items():
        if path in (None, "-") or (os.path.exists(path) and not os.path.isfile(path)):
            continue  # a pipe or a device takes what it gets
        if (first := known.setdefault(os.path.realpath(path), option)) != option:
            raise UsageError(f"{first} and {option} are the same file")


def print_json(found, indent=None):
    """Print what JSON can say; letters as they are where standard output takes all of them."""
    plain = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    print(json.dumps(found, indent=indent, ensure_ascii=not plain))
