"""Which column of a table means what, and the rows of a table: Columns, Row, BadRow."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, NamedTuple, Protocol, Self

from productcat.errors import ListingError
from productcat.wording import counted, either, shortened

ROLES = ("id", "title", "photos", "label", "price")
EXTRA = "extra "
"""Begins the role of an extra column, which its name follows: no other role can begin so."""

PICTURES = "photo", "image", "picture", "img"
"""Words in the name of a column that is likely to hold photos."""

COLUMNS = 10_000
"""Number of columns of a table, or keys of an object, above which it is refused."""

NAMED = 50
"""Number of columns that a message names."""

OnRemark = Callable[[str], object]
"""Takes what the reader of a table should know of it as a whole."""


class TableColumns(Protocol):
    """Finds the columns of one kind of table. EXAMPLE: a header line, for the message where there is none."""

    EXAMPLE: ClassVar[str]

    def find(self, header: Sequence[str], name: object, on_remark: OnRemark, /) -> dict[str, str]:
        """Return the columns, role → name in `header`. Raise ListingError, naming the file and what is missing."""


@dataclass(frozen=True)
class Columns:
    """Where a table keeps what a listing needs: names of columns (CSV, Parquet) or of keys (JSON Lines).

    Each is one name, or a tuple of names of which the first one present is taken. Capitals do not matter in tables. A
    column that you name must be there; a key that no row of JSON Lines has is a warning. Of the defaults a table needs
    `id`, and `title` or `photos`.

    `photo_pattern` is the path of the one photo of each listing, such as "pictures/{id}.png", instead of a column.
    Without it, and without a column of photos, "images/{id}.jpg" is taken where there is such a file: the layout of the
    published fashion data.

    `extra` names further columns, which must be there. They do not become part of a listing: `read_listings` hands them
    to its `on_extra`.

    Raises
    ------
    ValueError
        The pattern lacks "{id}", or comes with a column of photos.
    """

    EXAMPLE: ClassVar[str] = "id,title,photos"
    """A header line, for the message where there is none."""

    id: str | tuple[str, ...] = "id"
    title: str | tuple[str, ...] = ("title", "name", "productDisplayName")
    photos: str | tuple[str, ...] = ("photos", "photo", "images", "image")
    label: str | tuple[str, ...] = ("label", "category", "articleType")
    photo_pattern: str = ""
    price: str | tuple[str, ...] = "price"
    extra: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.photo_pattern and "{id}" not in self.photo_pattern:
            raise ValueError(f'photo_pattern={self.photo_pattern}: expected "{{id}}" in it, where the id goes')
        if self.photo_pattern and self.photos != Columns.photos:
            raise ValueError(f"photos={self.photos} and photo_pattern={self.photo_pattern}: give one of them")

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read "role=name, role=name", one column each. Raise ValueError, naming what is wrong."""
        roles = [each.name for each in fields(cls) if each.name != "extra"]
        given: dict[str, Any] = {}
        for part in filter(str.strip, text.split(",")):
            role, _, name = (each.strip() for each in part.partition("="))
            if role not in roles or not name:
                raise ValueError(f"{part.strip()!r} is not role=name with one of the roles {', '.join(roles)}")
            if role in given:
                raise ValueError(f"{role} is given twice, as {given[role]} and {name}; choose one")
            given[role] = name
        return cls(**given)

    def names(self, role: str) -> tuple[str, ...]:
        """Return the accepted names of one role, such as "title", in order of preference."""
        given = getattr(self, role)
        return (given,) if isinstance(given, str) else tuple(given)

    def matched(self, keys: Sequence[str]) -> dict[str, str]:
        """Return which column of a table, or key of an object, has each role. Roles that none has are left out.

        The first accepted name that is there counts, as it is written or else in other capitals. The role of an extra
        column is its name after EXTRA.
        """
        there = {each.strip().lower(): each for each in reversed(keys)} | {each: each for each in keys}
        wanted = {role: self.names(role) for role in ROLES} | {f"{EXTRA}{name}": (name,) for name in self.extra}
        found = {role: [n for n in names if n in there or n.lower() in there] for role, names in wanted.items()}
        return {role: there.get(names[0], there.get(names[0].lower(), "")) for role, names in found.items() if names}

    def find(self, header: Sequence[str], name: object, on_remark: OnRemark) -> dict[str, str]:
        """Return the columns of a table, role → name in `header`. Raise ListingError, naming what is missing."""
        found = self.matched(header)
        for role in ROLES:
            if role not in found and (role == "id" or getattr(self, role) != getattr(Columns, role)):
                extra = ", or add one that numbers the listings" if role == "id" else ""
                option = "--label" if role == "label" else "--columns"
                raise ListingError(f"{name}: no column {either(self.names(role))}; {way_out(header, option)}{extra}")
        for each in self.extra:
            if f"{EXTRA}{each}" not in found:
                raise ListingError(f"{name}: no column {each!r}; there are {_some(header)}")
        if "title" not in found and "photos" not in found and not self.photo_pattern:
            raise ListingError(f"{name}: no column 'title' and none 'photos'; {way_out(header)}")
        if self.photo_pattern:
            found.pop("photos", None)
        elif "photos" not in found:
            self.tell_of_pictures(header, name, "column", on_remark)
        return found

    def tell_of_pictures(self, keys: Iterable[str], name: object, noun: str, on_remark: OnRemark) -> None:
        """Remark on columns of a table, or keys of objects, that look like photos where none has their role."""
        for key in (each.strip() for each in keys if any(word in each.lower() for word in PICTURES)):
            key = shortened(key)
            on_remark(
                f"{name}: {noun} {key!r} is not read, since none is called {' or '.join(self.names('photos'))}; "
                f"if it has photos, rename it, or name it in Columns (--columns photos={key})"
            )


def way_out(header: Iterable[str], option: str = "--columns") -> str:
    """Return what to do where a column is not among those that are there."""
    return f"there are {_some(header)}: rename one, or name it in Columns ({option})"


def refuse_columns(header: Sequence[str], name: object) -> None:
    """Raise ListingError for a table that nobody would write, before it is looked into."""
    if len(header) > COLUMNS:
        raise ListingError(f"{name}: {counted(len(header), 'column')}, {COLUMNS:,} at most; is it the right file?")


def _some(header: Iterable[str]) -> str:
    names = [shortened(" ".join(each.split()), 40) for each in header]
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED:,} more" if len(names) > NAMED else "")


@dataclass(frozen=True)
class BadRow:
    """A row that is not a listing.

    Attributes
    ----------
    number : int
        The line in a CSV, JSON Lines or list file (a CSV's header is line 1), the row of a Parquet file from 1, or the
        place of the file in a class folder from 1.
    reason : str
        What is wrong, and the way out.
    text : str
        The beginning of the row.
    """

    number: int
    reason: str
    text: str = ""


@dataclass(frozen=True)
class Unfit:
    """Stands for a cell that cannot be used. reason: what is wrong, such as "is not UTF-8 text; encode it again" """

    reason: str


class Row(NamedTuple):
    """A row as it lies in the file. values: role → value, absent where the table has no such column."""

    number: int
    values: Mapping[str, Any]
    text: str
