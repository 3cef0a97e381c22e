"""From a file of listings to a file of pairs or groups and a report, by a run that can go on after an interruption."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from productcat.duplicates.decisions import KnownItems, LabelledPair
from productcat.duplicates.detector import DuplicateDetector
from productcat.duplicates.embedding import Embedding
from productcat.duplicates.found import LOWEST, Found
from productcat.duplicates.groups import group_lines
from productcat.duplicates.ignored import kept_photos, only_photos
from productcat.duplicates.pairs import pair_lines
from productcat.duplicates.preference import ListingFacts, Preference
from productcat.duplicates.safe_csv import as_listed
from productcat.duplicates.shared_pictures import SharedPicture
from productcat.jobs.duplicates_report import Searched, expectation, write_report
from productcat.jobs.kept_embeddings import embed_in_shards, kept_in, remove_folder
from productcat.jobs.outputs import Side, refuse_existing, refuse_unwritable, standard_output, write_whole
from productcat.jobs.progress import Progress
from productcat.listings.columns import OnRemark
from productcat.listings.listing import Listing
from productcat.listings.readers import read_listings
from productcat.listings.source import STREAM, Table
from productcat.problems import warn

OTHER_NAME = "give another name"


@dataclass(frozen=True)
class Outputs:
    """What is to be written.

    found : str
        The file of pairs, or of groups.
    report : str, optional
        The HTML file.
    most : int
        Greatest number of groups in the report.
    bad : str, optional
        The side file. By default its name is made from `found`.
    grouped : bool
        Whether `found` is a file of groups.
    for_spreadsheet : bool
        As for `pair_lines`.
    """

    found: str
    report: str | None
    most: int
    bad: str | None
    grouped: bool = False
    for_spreadsheet: bool = False

    @property
    def shards(self) -> Path | None:
        """The folder in which embeddings are kept until the run is done. None if `found` is a stream or a device."""
        goes_by = self.found == STREAM or (Path(self.found).exists() and not Path(self.found).is_file())
        return None if goes_by else Path(f"{self.found}.embeddings")

    def unfinished(self) -> bool:
        """Tell whether a run for these outputs was interrupted. Raise ListingError for files of a finished run."""
        if self.report:  # it is written last, so not even an unfinished run has one
            refuse_existing(self.report, OTHER_NAME)
            refuse_unwritable(self.report)
        if self.shards is None:
            return False
        # a finished run leaves what else lay in the folder, such as a .DS_Store
        if self.shards.is_dir() and (any(self.shards.glob("*.safetensors")) or not Path(self.found).exists()):
            return True
        refuse_existing(self.found, OTHER_NAME)
        refuse_existing(self.bad or f"{self.found}.bad.jsonl", OTHER_NAME)
        return False


@dataclass(frozen=True)
class Rules:
    """What is known besides photos, and what is wanted.

    threshold, precision : float, optional
        As for `DuplicateDetector.search`.
    adapt : bool
        As for `DuplicateDetector.find`.
    decided : sequence of LabelledPair
    apart, together : str, optional
        Columns whose values keep listings apart, or together.
    preference : Preference
        Which listing of a group is kept. Its columns are filled from the table.
    ignore : str, optional
        A folder of pictures that never count.
    titles_alone : bool
        As for `DuplicateDetector.find`.
    """

    threshold: float | None = None
    precision: float | None = None
    adapt: bool = True
    decided: Sequence[LabelledPair] = ()
    apart: str | None = None
    together: str | None = None
    preference: Preference = field(default_factory=Preference.of)
    ignore: str | None = None
    titles_alone: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The extra columns that a table must have for this."""
        named = filter(None, (self.apart, self.together, *self.preference.wanted))
        return tuple(dict.fromkeys(named))


@dataclass(frozen=True)
class Result:
    """What a run found.

    n_listings : int
        Listings looked at.
    n_pairs, n_near : int
        Pairs that reach the threshold, and pairs that reach half of it only.
    threshold : float
    expected : float
        Share of the pairs that is expected to be right; NaN without pairs.
    group_sizes : tuple of int, optional
        Of the groups that the pairs make. None if no groups were wanted.
    """

    n_listings: int
    n_pairs: int
    n_near: int
    threshold: float
    expected: float
    group_sizes: tuple[int, ...] | None = None


