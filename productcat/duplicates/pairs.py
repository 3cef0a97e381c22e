"""Two listings that show the same item, and how pairs are written to a file."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from productcat.notebook import bars, card, headline, percent

DECIMALS = 6
"""Number of decimals of a score in a file."""


def pair_lines(pairs: Iterable["DuplicatePair"], as_json: bool = False) -> Iterator[bytes]:
    """Write pairs as CSV under a header "left,right,score", or as JSON Lines.

    Parameters
    ----------
    pairs : iterable of DuplicatePair
    as_json : bool

    Yields
    ------
    bytes
        A line.
    """
    if as_json:
        for pair in pairs:
            found = {"left": pair.left, "right": pair.right, "score": round(pair.score, DECIMALS)}
            yield (json.dumps(found, ensure_ascii=False) + "\n").encode()
        return
    yield _csv("left", "right", "score")
    for pair in pairs:
        yield _csv(pair.left, pair.right, f"{pair.score:.{DECIMALS}f}")


def _csv(*fields: str) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(fields)
    return line.getvalue().encode()


@dataclass(frozen=True)
class DuplicatePair:
    """Two listings, by id, and the probability that they show the same item."""

    left: str
    right: str
    score: float

    def _repr_html_(self) -> str:
        """Show both ids and the score in a notebook. `DuplicateDetector.explain` shows the photos."""
        same = bars([("the same item", self.score, percent(self.score))])
        return card(headline(f"{self.left} and {self.right}"), same)
