"""Rows and photos that cannot be used: on standard error, or in a file beside the output."""

import warnings
from contextlib import contextmanager
from pathlib import Path

from productcat.cli.console import _say, complain
from productcat.wording import counted


class Spoken:
    """Takes bad rows and says them on standard error, in place of a side file. source: the table they are of."""

    place = "named above"

    def __init__(self, source):
        self.source = "standard input" if source == "-" else source
        self.count = 0

    def add(self, bad):
        """Say one BadRow."""
        self.count += 1
        complain(f"{self.source}, row {bad.number}: {bad.reason}")

    def add_problem(self, reason):
        """Say what is wrong with the photos of a listing."""
        complain(reason)

    def close(self):
        """Nothing to close."""


@contextmanager
def told_to(side):
    """Tell a side file of warnings about listings, as they come. → list of them"""
    problems = []

    def show(message, category, filename, *_, **__):
        line = f"{message}".removeprefix("listing '': ")
        if f"{message}".startswith("listing "):
            problems.append(line)
            side.add_problem(line)
        else:
            _say(message, category, filename)

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show
        yield problems


def troubles(n_problems, side):
    """Parts of a summary that tell of problems with photos and of bad rows; none where all was well. → list"""
    parts = [f"{counted(n_problems, 'problem')} with photos, {side.place}"] if n_problems else []
    return parts + ([f"{counted(side.count, 'bad row')}, {side.place}"] if side.count else [])


def side_for(source, target, bad, resume=False):
    """Where the bad rows of `source` go in a run that writes `target`: the side file, or standard error."""
    from productcat.jobs.outputs import SideFile, refuse_unwritable

    place = side_path(target, bad)
    if place == "-":
        return Spoken(source)
    if bad and not Path(bad).exists():
        refuse_unwritable(bad)  # now, not at the first bad row
    return SideFile(place, resume)


def side_path(target, bad):
    """The file of the bad rows in a run that writes `target`, "-" where they are said on standard error."""
    beside_it = target != "-" and (Path(target).is_file() or not Path(target).exists())  # not beside a pipe or device
    return bad or (f"{target}.bad.jsonl" if beside_it else "-")
