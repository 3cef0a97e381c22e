"""The command line as a test calls it, in this process."""

import os
import re
import sys

import pytest
import typer

from productcat.cli import app as cli


def runner(capfd, *first):
    """A function from arguments, after the first ones, to (exit code, output, errors)."""

    def run(*arguments):
        with pytest.raises(SystemExit) as exit:
            cli.main([*first, *arguments])
        return exit.value.code or 0, *capfd.readouterr()

    return run


def lines_of(errors):
    """What standard error says, line by line, without the program's name."""
    lines = errors.splitlines()
    assert all(line.startswith("productcat: ") for line in lines), errors
    return [line.removeprefix("productcat: ") for line in lines]


def one_line(errors):
    """The one line that a mistake is told in."""
    (line,) = lines_of(errors)
    return line


def assert_says(message, words):
    """A message has some words, " … " between them: its subject and what helps. All of it is in cli/messages.txt."""
    assert re.search(".*".join(map(re.escape, words.split(" … "))), message), message


def help_texts():
    """The help of every command and group. → dict, its words as one text, "" for the program → help"""

    def walk(words, command):
        yield " ".join(words), command.help
        for name, each in getattr(command, "commands", {}).items():
            yield from walk((*words, name), each)

    return dict(walk((), typer.main.get_command(cli.app)))


def examples(*commands):
    """The examples in the help of some commands, as lines for a shell."""
    texts = help_texts()
    return [line for each in commands for line in re.findall(r"^  (.*\bproductcat .*)$", texts[each], re.MULTILINE)]


def environment(folder=None, **more):
    """Variables for a new process that finds the same modules. folder: where a program `productcat` is put for it."""
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **more}
    if folder:
        program = folder / "bin/productcat"
        program.parent.mkdir()
        program.write_text(f"#!{sys.executable}\nfrom productcat.cli.app import main\n\nmain()\n", "utf-8")
        program.chmod(0o755)
        variables["PATH"] = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    return variables
