"""From a file of listings to a file of predictions, by a run that can go on after an interruption.

Predictions are JSON Lines, one object a listing, in the order of the listings:

    {"id": "17", "decision": "assign", "category": "Belts", "candidates": [{"category": "Belts", "confidence": 0.98}],
     "problems": []}

They are written batch by batch; a batch begins at every 64th listing. A run that goes on begins at such a place too. So
each listing shares its batch with the same others, and the file is that of an unbroken run, byte for byte.
"""

import json
import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any

from productcat.categories.categorizer import BATCH, Categorizer
from productcat.categories.decision import Candidate, Prediction
from productcat.errors import ListingError
from productcat.jobs.outputs import opened, refuse_existing, write
from productcat.listings.listing import Listing

START = b'{"id": '
"""Start of every line."""

DECIMALS = 6
"""Number of decimals of a confidence in a file."""

SAME_WITHIN = 0.05
"""Difference by which a bundle's confidence may move between processors or versions of the runtime."""


def as_dict(prediction: Prediction) -> dict[str, Any]:
    """Return a prediction as plain values for JSON."""
    candidates = [
        {"category": each.category, "confidence": round(each.confidence, DECIMALS)} for each in prediction.candidates
    ]
    found = {"id": prediction.id, "decision": prediction.decision, "category": prediction.category}
    return {**found, "candidates": candidates, "problems": list(prediction.problems)}


def to_json(prediction: Prediction) -> str:
    """Return a prediction as a line of JSON, without the line's end."""
    return json.dumps(as_dict(prediction), ensure_ascii=False)


def from_json(line: str | bytes) -> Prediction:
    """Read a prediction from a line of JSON. Raise ValueError, KeyError or TypeError for any other line."""
    found = json.loads(line)
    candidates = tuple(Candidate(**each) for each in found["candidates"])
    return Prediction(found["decision"], found["category"], candidates, found["id"], tuple(found["problems"]))


def predict_to_stream(
    categorizer: Categorizer, listings: Iterable[Listing], stream: IO[bytes]
) -> Generator[list[Prediction], None, None]:
    """Predict and write, batch by batch.

    Parameters
    ----------
    categorizer : Categorizer
    listings : iterable of Listing
    stream : unbuffered binary stream

    Yields
    ------
    list of Prediction
        Each batch, once it is written.
    """
    listings = iter(listings)
    while batch := list(islice(listings, BATCH)):
        predictions = categorizer.predict(batch)
        write(stream, "".join(f"{to_json(each)}\n" for each in predictions))
        yield predictions


def predict_to_file(
    categorizer: Categorizer, listings: Iterable[Listing], target: str | os.PathLike[str], resume: bool = False
) -> Generator[list[Prediction], None, None]:
    """Predict as `predict_to_stream`, into a new file, or after what an interrupted run has written.

    Parameters
    ----------
    target : str | os.PathLike
    resume : bool
        Go on with `target` if it exists; a torn last line is dropped. Predictions kept from before are yielded too.

    Raises
    ------
    ListingError
        The file exists and `resume` is false; it cannot be written; or it was not made from these listings by this
        categorizer, and then it stays as it is.
    """
    target = Path(target)
    if not resume:
        refuse_existing(target)
    listings, size = iter(listings), 0
    if resume and target.is_file():
        listings, size = yield from _written(categorizer, listings, target)
    first = list(islice(listings, 1))  # so that unusable input is known before the file is made
    with opened(target, resume) as stream:
        if target.is_file():
            stream.seek(size)
            stream.truncate()
        yield from predict_to_stream(categorizer, chain(first, listings), stream)


def _written(
    categorizer: Categorizer, listings: Iterator[Listing], target: Path
) -> Generator[list[Prediction], None, tuple[Iterator[Listing], int]]:
    """Read what an earlier run has done.

    Yields
    ------
    list of Prediction
        Each whole batch in the file.

    Returns
    -------
    listings : iterator of Listing
        Those still to do.
    size : int
        Number of bytes of `target` to keep.
    """
    count, size = 0, 0
    batch: list[Listing] = []
    predictions: list[Prediction] = []
    with open(target, "rb") as stream:
        if not (start := stream.read(len(START))).startswith(START[: len(start)]):
            raise ListingError(f"{target}, line 1: not a prediction; is this the right file?")
        stream.seek(0)
        while lines := [line for line in islice(stream, BATCH) if line.endswith(b"\n")]:
            following = list(islice(listings, len(lines)))
            found = _same_listings(lines, following, target, count)
            if len(lines) < BATCH:
                batch, predictions = batch + following, predictions + found
                listings = chain(following, listings)
                break
            batch, predictions = following, found
            count += BATCH
            size += sum(map(len, lines))
            yield predictions
    if not all(map(_agree, predictions, categorizer.predict(batch))):
        raise ListingError(
            f"{target}: made with another bundle or other photos; start again with another name for --to"
        )
    return listings, size


def _same_listings(lines: Sequence[bytes], listings: Sequence[Listing], target: Path, before: int) -> list[Prediction]:
    """Read lines of predictions. Raise ListingError if one is not of the listing at its place."""
    predictions: list[Prediction] = []
    for number, (line, listing) in enumerate(zip(lines, [*listings, *[None] * len(lines)], strict=False), before + 1):
        try:
            predictions.append(from_json(line))
        except (ValueError, KeyError, TypeError):
            raise ListingError(f"{target}, line {number}: not a prediction; is this the right file?") from None
        if listing is None or listing.id != predictions[-1].id:
            now = f"now that is {listing.id!r}" if listing else "there are fewer now"
            raise ListingError(
                f"{target}, line {number}: made from listing {predictions[-1].id!r}, {now}; "
                "give the same input, or --to another name"
            )
    return predictions


def _agree(old: Prediction, new: Prediction) -> bool:
    """Tell whether two predictions of a listing can come from the same bundle, title and photos."""
    if not old.candidates or not new.candidates:
        return old.candidates == new.candidates
    best, now = old.candidates[0], new.candidates[0]
    if (now.category, round(now.confidence, DECIMALS)) == (best.category, best.confidence):
        return old.decision == new.decision  # else the rule is another
    return any(
        each.category == best.category and abs(each.confidence - best.confidence) < SAME_WITHIN
        for each in new.candidates
    )
