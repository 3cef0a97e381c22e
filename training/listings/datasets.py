"""Labelled listings for training: read, checked, split without leaks, photos decoded once.

Layouts: the published Kaggle one (`styles.csv` with an `images/` folder), tables of listings (CSV, JSON Lines, Parquet,
list files) and class folders; each as a folder or as a tar of it. What cannot be used is counted, named and left out.
"""

import json
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from productcat.errors import ListingError
from productcat.jobs.progress import Progress
from productcat.listings.photos import read_photo
from productcat.listings.readers import Columns, read_labelled
from productcat.listings.tables import detect
from productcat.models.title_model import split_words
from training.listings.archives import unpacked
from training.listings.splits import NAMES, SPLITS, choose_splits

NAMED = 20
"""So many of the rows and photos that were left out are named when a dataset is described."""


@dataclass(frozen=True)
class DataConfig:
    """Where the listings are and what their columns mean; the `[data]` table of a training configuration.

    source: folder, table or tar, below the data folder given on the command line.
    table: the table inside a folder or tar; "" for class folders. In a list file (.lst) no setting of a column counts,
    and a class has no parents.
    label, title, id, photos: columns; for an empty title or photos the names that `read_listings` knows are tried.
    photo_pattern: the path of a listing's only photo, with {id} in it; "" uses the photos column.
    parents: columns that roll up the label, nearest first. A class takes the parent that most of its listings have.
    splits: a CSV of id and split (train, val, test) beside the table; where there is none, listings are split here, by
    groups that share a photo or a title. Class folders below train/, val/ or validation/, and test/ are split already;
    where one of the three is missing, its listings are taken from train, by groups.
    extra_titles: tables with more titles without labels, as "file.csv:column".
    top_classes: keep the listings of that many most frequent classes only; 0 means all classes.
    """

    source: str
    table: str = "styles.csv"
    label: str = "articleType"
    title: str = "productDisplayName"
    id: str = "id"
    photos: str = "photos"
    photo_pattern: str = "images/{id}.jpg"
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
    photos : ndarray of shape (n_photos, height, width, 3), dtype uint8
        Decoded photos of all listings, mapped from disk.
    owners : ndarray of shape (n_photos,), int
        The listing that each photo belongs to; -1 where it cannot be read.
    report : dict
        What was read and what was left out, with reasons.
    """

    listings: list
    labels: np.ndarray
    splits: np.ndarray
    classes: list
    report: dict = field(default_factory=dict)
    photos: np.ndarray | None = None
    owners: np.ndarray | None = None

    def rows(self, split):
        """Numbers of the listings of one split."""
        return np.flatnonzero(self.splits == split)

    def titles(self, split):
        """Titles of one split, in the order of `rows`."""
        return [self.listings[row].title for row in self.rows(split)]

    def photo_rows(self, split):
        """Numbers of the photos whose listing is in one split."""
        return np.flatnonzero((self.owners >= 0) & (self.splits[self.owners] == split))

    def evidence(self, split):
        """What the listings of one split have. → list, "photos" for a readable one, "title" for one with a word"""
        titled = any(split_words(title) for title in self.titles(split))
        return ["photos"] * bool(len(self.photo_rows(split))) + ["title"] * titled


def load_dataset(config, data, work, seed=0):
    """Read the labelled listings that a configuration names; photos come later, by `decode_photos`.

    Parameters
    ----------
    config : DataConfig
    data : pathlib.Path
        The data folder.
    work : pathlib.Path
        A tar is unpacked here.

    Returns
    -------
    Dataset

    Raises
    ------
    ListingError
        There is no such source, a column is missing, or a split has no listing.
    """
    source, table = located(config, data, work)
    bad = []
    triples = list(_labelled(source, table, config, bad))
    if not triples:
        raise ListingError(f"{table or source}: no labelled listing in it; check the settings of [data]")
    if config.top_classes:
        frequent = dict(Counter(label for _, label, _ in triples).most_common(config.top_classes))
        triples = [each for each in triples if each[1] in frequent]
    listings, labels, given = (list(each) for each in zip(*triples, strict=True))
    names = sorted(set(labels))
    numbers = {name: number for number, name in enumerate(names)}
    parents = class_parents(table, config) if table else {}
    classes = [{"name": name, "parents": parents.get(name, {})} for name in names]
    splits, origin = choose_splits(source / config.splits if config.splits else None, listings, given, seed)
    empty = [split for split in SPLITS if split not in splits]
    if empty:
        raise ListingError(f"{data / config.source}: no listing for {empty[0]!r}, split {origin}; more are needed")
    report = {"rows": len(triples) + len(bad), "bad_rows": bad, "split": origin}
    return Dataset(listings, np.array([numbers[label] for label in labels]), np.array(splits), classes, report)


def located(config, data, work):
    """(folder, table) that a source means, the table None for class folders; a tar is unpacked into `work`."""
    source = data / config.source
    if source.is_file() and ".tar" not in source.name:
        return source.parent, source
    folder = unpacked(source, work)
    return folder, folder / config.table if config.table else None


def _labelled(source, table, config, bad):
    """(Listing, label, split or "") of each good row; bad rows go to the list `bad` as lines of text."""

    def on_bad(row):
        bad.append(f"row {row.number}: {row.reason}")

    if table:
        for listing, label in read_labelled(table, _columns(config), on_bad):
            yield listing, label, ""
        return
    split_folders = [each for each in sorted(NAMES) if (source / each).is_dir()]
    for name in split_folders:
        for listing, label in read_labelled(source / name, on_bad=on_bad):
            yield replace(listing, id=f"{name}/{listing.id}"), label, NAMES[name]
    if not split_folders:
        for listing, label in read_labelled(source, on_bad=on_bad):
            yield listing, label, ""


def _columns(config):
    named = {role: name for role in ("title", "photos") if (name := getattr(config, role))}
    if config.photo_pattern:
        named.pop("photos", None)
    return Columns(config.id, label=config.label, photo_pattern=config.photo_pattern, **named)


def class_parents(table, config):
    """For each class and level the parent that most of its listings have. → dict, class → dict, level → parent

    A class without a parent at some level is its own. In a list file there are no levels.
    """
    columns = _columns(config)
    label_of = {listing.id: label for listing, label in read_labelled(table, columns, lambda _: None)}
    parents = {name: {} for name in set(label_of.values())}
    for level in config.parents if detect(table) != "lst" else ():
        votes = defaultdict(Counter)
        for listing, parent in read_labelled(table, replace(columns, label=level), lambda _: None):
            if listing.id in label_of:
                votes[label_of[listing.id]][parent] += 1
        for name, found in parents.items():
            found[level] = min(votes[name], key=lambda parent: (-votes[name][parent], parent), default=name)
    return parents


def decode_photos(dataset, size, folder):
    """Decode all photos once into a file that training maps; sets `photos`, `owners` and the report of a Dataset.

    A listing that has no readable photo and no title is left out: its split becomes "".

    Raises
    ------
    ListingError
        Listings have photos, and none of them can be read.
    """
    wanted = [(row, photo) for row, listing in enumerate(dataset.listings) for photo in listing.photos]
    pixels, kept = folder / f"photos-{size[0]}x{size[1]}.npy", folder / f"unreadable-{size[0]}x{size[1]}.json"
    if not kept.exists():
        folder.mkdir(parents=True, exist_ok=True)
        unreadable = _decode(wanted, size, pixels, dataset)
        temporary = kept.with_suffix(".tmp")
        temporary.write_text(json.dumps(unreadable, ensure_ascii=False, indent=1), "utf-8")
        temporary.replace(kept)
    unreadable = json.loads(kept.read_text("utf-8"))
    owners = [-1 if str(number) in unreadable else row for number, (row, _) in enumerate(wanted)]
    dataset.owners = np.array(owners, int)
    # Of no photos at all there is no file to map.
    dataset.photos = np.load(pixels, mmap_mode="r") if wanted else np.empty((0, *size, 3), np.uint8)
    dataset.report["unreadable_photos"] = list(unreadable.values())
    titled = [bool(listing.title.strip()) for listing in dataset.listings]
    blank = np.flatnonzero(~np.isin(range(len(titled)), dataset.owners) & ~np.array(titled))
    dataset.splits[blank] = ""
    dataset.report["without_photo_and_title"] = [f"listing {dataset.listings[row].id!r}" for row in blank]


def _decode(wanted, size, path, dataset):
    """Write the pixels of all photos; → dict, number of the photo → why it cannot be read."""
    if not wanted:
        return {}
    array = np.lib.format.open_memmap(path, "w+", np.uint8, (len(wanted), *size, 3))
    unreadable = {}

    def decode(number):
        row, photo = wanted[number]
        try:
            array[number] = read_photo(photo, size)
        except ListingError as error:
            unreadable[number] = f"listing {dataset.listings[row].id!r}: {error}"

    with ThreadPoolExecutor() as pool, Progress("photos", len(wanted), "photos") as progress:
        for _ in pool.map(decode, range(len(wanted))):
            progress.advance(1)
    array.flush()
    if len(unreadable) == len(wanted):  # a wrong path is likelier than photos that are all damaged
        raise ListingError(
            f"none of the {len(wanted)} photos can be read; check photos and photo_pattern of [data], or set both to "
            f'"" to train from titles alone; the first is {unreadable[0]}'
        )
    return dict(sorted(unreadable.items()))


def extra_titles(config, data):
    """The titles of the tables named in `extra_titles`. → list of str"""
    titles = []
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


def describe(dataset):
    """Lines that tell what was read and what was left out."""
    report = dataset.report
    yield f"{report['rows']} rows, {len(dataset.listings)} listings, {len(dataset.classes)} classes"
    yield ", ".join(f"{split}: {len(dataset.rows(split))}" for split in SPLITS) + f"; split {report['split']}"
    for name in ("bad_rows", "unreadable_photos", "without_photo_and_title"):
        if lines := report.get(name, []):
            more = f"; and {len(lines) - NAMED} more" if len(lines) > NAMED else ""
            yield f"left out, {name.replace('_', ' ')}: {len(lines)}; {'; '.join(lines[:NAMED])}{more}"
