"""The commands `productcat index add`, `remove`, `search`, `stats` and `tidy`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import asdict
from itertools import chain, islice
from typing import TYPE_CHECKING, Annotated

import typer

from productcat.cli import bad_rows, console, options
from productcat.cli.console import FINE, INTERRUPTED, SOME_BAD, STREAM, UNUSABLE, UsageError, command, complain
from productcat.wording import counted

if TYPE_CHECKING:
    from productcat.duplicates.pairs import DuplicatePair
    from productcat.index.listing_index import ListingIndex
    from productcat.listings.listing import Listing
    from productcat.problems import Problem

    Find = Callable[[list[Listing]], list[list[DuplicatePair]]]

LISTINGS_AT_ONCE = 64
"""Number of listings that are searched before their duplicates are printed."""

app = console.group("Keep a catalogue on disk, and search it for duplicates.")

IndexArgument = Annotated[str, typer.Argument(metavar="PATH", help="The folder of the index.")]
BadOption = Annotated[str | None, typer.Option("--bad", help="The side file. [default: standard error]")]


@command(app)
def add(
    path: IndexArgument,
    listings: Annotated[
        str | None,
        typer.Argument(metavar="LISTINGS", help="A file of listings, or a folder; - is standard input."),
    ] = None,
    source: Annotated[str | None, typer.Option("--from", help="LISTINGS, as in 0.1.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Skip listings that are in the index as they are.")] = False,
    bundle: options.Bundle = None,
    bad: BadOption = None,
    columns: options.Columns = None,
    format: options.Format = None,
    photo_root: options.PhotoRoot = None,
) -> int:
    """Add listings to an index.

    The index is made if it does not exist. A listing whose id is known replaces the old one.

    \b
      productcat index add catalogue listings.csv
      productcat index add catalogue listings.csv --resume
      cat listings.jsonl | productcat index add catalogue -

    Listings are CSV, JSON Lines, Parquet, .lst, or a folder <label>/<name>.jpg, with columns as for predict. An index
    is searched by photos. So a listing without one that can be read is named and left out, even if it has a title, and
    what the index has under its id stays. The run may be killed at any time: what it has added stays, and --resume
    skips the listings that are there with the same title, price and photos.
    """
    from productcat.jobs.progress import Progress
    from productcat.listings.readers import count_rows, read_with_ids

    if (listings is None) == (source is None):
        raise UsageError("give LISTINGS, a file or a folder" if source is None else "LISTINGS does not go with --from")
    source = listings or source or ""
    roles, total = options.columns_from(columns), count_rows(source, format)
    with closing(bad_rows.side_for(source, STREAM, bad)) as side:
        read = read_with_ids(source, roles, side.add, format, complain, photo_root)
        first = list(islice(read, 1))  # so that unusable input is known before the index is made
        index = _open(path, bundle)
        n_changed = 0

        def unlike(listings: Iterable[Listing]) -> Iterator[Listing]:
            nonlocal n_changed
            for each, is_there in index.changed(listings):
                n_changed += is_there
                yield each

        with Progress("adding", total, "listings") as progress:
            rest = progress.each(chain(first, read))
            try:
                n_added = index.add(unlike(rest) if resume else rest, side.add_problem)
            except KeyboardInterrupt:
                return complain("interrupted; what is in the index stays, go on with --resume", INTERRUPTED)
        done = f"{counted(n_added, 'listing')} added"
        done += f"; of those in the index {n_changed} had changed" if n_changed else ""
        if progress.done > n_added:
            done += f"; {progress.done - n_added} skipped or left out"
        return console.sum_up(done, bad_rows.left_out(side))


@command(app)
def remove(
    path: IndexArgument,
    ids: Annotated[list[str], typer.Argument(metavar="ID", help="- reads ids from standard input, one a line.")],
) -> int:
    """Remove listings from an index, by their ids. Ids that are not there are named.

    \b
      productcat index remove catalogue 17 18
      tail -n +2 sold.csv | cut -d, -f1 | productcat index remove catalogue -
    """
    from productcat.listings.file_formats import text_stream

    index = _open_known(path)
    if ids == [STREAM]:
        with text_stream("-") as lines:
            ids = [line.rstrip("\r\n") for line in lines if line.strip()]
    known = index.ids(ids)
    there = [each for each in dict.fromkeys(ids) if each in known]
    index.remove(there)
    missing = [each for each in ids if each not in known]
    for each in missing:
        complain(f"id {each!r}: not in the index")
    return complain(f"{counted(len(there), 'listing')} removed", SOME_BAD if missing else FINE)


@command(app)
def search(
    path: IndexArgument,
    photos: Annotated[
        list[str] | None, typer.Argument(metavar="PHOTO", help="Photos of one listing; - is standard input.")
    ] = None,
    source: options.From = None,
    k: Annotated[int, typer.Option("-k", help="Duplicates of each listing, at most.", min=1)] = 10,
    threshold: Annotated[
        float | None, typer.Option(help="Lowest probability. [default: 0]", callback=options.probability)
    ] = None,
    precision: options.Expected = None,
    adapt: options.Adapt = True,
    as_json: options.Json = False,
    safe_csv: options.SafeCsv = False,
    bundle: options.Bundle = None,
    bad: BadOption = None,
    columns: options.Columns = None,
    format: options.Format = None,
    photo_root: options.PhotoRoot = None,
) -> int:
    """Find likely duplicates of one listing, or of a file of listings.

    \b
    One listing, by its photos:
      productcat index search catalogue front.jpg back.jpg
      productcat index search catalogue front.jpg -k 3 --json

    \b
    Many: each of the nearest becomes a line left,right,score,kind, best first; with --json, an object:
      productcat index search catalogue --from new.csv -k 1 --threshold 0.9
      cat new.jsonl | productcat index search catalogue --from - --json

    The score is the probability that both are the same item, in an index of this size. The kind is copy (one picture,
    however edited) or same item (other photos of it, if it is one). What most of its listings have in common, such as
    the backdrop of one studio, counts less; --no-adapt judges each pair as if it came from anywhere. A listing is not
    its own duplicate: what the index has under its id is skipped. For one listing, a duplicate is marked if it reaches
    the bundle's threshold. --precision keeps, of each listing, as many of the nearest as are right in this share, and
    no pair below 0.5.
    """
    options.refuse_both(threshold, precision)
    if source is None:
        for_many = {"--bad": bad, "--columns": columns, "--format": format, "--photo-root": photo_root}
        options.refuse({**for_many, "--safe-csv": safe_csv}, "goes with --from")
        if not photos:
            raise UsageError("give a PHOTO or --from")
        if photos.count(STREAM) > 1:
            raise UsageError("standard input holds only one photo; give - once")
    elif photos:
        raise UsageError("PHOTO does not go with --from")
    if as_json:
        options.refuse({"--safe-csv": safe_csv}, "goes with CSV; no spreadsheet runs JSON")
    roles = options.columns_from(columns)
    _open_known(path)  # a search does not make an index
    with closing(bad_rows.side_for(source or "", STREAM, bad)) as side:
        index = _open(path, bundle)

        def on_problem(problem: Problem) -> None:
            side.add_problem(problem.reason if source is None else problem)  # without a file there is one listing

        def find(listings: list[Listing]) -> list[list[DuplicatePair]]:
            return [
                _from_threshold(each, threshold, precision) for each in index.search(listings, k, adapt, on_problem)
            ]

        if source is None:
            least = index.threshold if precision is None else 0.0  # all that is left is in the share asked for
            return _print_one(find, photos or [], as_json, side.problems, least)
        from productcat.listings.source import Table

        _print_many(find, Table(source, roles, format, photo_root).read(side.add, complain), as_json, safe_csv)
        return SOME_BAD if side.problems or side.count else FINE


@command(app)
def stats(path: IndexArgument, as_json: options.Json = False) -> None:
    """Count the listings and the photos of an index, and its bytes on disk.

    \b
      productcat index stats catalogue
      productcat index stats catalogue --json
    """
    found = asdict(_open_known(path).stats())
    if as_json:
        console.print_json(found)
    else:
        console.show(*(f"{name}: {value}" for name, value in found.items()))


@command(app)
def tidy(
    path: IndexArgument,
    now: Annotated[
        bool, typer.Option("--now", help="Nobody else has the index open: keep no file for readers.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Put the files of an index in order, and say how many files and bytes it had and has.

    \b
      productcat index tidy catalogue
      productcat index tidy catalogue --now

    First the checksum of each photo is compared. Then small files are put together, new photos are taken into the
    approximate index, and what older versions needed is removed. add and remove do so, without comparing, when it is
    due; this does it all, in time and disk in proportion to the index. What may still be read by others is kept for ten
    minutes, so there can be more bytes at first; the next tidy, add or remove after that removes it. With --now it goes
    at once.
    """
    found = _open_known(path).tidy(now)
    if as_json:
        console.print_json(asdict(found))
    else:
        console.show(f"files: {found.files_before} → {found.files}", f"bytes: {found.bytes_before} → {found.bytes}")


