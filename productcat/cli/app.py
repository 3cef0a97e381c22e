"""The program `productcat`: its commands put together, and what becomes of errors: one line and an exit code."""

import os
import sys
import warnings
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from productcat import __version__
from productcat.cli import bundle, calibrate, categories, console, duplicates, evaluate, index, predict, train
from productcat.cli.console import BROKEN, INTERRUPTED, UNUSABLE, USAGE, UsageError, complain, forget_output
from productcat.errors import ProductcatError

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=console.EXIT_CODES,
)
app.add_typer(predict.app)  # without a name: a command, not a group
app.add_typer(bundle.app, name="bundle")
app.add_typer(calibrate.app)
app.add_typer(categories.app, name="categories")
app.add_typer(duplicates.app, name="duplicates")
app.add_typer(evaluate.app)
app.add_typer(index.app, name="index")
app.add_typer(train.app)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line on a list of arguments (by default the program's own), and exit."""
    for name in ("stdin", "stdout", "stderr"):  # in this order, so that each gets its own descriptor again
        if getattr(sys, name) is None:  # it was closed, as by >&-
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w"))  # noqa: SIM115, for the whole run
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # an emoji on an ASCII terminal is not a reason to die
    shown, warnings.showwarning = warnings.showwarning, _say_warning
    try:
        code = _run(arguments)
    finally:
        warnings.showwarning = shown
    sys.exit(code)


@app.callback(invoke_without_command=True)
def productcat(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Tell the category of a listing, and which listings are duplicates, from photos and titles."""
    if version:
        console.show(f"productcat {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        console.show_help(context)


def _run(arguments: list[str] | None) -> int | None:
    try:
        code: int | None = app(args=arguments, prog_name="productcat", standalone_mode=False)
        sys.stdout.flush()
        return code
    except UsageError as error:
        return complain(f"{error}; see --help", USAGE)
    except ProductcatError as error:
        return complain(error, UNUSABLE)
    except KeyboardInterrupt:
        return complain("interrupted", INTERRUPTED)
    except BrokenPipeError:
        return forget_output()
    except OSError as error:
        forget_output()
        return complain(f"{error.filename or 'standard output'}: {error.strerror}", UNUSABLE)
    except Exception as error:
        if _from_interrupt(error):
            return complain("interrupted", INTERRUPTED)
        if not hasattr(error, "format_message"):  # typer's errors of wrong usage have it
            return _failed(error)
        said = error.format_message().rstrip(".")
        return complain(said + (" See --help" if said.endswith("?") else "; see --help"), USAGE)


def _failed(error: Exception) -> int:
    """Say where something happened that nobody expected. → exit code"""
    if isinstance(error, MemoryError):
        return complain("there is not enough memory; free some, or allow this process more", BROKEN)
    console.show_traceback(error)
    return complain(f"failed by {type(error).__name__}: {error}; please report it, with the lines above", BROKEN)


def _from_interrupt(error: BaseException | None) -> bool:
    """Tell whether Ctrl-C is behind an error: a compiled module that it hits says that it cannot be imported."""
    while error and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _say_warning(
    message: Warning | str,
    category: type[Warning],  # noqa: ARG001, `warnings` gives it
    filename: str,
    *_: object,
    **__: object,
) -> None:
    """Say a warning in one line, without its place in the code. Pillow's are left out: productcat judges photos."""
    if Path(filename).parent.name != "PIL":
        complain(message)