def search(
    detector: DuplicateDetector,
    table: Table,
    outputs: Outputs,
    side: Side,
    rules: Rules,
    on_remark: OnRemark = warn,
) -> Result:
    """Find the duplicates in a table.

    Parameters
    ----------
    detector : DuplicateDetector
    table : Table
        With the extra columns that `rules` asks for.
    outputs : Outputs
    side : Side
    rules : Rules
    on_remark : callable
        As for `read_listings`. It is also called for each picture that many listings share.

    Returns
    -------
    Result
    """
    if rules.titles_alone:
        detector.needs_titles()  # before the photos, which take a while
    total = table.count()
    if outputs.report:
        table.keep()
    ignored = _ignored(detector, rules.ignore, on_remark) if rules.ignore else []
    facts: list[ListingFacts] = []
    listings = _noted(table.read(side.add, on_remark), facts)
    embeddings = _embed(detector, listings, total, outputs.shards, side, rules.titles_alone)
    facts = [replace(each, n_photos=len(seen)) for each, seen in zip(facts, embeddings, strict=True)]
    with Progress("comparing", None, "listings"):
        numbers = kept_photos(embeddings, ignored)
        counted = only_photos(embeddings, numbers)
        found, adapted = _searched(detector, counted, table, rules, on_remark)
        preference = replace(rules.preference, columns=table.extra)
        groups = found.groups(facts, preference) if outputs.grouped or outputs.report else None
    for picture in found.shared:
        on_remark(_said_of(picture, dict(zip(found.ids, numbers, strict=True))))
    written_as = outputs.found.endswith(".jsonl"), outputs.for_spreadsheet
    lines = group_lines(groups or (), *written_as) if outputs.grouped else pair_lines(found.pairs, *written_as)
    _write(outputs.found, lines)
    n_pairs, n_near = found.count(found.threshold), found.count(found.threshold / 2)
    sizes = None if groups is None else tuple(map(len, groups))
    result = Result(len(embeddings), n_pairs, n_near - n_pairs, found.threshold, found.expected, sizes)
    if outputs.report:
        searched = Searched(adapted, counted, numbers, found, groups or [], facts, preference)
        write_report(
            outputs.report, searched, table, outputs.most, expectation(rules.threshold, rules.precision, found)
        )
    if outputs.shards:
        remove_folder(outputs.shards)
    return result


def _searched(
    detector: DuplicateDetector, embeddings: list[Embedding], table: Table, rules: Rules, on_remark: OnRemark
) -> tuple[Found, DuplicateDetector]:
    """Search as far as half the threshold. → what was found, and the detector that judged"""
    apart, together = (table.extra.get(name, {}) if name else {} for name in (rules.apart, rules.together))
    ids = [each.id for each in embeddings]
    known = KnownItems.of(
        ids, as_listed(rules.decided, {*ids}), apart, together, lambda problem: on_remark(str(problem))
    )
    threshold = detector.threshold if rules.threshold is None else rules.threshold
    adapted = (detector.adapt(embeddings) if rules.adapt else detector).among(len(embeddings))
    # Pairs that miss the threshold are doubts for the report, and their number tells whether it is too high.
    least = (threshold if rules.precision is None else LOWEST) / 2
    found = adapted.search(embeddings, threshold, False, known, least, rules.precision, rules.titles_alone)
    return found, adapted


def _ignored(detector: DuplicateDetector, folder: str, on_remark: OnRemark) -> list[Embedding]:
    """Look at the pictures of a folder, and say which cannot be used."""
    pictures = read_listings(folder, None, lambda bad: on_remark(f"{folder}/{bad.text}: {bad.reason}"), "folders")
    found, problems = detector.look_at(list(pictures))
    for each, reasons in zip(found, problems, strict=True):
        for why in reasons:
            on_remark(f"{folder}/{each.id}: {why}")
    return found


def _said_of(picture: SharedPicture, numbers: Mapping[str, NDArray[np.intp]]) -> str:
    """Name a picture that was left out, by the first listing that has it. numbers: id → numbers of its photos"""
    id, photo = picture.ids[0], picture.photos[0]
    such = f"such as {id}, photo {numbers[id][photo] + 1}"
    return f"one picture is in {len(picture.ids):,} listings that otherwise differ ({such}): a size chart? left out"


def _noted(listings: Iterable[Listing], facts: list[ListingFacts]) -> Iterator[Listing]:
    """Hand listings on, and add to `facts` what the choice of one to keep looks at."""
    for listing in listings:
        facts.append(ListingFacts.of(listing))
        yield listing


def _embed(
    detector: DuplicateDetector,
    listings: Iterable[Listing],
    total: int | None,
    shards: Path | None,
    side: Side,
    titles_alone: bool,
) -> list[Embedding]:
    embeddings: list[Embedding] = []
    with Progress("looking at photos", total, "listings") as progress, kept_in(shards):
        for some, problems in embed_in_shards(detector, listings, shards, titles_alone):
            embeddings += some
            for problem in problems:
                side.add_problem(problem)
            progress.advance(len(some))
    return embeddings


def _write(target: str, lines: Iterable[bytes]) -> None:
    if target != STREAM:
        write_whole(target, lines)
        return
    with standard_output() as stream:
        for line in lines:
            stream.write(line)
