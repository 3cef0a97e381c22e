"""Files of listings → Listings, one at a time. Bad rows are named, not fatal.

    CSV            a header line, then a listing a row; comma, semicolon or tab; UTF-8, with or without byte order mark
    JSON Lines     an object a line: {"id": "17", "title": "Red boots", "photos": ["17-front.jpg", "17-back.jpg"]}
    Parquet        a listing a row, photos as paths or as bytes; needs pyarrow
    list files     <name>.lst, as MXNet has them: index, label and path, with tabs between; the index is the id
    class folders  <label>/<name>.jpg: each photo is a listing without title; its id is the path below the folder

Several photos in one CSV field are separated by "|". Relative paths of photos start at the file's own folder, from
standard input at the current one. The format is found out from the content, not from the file's name; a list file alone
is known by its name.
"""

import os
import warnings
from pathlib import Path

from productcat.errors import ListingError
from productcat.listings.columns import BadRow, Columns
from productcat.listings.listing import Listing
from productcat.listings.tables import EVIDENCE, STREAMED, detect, folder_rows, parquet_file, rows
from productcat.wording import either, is_unicode

SEPARATOR = "|"
PUBLISHED_PATTERN = "images/{id}.jpg"
TEXT_SHOWN = 200
OF_PHOTOS = "lst", "folders"
"""Formats whose rows are photos."""
MISSING = object()
"""In place of a cell's content where a row has no such column."""


def read_listings(path, columns=None, on_bad=None, format=None):
    """The listings of a file or folder, in order; it may be longer than memory.

    A row with neither title nor photos is a listing too. An empty id becomes "row <number>". A wrong number of fields,
    text that is not UTF-8, an id for the second time, a title or photos of a wrong type make a bad row.

    Parameters
    ----------
    path : str | os.PathLike
        "-" is standard input: CSV, or JSON Lines if it begins with "{".
    columns : Columns, optional
    on_bad : callable, optional
        Called with each BadRow. By default each is a warning that names file and row.
    format : "csv" | "jsonl" | "parquet" | "lst" | "folders", optional
        By default found out from the content.

    Returns
    -------
    iterator of Listing

    Raises
    ------
    ListingError
        The file is missing, empty, or lacks a column. A bad row raises nothing.
    """
    return (listing for listing, _ in _read(path, columns, on_bad, format))


def read_labelled(path, columns=None, on_bad=None, format=None):
    """As `read_listings`, an iterator of (Listing, label). A row without a label is a bad row."""
    return _read(path, columns, on_bad, format, labelled=True)


def read_with_ids(path, columns=None, on_bad=None, format=None):
    """As `read_listings`. A row without an id is a bad row."""
    return (listing for listing, _ in _read(path, columns, on_bad, format, need_id=True))


def count_rows(path, format=None):
    """About how many rows there are, found out quickly, for a progress bar; None for a stream."""
    path = Path(path)
    if str(path) == "-" or not (path.is_file() or path.is_dir()):
        return None
    format = detect(path, format)
    if format == "folders":
        return sum(1 for _ in folder_rows(path))
    if format == "parquet":
        with parquet_file(path) as file:
            return file.metadata.num_rows
    with open(path, "rb") as stream:
        lines = sum(block.count(b"\n") for block in iter(lambda: stream.read(1 << 20), b""))
    return max(1, lines - (format == "csv"))


def _read(path, columns, on_bad, format, labelled=False, need_id=False):
    columns = columns or Columns()
    if path != "-":
        path = Path(path)
        format = detect(path, format)
    elif format not in (None, *STREAMED):
        raise ListingError(f"standard input: format {format!r}: expected one of {', '.join(STREAMED)}")

    def warn(bad):
        warnings.warn(f"{path}, row {bad.number}: {bad.reason}", UserWarning, stacklevel=4)

    return _pairs(path, columns, on_bad or warn, format, labelled, need_id)


def _pairs(path, columns, report, format, labelled, need_id):
    """(Listing, label) of each good row; `report` gets the others."""
    find_photo = _photo_finder(path, columns, format)
    first_rows, evidence = {}, False
    for row in rows(path, columns, format):
        try:
            if isinstance(row, BadRow):
                raise ListingError(row.reason)
            label = text_of("label", row.values.get("label")).strip() if labelled else ""
            if labelled and not label:
                raise ListingError("no label; label it or leave it out")
            listing = _listing(row, find_photo, need_id)
            first = first_rows.setdefault(listing.id, row.number)
            if first != row.number:
                raise ListingError(f"the id {listing.id!r} is that of row {first} too; give each listing its own")
        except ListingError as error:
            report(BadRow(row.number, _printable(str(error)), _printable(row.text.strip())[:TEXT_SHOWN]))
        else:
            evidence = evidence or bool(listing.title or listing.photos)
            yield listing, label
    if format == "jsonl" and first_rows and not evidence and columns == Columns():
        line = f"{path}: no row has the key {either(EVIDENCE)}; rename one, or name it in Columns (--columns)"
        warnings.warn(line, UserWarning, stacklevel=2)


def _photo_finder(path, columns, format):
    """A function from (id, photos as they lie in the row) to a list of photos."""
    folder = Path() if path == "-" else path if format == "folders" else path.parent

    def place(photo):
        return photo if isinstance(photo, bytes) or "://" in photo else folder / photo

    def find(id, value):
        if columns.photo_pattern and format not in OF_PHOTOS:
            return [place(columns.photo_pattern.replace("{id}", id))] if id else []
        if value is not MISSING:
            return [place(photo) for photo in photos_of(value)]
        if not id:
            return []
        published = place(PUBLISHED_PATTERN.replace("{id}", id))
        return [published] if os.path.isfile(published) else []  # of an endless id, too, without an error

    return find


def _listing(row, find_photo, need_id):
    id = text_of("id", row.values.get("id")).strip()
    if need_id and not id:
        raise ListingError("no id; give the listing one that stays the same")
    title = text_of("title", row.values.get("title"), numbers=False)
    return Listing(id or f"row {row.number}", title, find_photo(id, row.values.get("photos", MISSING)))


def text_of(role, value, numbers=True):
    """A cell as text; "" for an empty one (None, NaN). Raises ListingError, naming the role."""
    if value is None or value != value:
        return ""
    if numbers and isinstance(value, int | float) and not isinstance(value, bool):
        value = f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value)
    if not isinstance(value, str):
        raise ListingError(f"the {role} is {type(value).__name__} ({value!r:.40}), expected text")
    if "\0" in value:
        raise ListingError(f"a NUL byte in the {role}; remove it")
    if not is_unicode(value):
        raise ListingError(f"the {role} is not UTF-8 text; encode it anew")
    return value


def photos_of(value):
    """A cell of photos as a list of paths (str) and bytes."""
    if isinstance(value, str):
        value = value.split(SEPARATOR)
    elif not isinstance(value, list):
        value = [value]
    return [photo for each in value if (photo := _photo(each))]


def _photo(value):
    if isinstance(value, dict):  # how the datasets library keeps an image
        if not {"bytes", "path"} & set(value):
            raise ListingError(f"a photo is an object with {', '.join(value) or 'nothing'}, expected bytes or path")
        value = value.get("bytes") or value.get("path")
    if isinstance(value, bytes):
        return value
    return text_of("photo", value, numbers=False).strip()


def _printable(text):
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
