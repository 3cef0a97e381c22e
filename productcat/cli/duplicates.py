"""The commands `productcat duplicates find` and `compare`; `evaluate` is in `productcat.cli.evaluate`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from productcat.cli import bad_rows, console, options
from productcat.cli.console import FINE, INTERRUPTED, SOME_BAD, STREAM, UNUSABLE, UsageError, command, complain
from productcat.wording import counted

if TYPE_CHECKING:
    from productcat.duplicates.detector import DuplicateDetector
    from productcat.duplicates.embedding import Embedding
    from productcat.duplicates.matches import PhotoMatch
    from productcat.jobs.find_duplicates import Result

DECIMALS = 6
"""Number of decimals in JSON."""

LARGE = 1_000
"""Number of listings from which on `find` names a stricter threshold."""

app = console.group("Tell from photos which listings show the same physical item.")


@command(app)
def find(
    source: Annotated[
        str, typer.Argument(metavar="LISTINGS", help="A file of listings, or a folder; - is standard input.")
    ],
    target: Annotated[
        str,
        typer.Option("--to", help="The file of pairs: CSV, or JSON Lines if it ends in .jsonl; - is standard output."),
    ] = STREAM,
    html: Annotated[str | None, typer.Option("--html", help="The report, one HTML file.")] = None,
    most: Annotated[int, typer.Option("--most", help="Pairs in the report, at most.", min=1)] = 200,
    threshold: options.Threshold = None,
    adapt: options.Adapt = True,
    bundle: options.Bundle = None,
    bad: options.Bad = None,
    columns: options.Columns = None,
    format: options.Format = None,
) -> int:
    """Find the pairs of listings that show the same physical item.

    \b
      productcat duplicates find listings.csv --to pairs.csv
      productcat duplicates find listings.csv --to pairs.csv --html report.html
      productcat duplicates find stock.csv --to pairs.jsonl --columns "title=headline, photo_pattern=photos/{id}.jpg"
      cat listings.jsonl | productcat duplicates find - --to - --threshold 0.3

    LISTINGS is CSV, JSON Lines, Parquet, .lst, or a folder <label>/<name>.jpg, with columns as for predict. Each pair
    that reaches the threshold becomes a line left,right,score, best first. The score is the probability that both are
    the same item.

    The report is one HTML file with the photos side by side. The most doubtful pairs come first, including some that
    just miss the threshold.

    In a large catalogue, more listings look alike by chance. For a thousand listings or more, the last line also names
    the threshold that is as strict among so many, and how many pairs reach it.

    What most listings have in common, such as the backdrop of one studio, counts less. --no-adapt judges each pair as
    if it came from anywhere.

    To continue an interrupted run, give the same command again. Until the run is done, what it knows of the photos is
    kept in <--to>.embeddings.
    """
    from productcat.jobs.find_duplicates import Outputs, search
    from productcat.listings.source import Table

    table = Table(source, options.columns_from(columns), format)
    files = {"LISTINGS": source, "--to": target, "--html": html, "--bad": bad_rows.side_path(target, bad)}
    options.refuse_same_file(files)
    outputs = Outputs(target, html, most, bad)
    unfinished = outputs.unfinished()
    detector = detector_of(bundle, threshold)
    with closing(bad_rows.side_for(source, target, bad, unfinished)) as side:
        try:
            result = search(detector, table, outputs, side, adapt, complain)
        except KeyboardInterrupt:
            way_out = "" if target == STREAM else "; give the same command again to continue"
            return complain(f"interrupted{way_out}", INTERRUPTED)
        found = _found(result, detector.threshold, given=threshold is not None, shown=html is not None)
        return console.sum_up(found, bad_rows.left_out(side))


def detector_of(bundle: str | None, threshold: float | None) -> DuplicateDetector:
    """Load the detector of a bundle, with the threshold that was given."""
    from productcat.duplicates.detector import DuplicateDetector

    detector = DuplicateDetector.load(bundle)
    if threshold is not None:
        detector.threshold = threshold
    return detector


def _found(result: Result, threshold: float, given: bool, shown: bool) -> str:
    """Say how many pairs were found, and which threshold would find more, or fewer by chance.

    given, shown: whether --threshold and --html were given.
    """
    found = f"{counted(result.n_listings, 'listing')}, {counted(result.n_pairs, 'pair')} at {threshold:.3g} or more"
    if result.n_near:
        near = f"{result.n_near} more from {threshold / 2:.3g} on"
        found += f" ({near}: {'' if shown else 'see them with --html, '}take them with --threshold)"
    if result.n_listings >= LARGE and not given and result.n_strict < result.n_pairs:
        strict = f"--threshold {result.strict:.15g}"
        found += f"; as strict among so many listings is {strict}: {counted(result.n_strict, 'pair')}"
    return found


class _Sides(TyperCommand):
    """Reads `--with B1 B2` as `--with B1 --with B2`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Split the arguments, as click asks for it. ctx is click's or typer's own Context, by typer's version."""
        spread: list[str] = []
        follows = False
        for each in args:
            if follows and (each == STREAM or not each.startswith("-")):
                spread += ["--with", each]
            else:
                follows = each == "--with"
                spread += [] if follows else [each]
        return super().parse_args(ctx, spread)


