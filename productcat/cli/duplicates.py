"""The commands `productcat duplicates find`, `groups`, `calibrate` and `compare`.

`productcat duplicates evaluate` is in `productcat.cli.evaluate`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from productcat.cli import bad_rows, console, options
from productcat.cli.console import FINE, INTERRUPTED, SOME_BAD, STREAM, UNUSABLE, UsageError, command, complain, spread
from productcat.wording import about, counted

if TYPE_CHECKING:
    from productcat.duplicates.detector import DuplicateDetector
    from productcat.duplicates.embedding import Embedding
    from productcat.duplicates.matches import PhotoMatch
    from productcat.jobs.find_duplicates import Result, Rules
    from productcat.jobs.outputs import Side

DECIMALS = 6
"""Number of decimals in JSON."""

PRECISION = 0.95
"""Share of the pairs found that is right, unless another is asked for."""

app = console.group("Tell from photos which listings show the same physical item.")


Source = Annotated[
    str, typer.Argument(metavar="LISTINGS", help="A file of listings, or a folder; - is standard input.")
]
Target = Annotated[
    str,
    typer.Option(
        "--to", help="The file of what is found: CSV, or JSON Lines if it ends in .jsonl; - is standard output."
    ),
]
Html = Annotated[str | None, typer.Option("--html", help="The report, one HTML file.")]
Most = Annotated[int, typer.Option("--most", help="Groups in the report, at most.", min=1)]
Keep = Annotated[
    str, typer.Option("--keep", metavar="ORDER", help="Which listing of a group to keep, as an order of preference.")
]


@dataclass(frozen=True)
class Search:
    """What `find` and `groups` are told."""

    source: Source
    target: Target = STREAM
    html: Html = None
    most: Most = 200
    threshold: options.Threshold = None
    precision: options.Expected = None
    adapt: options.Adapt = True
    decided: options.Decided = None
    apart: options.Apart = None
    together: options.Together = None
    ignore: options.Ignore = None
    titles_alone: options.TitlesAlone = False
    safe_csv: options.SafeCsv = False
    bundle: options.Bundle = None
    bad: options.Bad = None
    columns: options.Columns = None
    format: options.Format = None
    photo_root: options.PhotoRoot = None

    def refuse_mistakes(self) -> None:
        """Raise UsageError for options that do not go together."""
        named = {"LISTINGS": self.source, "--to": self.target, "--html": self.html, "--decided": self.decided}
        options.refuse_same_file({**named, "--bad": bad_rows.side_path(self.target, self.bad)})
        _refuse_both_streams(self.source, self.decided)
        options.refuse_both(self.threshold, self.precision)
        if self.target.endswith(".jsonl"):
            options.refuse({"--safe-csv": self.safe_csv}, "goes with CSV; no spreadsheet runs JSON Lines")

    def rules(self, keep: str, side: Side) -> Rules:
        """Read the decisions, whose bad rows `side` takes, and the order of preference."""
        from productcat.duplicates.preference import Preference
        from productcat.evaluation.labelled_pairs import read_decisions
        from productcat.jobs.find_duplicates import Rules

        try:
            preference = Preference.of(keep)
        except ValueError as error:
            raise UsageError(f"--keep: {error}") from None
        decided = read_decisions(self.decided, side.add) if self.decided else []
        return Rules(
            threshold=self.threshold,
            precision=self.precision,
            adapt=self.adapt,
            decided=decided,
            apart=self.apart,
            together=self.together,
            preference=preference,
            ignore=self.ignore,
            titles_alone=self.titles_alone,
        )


@command(app)
@spread
def find(search: Search) -> int:
    """Find the pairs of listings that show the same physical item.

    \b
      productcat duplicates find listings.csv --to pairs.csv
      productcat duplicates find listings.csv --to pairs.csv --html report.html
      productcat duplicates find stock.csv --to pairs.jsonl --columns "title=headline, photo_pattern=photos/{id}.jpg"
      productcat duplicates find goods.csv --decided decisions.csv --apart reference
      productcat duplicates find listings.csv --to pairs.csv --precision 0.98 --ignore charts
      cat listings.jsonl | productcat duplicates find - --to - --threshold 0.3

    LISTINGS is CSV, JSON Lines, Parquet, .lst, or a folder <label>/<name>.jpg, with columns as for predict. Each pair
    that reaches the threshold becomes a line left,right,score,kind, best first. The score is the probability that both
    are the same item. The kind is copy (one picture, however edited) or same item (other photos of it).

    The report is one HTML file with the photos of each group side by side. The most doubtful groups come first, and
    pairs that just miss the threshold.

    The score knows how many listings there are: among more, more look alike by chance. So the threshold need not be
    chosen anew for a large catalogue. The last line says which one was taken, and how many of the pairs are probably
    right. --precision asks for another share instead of a --threshold: it takes the lowest one, 0.5 or more, from which
    on so many of the pairs are right.

    What most listings have in common, such as the backdrop of one studio, counts less. --no-adapt judges each pair as
    if it came from anywhere. A picture in many listings that otherwise differ, such as a size chart, is named and left
    out. --ignore takes a folder of more pictures that never count, however they are cropped or lit.

    --decided takes pairs that somebody decided, as the report saves them. A pair that is different is never found. One
    that is the same always is, with the score 1, and so are the pairs that follow from it. --apart takes a column, such
    as the seller's own references: two listings with different values in it are never duplicates. With --together, two
    with the same value always are. An empty cell says nothing; a decision outranks a column.

    Pairs of which a side has no photo are left out. --titles-alone finds them too, among listings whose titles share
    rare words, if the bundle knows what titles count. Their kind is title. Titles alone are never sure, since sister
    articles have equal ones: give a --threshold of 0.5 or less, or a --precision.

    Ids are written as they are, since programs look them up, this one too. --safe-csv is for a file that people open in
    a spreadsheet: an id that it would run as a formula gets an apostrophe, and --decided takes that away again.

    To continue an interrupted run, give the same command again. Until the run is done, what it knows of the photos is
    kept in <--to>.embeddings.
    """
    return _searched(search)


@command(app)
@spread
def groups(search: Search, keep: Keep = "photos, size, title, id") -> int:
    """Find the groups of listings that show one physical item, and which listing of each to keep.

    \b
      productcat duplicates groups listings.csv --to groups.csv
      productcat duplicates groups listings.csv --to groups.jsonl --html report.html
      productcat duplicates groups goods.csv --keep "price:lowest, photos"
      productcat duplicates groups goods.csv --keep "condition:new|good|used, id" --decided decisions.csv

    A group hangs together: on the average of all pairs in it, not by one pair of duplicates. So a chain of lots, each
    with an item of the one before, is no group. Twelve postings of one item are one, even if some pairs miss the
    threshold.

    CSV has a line group,id,keep,score for each listing of a group: the number of the group, yes for the listing to
    keep, and how sure it belongs to the group as a whole, the mean of its scores with all others. JSON Lines has a line
    for each group, with all its pairs and their scores. The largest groups come first, in each the listing to keep.

    --keep is an order of preference: photos (most of them), size (the largest photo), title (the longest), id (the
    oldest; 9 is older than 10), price, or a column. After a colon stands the end that is preferred (price:lowest,
    views:highest), or the values, best first (condition:new|good|used). Where listings are equal, the next wish
    decides, at last the usual order.

    Everything else is as for productcat duplicates find.
    """
    return _searched(search, keep, grouped=True)


def _searched(search: Search, keep: str = "", grouped: bool = False) -> int:
    """Do what `find` and `groups` have in common. → exit code"""
    from productcat.jobs.find_duplicates import Outputs
    from productcat.jobs.find_duplicates import search as find_duplicates
    from productcat.listings.source import Table

    roles = options.columns_from(search.columns)
    search.refuse_mistakes()
    outputs = Outputs(search.target, search.html, search.most, search.bad, grouped, search.safe_csv)
    unfinished = outputs.unfinished()
    bad_decisions = bad_rows.StderrLog(search.decided or "")
    rules = search.rules(keep, bad_decisions)
    table = Table(search.source, replace(roles, extra=rules.columns), search.format, search.photo_root)
    detector = detector_of(search.bundle, None)
    with closing(bad_rows.side_for(search.source, search.target, search.bad, unfinished)) as side:
        try:
            result = find_duplicates(detector, table, outputs, side, rules, complain)
        except KeyboardInterrupt:
            way_out = "" if search.target == STREAM else "; give the same command again to continue"
            return complain(f"interrupted{way_out}", INTERRUPTED)
        found = _found(result, shown=search.html is not None)
        return console.sum_up(found, bad_rows.left_out(side) + _without(bad_decisions))


def _without(side: bad_rows.StderrLog) -> list[str]:
    """Return the part of a summary on decisions that cannot be used; none where all can."""
    return [f"{counted(side.count, 'decision')} left out, {side.place}"] if side.count else []


def _found(result: Result, shown: bool) -> str:
    """Say how many pairs and groups were found, at which threshold, how many are right, and what would find more.

    shown: whether --html was given.
    """
    threshold = f"{result.threshold:.3g}"
    found = f"{counted(result.n_listings, 'listing')}, {counted(result.n_pairs, 'pair')} at {threshold} or more"
    if not math.isnan(result.expected):
        found += f", {about(result.expected)} of them right"
    if result.group_sizes:
        groups = counted(len(result.group_sizes), "group")
        found += f", in {groups} of {counted(sum(result.group_sizes), 'listing')}"
    if result.n_near:
        near = f"{result.n_near:,} more from {result.threshold / 2:.3g} on"
        found += f" ({near}: {'' if shown else 'see them with --html, '}take them with --threshold)"
    return found


@command(app)
def calibrate(
    source: Source,
    decided: Annotated[str, typer.Option("--decided", help="Pairs that somebody decided: CSV left,right,verdict.")],
    target: Annotated[
        str | None, typer.Option("--to", metavar="NEWBUNDLE", help="The new bundle, a directory to be made.")
    ] = None,
    precision: options.Precision = None,
    adapt: options.Adapt = True,
    bundle: options.Bundle = None,
    columns: options.Columns = None,
    format: options.Format = None,
    photo_root: options.PhotoRoot = None,
) -> int:
    """Set the threshold for duplicates from pairs that somebody decided.

    \b
      productcat duplicates calibrate listings.csv --decided decisions.csv
      productcat duplicates calibrate listings.csv --decided decisions.csv --to my-bundle --precision 0.98

    LISTINGS are those of the catalogue, as for find. The decisions are as for find --decided, 20 or more, with 5 or
    more of each verdict. Decide pairs as the report shows them, not only clear ones, and some below the threshold too.

    Pairs are scored as find scores them among these listings. The threshold is the lowest at which --precision of the
    decided pairs that reach it are the same item. It is printed, with how many of them are right, and between which
    shares the truth probably lies. Give it to find with --threshold. Or write a new bundle with --to, which has this
    threshold and is otherwise like the old one.
    """
    from productcat.calibration.thresholds import decided_threshold, save_threshold
    from productcat.evaluation.evaluate_pairs import evaluate_pairs
    from productcat.evaluation.labelled_pairs import read_decisions
    from productcat.jobs.outputs import refuse_bundle
    from productcat.jobs.progress import Progress
    from productcat.listings.source import Table
    from productcat.models.bundle import Bundle

    _refuse_both_streams(source, decided)
    if target:
        refuse_bundle(target)  # before the photos, which take a while
    bad_decisions, side = bad_rows.StderrLog(decided), bad_rows.StderrLog(source)
    pairs = read_decisions(decided, bad_decisions.add)
    table = Table(source, options.columns_from(columns), format, photo_root)
    with Progress("looking at photos", table.count(), "listings") as progress:
        listings = progress.each(table.read(side.add, complain))
        found = evaluate_pairs(detector_of(bundle, None), listings, pairs, adapt, side.add_problem)
    chosen = decided_threshold(found.scores, found.labels, precision or PRECISION)
    if target:
        save_threshold(Bundle.open(bundle), target, chosen.threshold)
    console.show(f"--threshold {chosen.threshold:.6g}")
    complain(
        f"of the decided pairs that reach it, {chosen.right} of {chosen.right + chosen.wrong} are the same item "
        f"(of all such pairs probably {chosen.low:.0%} to {chosen.high:.0%}); {chosen.missed} others are missed"
    )
    left_out = bad_rows.left_out(side) + _without(bad_decisions)
    if found.n_left_out:
        left_out.append(f"{counted(found.n_left_out, 'decision')} on listings that are not in {source} left out")
    done = f"{target}: a bundle with this threshold" if target else "no bundle written, since --to is not given"
    return console.sum_up(done, left_out)


def _refuse_both_streams(source: str, decided: str | None) -> None:
    if source == decided == STREAM:
        raise UsageError("LISTINGS and --decided are both standard input; give a file for one of them")


def detector_of(bundle: str | None, threshold: float | None) -> DuplicateDetector:
    """Load the detector of a bundle, with the threshold that was given."""
    from productcat.duplicates.detector import DuplicateDetector

    detector = DuplicateDetector.load(bundle)
    if threshold is not None:
        detector.threshold = threshold
    return detector


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

        console.show(*match_lines(score, detector.threshold, matches, left_names, right_names))
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
