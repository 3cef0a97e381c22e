"""The records of a CSV file, in time and memory that grow with its size only, whatever its quotes do.

A quote that is left open swallows the lines after it. Once that is known, these lines are read again, each on its own:
none looks ahead once more. A line whose end is inside quotes has the same lines after it, so it would meet the same
fault. So each line is read three times at most.
"""

import csv
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import TextIO

LINE = 1 << 23
"""Number of characters above which a line, or the lines of a record, are refused."""

LINES = 100_000
"""Number of lines above which a record is refused."""

TOO_LONG = f"more than {LINE:,} characters"
TOO_MANY = f"more than {LINES:,} lines in quotes"
SWALLOWED = "a quote that is closed {} lines later, with rows of the table between"

USUAL = 1 << 17
"""Number of characters of a cell from which on its lines are looked at: they may be rows of the table."""

QUOTES = re.compile('"+')

Record = tuple[int, int, list[str] | str, str]
"""Number of the first line, number of lines, the fields or what is wrong, and the text: of a wrong record one line."""


def limited_lines(stream: TextIO) -> Iterator[str]:
    """Yield the lines of a file. Of one that has more than LINE characters, only LINE + 1 are kept."""
    read, most = stream.readline, LINE + 1
    while line := read(most):
        yield line
        if len(line) == most:
            while not line.endswith(("\n", "\r")) and (line := read(1 << 16)):
                pass


def records(lines: Iterable[str], delimiter: str) -> Iterator[Record]:
    """Read the records of a CSV file, also those that have not as many fields as the first.

    Parameters
    ----------
    lines : iterable of str
        As `limited_lines` yields them.
    delimiter : str
    """
    source = _Lines(lines)
    read, number, n_fields, more = source.read, 1, 0, True
    while more:
        read.clear()
        handed = source.handed()
        fault = ""
        try:
            for fields in csv.reader(handed, delimiter=delimiter, strict=True):
                if not n_fields and any(fields):
                    n_fields = len(fields)
                if len(read) == 1:
                    yield number, 1, fields, read[0]
                    number += 1
                elif fault := _fault_of(fields, read, n_fields, delimiter):
                    break
                else:
                    yield number, len(read), fields, "".join(read)
                    number += len(read)
                read.clear()
        except csv.Error as error:
            fault = str(error)
            if not source.stopped and sum(map(len, read)) > csv.field_size_limit():
                found = _long_record(handed, read, delimiter)
                fault = found if isinstance(found, str) else _fault_of(found, read, n_fields, delimiter)
                if not fault:
                    n_fields = n_fields or len(found)
                    yield number, len(read), found, "".join(read)
                    number += len(read)
                    continue
        if more := bool(read):
            fault = source.stopped or fault
            source.read_again(fault)
            yield number, 1, fault, read[0]
            number += 1


class _Lines:
    """The lines of a file, some of which have to be read again.

    read : lines of the record that is being read
    again : lines that were in quotes when a fault was found
    fault : that fault
    stopped : why no further line of a record is handed out, "" where nothing is wrong with that
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self.rest = iter(lines)
        self.read: list[str] = []
        self.again: deque[str] = deque()
        self.fault = self.stopped = ""

    def handed(self) -> Iterator[str]:
        """Yield line after line, and note each in `read`. Whoever starts a new record clears that."""
        read, again, size = self.read, self.again, 0
        self.stopped = ""
        while again:
            if read:
                self.stopped = self.fault
                return
            read.append(line := again.popleft())
            size = len(line)
            yield line
        for line in self.rest:
            size = size + len(line) if read else len(line)
            read.append(line)
            if size > LINE or len(read) > LINES:
                self.stopped = TOO_LONG if size > LINE else TOO_MANY
                return
            yield line

    def read_again(self, fault: str) -> None:
        """Keep the first line of the record only. The others are read again."""
        if len(self.read) > 1:
            self.fault = fault
            self.again.extendleft(reversed(self.read[1:]))
            del self.read[1:]


def _fault_of(fields: Sequence[str], lines: Sequence[str], n_fields: int, delimiter: str) -> str:
    """Return what is wrong with a record of several lines, "" for nothing.

    A quote left open may be closed by a later one. That is so where the record is odd, and most of the lines inside it
    are rows of the table.
    """
    if len(lines) < 3 or n_fields < 2 or (len(fields) == n_fields and max(map(len, fields)) <= USUAL):
        return ""
    n_rows = 0
    for line in lines[1:-1]:
        with suppress(csv.Error):
            n_rows += any(len(each) == n_fields for each in csv.reader([line], delimiter=delimiter, strict=True))
    return SWALLOWED.format(len(lines) - 1) if 2 * n_rows > len(lines) - 2 else ""


def _long_record(handed: Iterator[str], read: Sequence[str], delimiter: str) -> list[str] | str:
    """Read a record that is too long for the csv module, whose limit is one for the whole process. → fields or fault

    handed : its further lines, each of which appears in `read` too
    read : its lines so far
    """
    fields: list[str] = []
    place, number, line = 0, 0, read[0]
    while True:
        if line.startswith('"', place):
            parts, start = [], place + 1
            while (end := _closing_quote(line, start)) < 0:
                parts.append(line[start:])
                number, start = number + 1, 0
                if number == len(read) and next(handed, None) is None:
                    return "unexpected end of data"
                line = read[number]
            parts.append(line[start:end])
            fields.append("".join(parts).replace('""', '"'))
            place = end + 1
            if not line.startswith(delimiter, place) and line[place:].strip("\r\n"):
                return f"'{delimiter}' expected after '\"'"
        else:
            end = line.find(delimiter, place)
            fields.append(line[place:].rstrip("\r\n") if end < 0 else line[place:end])
            place = len(line) if end < 0 else end
        if not line.startswith(delimiter, place):
            return fields
        place += 1


def _closing_quote(line: str, start: int) -> int:
    """Return the place of the quote that closes a cell, -1 if it goes on. Two quotes stand for one."""
    for quotes in QUOTES.finditer(line, start):
        if (quotes.end() - quotes.start()) % 2:
            return quotes.end() - 1
    return -1
