"""Photos that may be named by a stranger: nothing outside one folder is opened."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from productcat.errors import ListingError


@dataclass(frozen=True)
class PhotoRoot:
    """The one folder in which photos may lie. path : with all links resolved"""

    path: Path

    @classmethod
    def of(cls, folder: str | os.PathLike[str]) -> Self:
        """Take a folder. Raise ListingError if there is none of that name."""
        if not os.path.isdir(folder):
            raise ListingError(f"{os.fspath(folder)}: no such folder; give the one that photos may lie in")
        return cls(Path(os.path.realpath(folder)))


@dataclass(frozen=True)
class RootedPhoto:
    """The path of a photo, as a table has it, and the folder that the photo may not lie outside of."""

    path: str
    root: PhotoRoot

    def __fspath__(self) -> str:
        return self.path

    def __str__(self) -> str:
        return self.path

    def resolved(self) -> Path:
        """Return the path to open, without links. Raise FileNotFoundError for one outside, whether it exists or not."""
        found = Path(os.path.realpath(self.path))
        if not found.is_relative_to(self.root.path):
            raise FileNotFoundError
        return found

    def is_file(self) -> bool:
        """Return whether there is such a file below the root."""
        try:
            return self.resolved().is_file()
        except OSError:
            return False
