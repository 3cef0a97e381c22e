"""Files → rows of named values, one at a time: CSV, JSON Lines, Parquet, list files, class folders.

Knows nothing of listings.
"""

import csv
import json
import os
import re
import sys
import warnings
from collections import deque
from contextlib import contextmanager
from functools import lru_cache
from itertools import chain
from pathlib import Path

from productcat.errors import ListingError
from productcat.listings.columns import ROLES, BadRow, Columns, Row, way_out
from productcat.wording import counted, either, is_unicode

FORMATS = ("csv", "jsonl", "parquet", "lst", "folders")
STREAMED = ("csv", "jsonl", "lst")
"""Those that standard input may have."""

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
ROWS_AT_ONCE = 256

EVIDENCE = "title", "photos"


def detect(path, format=None):
    """The format of a file, from its content; a list file is known by its name, as it looks like CSV without a header.

    Raises
    ------
    ListingError
        There is no such file, or it cannot be read.
    """
    if format is not None and format not in FORMATS:
        raise ListingError(f"format {format!r}: expected one of {', '.join(FORMATS)}")
    if path.is_dir():
        return _folder_format(path, format)
    if path.exists() and not path.is_file():
        return format  # a pipe: what is read from it to look at it would be lost
    try:
        with open(path, "rb") as stream:
            start = stream.read(4096)
    except FileNotFoundError:
        raise ListingError(f"{path}: no such file; check the path") from None
    except OSError as error:
        raise ListingError(f"{path}: cannot be read ({error.strerror})") from None
    if not start and path.suffix in (".jsonl", ".ndjson"):
        return "jsonl"  # no listings, where an empty CSV lacks its header
    if format is None and path.suffix.lower() == ".lst":
        return "lst"
    return format or ("parquet" if start.startswith(b"PAR1") else _text_format(start.decode("latin-1")))


def _folder_format(path, format):
    tables = sorted(each.name for each in path.iterdir() if each.suffix in (".csv", ".jsonl", ".parquet"))
    if format is None and tables:
        raise ListingError(f"{path}: a folder with tables in it, such as {tables[0]}; give the path of one")
    return "folders"


def _text_format(start):
    return "jsonl" if start.lstrip("\ufeffï»¿ \t\r\n").startswith(("{", "[")) else "csv"


def rows(path, columns, format=None):
    """The rows of a file, in order.

    Parameters
    ----------
    path : pathlib.Path | "-"
    columns : Columns
        Of a CSV, anything that has its `find` and its `EXAMPLE`.
    format : str
        One of FORMATS; for standard input None means CSV, or JSON Lines if it begins with "{".

    Yields
    ------
    Row | BadRow
    """
    try:
        if format == "folders":
            yield from folder_rows(path)
        elif format == "parquet":
            yield from parquet_rows(path, columns)
        else:
            yield from _text_rows(path, columns, format)
    except OSError as error:
        raise ListingError(f"{path}: cannot be read ({error})") from None


def _text_rows(path, columns, format):
    with text_stream(path) as stream:
        blank = []
        for line in stream:
            blank.append(line)
            if line.strip("\ufeff \t\r\n"):
                break
        lines = chain(blank, stream)
        first, name = blank[-1] if blank else "", "standard input" if path == "-" else path
        if format == "lst":
            yield from lst_rows(lines)
        elif (format or _text_format(first)) == "jsonl":
            if first.lstrip("\ufeff \t").startswith("["):
                raise ListingError(f"{path}: a JSON array; write JSON Lines, one object a line")
            yield from json_rows(lines, columns, name)
        else:
            yield from csv_rows(lines, first, columns, name)


@contextmanager
def text_stream(path):
    """The lines of a file, or of standard input for -, without a byte order mark.

    Bytes that are not UTF-8 become surrogates, to be named later with their row.
    """
    how = {"encoding": "utf-8-sig", "errors": "surrogateescape", "newline": ""}
    if path != "-":
        with open(path, **how) as stream:
            yield stream
        return
    if sys.stdin is None:
        raise ListingError("standard input is closed; give the path of a file")
    with open(os.dup(sys.stdin.fileno()), **how) as stream:
        yield stream


def csv_rows(lines, first, columns, name):
    """Rows of CSV. first: its first line that is not blank, from which the delimiter is seen."""
    delimiter = max(",;\t", key=first.count)
    header, places = None, {}
    for number, n_lines, record, text in _records(lines, delimiter):
        if isinstance(record, csv.Error):
            yield BadRow(number, f"{record}; is a quote left open?", text)
        elif not any(record):
            continue
        elif header is None:
            header = _header(record, name)
            places = {role: header.index(column) for role, column in columns.find(header, name).items()}
        elif len(record) != len(header):
            span = f" (lines {number} to {number + n_lines - 1})" if n_lines > 1 else ""
            way_out = f'put text with "{delimiter}" in it in quotes' if len(record) > len(header) else "fill up the row"
            fields = f"{counted(len(record), 'field')} instead of {len(header)}{span}"
            yield BadRow(number, f"{fields}; {way_out}", text)
        else:
            yield Row(number, {role: record[place] for role, place in places.items()}, text)
    if header is None:
        raise ListingError(f"{name}: empty; expected a header line with the columns' names, such as {columns.EXAMPLE}")


