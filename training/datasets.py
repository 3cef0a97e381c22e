"""Labelled listings for training: read, checked, split without leaks, photos decoded once.

Layouts: the published Kaggle one (`styles.csv` with an `images/` folder), tables of listings (CSV, JSON Lines, Parquet) and class
folders; each as a folder or as a tar of it. What cannot be used is counted, named and left out.
"""

import hashlib
import tarfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from productcat.errors import ListingError
from productcat.photos import read_photo
from productcat.progress import Progress
from productcat.readers import Columns, read_labelled

SPLITS = ("train", "val", "test")
SHARES = (0.8, 0.1, 0.1)
"""How listings are divided where no split is given."""


@dataclass(frozen=True)
class DataConfig:
    """Where the listings are and what their columns mean; the `[data]` table of a training configuration.

    source: folder, table or tar, below the data folder given on the command line.
    table: the table inside a folder or tar; "" for class folders.
    label, title, id, photos: columns. photo_pattern: the path of a listing's only photo, with {id} in it; "" uses the
    photos column.
    parents: columns that roll up the label, nearest first. A class takes the parent that most of its listings have.
    splits: a CSV of id and split (train, val, test) beside the table; where there is none, listings are split here, by groups
    that share a photo or a title. Class folders below train/, val/ or validation/, and test/ are split already.
    extra_titles: tables with more titles without labels, as "file.csv:column".
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


@dataclass
class Dataset:
    """Labelled listings.

    Attributes
    ----------
    listings : list of Listing, length n
    labels : ndarray of shape (n,), int
        Numbers of classes.
    splits : ndarray of shape (n,), str
        "train", "val" or "test".
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
        There is no such source, a column is missing, or no listing is left.
    """
    source = unpacked(data / config.source, work)
    bad = []
    pairs = list(_labelled(source, config, bad))
    report = {"rows": len(pairs) + len(bad), "bad_rows": bad}
    pairs = [pair for pair in pairs if pair[0].title.strip() or pair[0].photos]
    report["without_photo_and_title"] = report["rows"] - len(bad) - len(pairs)
    if not pairs:
        raise ListingError(f"{source}: no labelled listing in it; check the settings of [data]")
    names = sorted({label for _, label, _ in pairs})
    numbers = {name: number for number, name in enumerate(names)}
    listings = [listing for listing, _, _ in pairs]
    labels = np.array([numbers[label] for _, label, _ in pairs])
    parents = class_parents(source / config.table, config) if config.table and config.parents else {}
    classes = [{"name": name, "parents": parents.get(name, {})} for name in names]
    given = [split for _, _, split in pairs]
    splits = np.array(given if given[0] else _splits(source, config, listings, seed))
    return Dataset(listings, labels, splits, classes, report)


def _labelled(source, config, bad):
    """(Listing, label, split or "") of each good row; bad rows go to the list `bad` as lines of text."""

    def on_bad(row):
        bad.append(f"row {row.number}: {row.reason}")

    if config.table:
        photos = {} if config.photo_pattern else {"photos": config.photos}
        columns = Columns(config.id, config.title, label=config.label, photo_pattern=config.photo_pattern, **photos)
        for listing, label in read_labelled(source / config.table, columns, on_bad):
            yield listing, label, ""
        return
    named = {"train": "train", "val": "val", "validation": "val", "test": "test"}
    folders = {source / name: split for name, split in named.items() if (source / name).is_dir()} or {source: ""}
    for folder, split in folders.items():
        for listing, label in read_labelled(folder, on_bad=on_bad):
            yield listing, label, split


def unpacked(source, work):
    """The folder that a source means: itself, or its content where it is a tar."""
    if source.is_dir():
        return source
    if not source.is_file():
        raise ListingError(f"{source}: no such data; give the folder that holds it with --data")
    name = source.name.split(".tar")[0]
    if not (work / name).is_dir():
        with tarfile.open(source) as tar:
            temporary = work / f"{name}.partly"
            tar.extractall(temporary, filter="data")
        inner = temporary / name
        (inner if inner.is_dir() else temporary).rename(work / name)
    return work / name


def class_parents(table, config):
    """For each class and level the parent that most of its rows have. → dict, class → dict, level → parent"""
    columns = [config.label, *config.parents]
    rows = pd.read_csv(table, usecols=columns, dtype=str, on_bad_lines="skip", keep_default_na=False)
    modes = rows.groupby(config.label)[list(config.parents)].agg(lambda values: values.mode().iloc[0])
    return modes.to_dict("index")


def _splits(source, config, listings, seed):
    path = source / config.splits
    if not config.splits or not path.is_file():
        return split_by_groups(listings, seed)
    known = pd.read_csv(path, dtype=str).set_index("id")["split"].to_dict()
    missing = next((listing.id for listing in listings if listing.id not in known), None)
    if missing is not None:
        raise ListingError(f"{path}: no split for listing {missing!r}; add it, or set splits to an empty text")
    return [known[listing.id] for listing in listings]


def split_by_groups(listings, seed):
    """Divide listings so that those sharing a photo or a title stay together. → list of "train", "val" or "test"

    A group's place depends on its oldest member's id and the seed alone, so more listings do not reshuffle the others.
    """
    leader = list(range(len(listings)))

    def find(number):
        while leader[number] != number:
            leader[number] = leader[leader[number]]
            number = leader[number]
        return number

    first = {}
    for number, listing in enumerate(listings):
        for key in _keys(listing):
            other = find(first.setdefault(key, number))
            mine = find(number)
            leader[max(mine, other)] = min(mine, other)
    bounds = np.cumsum(SHARES)
    places = [_fraction(f"{seed} {listings[find(number)].id}") for number in range(len(listings))]
    return [SPLITS[int(np.searchsorted(bounds, place, side="right"))] for place in places]


def _keys(listing):
    """What two listings of one group share: the folded title, or the bytes of a photo."""
    if listing.title.strip():
        yield " ".join(listing.title.casefold().split())
    for photo in listing.photos:
        try:
            yield hashlib.sha256(photo if isinstance(photo, bytes) else Path(photo).read_bytes()).digest()
        except OSError:
            continue  # counted as unreadable when the photos are decoded


def _fraction(text):
    """A number in [0, 1) that depends on the text alone."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") / 2**48


