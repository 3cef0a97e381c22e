"""`python docs/commands.py` writes commands.md from the program itself; `--check` only tells whether it is stale.

The page is made of what the commands know of themselves, not of the printed help, whose layout changes with the
versions of typer.
"""

import argparse
import re
import sys
from pathlib import Path

import typer

from productcat.cli.app import app
from productcat.cli.console import EXIT_CODES

PAGE = Path(__file__).parent / "commands.md"
HEAD = """\
# The command line

<!-- Written by `python docs/commands.py` from the program; change the program, not this page. -->

Each command says the same with `--help`. All commands have the same exit codes. A user's mistake is one line on
standard error.

```text
{codes}
```
"""


def main():
    """Write the page, or check it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 if the page is stale")
    options = parser.parse_args()
    text = page()
    if not options.check:
        PAGE.write_text(text, "utf-8")
    elif PAGE.read_text("utf-8") != text:
        sys.exit("docs/commands.md is stale; run python docs/commands.py")


def page():
    """Return the text of the page."""
    codes = "\n".join(line.strip() for line in EXIT_CODES.splitlines()[2:])
    program = typer.main.get_command(app)
    parts = [HEAD.format(codes=codes)]
    parts += [section(words, command) for words, command in commands(program, ("productcat",))]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(parts)).rstrip("\n") + "\n"


def commands(command, words):
    """Iterate over all commands of the program and its groups, with the words of the command line."""
    yield words, command
    for name, each in getattr(command, "commands", {}).items():
        yield from commands(each, (*words, name))


def section(words, command):
    """Describe one command: its usage, what it does, its arguments and options."""
    shown = [each for each in command.params if not getattr(each, "hidden", False)]
    arguments = [each for each in shown if not each.opts[0].startswith("-")]
    options = [each for each in shown if each not in arguments]
    lines = [f"{'#' * len(words)} `{' '.join(words)}`", ""] if len(words) > 1 else []  # the program is the page
    lines += ["```text", usage(words, command, arguments, options), "```", "", *prose(command.help), ""]
    rows = [*map(argument_row, arguments), *map(option_row, options)]
    if rows:
        lines += ["| | |", "|---|---|", *rows, ""]
    return "\n".join(lines)


def usage(words, command, arguments, options):
    """Return the first line of a help text. Options that must be given are named."""
    needed = [f"{each.opts[0]} {each.metavar or 'VALUE'}" for each in options if each.required]
    others = ["[OPTIONS]"] if len(options) > len(needed) else []
    follows = ["COMMAND ..."] if hasattr(command, "commands") else []
    return " ".join([*words, *others, *needed, *map(placeholder, arguments), *follows])


def prose(help):
    """Turn the paragraphs of a help text into Markdown; those that keep their lines (\\b) become blocks."""
    for paragraph in help.split("\n\n"):
        lines = paragraph.strip("\n").split("\n")
        if lines[0] != "\b":
            yield escaped(" ".join(line.strip() for line in lines)) + "\n"
        else:
            if lines[1].endswith(":") and not lines[1].startswith(" "):
                yield escaped(lines.pop(1)) + "\n"
            yield "\n".join(["```text", *(line.removeprefix("  ") for line in lines[1:]), "```\n"])


def escaped(text):
    """Turn plain text into Markdown, with options as code."""
    for each in "\\<|*_`":
        text = text.replace(each, "\\" + each)
    return re.sub(r"(?<![\w-])--[a-z][\w-]*", lambda option: f"`{option[0]}`", text)


def placeholder(argument):
    """Return how an argument stands in the usage."""
    name = argument.metavar or argument.name.upper()
    return (name if argument.required else f"[{name}]") + ("..." if argument.nargs == -1 else "")


def argument_row(argument):
    """Return a line of the table."""
    return f"| {code(placeholder(argument))} | {described(argument)} |"


def option_row(option):
    """Return a line of the table."""
    names = ", ".join(map(code, [*option.opts, *option.secondary_opts]))
    value = f" {code(option.metavar)}" if option.metavar else "" if option.is_flag else " *value*"
    return f"| {names}{value} | {described(option)} |"


def described(parameter):
    """Say what a parameter means, and what it is if it is not given."""
    said = escaped(parameter.help or "")
    if parameter.required and parameter.opts[0].startswith("-"):
        said += " Required."
    elif parameter.default not in (None, "", False) and not parameter.required:
        default = parameter.opts[0] if parameter.default is True else parameter.default
        said += f" Default: {code(default)}."
    if parameter.envvar:
        said += f" Or the environment variable {code(parameter.envvar)}."
    return said


def code(text):
    """Format text as code in a cell of a table."""
    return "`" + f"{text}".replace("|", "\\|") + "`"


if __name__ == "__main__":
    main()