def _records(lines, delimiter):
    """Records of CSV, each with its line's number, how many lines it takes, and its text; or a csv.Error in its place.

    A quote that is left open swallows what follows it. So after an error the line after the first is read again.
    """
    lines, again, number = iter(lines), deque(), 1
    while True:
        read, failed = [], False
        reader = csv.reader(_remembered(lines, again, read), delimiter=delimiter, strict=True)
        while not failed:
            read.clear()
            try:
                record = next(reader, None)
            except csv.Error as error:
                record, failed = error, True
                again.extendleft(reversed(read[1:]))
                del read[1:]
            if record is None:
                return
            yield number, len(read), record, "".join(read)
            number += len(read)


def _remembered(lines, again, read):
    """Lines to read again, then the others, each noted in `read`."""
    while again or (line := next(lines, None)) is not None:
        read.append(again.popleft() if again else line)
        yield read[-1]


def _header(record, name):
    if record[0].startswith("PAR1"):
        raise ListingError(f"{name}: Parquet, expected text; give the path of a .parquet file, or save it as CSV")
    if any("\0" in each or not is_unicode(each) for each in record):
        raise ListingError(f"{name}: not UTF-8 text; save the table as CSV in UTF-8")
    return record


def json_rows(lines, columns, name):
    """Rows of JSON Lines. Keys that are wanted and not there, or there and not wanted, are warnings after the last."""
    seen, there, matched = set(), set(), lru_cache(columns.matched)  # most objects have the keys of the one before
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield BadRow(number, f"not JSON ({error}); write one object a line", line)
            continue
        if not isinstance(found, dict):
            yield BadRow(number, f"a JSON {type(found).__name__}, expected one object a line", line)
            continue
        keys = matched(tuple(found))
        if found and not keys:
            yield BadRow(number, f"no key {either(EVIDENCE)}; {way_out(found)}", line)
            continue
        seen |= keys.keys()
        there |= found.keys()
        yield Row(number, {role: found[key] for role, key in keys.items()}, line)
    _tell_of_keys(seen, there, columns, name)


def _tell_of_keys(seen, there, columns, name):
    """seen: roles that some row has; there: keys that some row has."""
    if "photos" not in seen and not columns.photo_pattern:
        columns.tell_of_pictures(sorted(there), name, "key")
    for role in ROLES:
        if role not in seen and getattr(columns, role) != getattr(Columns, role):
            key = " or ".join(columns.names(role))
            line = f"{name}: no row has the key {key!r}, which was named for the {role}"
            warnings.warn(line, UserWarning, stacklevel=2)


def lst_rows(lines):
    """Rows of a list file as MXNet writes it: index, label and the photo's path, with tabs between."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        fields = line.rstrip("\r\n").split("\t")
        if len(fields) != 3:
            reason = f"{counted(len(fields), 'field')} instead of 3; write index, label and path, with tabs between"
            yield BadRow(number, reason, line)
        elif not fields[2].strip():
            yield BadRow(number, "no path; write index, label and path, with tabs between", line)
        else:
            index, label, path = (each.strip() for each in fields)
            label = re.sub(r"^(-?[0-9]+)\.0*$", r"\1", label)  # im2rec writes 3.000000
            yield Row(number, {"id": index, "label": label, "photos": [path]}, line)


def parquet_file(path):
    """The opened file. Raises ListingError without pyarrow, and for a damaged file."""
    try:
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise ListingError(f"{path}: reading Parquet needs pyarrow; run pip install pyarrow") from None
    try:
        return ParquetFile(path)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ListingError(f"{path}: not sound Parquet ({reason}); get the file again") from None


def parquet_rows(path, columns):
    """Rows of a Parquet file, some hundred in memory at a time."""
    with parquet_file(path) as file:
        found = columns.find(file.schema_arrow.names, path)
        number = 0
        for batch in file.iter_batches(ROWS_AT_ONCE, columns=list(found.values())):
            cells = {role: batch.column(batch.schema.get_field_index(name)) for role, name in found.items()}
            for place in range(batch.num_rows):
                number += 1
                try:
                    values = {role: column[place].as_py() for role, column in cells.items()}
                except UnicodeDecodeError:
                    yield BadRow(number, "not UTF-8 text; encode it anew")
                    continue
                yield Row(number, values, str(values.get("title", "")))


def folder_rows(root):
    """Photos of class folders, sorted: those directly in `root`, which have no label, then those of each label."""
    number, photos = 0, 0
    labels = sorted(each.name for each in os.scandir(root) if each.is_dir() and not each.name.startswith("."))
    for label in ["", *labels]:
        try:
            entries = sorted(os.scandir(root / label), key=lambda each: each.name)
        except PermissionError:
            number += 1
            yield BadRow(number, "this folder may not be read; change its mode", label)
            continue
        for entry in entries:
            if entry.name.startswith(".") or (not label and entry.is_dir()):
                continue
            number += 1
            place = f"{label}/{entry.name}" if label else entry.name
            if entry.is_dir():
                yield BadRow(number, "a folder below a label; give the folder that holds the labels' folders", place)
            elif Path(entry.name).suffix.lower() not in SUFFIXES:
                yield BadRow(number, f"not a photo ({', '.join(SUFFIXES)})", place)
            else:
                photos += 1
                yield Row(number, {"id": place, "photos": [place], "label": label}, place)
    if not photos:
        raise ListingError(f"{root}: no photos in it; expected <label>/<name>.jpg, or <name>.jpg without labels")
