"""Read files of categories as Definitions. All that is wrong is named in one error, each with its place.

    TOML  a table [[category]] for each: name; description; photos and titles, lists of which each entry is an example;
          examples, a list of tables with a title, photos, or both
    CSV   a row for each example: category (or name), description, title, photos; several rows may belong to one
          category, and a row with nothing but the name adds no example
    class folders  <category>/<name>.jpg: each photo is an example of the category; of an empty folder the name speaks

Only the name must be there. Photos are written as in files of listings (`readers`): relative paths start at the file's
own folder, and several in one CSV field are separated by "|".
"""

import os
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from productcat.errors import ListingError
from productcat.listings.columns import BadRow, Columns, OnRemark
from productcat.listings.file_formats import detect, folder_rows, rows
from productcat.listings.listing import Listing
from productcat.listings.readers import photos_of, text_of
from productcat.wording import counted, excerpt, shortened

if TYPE_CHECKING:
    from productcat.listings.photo_kinds import Photo

CATEGORY_KEYS = ("name", "description", "photos", "titles", "examples")
EXAMPLE_KEYS = ("title", "photos")
COLUMNS = {
    **dict.fromkeys(("category", "name"), "category"),
    "description": "description",
    "title": "title",
    **dict.fromkeys(Columns().names("photos"), "photos"),
}
"""The role of a column of a CSV, by its name."""

NAMED = 50
"""Number of mistakes that one message names."""


@dataclass(frozen=True)
class Definition:
    """One category, as somebody describes it. Where there are no examples, the name speaks."""

    name: str
    description: str = ""
    examples: tuple[Listing, ...] = ()


def define(
    name: str,
    description: str = "",
    photos: Iterable["Photo"] = (),
    titles: Iterable[str] = (),
    examples: Iterable[Listing] = (),
) -> Definition:
    """Describe a category of which each photo, each title and each listing is an example.

    Raises
    ------
    ListingError
        The name is empty, or longer than a line.
    """
    name = _name(name)
    listings = [Listing(f"{name}, photo {number}", photos=[photo]) for number, photo in enumerate(photos, start=1)]
    listings += [Listing(f"{name}, title {number}", title) for number, title in enumerate(titles, start=1)]
    return Definition(name, description.strip(), (*listings, *examples))


def read_definitions(path: str | os.PathLike[str], on_bad: Callable[[str], object] | None = None) -> list[Definition]:
    """Read the categories in a file or in class folders, in order: at least one, and no two of the same name.

    Parameters
    ----------
    path : str | os.PathLike
        A file that ends in .toml or .csv, or the folder of the class folders.
    on_bad : callable, optional
        Called with what is wrong of each row, category or file that cannot be used; it is left out. By default all of
        them are named in one error.

    Raises
    ------
    ListingError
        The file is missing, of another type, or without a category; or a row or a category in it is wrong.
    """
    path = Path(path)
    reader = _from_folders if path.is_dir() else _READERS.get(path.suffix.lower())
    if reader is None:
        ends = " or ".join(SUFFIXES)
        raise ListingError(f"{path}: a file of categories ends in {ends}; write one of these, or give a folder")
    detect(path, None if path.is_dir() else "csv")  # raises for a file that is missing, and a folder of tables
    mistakes: list[str] = []
    definitions = reader(path, mistakes)
    if on_bad:
        for each in mistakes:
            on_bad(f"{path}, {each}")
    elif mistakes:
        raise ListingError(_all_of(mistakes, path))
    if not definitions:
        raise ListingError(f"{path}: no category in it; write at least one")
    return definitions


def _all_of(mistakes: Sequence[str], path: Path) -> str:
    """Return a message on all that is wrong in a file."""
    if len(mistakes) == 1:
        return f"{path}, {mistakes[0]}"
    shown = " ".join(f"({number}) {each}" for number, each in enumerate(mistakes[:NAMED], start=1))
    more = f" and {len(mistakes) - NAMED:,} more" if len(mistakes) > NAMED else ""
    return f"{path}: {counted(len(mistakes), 'mistake')}: {shown}{more}"


@contextmanager
def named(place: object) -> Iterator[None]:
    """Begin the message of a ListingError with the place that it is about."""
    try:
        yield
    except ListingError as error:
        raise ListingError(f"{place}: {error}") from None


@contextmanager
def _noted(place: str, mistakes: list[str]) -> Iterator[None]:
    """Add a ListingError to the mistakes, with the place that it is about, and go on."""
    try:
        yield
    except ListingError as error:
        mistakes.append(f"{place}: {error}")


def _name(text: str) -> str:
    name = text.strip()
    if not name:
        raise ListingError("a category without a name; give it one")
    if len(name.splitlines()) > 1:
        raise ListingError(f"the name {shortened(name)!r} has several lines; write it in one")
    return name


def _from_toml(path: Path, mistakes: list[str]) -> list[Definition]:
    content = _toml(path)
    with named(path):
        _refuse_unknown(content, ["category"])
        tables = content.get("category", [])
        if not _are_tables(tables):
            raise ListingError("category is not a list of tables; begin each category with [[category]]")
    definitions: dict[str, Definition] = {}
    for number, table in enumerate(tables, start=1):
        with _noted(f"category {excerpt(table.get('name') or number, 80)}", mistakes):
            found = _from_table(table, path.parent)
            if found.name in definitions:
                raise ListingError("there is one of this name already; put the examples of both into one")
            definitions[found.name] = found
    return list(definitions.values())


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8-sig"))
    except UnicodeDecodeError:
        raise ListingError(f"{path}: not UTF-8 text; encode it again") from None
    except (ValueError, RecursionError) as error:
        raise ListingError(f"{path}: not TOML ({error}); correct that place") from None
    except OSError as error:
        raise ListingError(f"{path}: cannot be read ({error.strerror})") from None


