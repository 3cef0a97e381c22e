"""From a file of listings to a file of predictions, by a run that can go on after an interruption.

Predictions are JSON Lines, one object a listing, in the order of the listings:

    {"id": "17", "decision": "assign", "category": "Belts", "candidates": [{"category": "Belts", "confidence": 0.98}],
     "problems": []}

They are written batch by batch; a batch begins at every 64th listing. A run that goes on begins at such a place too. So
each listing shares its batch with the same others, and the file is that of an unbroken run, byte for byte. `made_of.py`
tells of which listings the title or the photos have changed since.
"""

import json
import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import asdict
from hashlib import sha256
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any

from productcat.categories.categorizer import LISTINGS_AT_ONCE, Categorizer
from productcat.categories.decision import Candidate, Prediction
from productcat.errors import ListingError
from productcat.jobs.made_of import OTHERS, MadeOf
from productcat.jobs.outputs import Replacement, opened, refuse_existing, write
from productcat.listings.columns import OnRemark
from productcat.listings.fingerprint import LENGTH, fingerprint
from productcat.listings.listing import Listing
from productcat.models.bundle import seal
from productcat.problems import warn
from productcat.wording import counted

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


def _lines(predictions: Iterable[Prediction]) -> str:
    return "".join(f"{to_json(each)}\n" for each in predictions)


def from_json(line: str | bytes) -> Prediction:
    """Read a prediction from a line of JSON. Raise ValueError, KeyError or TypeError for any other line."""
    found = json.loads(line)
    candidates = tuple(Candidate(**each) for each in found["candidates"])
    return Prediction(found["decision"], found["category"], candidates, found["id"], tuple(found["problems"]))


def predict_to_stream(
    categorizer: Categorizer, listings: Iterable[Listing], stream: IO[bytes], made_of: MadeOf | None = None
) -> Generator[list[Prediction], None, None]:
    """Predict and write, batch by batch.

    Parameters
    ----------
    categorizer : Categorizer
    listings : iterable of Listing
    stream : unbuffered binary stream
    made_of : MadeOf, optional
        Gets the fingerprint of each listing after its line.

    Yields
    ------
    list of Prediction
        Each batch, once it is written.
    """
    listings = iter(listings)
    while batch := list(islice(listings, LISTINGS_AT_ONCE)):
        # Before they are read: what changes meanwhile counts as changed.
        prints = list(map(_print_of, batch)) if made_of else []
        predictions = categorizer.predict(batch)
        write(stream, _lines(predictions))
        if made_of:
            made_of.add(prints)
        yield predictions


def predict_to_file(
    categorizer: Categorizer,
    listings: Iterable[Listing],
    target: str | os.PathLike[str],
    resume: bool = False,
    on_remark: OnRemark = warn,
) -> Generator[list[Prediction], None, None]:
    """Predict as `predict_to_stream`, into a new file, or after what an interrupted run has written.

    A second file, `<target>.resume`, gets what tells later whether a listing has changed. Who goes on with `target`
    gets a new prediction for each listing of which the title or the photos have become others. For these the file is
    written again, whole or not at all.

    Parameters
    ----------
    target : str | os.PathLike
    resume : bool
        Go on with `target` if it exists; a torn last line is dropped. Predictions kept from before are yielded too.
    on_remark : callable
        Called with one line on the listings that have changed.

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
    if target.exists() and not target.is_file():  # a pipe or a device
        with opened(target, resume) as stream:
            yield from predict_to_stream(categorizer, listings, stream)
        return
    made_of = MadeOf(target, _made_with(categorizer))
    made_of.refuse_other()
    if resume and target.is_file():
        listings, size = yield from _written(categorizer, listings, target, made_of, on_remark)
    first = list(islice(listings, 1))  # so that unusable input is known before the file is made
    with opened(target, resume) as stream, made_of.opened():
        stream.seek(size)
        stream.truncate()
        yield from predict_to_stream(categorizer, chain(first, listings), stream, made_of)


def _print_of(listing: Listing) -> str:
    """Return the fingerprint of what a prediction is made of."""
    return fingerprint(listing.photos, listing.title)


def _made_with(categorizer: Categorizer) -> str:
    """Return the fingerprint of what makes a categorizer answer as it does: its bundle, and what was set since."""
    known = categorizer.projections
    settings = {
        "bundle": seal(categorizer.bundle.manifest),
        "ensemble": categorizer.ensemble.settings(),
        "rules": {modality: asdict(rule) for modality, rule in categorizer.rules.items()},
        "categories": [known.categories, known.floor, known.temperature, known.offsets.tolist()],
        "projections": sha256(known.matrix.tobytes()).hexdigest(),
    }
    return sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:LENGTH]


def _written(
    categorizer: Categorizer, listings: Iterator[Listing], target: Path, made_of: MadeOf, on_remark: OnRemark
) -> Generator[list[Prediction], None, tuple[Iterator[Listing], int]]:
    """Read what an earlier run has done, and predict again what has changed since: the whole batch of it.

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
    count = n_changed = 0
    batch: list[Listing] = []
    predictions: list[Prediction] = []
    with open(target, "rb") as stream, Replacement(target) as replacement:
        if not (start := stream.read(len(START))).startswith(START[: len(start)]):
            raise ListingError(f"{target}, line 1: not a prediction; is this the right file?")
        stream.seek(0)
        noted = made_of.noted()
        while lines := [line for line in islice(stream, LISTINGS_AT_ONCE) if line.endswith(b"\n")]:
            following = list(islice(listings, len(lines)))
            found = _same_listings(lines, following, target, count)
            prints, before = list(map(_print_of, following)), list(islice(noted, len(lines)))
            same = [old == new for old, new in zip(before, prints, strict=False)]
            n_changed += same.count(False)
            if len(same) < LISTINGS_AT_ONCE:  # it was not finished, so it is done again
                batch += [each for each, is_same in zip(following, same, strict=False) if is_same]
                predictions += [each for each, is_same in zip(found, same, strict=False) if is_same]
                listings = chain(following, listings)
                break
            if all(same):
                batch, predictions = following, found
            else:
                found = categorizer.predict(following)
            replacement.add(lines, None if all(same) else _lines(found))
            made_of.keep(prints, changed=not all(same))
            count += LISTINGS_AT_ONCE
            yield found
        if not all(map(_agree, predictions, categorizer.predict(batch))):
            raise ListingError(OTHERS.format(target))
        size = replacement.done()
    if n_changed:
        on_remark(f"{target}: {counted(n_changed, 'listing')} changed since; predicted again")
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
