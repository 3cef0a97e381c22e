"""From a file of listings to a file of pairs and a report, by a run that can go on after an interruption."""

import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from productcat.duplicates.detector import DuplicateDetector
from productcat.duplicates.embedding import Embedding
from productcat.duplicates.matches import ReportedPair
from productcat.duplicates.pairs import DuplicatePair, pair_lines
from productcat.jobs.kept_embeddings import embed_in_shards, kept_in, remove_folder
from productcat.jobs.outputs import Side, refuse_existing, refuse_unwritable, write_whole
from productcat.jobs.progress import Progress
from productcat.listings.columns import OnRemark
from productcat.listings.listing import Listing
from productcat.listings.source import STREAM, Table
from productcat.problems import warn
from productcat.reports.duplicates import Findings, draw, report

OTHER_NAME = "give another name"


@dataclass(frozen=True)
class Outputs:
    """What is to be written.

    pairs : str
        The file of pairs.
    report : str, optional
        The HTML file.
    most : int
        Greatest number of pairs in the report.
    bad : str, optional
        The side file. By default its name is made from `pairs`.
    """

    pairs: str
    report: str | None
    most: int
    bad: str | None

    @property
    def shards(self) -> Path | None:
        """The folder in which embeddings are kept until the run is done. None if `pairs` is a stream or a device."""
        goes_by = self.pairs == STREAM or (Path(self.pairs).exists() and not Path(self.pairs).is_file())
        return None if goes_by else Path(f"{self.pairs}.embeddings")

    def unfinished(self) -> bool:
        """Tell whether a run for these outputs was interrupted. Raise ListingError for files of a finished run."""
        if self.report:  # it is written last, so not even an unfinished run has one
            refuse_existing(self.report, OTHER_NAME)
            refuse_unwritable(self.report)
        if self.shards is None:
            return False
        # a finished run leaves what else lay in the folder, such as a .DS_Store
        if self.shards.is_dir() and (any(self.shards.glob("*.safetensors")) or not Path(self.pairs).exists()):
            return True
        refuse_existing(self.pairs, OTHER_NAME)
        refuse_existing(self.bad or f"{self.pairs}.bad.jsonl", OTHER_NAME)
        return False


@dataclass(frozen=True)
class Result:
    """What a run found.

    n_listings: listings looked at. n_pairs: pairs found. n_near: pairs that reach half the threshold, but not the
    threshold. strict: the threshold for so many listings. n_strict: pairs that reach that one.
    """

    n_listings: int
    n_pairs: int
    n_near: int
    strict: float
    n_strict: int


def search(
    detector: DuplicateDetector,
    table: Table,
    outputs: Outputs,
    side: Side,
    adapt: bool = True,
    on_remark: OnRemark = warn,
) -> Result:
    """Find the duplicates in a table.

    Parameters
    ----------
    detector : DuplicateDetector
        Its threshold is the one that counts.
    table : Table
    outputs : Outputs
    side : Side
    adapt : bool
        As for `DuplicateDetector.find`.
    on_remark : callable
        As for `read_listings`.

    Returns
    -------
    Result
    """
    total = table.count()
    if outputs.report:
        table.keep()
    embeddings = _embed(detector, table.read(side.add, on_remark), total, outputs.shards, side)
    with Progress("comparing", None, "listings"):
        detector = detector.adapt(embeddings) if adapt else detector
        # Pairs that miss the threshold are doubts for the report, and their number tells whether it is too high.
        pairs = detector.find(embeddings, detector.threshold / 2, adapt=False)
    found = [pair for pair in pairs if pair.score >= detector.threshold]
    _write_pairs(outputs.pairs, found)
    if outputs.report:
        _write_report(detector, table, embeddings, pairs, outputs.report, outputs.most)
    if outputs.shards:
        remove_folder(outputs.shards)
    strict = _as_typed(detector.threshold_among(len(embeddings)))
    n_strict = sum(pair.score >= strict for pair in found)
    return Result(len(embeddings), len(found), len(pairs) - len(found), strict, n_strict)


def _as_typed(probability: float) -> float:
    """Round to three digits of what is missing to 1, which is enough to type."""
    missing = 1.0 - probability
    return round(probability, 2 - math.floor(math.log10(missing))) if missing > 0 else probability


def _embed(
    detector: DuplicateDetector, listings: Iterable[Listing], total: int | None, shards: Path | None, side: Side
) -> list[Embedding]:
    embeddings: list[Embedding] = []
    with Progress("looking at photos", total, "listings") as progress, kept_in(shards):
        for some, problems in embed_in_shards(detector, listings, shards):
            embeddings += some
            for problem in problems:
                side.add_problem(problem)
            progress.advance(len(some))
    return embeddings


def _write_pairs(target: str, pairs: Iterable[DuplicatePair]) -> None:
    if target != STREAM:
        write_whole(target, pair_lines(pairs, target.endswith(".jsonl")))
        return
    with open(sys.stdout.fileno(), "wb", closefd=False) as stream:
        stream.writelines(pair_lines(pairs))


def _write_report(
    detector: DuplicateDetector,
    table: Table,
    embeddings: Sequence[Embedding],
    pairs: Sequence[DuplicatePair],
    target: str,
    most: int,
) -> None:
    chosen = doubts(pairs, detector.threshold, most)
    known = {each.id: each for each in embeddings}
    reported = [ReportedPair(pair, detector.explain(known[pair.left], known[pair.right])) for pair in chosen.pairs]
    shown, n_wanted = {}, len({id for pair in chosen.pairs for id in (pair.left, pair.right)})
    with Progress("drawing photos", n_wanted, "listings") as progress:
        for id, drawn in draw(reported, table.again()):
            shown[id] = drawn
            progress.advance(1)
    n_found = sum(pair.score >= detector.threshold for pair in pairs)
    findings = Findings(table.name, detector.threshold, len(embeddings), n_found, chosen.reported, chosen.below)
    write_whole(target, report(reported, shown, findings))


@dataclass(frozen=True)
class Doubts:
    """Pairs for a person to look at, the nearest to the threshold first, and how many were left out.

    pairs : list of DuplicatePair
    reported, below : int
        Number of pairs left out that reach the threshold, and that do not.
    """

    pairs: list[DuplicatePair]
    reported: int
    below: int


def doubts(pairs: Iterable[DuplicatePair], threshold: float, most: int) -> Doubts:
    """Choose the pairs nearest to the threshold: at most `most`, and at most half of them below the threshold.

    Parameters
    ----------
    pairs : list of DuplicatePair
        From some score below the threshold up.
    threshold : float
    most : int
    """

    def nearest(some: Iterable[DuplicatePair], number: int) -> list[DuplicatePair]:
        return sorted(some, key=lambda pair: (abs(pair.score - threshold), pair.left, pair.right))[:number]

    reported = [pair for pair in pairs if pair.score >= threshold]
    below = [pair for pair in pairs if pair.score < threshold]
    some = nearest(below, most // 2)
    chosen = nearest(reported, most - len(some)) + some
    n_reported = sum(pair.score >= threshold for pair in chosen)
    return Doubts(nearest(chosen, most), len(reported) - n_reported, len(below) - len(some))