@command(app, cls=_Sides)
def compare(
    photos: Annotated[list[str], typer.Argument(metavar="A", help="Photos of one listing; - is standard input.")],
    others: Annotated[list[str] | None, typer.Option("--with", metavar="B...", help="Photos of the other.")] = None,
    as_json: options.Json = False,
    threshold: options.Threshold = None,
    bundle: options.Bundle = None,
) -> int:
    """Compare two sets of photos: how likely is the same physical item on both, and which photos match?

    \b
      productcat duplicates compare front.jpg --with boots.jpg
      productcat duplicates compare front.jpg back.jpg --with boots.jpg photos/front.jpg
      productcat duplicates compare front.jpg --with - --json < photos/front.jpg

    Each match has the names of both photos and how alike they are on each level of the image model. 1 is the same, 0 no
    more alike than any two photos; higher levels see objects, lower ones scenes. copy tells how alike the pictures
    themselves are, even if one is turned or mirrored.
    """
    if not others:
        raise UsageError("give the photos of the other listing: --with B...")
    if [*photos, *others].count(STREAM) > 1:
        raise UsageError("standard input holds only one photo; give - once")
    detector = detector_of(bundle, threshold)
    problems: list[str] = []
    left, left_names = _look(detector, photos, problems)
    right, right_names = _look(detector, others, problems)
    for problem in problems:
        complain(problem)
    if not left_names or not right_names:
        return UNUSABLE  # what is wrong with the photos is said
    score, matches = float(detector.score([left], [right])[0]), detector.explain(left, right)
    if as_json:
        found = {
            "score": round(score, DECIMALS),
            "threshold": detector.threshold,
            "duplicates": score >= detector.threshold,
            "matches": _as_dicts(matches, left_names, right_names),
            "problems": problems,
        }
        console.print_json(found)
    else:
        from productcat.cli.text import match_lines

        print("\n".join(match_lines(score, detector.threshold, matches, left_names, right_names)))
    return SOME_BAD if problems else FINE


def _look(detector: DuplicateDetector, photos: list[str], problems: list[str]) -> tuple[Embedding, list[str]]:
    """Return the Embedding of one listing's photos, and the names of those that can be read. Adds to `problems`."""
    from productcat.duplicates.embedding import joined
    from productcat.listings.listing import Listing

    listings = [Listing("", photos=(console.photo_of(photo),)) for photo in photos]
    embeddings, reasons = detector.look_at(listings)
    problems += [why for each in reasons for why in each]
    return joined(embeddings), [photo for photo, each in zip(photos, embeddings, strict=True) if len(each)]


def _as_dicts(matches: Sequence[PhotoMatch], left: list[str], right: list[str]) -> list[dict[str, Any]]:
    """Return the matches as --json prints them. left, right: names of the photos that can be read."""
    return [
        {
            "left": left[each.left],
            "right": right[each.right],
            "levels": {name: round(value, DECIMALS) for name, value in each.levels.items()},
            "copy": round(each.copy, DECIMALS),
        }
        for each in matches
    ]
