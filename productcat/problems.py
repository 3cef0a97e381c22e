"""What is wrong with listings travels as data. Only the public methods turn it into warnings.

Whoever looks at listings gives each Problem to a callback, `on_problem`. Nothing in this package catches its own
warnings: `warnings.catch_warnings` is not safe when several threads share it.
"""

import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass

from productcat.wording import shortened, visible


@dataclass(frozen=True)
class Problem:
    """Something that cannot be used.

    Attributes
    ----------
    listing : str | None
        The id of the listing that it belongs to, "" if that has none. None if it does not belong to a listing.
    reason : str
        What is wrong, and the way out.
    """

    listing: str | None
    reason: str

    def __str__(self) -> str:
        return self.reason if self.listing is None else f"listing {shortened(self.listing)!r}: {self.reason}"


OnProblem = Callable[[Problem], object]
"""Takes each problem as it is found."""


def warn(found: object) -> None:
    """Warn of something, at the line outside this package that asked for the work. It may appear on a terminal."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] == "productcat":
        level, frame = level + 1, frame.f_back
    warnings.warn(visible(str(found)), UserWarning, stacklevel=level + 1)
