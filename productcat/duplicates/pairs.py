"""Pairs of duplicates → lines of a file; and which of them a person should look at first."""

import csv
import io
import json
from dataclasses import dataclass

DECIMALS = 6


def pair_lines(pairs, as_json=False):
    """Pairs as CSV under a header "left,right,score", or as JSON Lines.

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


def _csv(*fields):
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(fields)
    return line.getvalue().encode()


@dataclass(frozen=True)
class Doubts:
    """Pairs for a person to look at, the nearest to the threshold first, and how many were left out.

    pairs : list of DuplicatePair
    reported, below : int
        Pairs left out that reach the threshold, and that do not.
    """

    pairs: list
    reported: int
    below: int


def doubts(pairs, threshold, most):
    """The pairs nearest to the threshold, at most `most`, at most half of them below it. → Doubts

    Parameters
    ----------
    pairs : list of DuplicatePair
        From some score below the threshold up.
    threshold : float
    most : int
    """

    def nearest(some, number):
        return sorted(some, key=lambda pair: (abs(pair.score - threshold), pair.left, pair.right))[:number]

    reported = [pair for pair in pairs if pair.score >= threshold]
    below = [pair for pair in pairs if pair.score < threshold]
    some = nearest(below, most // 2)
    chosen = nearest(reported, most - len(some)) + some
    n_reported = sum(pair.score >= threshold for pair in chosen)
    return Doubts(nearest(chosen, most), len(reported) - n_reported, len(below) - len(some))
