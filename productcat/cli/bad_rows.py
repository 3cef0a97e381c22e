"""Rows and photos that cannot be used: said on standard error, or written to a file beside the output."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from productcat.cli.console import STREAM, complain
from productcat.wording import counted

if TYPE_CHECKING:
    from productcat.jobs.outputs import Side
    from productcat.listings.columns import BadRow


class StderrLog:
    """Says bad rows on standard error, where there is no side file.

    Attributes
    ----------
    source : str
        The table that the rows are of.
    count : int
        Number of bad rows so far.
    problems : list of str
        What was wrong with the photos of listings so far.
    place : str
        Where the user finds what was said.
    """

    place = "named above"

    def __init__(self, source: str) -> None:
        self.source = "standard input" if source == STREAM else source
        self.count = 0
        self.problems: list[str] = []

    def add(self, bad: BadRow) -> None:
        """Say one BadRow."""
        self.count += 1
        complain(f"{self.source}, row {bad.number}: {bad.reason}")

    def add_problem(self, problem: object) -> None:
        """Say what is wrong with the photos of a listing."""
        self.problems.append(str(problem))
        complain(problem)

    def close(self) -> None:
        """Do nothing; a side file closes its stream here."""


def left_out(side: Side) -> list[str]:
    """Return the parts of a summary on problems with photos and on bad rows; none where all was well."""
    parts = [f"{counted(len(side.problems), 'problem')} with photos, {side.place}"] if side.problems else []
    return parts + ([f"{counted(side.count, 'bad row')}, {side.place}"] if side.count else [])


def side_for(source: str, target: str, bad: str | None, resume: bool = False) -> Side:
    """Return where the bad rows of `source` go in a run that writes `target`: the side file, or standard error."""
    from productcat.jobs.outputs import SideFile, refuse_unwritable

    place = side_path(target, bad)
    if place == STREAM:
        return StderrLog(source)
    if bad and not Path(bad).exists():
        refuse_unwritable(bad)  # now, not at the first bad row
    return SideFile(place, resume)


def side_path(target: str, bad: str | None) -> str:
    """Return the file of the bad rows in a run that writes `target`, or "-" where they are said on standard error."""
    beside_it = target != STREAM and (Path(target).is_file() or not Path(target).exists())  # not beside a pipe, device
    return bad or (f"{target}.bad.jsonl" if beside_it else STREAM)
