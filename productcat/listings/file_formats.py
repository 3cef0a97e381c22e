"""Read files as rows of named values, one at a time: CSV, JSON Lines, list files, class folders, and Parquet.

This module knows nothing of listings.
"""

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Literal, TextIO

from productcat.errors import ListingError
from productcat.listings.columns import (
    COLUMNS,
    EXTRA,
    ROLES,
    BadRow,
    Columns,
    OnRemark,
    Row,
    TableColumns,
    refuse_columns,
    way_out,
)
from productcat.listings.csv_records import LINE, TOO_LONG, limited_lines, records
from productcat.listings.parquet_rows import parquet_rows
from productcat.problems import warn
from productcat.wording import counted, either, is_unicode

FORMATS = ("csv", "jsonl", "parquet", "lst", "folders")
STREAMED = ("csv", "jsonl", "lst")
"""Formats that standard input may have."""

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".avif", ".gif", ".tif", ".tiff", ".bmp")
WORTH_READING = "title", "photos"
"""Roles of which a row of JSON Lines needs one."""

Source = Path | Literal["-"]
"""A file or folder, or - for standard input."""


def detect(path: Path, format: str | None = None) -> str | None:
    """Find out the format of a file from its content, of a list file from its name. Return None for a pipe.

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
        return format  # a pipe: whatever is read to look at it would be lost
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


def _folder_format(path: Path, format: str | None) -> str:
    tables = sorted(each.name for each in path.iterdir() if each.suffix in (".csv", ".jsonl", ".parquet"))
    if format is None and tables:
        raise ListingError(f"{path}: a folder with tables in it, such as {tables[0]}; give the path of one")
    return "folders"


def _text_format(start: str) -> str:
    return "jsonl" if start.lstrip("\ufeffï»¿ \t\r\n").startswith(("{", "[")) else "csv"


def rows(path: Source, columns: TableColumns, format: str | None, on_remark: OnRemark = warn) -> Iterator[Row | BadRow]:
    """Read the rows of a file, in order.

    Parameters
    ----------
    path : pathlib.Path | "-"
    columns : TableColumns
    format : str | None
        One of FORMATS. For standard input None means CSV, or JSON Lines if it begins with "{".
    on_remark : callable
        Called with what the reader should know of the table as a whole.
    """
    try:
        if path != "-" and format == "folders":
            yield from folder_rows(path)
        elif path != "-" and format == "parquet":
            yield from parquet_rows(path, columns, on_remark)
        else:
            yield from _text_rows(path, columns, format, on_remark)
    except OSError as error:
        raise ListingError(f"{path}: cannot be read ({error})") from None


def _text_rows(path: Source, columns: TableColumns, format: str | None, on_remark: OnRemark) -> Iterator[Row | BadRow]:
    with text_stream(path) as stream:
        blank: list[str] = []
        read = limited_lines(stream)
        for line in read:
            blank.append(line)
            if line.strip("\ufeff \t\r\n"):
                break
        lines = chain(blank, read)
        first, name = blank[-1] if blank else "", "standard input" if path == "-" else path
        if format == "lst":
            yield from lst_rows(lines)
        elif isinstance(columns, Columns) and (format or _text_format(first)) == "jsonl":
            if first.lstrip("\ufeff \t").startswith("["):
                raise ListingError(f"{path}: a JSON array; write JSON Lines, one object a line")
            yield from json_rows(lines, columns, name, on_remark)
        else:
            yield from csv_rows(lines, first, columns, name, on_remark)


@contextmanager
def text_stream(path: Source) -> Iterator[TextIO]:
    """Open a file, or standard input for -, as lines without a byte order mark.

    Bytes that are not UTF-8 become surrogates. They are named later, with their row.
    """
    if path == "-" and sys.stdin is None:
        raise ListingError("standard input is closed; give the path of a file")
    file = os.dup(sys.stdin.fileno()) if path == "-" else path
    with open(file, encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
        yield stream


def csv_rows(
    lines: Iterable[str], first: str, columns: TableColumns, name: object, on_remark: OnRemark
) -> Iterator[Row | BadRow]:
    """Read CSV. first: its first line that is not blank, which shows the delimiter."""
    delimiter = max(",;\t", key=first.count)
    header: list[str] | None = None
    places: dict[str, int] = {}
    for number, n_lines, record, text in records(lines, delimiter):
        if isinstance(record, str):
            yield BadRow(number, f"{record}; is a quote left open?", text)
        elif not any(record):
            continue
        elif header is None:
            header = _header(record, name)
            refuse_columns(header, name)
            places = {role: header.index(column) for role, column in columns.find(header, name, on_remark).items()}
        elif len(record) != len(header):
            span = f" (lines {number} to {number + n_lines - 1})" if n_lines > 1 else ""
            way_out = f'put text with "{delimiter}" in it in quotes' if len(record) > len(header) else "fill up the row"
            fields = f"{counted(len(record), 'field')} instead of {len(header)}{span}"
            yield BadRow(number, f"{fields}; {way_out}", text)
        else:
            yield Row(number, {role: record[place] for role, place in places.items()}, text)
    if header is None:
        raise ListingError(f"{name}: empty; expected a header line with the columns' names, such as {columns.EXAMPLE}")


def _header(record: list[str], name: object) -> list[str]:
    if record[0].startswith("PAR1"):
        raise ListingError(f"{name}: Parquet, expected text; give the path of a .parquet file, or save it as CSV")
    if any("\0" in each or not is_unicode(each) for each in record):
        raise ListingError(f"{name}: not UTF-8 text; save the table as CSV in UTF-8")
    return record


def json_rows(lines: Iterable[str], columns: Columns, name: object, on_remark: OnRemark) -> Iterator[Row | BadRow]:
    """Read JSON Lines. Keys that are wanted and missing, or there and not read, are remarked on after the last row."""
    seen: set[str] = set()
    there: set[str] = set()
    matched = lru_cache(maxsize=8)(columns.matched)  # most objects have the keys of the one before
    for number, line in enumerate(lines, start=1):
        if len(line) > LINE:
            yield BadRow(number, f"{TOO_LONG}; shorten it, or write one object a line", line)
            continue
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
        if len(found) > COLUMNS:
            yield BadRow(number, f"{counted(len(found), 'key')}, {COLUMNS:,} at most; write one object a listing", line)
            continue
        keys = matched(tuple(found))
        if found and not keys:
            yield BadRow(number, f"no key {either(WORTH_READING)}; {way_out(found)}", line)
            continue
        seen |= keys.keys()
        if len(there) < COLUMNS:
            there |= found.keys()
        yield Row(number, {role: found[key] for role, key in keys.items()}, line)
    _remark_on_keys(seen, there, columns, name, on_remark)


def _remark_on_keys(seen: set[str], there: set[str], columns: Columns, name: object, on_remark: OnRemark) -> None:
    """seen: roles that some row has; there: keys that some row has."""
    if "photos" not in seen and not columns.photo_pattern:
        columns.tell_of_pictures(sorted(there), name, "key", on_remark)
    for role in ROLES:
        if role not in seen and getattr(columns, role) != getattr(Columns, role):
            key = " or ".join(columns.names(role))
            on_remark(f"{name}: no row has the key {key!r}, which was named for the {role}")
    for extra in columns.extra:
        if f"{EXTRA}{extra}" not in seen:
            on_remark(f"{name}: no row has the key {extra!r}")


def lst_rows(lines: Iterable[str]) -> Iterator[Row | BadRow]:
    """Read a list file as MXNet writes it: index, label and the path of the photo, separated by tabs."""
    for number, line in enumerate(lines, start=1):
        if len(line) > LINE:
            yield BadRow(number, f"{TOO_LONG}; write a line for each photo", line)
            continue
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


def folder_rows(root: Path) -> Iterator[Row | BadRow]:
    """Read class folders, sorted: the photos directly in `root`, which have no label, then those of each label."""
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
