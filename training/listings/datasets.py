"""Reads labelled listings for training, checks them, and splits them without leaks; `photos.py` decodes their photos.

Layouts: the published Kaggle one (`styles.csv` with an `images/` folder), tables of listings (CSV, JSON Lines, Parquet,
list files) and class folders; each as a folder or as a tar of it. What cannot be used is counted, named and left out.
"""

import hashlib
import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from productcat.errors import ListingError
from productcat.listings.columns import BadRow, Columns
from productcat.listings.file_formats import detect
from productcat.listings.listing import Listing
from productcat.listings.readers import read_labelled
from productcat.models.bundle import sha256
from productcat.models.title_words import split_words
from training.listings.archives import unpacked
from training.listings.splits import NAMES, SPLITS, choose_splits

NAMED = 20
"""Number of left-out rows or photos that are named when a dataset is described."""


PUBLISHED, PUBLISHED_PHOTO = "styles.csv", "images/{id}.jpg"
"""The table of the published layout, and where its photos are."""

WAY_OUT = re.compile(r"rename one, or name it in Columns \(--\w+\)")
"""What other commands say of a column that is missing."""


@dataclass(frozen=True)
class DataConfig:
    """Where the listings are and what their columns mean; the `[data]` table of a training configuration.

    source: folder, table or tar, below the data folder given on the command line.
    table: the table inside a folder or tar; "" for class folders. In a list file (.lst) the settings of columns do not
    count, and classes have no parents.
    label, title, id, photos: columns; where one is empty, the names that `read_listings` knows are tried.
    photo_pattern: the path of a listing's only photo, with {id} in it; "" uses the photos column. In styles.csv it is
    images/{id}.jpg where neither is set.
    parents: columns that roll up the label, nearest first; there need not be any. A class takes the parent that most of
    its listings have. The default ones count where the table has them.
    splits: a CSV of id and split (train, val, test) beside the table. Without it, listings are split here, by groups
    that share a photo or a title. Class folders below train/, val/ or validation/, and test/ are already split; if one
    of the three is missing, its listings are taken from train, by groups.
    extra_titles: tables with more titles without labels, as "file.csv:column".
    top_classes: keep only the listings of that many most frequent classes; 0 means all classes.
    """

    source: str
    table: str = PUBLISHED
    label: str = ""
    title: str = ""
    id: str = "id"
    photos: str = ""
    photo_pattern: str = ""
    parents: tuple[str, ...] = ("subCategory", "masterCategory")
    splits: str = "splits.csv"
    extra_titles: tuple[str, ...] = ()
    top_classes: int = 0


@dataclass
class Dataset:
    """Labelled listings.

    Attributes
    ----------
    listings : list of Listing, length n
    labels : ndarray of shape (n,), int
        Numbers of classes.
    splits : ndarray of shape (n,), str
        "train", "val" or "test"; "" for a listing left out, since it has neither a readable photo nor a title.
    classes : list of dict
        name and parents, in the order of the numbers.
    report : dict
        What was read and what was left out, with reasons.
    photos : ndarray of shape (n_photos, height, width, 3), dtype uint8
        Decoded photos of all listings, mapped from disk; none until `training.listings.photos` decodes them.
    owners : ndarray of shape (n_photos,), int
        The listing that each photo belongs to; -1 for a photo that cannot be read.
    """

    listings: list[Listing]
    labels: NDArray[np.intp]
    splits: NDArray[np.str_]
    classes: list[dict[str, Any]]
    report: dict[str, Any]
    photos: NDArray[np.uint8] = field(default_factory=lambda: np.empty((0, 0, 0, 3), np.uint8))
    owners: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))

    def rows(self, split: str) -> NDArray[np.intp]:
        """Return the numbers of the listings of one split."""
        return np.flatnonzero(self.splits == split)

    def titles(self, split: str) -> list[str]:
        """Return the titles of one split, in the order of `rows`."""
        return [self.listings[row].title for row in self.rows(split)]

    def photo_rows(self, split: str) -> NDArray[np.intp]:
        """Return the numbers of the readable photos whose listing is in one split."""
        return np.flatnonzero((self.owners >= 0) & (self.splits[self.owners] == split))

    def evidence(self, split: str) -> list[str]:
        """Return the modalities of one split: "photos" if it has a readable one, "title" if one has a word."""
        titled = any(split_words(title) for title in self.titles(split))
        there = {"photos": len(self.photo_rows(split)) > 0, "title": titled}
        return [modality for modality in there if there[modality]]