def _open(path: str, bundle: str | None) -> ListingIndex:
    from productcat.duplicates.detector import DuplicateDetector
    from productcat.index.listing_index import ListingIndex
    from productcat.index.store import lancedb

    lancedb()  # where it is missing, that is known before the detector is loaded
    return ListingIndex.open(path, DuplicateDetector.load(bundle))


def _open_known(path: str) -> ListingIndex:
    """Open an index that must exist, to count and to remove."""
    from productcat.index.listing_index import ListingIndex

    return ListingIndex.open(path)


def _from_threshold(
    pairs: list[DuplicatePair], threshold: float | None, precision: float | None
) -> list[DuplicatePair]:
    """Return the pairs that reach a threshold, or one such that this share of them is expected to be right."""
    if precision is not None:
        import numpy as np

        from productcat.duplicates.found import threshold_of

        threshold = threshold_of(np.array([pair.score for pair in pairs]), precision)
    return [pair for pair in pairs if pair.score >= (threshold or 0.0)]


def _print_one(find: Find, photos: list[str], as_json: bool, problems: list[str], threshold: float) -> int:
    from productcat.listings.listing import Listing

    pairs = find([Listing("", photos=tuple(map(console.photo_of, photos)))])[0]
    if len(problems) >= len(photos):
        return UNUSABLE  # what is wrong with the photos is said
    if as_json:
        found = [{"id": pair.right, "score": round(pair.score, 6), "kind": pair.kind} for pair in pairs]
        console.print_json({"duplicates": found, "threshold": threshold, "problems": problems})
    else:
        marks = [f"  a duplicate ({pair.kind})" if pair.score >= threshold else "" for pair in pairs]
        lines = [f"{100 * pair.score:5.1f} %  {pair.right}{mark}" for pair, mark in zip(pairs, marks, strict=True)]
        console.show(*(lines or ["nothing found"]))
    return SOME_BAD if problems else FINE


def _print_many(find: Find, listings: Iterable[Listing], as_json: bool, safe_csv: bool) -> None:
    from productcat.duplicates.pairs import pair_lines
    from productcat.jobs.outputs import standard_output

    def pairs() -> Iterator[DuplicatePair]:
        rest = iter(listings)
        while some := list(islice(rest, LISTINGS_AT_ONCE)):
            for found in find(some):
                yield from found

    with standard_output() as stream:
        for line in pair_lines(pairs(), as_json, safe_csv):
            stream.write(line)
