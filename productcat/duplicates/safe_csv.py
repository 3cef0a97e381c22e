"""Ids in CSV that a spreadsheet would run as a formula: how they are written for one, and how they are read back.

An id such as "=1+1" gets an apostrophe before it, which makes it text for a spreadsheet, and so does one that has such
an apostrophe already. So the apostrophe can be taken away again. See OWASP, "CSV Injection".
"""

import re
from collections.abc import Container, Iterable

from productcat.duplicates.decisions import LabelledPair

RUN = re.compile("'*[=+\\-@\t\r\n＝＋－＠]")
"""Begins a cell that a spreadsheet runs, or one that was made safe."""


def safe(cell: str) -> str:
    """Return a cell that every spreadsheet takes for text."""
    return f"'{cell}" if RUN.match(cell) else cell


def plain(cell: str) -> str:
    """Return what a cell was before `safe`."""
    return cell[1:] if cell.startswith("'") and RUN.match(cell) else cell


def as_listed(pairs: Iterable[LabelledPair], ids: Container[str]) -> list[LabelledPair]:
    """Return pairs of a file with the ids that the listings have, whether the file was written to be safe or not.

    Parameters
    ----------
    pairs : iterable of LabelledPair
    ids : container of str
        Of the listings. An id that is among them stays as it is.
    """

    def known(id: str) -> str:
        return plain(id) if id not in ids and plain(id) in ids else id

    return [LabelledPair(known(left), known(right), same) for left, right, same in pairs]
