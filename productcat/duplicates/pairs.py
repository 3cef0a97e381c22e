"""Two listings that show the same item, and how pairs are written to a file."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from productcat.duplicates.safe_csv import safe
from productcat.notebook import bars, card, headline, percent

DECIMALS = 6
"""Number of decimals of a score in a file."""


def pair_lines(
    pairs: Iterable["DuplicatePair"], as_json: bool = False, for_spreadsheet: bool = False
) -> Iterator[bytes]:
    """Write pairs as CSV under a header "left,right,score,kind", or as JSON Lines.

    Parameters
    ----------
    pairs : iterable of DuplicatePair
    as_json : bool
    for_spreadsheet : bool
        Whether ids in CSV that a spreadsheet would run begin with an apostrophe; see `safe_csv`.

    Yields
    ------
    bytes
        A line.
    """
    if as_json:
        for pair in pairs:
            yield (json.dumps(as_dict(pair), ensure_ascii=False) + "\n").encode()
        return
    yield _csv("left", "right", "score", "kind")
    written = safe if for_spreadsheet else str
    for pair in pairs:
        yield _csv(written(pair.left), written(pair.right), f"{pair.score:.{DECIMALS}f}", pair.kind)


def as_dict(pair: "DuplicatePair") -> dict[str, Any]:
    """Return a pair as JSON has it."""
    return {"left": pair.left, "right": pair.right, "score": round(pair.score, DECIMALS), "kind": pair.kind}


def _csv(*fields: str) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(fields)
    return line.getvalue().encode()


@dataclass(frozen=True)
class DuplicatePair:
    """Two listings, by id, and the probability that they show the same item.

    kind: "copy" if a photo of one is a photo of the other, however edited; "same item" if they show it on other photos;
    "title" if only titles could be compared; empty if nobody looked.
    """

    left: str
    right: str
    score: float
    kind: str = ""

    def _repr_html_(self) -> str:
        """Show both ids and the score in a notebook. `DuplicateDetector.explain` shows the photos."""
        same = bars([("the same item", self.score, percent(self.score))])
        return card(headline(f"{self.left} and {self.right}"), same)