def load_dataset(config: DataConfig, data: Path, work: Path, seed: int = 0) -> Dataset:
    """Read the labelled listings that a configuration names, without their photos.

    Parameters
    ----------
    config : DataConfig
    data : pathlib.Path
        The data folder.
    work : pathlib.Path
        A tar is unpacked here.

    Raises
    ------
    ListingError
        There is no such source, a column is missing, or a split has no listing.
    """
    source, table = located(config, data, work)
    bad: list[str] = []
    triples = list(_labelled(source, table, config, bad))
    if not triples:
        raise ListingError(f"{table or source}: no labelled listing in it; check the settings of [data], such as label")
    if config.top_classes:
        frequent = dict(Counter(label for _, label, _ in triples).most_common(config.top_classes))
        triples = [each for each in triples if each[1] in frequent]
    listings = [listing for listing, _, _ in triples]
    names = sorted({label for _, label, _ in triples})
    numbers = {name: number for number, name in enumerate(names)}
    labels = np.array([numbers[label] for _, label, _ in triples])
    parents = class_parents(table, config) if table else {}
    classes = [{"name": name, "parents": parents.get(name, {})} for name in names]
    given = [split for _, _, split in triples]
    splits, origin = choose_splits(source / config.splits if config.splits else None, listings, given, seed)
    empty = [split for split in SPLITS if split not in splits]
    if empty:
        raise ListingError(f"{data / config.source}: no listing for {empty[0]!r}, split {origin}; more are needed")
    report = {"rows": len(triples) + len(bad), "bad_rows": bad, "split": origin}
    return Dataset(listings, labels, np.array(splits), classes, report)


def located(config: DataConfig, data: Path, work: Path) -> tuple[Path, Path | None]:
    """Return the folder and the table that a source means; the table is None for class folders.

    A tar is unpacked into `work`.
    """
    source = data / config.source
    if source.is_file() and ".tar" not in source.name:
        return source.parent, source
    folder = unpacked(source, work)
    return folder, folder / config.table if config.table else None


def _labelled(
    source: Path, table: Path | None, config: DataConfig, bad: list[str]
) -> Iterator[tuple[Listing, str, str]]:
    """Yield the listing, label and split (or "") of each good row; add a line to `bad` for each bad row."""

    def on_bad(row: BadRow) -> None:
        bad.append(f"row {row.number}: {row.reason}")

    split_folders = [] if table else [each for each in sorted(NAMES) if (source / each).is_dir()]
    for name in split_folders:
        for listing, label in read_labelled(source / name, on_bad=on_bad):
            yield replace(listing, id=f"{name}/{listing.id}"), label, NAMES[name]
    if not split_folders:
        with _settings_named():
            for listing, label in read_labelled(table or source, _columns(config, table) if table else None, on_bad):
                yield listing, label, ""


def _columns(config: DataConfig, table: Path) -> Columns:
    published = table.name == PUBLISHED and not config.photos
    pattern = config.photo_pattern or (PUBLISHED_PHOTO if published else "")
    photos = config.photos if config.photos and not pattern else Columns.photos
    return Columns(config.id, config.title or Columns.title, photos, config.label or Columns.label, pattern)


@contextmanager
def _settings_named() -> Iterator[None]:
    """Let a message on a missing column name the settings where it can be given, not the options of other commands."""
    try:
        yield
    except ListingError as error:
        said = WAY_OUT.sub("name it in [data] of the configuration", str(error))
        raise ListingError(said) from None


