"""How commands run and speak: exit codes, all that is shown, and one line on standard error for each mistake.

What is shown may have been written by a stranger: names, ids, titles, paths. Only this module prints.
"""

import functools
import inspect
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, ParamSpec, get_type_hints

import typer
from typer.core import TyperCommand

from productcat.errors import ProductcatError
from productcat.wording import visible

Parameters = ParamSpec("Parameters")

STREAM = "-"
"""Standard input or output, where a path is expected."""

FINE, SOME_BAD, USAGE, UNUSABLE, BROKEN, INTERRUPTED, NOT_READ = 0, 1, 2, 3, 4, 130, 141

EXIT_CODES = """\b
Exit codes:
  0    fine
  1    done, but some rows or photos were left out; they are named
  2    wrong usage
  3    the bundle, the input or the output cannot be used
  4    productcat itself failed, or memory was short
  130  interrupted
  141  the reader of the output closed it
"""
"""The last paragraph of every command's help."""


class UsageError(ProductcatError):
    """Options that do not go together."""


def group(help: str) -> typer.Typer:
    """Return an app for commands that share a first word; without a second one it prints its help."""

    def alone(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            show_help(context)

    return typer.Typer(help=help, rich_markup_mode=None, callback=alone, invoke_without_command=True)


def command(
    app: typer.Typer,
    name: str | None = None,
    cls: type[TyperCommand] | None = None,
    context_settings: dict[str, Any] | None = None,
) -> Callable[[Callable[Parameters, int | None]], Callable[Parameters, None]]:
    """Make a function a command of an app.

    Its docstring is the help, followed by the exit codes. The number that it returns is the exit code; None is 0. typer
    does not see the exceptions that `run` answers.
    """

    def register(function: Callable[Parameters, int | None]) -> Callable[Parameters, None]:
        @functools.wraps(function)
        def wrapped(*arguments: Parameters.args, **options: Parameters.kwargs) -> None:
            try:
                code = function(*arguments, **options)
                sys.stdout.flush()
            except BrokenPipeError:
                code = forget_output()
            except KeyboardInterrupt:
                code = complain("interrupted", INTERRUPTED)
            raise typer.Exit(code or FINE)

        return app.command(name, cls=cls, epilog=EXIT_CODES, context_settings=context_settings)(wrapped)

    return register


def spread(function: Callable[..., int | None]) -> Callable[..., int | None]:
    """Let a command take the fields of a dataclass one by one, so that several commands share their options.

    A parameter whose type is a dataclass stands for its fields. They are annotated as parameters of a command are.
    """
    hints = get_type_hints(function, include_extras=True)
    parts: dict[str, Any] = {name: each for name, each in hints.items() if name != "return" and is_dataclass(each)}

    @functools.wraps(function)
    def flat(**options: Any) -> int | None:
        whole = {
            name: part(**{each.name: options.pop(each.name) for each in fields(part)}) for name, part in parts.items()
        }
        return function(**whole, **options)

    def parameters() -> Iterator[inspect.Parameter]:
        for name, each in inspect.signature(function).parameters.items():
            if name in parts:
                of_fields = get_type_hints(parts[name], include_extras=True)
                for field in fields(parts[name]):
                    default = inspect.Parameter.empty if field.default is MISSING else field.default
                    yield inspect.Parameter(
                        field.name, each.KEYWORD_ONLY, default=default, annotation=of_fields[field.name]
                    )
            else:
                yield each.replace(kind=each.KEYWORD_ONLY, annotation=hints[name])

    flat.__dict__["__signature__"] = inspect.Signature(list(parameters()))  # typer reads it, and the annotations
    flat.__annotations__ = {each.name: each.annotation for each in parameters()}
    return flat


def forget_output() -> int:
    """Let nothing more be written to standard output, not even at exit. → exit code"""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return NOT_READ


def show(*lines: str) -> None:
    """Print lines of text on standard output, without anything that a terminal would obey."""
    for line in lines:
        print(visible(line.replace("\n", "\\n")))


def show_help(context: typer.Context) -> None:
    """Print the help of a command or a group."""
    show(*context.get_help().splitlines())


def complain(message: object, code: int = FINE) -> int:
    """Say one line on standard error. → the code, as it was given"""
    line = " ".join(str(message).split())
    print(visible(f"productcat: {line}"), file=sys.stderr)
    return code


def show_traceback(error: BaseException) -> None:
    """Print on standard error where an error happened."""
    print(visible("".join(traceback.format_exception(error))), end="", file=sys.stderr)


def sum_up(done: str, left_out: list[str]) -> int:
    """Say in one line what was done and what was left out. → exit code"""
    return complain("; ".join([done, *left_out]), SOME_BAD if left_out else FINE)


def photo_of(argument: str) -> str | bytes:
    """Return the photo that an argument names: its path, or the bytes of standard input."""
    return sys.stdin.buffer.read() if argument == STREAM else argument


def print_json(found: Any, indent: int | None = None) -> None:
    """Print JSON; letters stay as they are where standard output can show all of them."""
    plain = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    print(visible(json.dumps(found, indent=indent, ensure_ascii=not plain)))
