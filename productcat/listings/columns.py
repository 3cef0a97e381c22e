"""What a table's columns and rows are called: Columns, Row, BadRow."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import ClassVar

from productcat.errors import ListingError
from productcat.wording import either

ROLES = ("id", "title", "photos", "label")
PICTURES = "photo", "image", "picture", "img"
"""A column whose name has one of these in it is likely to be of photos."""


@dataclass(frozen=True)
class Columns:
    """Where a table keeps what a listing needs: names of columns (CSV, Parquet) or of keys (JSON Lines).

    Each is one name, or a tuple of names of which the first one present is taken; capitals do not matter in tables. A
    column that you name must be there; a key that no row of JSON Lines has is a warning. Of the defaults a table needs
    `id`, and one of `title` and `photos`.

    `photo_pattern` is the path of the one photo of each listing of a table, such as "pictures/{id}.png", in place of a
    column. Without it, and without a column of photos, "images/{id}.jpg" is tried and taken where there is such a
    file: the published fashion layout.

    Raises
    ------
    ValueError
        The pattern lacks "{id}", or comes with a column of photos.
    """

    EXAMPLE: ClassVar[str] = "id,title,photos"
    """A header line, for the message where there is none."""

    id: str | tuple = "id"
    title: str | tuple = ("title", "name", "productDisplayName")
    photos: str | tuple = ("photos", "photo", "images", "image")
    label: str | tuple = ("label", "category", "articleType")
    photo_pattern: str = ""

    def __post_init__(self):
        if self.photo_pattern and "{id}" not in self.photo_pattern:
            raise ValueError(f'photo_pattern={self.photo_pattern}: expected "{{id}}" in it, in place of the id')
        if self.photo_pattern and self.photos != Columns.photos:
            raise ValueError(f"photos={self.photos} and photo_pattern={self.photo_pattern}: give one of them")

    @classmethod
    def from_text(cls, text):
        """Columns from "role=name, role=name", a column each. Raises ValueError, naming what is wrong."""
        roles = [each.name for each in fields(cls)]
        given = {}
        for part in filter(str.strip, text.split(",")):
            role, _, name = (each.strip() for each in part.partition("="))
            if role not in roles or not name:
                raise ValueError(f"{part.strip()!r} is not role=name with one of the roles {', '.join(roles)}")
            if role in given:
                raise ValueError(f"{role} is given twice, as {given[role]} and {name}; choose one")
            given[role] = name
        return cls(**given)

    def names(self, role):
        """The accepted names of one role, such as "title", in order of preference."""
        given = getattr(self, role)
        return (given,) if isinstance(given, str) else tuple(given)

    def matched(self, keys):
        """Which of the columns of a table, or keys of an object, has each role. → dict, without roles that none has

        Of the accepted names the first that is there counts; as it is written, or else in other capitals.
        """
        there = {each.strip().lower(): each for each in reversed(keys)} | {each: each for each in keys}
        found = {role: [n for n in self.names(role) if n in there or n.lower() in there] for role in ROLES}
        return {role: there.get(names[0], there.get(names[0].lower())) for role, names in found.items() if names}

    def find(self, header, name):
        """The columns of a table, a dict role → name in `header`. Raises ListingError, naming what is missing."""
        found = self.matched(header)
        for role in ROLES:
            if role not in found and (role == "id" or getattr(self, role) != getattr(Columns, role)):
                extra = ", or add one that numbers the listings" if role == "id" else ""
                option = "--label" if role == "label" else "--columns"
                raise ListingError(f"{name}: no column {either(self.names(role))}; {way_out(header, option)}{extra}")
        if "title" not in found and "photos" not in found and not self.photo_pattern:
            raise ListingError(f"{name}: no column 'title' and none 'photos'; {way_out(header)}")
        if self.photo_pattern:
            found.pop("photos", None)
        elif "photos" not in found:
            self.tell_of_pictures(header, name, "column")
        return found

    def tell_of_pictures(self, keys, name, noun):
        """Warn of columns of a table, or keys of objects, that look like photos where none has their role."""
        for key in (each.strip() for each in keys if any(word in each.lower() for word in PICTURES)):
            warnings.warn(
                f"{name}: {noun} {key!r} is not read, since none is called {' or '.join(self.names('photos'))}; "
                f"if it has photos, rename it, or name it in Columns (--columns photos={key})",
                UserWarning,
                stacklevel=3,
            )


def way_out(header, option="--columns"):
    """What to do where a column is not among those that are there."""
    return f"there are {', '.join(each.strip() for each in header)}: rename one, or name it in Columns ({option})"


@dataclass(frozen=True)
class BadRow:
    """A row that is no listing.

    Attributes
    ----------
    number : int
        The line in a CSV, JSON Lines or list file (a CSV's header is line 1), the row of a Parquet file from 1, the
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
class Row:
    """A row as it lies in the file. values: role → value, absent where the table has no such column."""

    number: int
    values: Mapping
    text: str