def class_parents(table: Path, config: DataConfig) -> dict[str, dict[str, str]]:
    """Return for each class and level the parent that most of its listings have: class → level → parent.

    A class without a parent at some level is its own parent. A list file has no levels. A default level that the table
    does not have is left out; one that was named must be there.
    """
    columns = _columns(config, table)
    label_of = {listing.id: label for listing, label in read_labelled(table, columns, lambda _: None)}
    parents: dict[str, dict[str, str]] = {name: {} for name in set(label_of.values())}
    for level in config.parents if detect(table) != "lst" else ():
        votes: defaultdict[str, Counter[str]] = defaultdict(Counter)
        try:
            for listing, parent in read_labelled(table, replace(columns, label=level), lambda _: None, None, _ignore):
                if listing.id in label_of:
                    votes[label_of[listing.id]][parent] += 1
        except ListingError as error:  # the table could be read for its labels, so this column is missing
            if config.parents != DataConfig.parents:
                raise ListingError(WAY_OUT.sub("correct parents in [data]", str(error))) from None
        if not votes and config.parents == DataConfig.parents:
            continue
        for name, found in parents.items():
            found[level] = min(votes[name], key=lambda parent: (-votes[name][parent], parent), default=name)
    return parents


def _ignore(_: object) -> None:
    pass


def checksum(config: DataConfig, data: Path, listings: Iterable[Listing] = ()) -> str:
    """Return the sha256 of the data that a configuration names, in hexadecimal, so that changed data is noticed.

    Tables, splits and tars count with their content; the other files of a folder with their names and sizes.

    listings : iterable of Listing
        What was read. For a table without a folder, the names and sizes of these listings' photos count too.
    """
    source = data / config.source
    digest = hashlib.sha256()
    if source.is_dir():
        files = (file for file in source.rglob("*") if file.is_file())
        sizes = sorted((str(file.relative_to(source)), file.stat().st_size) for file in files)
        digest.update(json.dumps(sizes).encode())
        tables = [source / name for name in (config.table, config.splits) if name]
    else:
        tables = [source, *([source.parent / config.splits] if config.splits else [])]
        photos = [str(photo) for each in listings for photo in each.photos] if ".tar" not in source.name else []
        sizes = [(os.path.relpath(photo, data), os.path.getsize(photo)) for photo in photos if os.path.isfile(photo)]
        digest.update(json.dumps(sizes).encode() if sizes else b"")
    for table in tables:
        digest.update(sha256(table).encode() if table.is_file() else b"none")
    return digest.hexdigest()


def extra_titles(config: DataConfig, data: Path) -> list[str]:
    """Read the titles of the tables named in `extra_titles`."""
    titles: list[str] = []
    for extra in config.extra_titles:
        name, _, column = extra.rpartition(":")
        if not (data / name).is_file():
            raise ListingError(f"{data / name}: no such file; extra_titles expects file.csv:column, given is {extra!r}")
        try:
            table = pd.read_csv(data / name, usecols=[column], dtype=str, keep_default_na=False)
        except ValueError as error:
            raise ListingError(f"{data / name}: no titles in column {column!r} ({error})") from None
        titles += table[column].tolist()
    return titles


def describe(dataset: Dataset) -> Iterator[str]:
    """Yield lines that say what was read and what was left out."""
    report = dataset.report
    yield f"{report['rows']} rows, {len(dataset.listings)} listings, {len(dataset.classes)} classes"
    yield ", ".join(f"{split}: {len(dataset.rows(split))}" for split in SPLITS) + f"; split {report['split']}"
    for name in ("bad_rows", "unreadable_photos", "without_photo_and_title"):
        if lines := report.get(name, []):
            more = f"; and {len(lines) - NAMED} more" if len(lines) > NAMED else ""
            yield f"left out, {name.replace('_', ' ')}: {len(lines)}; {'; '.join(lines[:NAMED])}{more}"