def _from_table(table: dict[str, Any], folder: Path) -> Definition:
    _refuse_unknown(table, CATEGORY_KEYS)
    name = _name(text_of("name", table.get("name"), numbers=False))
    titles = [text_of("title", title, numbers=False) for title in _list(table, "titles")]
    tables = _list(table, "examples")
    if not _are_tables(tables):
        raise ListingError("examples is not a list of tables with title and photos; see --help")
    examples = []
    for number, example in enumerate(tables, start=1):
        with named(f"example {number}"):
            _refuse_unknown(example, EXAMPLE_KEYS)
            examples.append(Listing(f"{name}, example {number}", *_title_and_photos(example, folder)))
    description = text_of("description", table.get("description"), numbers=False)
    return define(name, description, _photos(_list(table, "photos"), folder), titles, examples)


def _title_and_photos(example: dict[str, Any], folder: Path) -> tuple[str, Sequence["Photo"]]:
    title = text_of("title", example.get("title"), numbers=False)
    photos = _photos(_list(example, "photos"), folder)
    if not title.strip() and not photos:
        raise ListingError("neither title nor photos; give it one of them, or leave it out")
    return title, photos


def _list(table: dict[str, Any], key: str) -> list[Any]:
    found = table.get(key, [])
    if not isinstance(found, list):
        raise ListingError(f"{key} is {type(found).__name__} ({excerpt(found)}), expected a list; put it in [ ]")
    return found


def _are_tables(values: object) -> bool:
    return isinstance(values, list) and all(isinstance(each, dict) for each in values)


def _refuse_unknown(table: Iterable[str], keys: Sequence[str]) -> None:
    for key in table:
        if key not in keys:
            raise ListingError(f"unknown key {shortened(key)!r}; known: {', '.join(keys)}")


def _photos(value: Any, folder: Path) -> list[str | bytes | Path]:
    return [photo if isinstance(photo, bytes) else folder / photo for photo in photos_of(value)]


class _CategoryColumns:
    """Finds the columns of a CSV of categories, as `Columns` does those of listings."""

    EXAMPLE: ClassVar[str] = "category,title,photos"

    def find(self, header: Sequence[str], name: object, _on_remark: OnRemark) -> dict[str, str]:
        """Return role → name in `header`. Raise ListingError for a column that is unknown, missing or there twice."""
        found: dict[str, str] = {}
        for column in header:
            role = COLUMNS.get(column.strip().lower())
            if role is None:
                raise ListingError(f"{name}: unknown column {shortened(column.strip())!r}; known: {', '.join(COLUMNS)}")
            if role in found:
                raise ListingError(
                    f"{name}: columns {found[role]!r} and {shortened(column)!r} both say the {role}; keep one"
                )
            found[role] = column
        if "category" not in found:
            raise ListingError(f"{name}: no column 'category'; give that name to the column of the categories")
        return found


def _from_csv(path: Path, mistakes: list[str]) -> list[Definition]:
    descriptions: dict[str, str] = {}
    examples: dict[str, list[Listing]] = {}
    for row in rows(path, _CategoryColumns(), "csv"):
        with _noted(f"row {row.number}", mistakes):
            if isinstance(row, BadRow):
                raise ListingError(row.reason)
            values = {role: text_of(role, value).strip() for role, value in row.values.items()}
            name, description = _name(values["category"]), values.get("description")
            listings = examples.setdefault(name, [])
            if description and descriptions.setdefault(name, description) != description:
                raise ListingError(
                    f"category {shortened(name)!r} has another description in an earlier row; give it one"
                )
            title, photos = values.get("title", ""), _photos(values.get("photos", ""), path.parent)
            if title or photos:
                listings.append(Listing(f"{name}, row {row.number}", title, photos))
    return [Definition(name, descriptions.get(name, ""), tuple(found)) for name, found in examples.items()]


def _from_folders(path: Path, mistakes: list[str]) -> list[Definition]:
    examples: dict[str, list[Listing]] = {}
    names: dict[str, str] = {}
    for folder in sorted(each.name for each in os.scandir(path) if each.is_dir() and not each.name.startswith(".")):
        with _noted(f"folder {folder!r}", mistakes):
            name = _name(folder)
            if name in examples:
                raise ListingError(f"there is one of the name {name!r} already; put the photos of both into one")
            names[folder], examples[name] = name, []
    for row in folder_rows(path):
        with _noted(row.text, mistakes):
            if isinstance(row, BadRow):
                raise ListingError(row.reason)
            if not row.values["label"]:
                raise ListingError("not in a class folder; put it into the folder of its category")
            if row.values["label"] in names:  # else the folder is a mistake, and was noted
                examples[names[row.values["label"]]].append(Listing(row.text, photos=[path / row.text]))
    return [Definition(name, examples=tuple(found)) for name, found in examples.items()]


_READERS = {".toml": _from_toml, ".csv": _from_csv}
SUFFIXES = tuple(_READERS)
"""Endings of files of categories."""
