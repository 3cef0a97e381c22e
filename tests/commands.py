"""The command line as a test calls it, in this process."""

import pytest

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
