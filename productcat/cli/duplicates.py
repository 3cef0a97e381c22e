"""The commands `productcat duplicates find` and `productcat duplicates compare`."""

import sys
from contextlib import closing
from typing import Annotated

import typer
from typer.core import TyperCommand

from productcat.cli import bad_rows, console, manual_duplicates
from productcat.cli.console import (
    FINE,
    INTERRUPTED,
    SOME_BAD,
    UNUSABLE,
    AdaptOption,
    BadOption,
    BundleOption,
    ColumnsOption,
    FormatOption,
    UsageError,
    command,
    complain,
)
from productcat.wording import counted

DECIMALS = 6

LARGE = 1_000
"""From so many listings on `find` tells of the threshold for so many."""

app = console.group(manual_duplicates.DUPLICATES)


ThresholdOption = Annotated[
    float | None,
    typer.Option(
        "--threshold",
        help="Least probability of a duplicate, 0 to 1. [default: the bundle's own]",
        callback=console.probability,
    ),
]


@app.command(help=manual_duplicates.FIND)
@command
def find(
    source: Annotated[
        str, typer.Argument(metavar="LISTINGS", help="A file of listings, or a folder; - is standard input.")
    ],
    target: Annotated[
        str,
        typer.Option("--to", help="The file of pairs: CSV, or JSON Lines if it ends in .jsonl; - is standard output."),
    ] = "-",
    html: Annotated[str | None, typer.Option("--html", help="The report, one HTML file.")] = None,
    most: Annotated[int, typer.Option("--most", help="Pairs in the report, at most.", min=1)] = 200,
    threshold: ThresholdOption = None,
    adapt: AdaptOption = True,
    bundle: BundleOption = None,
    bad: BadOption = None,
    columns: ColumnsOption = None,
    format: FormatOption = None,
):
    """What `manual_duplicates.FIND` says."""
    from productcat.jobs.find_duplicates import Outputs, search
    from productcat.listings.source import Table

    columns = console.columns_from(columns)
    files = {"LISTINGS": source, "--to": target, "--html": html, "--bad": bad_rows.side_path(target, bad)}
    console.refuse_same_file(files)
    outputs = Outputs(target, html, most, bad)
    unfinished = outputs.unfinished()
    detector = detector_of(bundle, threshold)
    with closing(bad_rows.side_for(source, target, bad, unfinished)) as side:
        try:
            result = search(detector, Table(source, columns, format), outputs, side, adapt)
        except KeyboardInterrupt:
            said = "interrupted" if target == "-" else "interrupted; the same command goes on"
            return complain(said, INTERRUPTED)
        return _sum_up(result, detector.threshold, side, given=threshold is not None, shown=html is not None)


def detector_of(bundle, threshold):
    """The detector of a bundle, with the threshold that was given."""
    from productcat.duplicates.detector import DuplicateDetector

    detector = DuplicateDetector.load(bundle)
    if threshold is not None:
        detector.threshold = threshold
    return detector


def _sum_up(result, threshold, side, given, shown):
    found = f"{counted(result.n_listings, 'listing')}, {counted(result.n_pairs, 'pair')} at {threshold:.3g} or more"
    if result.n_near:
        near = f"{result.n_near} more from {threshold / 2:.3g} on"
        found += f" ({near}: {'' if shown else 'see them with --html, '}take them with --threshold)"
    if result.n_listings >= LARGE and not given and result.n_strict < result.n_pairs:
        strict = f"--threshold {result.strict:.15g}"
        found += f"; as strict among so many listings is {strict}: {counted(result.n_strict, 'pair')}"
    troubles = bad_rows.troubles(result.n_problems, side)
    return complain("; ".join([found, *troubles]), SOME_BAD if troubles else FINE)


class _Sides(TyperCommand):
    """Reads `--with B1 B2` as `--with B1 --with B2`."""

    def parse_args(self, ctx, args):
        """What click calls."""
        spread, follows = [], False
        for each in args:
            if follows and (each == "-" or not each.startswith("-")):
                spread += ["--with", each]
            else:
                follows = each == "--with"
                spread += [] if follows else [each]
        return super().parse_args(ctx, spread)


@app.command(help=manual_duplicates.COMPARE, cls=_Sides)
@command
def compare(
    photos: Annotated[list[str], typer.Argument(metavar="A", help="Photos of one listing; - is standard input.")],
    others: Annotated[list[str] | None, typer.Option("--with", metavar="B...", help="Photos of the other.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
    threshold: ThresholdOption = None,
    bundle: BundleOption = None,
):
    """What `manual_duplicates.COMPARE` says."""
    if not others:
        raise UsageError("give the photos of the other listing: --with B...")
    if [*photos, *others].count("-") > 1:
        raise UsageError("standard input holds one photo, - can be given once")
    detector = detector_of(bundle, threshold)
    problems = []
    (left, right), names = zip(*(_look(detector, each, problems) for each in (photos, others)), strict=True)
    for problem in problems:
        complain(problem)
    if not all(names):
        return UNUSABLE  # what is wrong with the photos is said
    score, matches = float(detector.score([left], [right])[0]), detector.explain(left, right)
    if as_json:
        console.print_json(_as_dict(score, detector.threshold, matches, names, problems))
    else:
        from productcat.cli.text import match_lines

        print("\n".join(match_lines(score, detector.threshold, matches, *names)))
    return SOME_BAD if problems else FINE


def _look(detector, photos, problems):
    """Photos of one listing → its Embedding, and the names of those that can be read."""
    from productcat.duplicates.embedding import joined
    from productcat.listings.listing import Listing

    listings = [Listing("", photos=[sys.stdin.buffer.read() if photo == "-" else photo]) for photo in photos]
    embeddings, reasons = detector.look_at(listings)
    problems += [why for each in reasons for why in each]
    return joined(embeddings), [photo for photo, each in zip(photos, embeddings, strict=True) if len(each)]


def _as_dict(score, threshold, matches, names, problems):
    """What --json prints. names: those of the photos on the left, and on the right."""
    left, right = names
    rounded = [{name: round(value, DECIMALS) for name, value in each.levels.items()} for each in matches]
    return {
        "score": round(score, DECIMALS),
        "threshold": threshold,
        "duplicates": score >= threshold,
        "matches": [
            {"left": left[each.left], "right": right[each.right], "levels": levels, "copy": round(each.copy, DECIMALS)}
            for each, levels in zip(matches, rounded, strict=True)
        ],
        "problems": problems,
    }
