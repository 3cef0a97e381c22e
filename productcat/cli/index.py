"""The commands `productcat index add`, `remove`, `search` and `stats`."""

import json
import sys
from contextlib import closing
from dataclasses import asdict
from itertools import chain, islice
from typing import Annotated

import typer

from productcat.cli import bad_rows, console, manual_index
from productcat.cli.console import (
    FINE,
    INTERRUPTED,
    SOME_BAD,
    UNUSABLE,
    AdaptOption,
    BundleOption,
    ColumnsOption,
    FormatOption,
    UsageError,
    command,
    complain,
)
from productcat.wording import counted

STREAM = "-"
TOGETHER = 64
"""Listings searched before their duplicates are printed."""

app = console.group(manual_index.INDEX)

IndexArgument = Annotated[str, typer.Argument(metavar="PATH", help="The folder of the index.")]
BadOption = Annotated[str | None, typer.Option("--bad", help="The side file. [default: standard error]")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command(help=manual_index.ADD)
@command
def add(
    path: IndexArgument,
    source: Annotated[str, typer.Option("--from", help="A file of listings, or a folder; - is standard input.")],
    resume: Annotated[bool, typer.Option("--resume", help="Pass over ids that are in the index.")] = False,
    bundle: BundleOption = None,
    bad: BadOption = None,
    columns: ColumnsOption = None,
    format: FormatOption = None,
):
    """What `manual_index.ADD` says."""
    from productcat.jobs.progress import Progress
    from productcat.listings.readers import count_rows, read_with_ids

    columns, total = console.columns_from(columns), count_rows(source, format)
    with closing(bad_rows.side_for(source, STREAM, bad)) as side, bad_rows.told_to(side) as problems:
        listings = read_with_ids(source, columns, side.add, format)
        first = list(islice(listings, 1))  # so that unusable input is known before the index is made
        index = _open(path, bundle)
        known = index.ids() if resume else ()
        with Progress("adding", total, "listings") as progress:
            listings = progress.each(chain(first, listings))
            try:
                n_added = index.add(each for each in listings if each.id not in known)
            except KeyboardInterrupt:
                return complain("interrupted; what is in the index stays, go on with --resume", INTERRUPTED)
        parts = [f"{counted(n_added, 'listing')} added"]
        parts += [f"{progress.done - n_added} passed over or left out"] if progress.done > n_added else []
        parts += bad_rows.troubles(len(problems), side)
        return complain("; ".join(parts), SOME_BAD if problems or side.count else FINE)


@app.command(help=manual_index.REMOVE)
@command
def remove(
    path: IndexArgument,
    ids: Annotated[list[str], typer.Argument(metavar="ID", help="- reads ids from standard input, one a line.")],
):
    """What `manual_index.REMOVE` says."""
    from productcat.listings.tables import text_stream

    index = _open_known(path)
    if ids == [STREAM]:
        with text_stream(STREAM) as lines:
            ids = [line.rstrip("\r\n") for line in lines if line.strip()]
    known = index.ids()
    there = [each for each in dict.fromkeys(ids) if each in known]
    index.remove(there)
    missing = [each for each in ids if each not in known]
    for each in missing:
        complain(f"id {each!r}: not in the index")
    return complain(f"{counted(len(there), 'listing')} removed", SOME_BAD if missing else FINE)


@app.command(help=manual_index.SEARCH)
@command
def search(
    path: IndexArgument,
    photos: Annotated[
        list[str] | None, typer.Argument(metavar="PHOTO", help="Photos of one listing; - is standard input.")
    ] = None,
    source: Annotated[
        str | None, typer.Option("--from", help="A file of listings, or a folder; - is standard input.")
    ] = None,
    k: Annotated[int, typer.Option("-k", help="Duplicates of each listing, at most.", min=1)] = 10,
    threshold: Annotated[float, typer.Option(help="Least probability.", callback=console.probability)] = 0.0,
    adapt: AdaptOption = True,
    as_json: JsonOption = False,
    bundle: BundleOption = None,
    bad: BadOption = None,
    columns: ColumnsOption = None,
    format: FormatOption = None,
):
    """What `manual_index.SEARCH` says."""
    if source is None:
        console.refuse({"--bad": bad, "--columns": columns, "--format": format}, "goes with --from")
        if not photos:
            raise UsageError("give a PHOTO or --from")
        if photos.count(STREAM) > 1:
            raise UsageError("standard input holds one photo, - can be given once")
    elif photos:
        raise UsageError("PHOTO does not go with --from")
    columns = console.columns_from(columns)
    _open_known(path)  # a search makes no index
    with closing(bad_rows.side_for(source, STREAM, bad)) as side, bad_rows.told_to(side) as problems:
        index = _open(path, bundle)

        def find(listings):
            found = index.search(listings, k, adapt)
            return [[pair for pair in pairs if pair.score >= threshold] for pairs in found]

        if source is None:
            return _print_one(find, photos, as_json, problems, index.detector.threshold_among(len(index)))
        from productcat.listings.readers import read_listings

        _print_many(find, read_listings(source, columns, side.add, format), as_json)
        return SOME_BAD if problems or side.count else FINE


@app.command(help=manual_index.STATS)
@command
def stats(path: IndexArgument, as_json: JsonOption = False):
    """What `manual_index.STATS` says."""
    found = asdict(_open_known(path).stats())
    if as_json:
        print(json.dumps(found))
    else:
        print("\n".join(f"{name}: {value}" for name, value in found.items()))


def _open(path, bundle):
    from productcat.duplicates.detector import DuplicateDetector
    from productcat.index.listing_index import ListingIndex
    from productcat.index.store import lancedb

    lancedb()  # where it is missing, that is known before the detector is loaded
    return ListingIndex.open(path, DuplicateDetector.load(bundle))


def _open_known(path):
    """An index that must be there, to count and to remove."""
    from productcat.index.listing_index import ListingIndex

    return ListingIndex.open(path)


def _print_one(find, photos, as_json, problems, threshold):
    from productcat.listings.listing import Listing

    listing = Listing("", photos=[sys.stdin.buffer.read() if each == STREAM else each for each in photos])
    pairs = find([listing])[0]
    if len(problems) >= len(photos):
        return UNUSABLE  # what is wrong with the photos is said
    if as_json:
        found = [{"id": pair.right, "score": round(pair.score, 6)} for pair in pairs]
        console.print_json({"duplicates": found, "threshold": threshold, "problems": problems})
    else:
        marks = ["  a duplicate" if pair.score >= threshold else "" for pair in pairs]
        lines = [f"{100 * pair.score:5.1f} %  {pair.right}{mark}" for pair, mark in zip(pairs, marks, strict=True)]
        print("\n".join(lines) or "nothing found")
    return SOME_BAD if problems else FINE


def _print_many(find, listings, as_json):
    from productcat.duplicates.pairs import pair_lines

    def pairs():
        rest = iter(listings)
        while some := list(islice(rest, TOGETHER)):
            for found in find(some):
                yield from found

    with open(sys.stdout.fileno(), "wb", closefd=False) as stream:
        stream.writelines(pair_lines(pairs(), as_json))