def decode_photos(dataset, size, folder):
    """Decode all photos once into a file that training maps; sets `photos`, `owners` and the report of a Dataset."""
    wanted = [(row, photo) for row, listing in enumerate(dataset.listings) for photo in listing.photos]
    pixels, owners = folder / f"photos-{size[0]}x{size[1]}.npy", folder / f"owners-{size[0]}x{size[1]}.npy"
    if not owners.exists():
        folder.mkdir(parents=True, exist_ok=True)
        unreadable = _decode(wanted, size, pixels, dataset)
        kept = [-1 if number in unreadable else row for number, (row, _) in enumerate(wanted)]
        np.save(owners, np.array(kept, int))
        (folder / "unreadable.txt").write_text("".join(f"{line}\n" for line in unreadable.values()), "utf-8")
    dataset.owners = np.load(owners)
    dataset.photos = np.load(pixels, mmap_mode="r")
    dataset.report["unreadable_photos"] = (folder / "unreadable.txt").read_text("utf-8").splitlines()


def _decode(wanted, size, path, dataset):
    """Write the pixels of all photos; → dict, number of the photo → why it cannot be read."""
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
    return dict(sorted(unreadable.items()))


def checksum(config, data):
    """sha256 over the tables that a configuration reads, so that changed data is noticed. → hexadecimal str"""
    digest = hashlib.sha256()
    source = data / config.source
    files = [source] if source.is_file() else [source / name for name in (config.table, config.splits) if name]
    for file in [*files, *(data / extra.rsplit(":", 1)[0] for extra in config.extra_titles)]:
        digest.update(file.read_bytes() if file.is_file() else str(sorted(map(str, file.rglob("*")))).encode())
    return digest.hexdigest()


def extra_titles(config, data):
    """The titles of the tables named in `extra_titles`. → list of str"""
    titles = []
    for extra in config.extra_titles:
        name, column = extra.rsplit(":", 1)
        titles += pd.read_csv(data / name, usecols=[column], dtype=str, keep_default_na=False)[column].tolist()
    return titles


def describe(dataset):
    """Lines that tell what was read and what was left out."""
    report = dataset.report
    yield f"{report['rows']} rows, {len(dataset.listings)} listings, {len(dataset.classes)} classes"
    counts = Counter(dataset.splits.tolist())
    yield ", ".join(f"{split}: {counts[split]}" for split in SPLITS)
    for name in ("bad_rows", "unreadable_photos"):
        lines = report.get(name, [])
        if lines:
            yield f"left out, {name.replace('_', ' ')}: {len(lines)}; " + "; ".join(lines[:3])
    if report["without_photo_and_title"]:
        yield f"left out, neither photo nor title: {report['without_photo_and_title']}"
