"""Read files of listings as Listings, one at a time. Bad rows are named, not fatal.

    CSV            a header line, then a listing a row; comma, semicolon or tab; UTF-8, with or without byte order mark
    JSON Lines     an object a line: {"id": "17", "title": "Red boots", "photos": ["17-front.jpg", "17-back.jpg"]}
    Parquet        a listing a row, photos as paths or as bytes; needs pyarrow
    list files     <name>.lst, as MXNet has them: index, label and path, separated by tabs; the index is the id
    class folders  <label>/<name>.jpg: each photo is a listing without title; its id is the path below the folder

Several photos in one CSV field are separated by "|". Relative paths of photos start at the file's own folder, from
standard input at the current one. The format is found out from the content, for list files from the name.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from productcat.errors import ListingError
from productcat.listings.columns import EXTRA, BadRow, Columns, OnRemark, Row, Unfit
from productcat.listings.file_formats import STREAMED, WORTH_READING, Source, detect, folder_rows, rows
from productcat.listings.listing import Listing
from productcat.listings.parquet_rows import parquet_file
from productcat.listings.photo_root import PhotoRoot, RootedPhoto
from productcat.listings.prices import price_of
from productcat.problems import warn
from productcat.wording import counted, either, excerpt, is_unicode, shortened

SEPARATOR = "|"
"""What stands between the photos of one cell."""

PUBLISHED_PATTERN = "images/{id}.jpg"
"""Where the published fashion data has the photo of a listing."""

TEXT_SHOWN = 200
"""Number of characters of a bad row that are told."""

MOST_TEXT = 1 << 17
"""Number of characters of a cell above which its row is refused, if the cell is read."""

MOST_PHOTOS = 1_000
"""Number of photos of a listing above which its row is refused."""

OF_PHOTOS = "lst", "folders"
"""Formats whose rows are photos."""

MISSING = object()
"""Stands for a cell whose column the row does not have."""

OnBad = Callable[[BadRow], object]
"""Takes each row that is not a listing."""

OnExtra = Callable[[str, dict[str, str]], object]
"""Takes the id of a listing, and its cells in the extra columns: name → text, "" where a cell is empty."""


def read_listings(
    path: str | os.PathLike[str],
    columns: Columns | None = None,
    on_bad: OnBad | None = None,
    format: str | None = None,
    on_remark: OnRemark = warn,
    on_extra: OnExtra | None = None,
    photo_root: str | os.PathLike[str] | None = None,
) -> Iterator[Listing]:
    """Read the listings of a file or folder, in order. The file may be longer than memory.

    A row with neither title nor photos is a listing too. An empty id becomes "row <number>". These make a bad row: a
    wrong number of fields, text that is not UTF-8, an id for the second time, a title or photos of a wrong type. A
    price may be text such as "1.299,00 €". One that is not a number, or an ambiguous one ("1.299"), is left out and
    counted in a remark.

    Parameters
    ----------
    path : str | os.PathLike
        "-" is standard input: CSV, or JSON Lines if it begins with "{".
    columns : Columns, optional
    on_bad : callable, optional
        Called with each BadRow. By default each is a warning that names file and row.
    format : "csv" | "jsonl" | "parquet" | "lst" | "folders", optional
        By default found out from the content.
    on_remark : callable
        Called with what you should know of the whole table, such as a column that looks like photos and is not read.
        By default each is a warning.
    on_extra : callable, optional
        Called with the id of each listing and a dict of its cells in the extra columns of `columns`, just before the
        listing is handed out.
    photo_root : str | os.PathLike, optional
        The folder that photos may not lie outside of: give it where a stranger wrote the table. No other file is
        opened, links are resolved, and a photo elsewhere is reported like one that does not exist.

    Raises
    ------
    ListingError
        The file is missing, empty, or lacks a column. A bad row raises nothing.
    """
    pairs = _read(path, columns, on_bad, format, on_remark, on_extra=on_extra, photo_root=photo_root)
    return (listing for listing, _ in pairs)


def read_labelled(
    path: str | os.PathLike[str],
    columns: Columns | None = None,
    on_bad: OnBad | None = None,
    format: str | None = None,
    on_remark: OnRemark = warn,
    photo_root: str | os.PathLike[str] | None = None,
) -> Iterator[tuple[Listing, str]]:
    """Read pairs of listing and label as `read_listings` does. A row without a label is a bad row."""
    return _read(path, columns, on_bad, format, on_remark, labelled=True, photo_root=photo_root)


def read_with_ids(
    path: str | os.PathLike[str],
    columns: Columns | None = None,
    on_bad: OnBad | None = None,
    format: str | None = None,
    on_remark: OnRemark = warn,
    photo_root: str | os.PathLike[str] | None = None,
) -> Iterator[Listing]:
    """Read listings as `read_listings` does. A row without an id is a bad row."""
    pairs = _read(path, columns, on_bad, format, on_remark, need_id=True, photo_root=photo_root)
    return (listing for listing, _ in pairs)


def count_rows(path: str | os.PathLike[str], format: str | None = None) -> int | None:
    """Count the rows roughly and quickly, for a progress bar. Return None for a stream."""
    path = Path(path)
    if str(path) == "-" or not (path.is_file() or path.is_dir()):
        return None
    format = detect(path, format)
    if format == "folders":
        return sum(1 for _ in folder_rows(path))
    if format == "parquet":
        with parquet_file(path) as file:
            return int(file.metadata.num_rows)
    with open(path, "rb") as stream:
        lines = sum(block.count(b"\n") for block in iter(lambda: stream.read(1 << 20), b""))
    return max(1, lines - (format == "csv"))


def _read(
    path: str | os.PathLike[str],
    columns: Columns | None,
    on_bad: OnBad | None,
    format: str | None,
    on_remark: OnRemark,
    labelled: bool = False,
    need_id: bool = False,
    on_extra: OnExtra | None = None,
    photo_root: str | os.PathLike[str] | None = None,
) -> Iterator[tuple[Listing, str]]:
    columns = columns or Columns()
    source: Source = "-" if path == "-" else Path(path)
    if source != "-":
        format = detect(source, format)
    elif format not in (None, *STREAMED):
        raise ListingError(f"standard input: format {format!r}: expected one of {', '.join(STREAMED)}")

    if columns.extra and format in OF_PHOTOS:
        raise ListingError(f"{path}: no column {columns.extra[0]!r} in a list or folder of photos; give a table")

    def warn_of(bad: BadRow) -> None:
        warn(f"{path}, row {bad.number}: {bad.reason}")

    root = PhotoRoot.of(photo_root) if photo_root is not None else None
    find_photos = _photo_finder(source, columns, format, root)
    return _pairs(source, columns, find_photos, on_bad or warn_of, format, on_remark, labelled, need_id, on_extra)


def _pairs(
    path: Source,
    columns: Columns,
    find_photos: "PhotoFinder",
    on_bad: OnBad,
    format: str | None,
    on_remark: OnRemark,
    labelled: bool,
    need_id: bool,
    on_extra: OnExtra | None,
) -> Iterator[tuple[Listing, str]]:
    """Yield (Listing, label) of each good row. `on_bad` gets the others."""
    prices = _Prices()
    first_rows: dict[str, int] = {}
    some_content = False
    for row in rows(path, columns, format, on_remark):
        try:
            if isinstance(row, BadRow):
                raise ListingError(row.reason)
            label = text_of("label", row.values.get("label")).strip() if labelled else ""
            if labelled and not label:
                raise ListingError("no label; label it or leave it out")
            listing = _listing(row, find_photos, need_id, prices)
            extra = {name: _extra(row.values.get(f"{EXTRA}{name}")) for name in columns.extra}
            first = first_rows.setdefault(listing.id, row.number)
            if first != row.number:
                id = shortened(listing.id)
                raise ListingError(f"the id {id!r} is that of row {first} too; give each listing its own")
        except ListingError as error:
            text = row.text.strip()[:TEXT_SHOWN]
            on_bad(BadRow(row.number, _printable(str(error)), _printable(text)[:TEXT_SHOWN]))
        else:
            some_content = some_content or bool(listing.title or listing.photos)
            if on_extra:
                on_extra(listing.id, extra)
            yield listing, label
    if format == "jsonl" and first_rows and not some_content and columns == Columns():
        on_remark(f"{path}: no row has the key {either(WORTH_READING)}; rename one, or name it in Columns (--columns)")
    if prices.n_left_out:
        left_out = counted(prices.n_left_out, "price")
        on_remark(f"{path}: {left_out} left out, such as {prices.example}; write plain numbers, such as 1299.00")


class _Prices:
    """Reads cells of prices, and counts those that are not a number. example: the first of them, and its row"""

    def __init__(self) -> None:
        self.n_left_out = 0
        self.example = ""

    def read(self, row: Row) -> float | None:
        value = row.values.get("price")
        if value is None or value != value or (isinstance(value, str) and not value.strip()):
            return None
        price = price_of(value)
        if price is None:
            self.n_left_out += 1
            self.example = self.example or f"{_printable(excerpt(value))} (row {row.number})"
        return price


def _extra(value: Any) -> str:
    """Return a cell of an extra column as text; a date or the like is written as Python does."""
    if value is None or isinstance(value, int | float | str | Unfit):
        return text_of("cell", str(value) if isinstance(value, bool) else value).strip()
    try:
        return text_of("cell", str(value))
    except RecursionError:
        raise ListingError("lists in lists without end in an extra column; write text") from None


FoundPhoto = str | bytes | Path | RootedPhoto

PhotoFinder = Callable[[str, Any], list[FoundPhoto]]
"""Makes the photos of a listing from its id and the cell of photos as it lies in the row."""


def _photo_finder(path: Source, columns: Columns, format: str | None, root: PhotoRoot | None) -> PhotoFinder:
    folder = Path() if path == "-" else path if format == "folders" else path.parent

    def place(photo: str | bytes) -> FoundPhoto:
        if isinstance(photo, bytes):
            return photo
        placed = photo if "://" in photo else folder / photo
        return RootedPhoto(str(placed), root) if root else placed

    def find(id: str, value: Any) -> list[FoundPhoto]:
        if columns.photo_pattern and format not in OF_PHOTOS:
            return [place(columns.photo_pattern.replace("{id}", id))] if id else []
        if value is not MISSING:
            return [place(photo) for photo in photos_of(value)]
        if not id:
            return []
        published = place(PUBLISHED_PATTERN.replace("{id}", id))
        there = published.is_file() if isinstance(published, RootedPhoto) else os.path.isfile(published)
        return [published] if there else []  # neither minds an endless id

    return find


def _listing(row: Row, find_photos: PhotoFinder, need_id: bool, prices: _Prices) -> Listing:
    id = text_of("id", row.values.get("id")).strip()
    if need_id and not id:
        raise ListingError("no id; give the listing one that stays the same")
    title = text_of("title", row.values.get("title"), numbers=False)
    photos = find_photos(id, row.values.get("photos", MISSING))
    return Listing(id or f"row {row.number}", title, photos, prices.read(row))


def text_of(role: str, value: Any, numbers: bool = True) -> str:
    """Return a cell as text, "" for an empty one (None, NaN). Raise ListingError, naming the role."""
    if value is None or value != value:
        return ""
    if numbers and isinstance(value, int | float) and not isinstance(value, bool):
        value = f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value)
    if isinstance(value, Unfit):
        raise ListingError(f"the {role} {value.reason}")
    if not isinstance(value, str):
        raise ListingError(f"the {role} is {type(value).__name__} ({excerpt(value)}), expected text")
    if len(value) > MOST_TEXT:
        raise ListingError(f"the {role} has {len(value):,} characters, {MOST_TEXT:,} at most; shorten it")
    if "\0" in value:
        raise ListingError(f"a NUL byte in the {role}; remove it")
    if not is_unicode(value):
        raise ListingError(f"the {role} is not UTF-8 text; encode it again")
    return value


def photos_of(value: Any) -> list[str | bytes]:
    """Return a cell of photos as a list of paths and bytes."""
    if isinstance(value, str):
        value = value.split(SEPARATOR, MOST_PHOTOS)
    elif not isinstance(value, list):
        value = [value]
    if len(value) > MOST_PHOTOS:
        raise ListingError(f"more than {MOST_PHOTOS:,} photos; leave out some, or give it a row for each listing")
    return [photo for each in value if (photo := _photo(each))]


def _photo(value: Any) -> str | bytes:
    if isinstance(value, dict):  # how the datasets library keeps an image
        if not {"bytes", "path"} & set(value):
            keys = shortened(", ".join(value)) or "nothing"
            raise ListingError(f"a photo is an object with {keys}, expected bytes or path")
        value = value.get("bytes") or value.get("path")
    if isinstance(value, bytes):
        return value
    return text_of("photo", value, numbers=False).strip()


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
