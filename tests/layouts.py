"""The layouts of raw data that training reads, written small."""

import numpy as np
import shop

from training.listings.datasets import DataConfig, load_dataset
from training.listings.photos import decode_photos
from training.listings.splits import SPLITS

HEADER = "id,masterCategory,subCategory,articleType,productDisplayName"
TABLE = DataConfig("shop", table="listings.csv", label="label", title="title", photo_pattern="", parents=())


def row(number, name, title):
    parents = shop.PARENTS[name]
    return f"{number},{parents['masterCategory']},{parents['subCategory']},{name},{title}"


def write_photo(path, name, rng):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(shop.encode(shop.photo(name, rng), "JPEG"))


def published(folder, count=12, splits=True):
    """The published layout with `count` listings, no two of them alike; → its folder"""
    rng = np.random.default_rng(5)
    names = [shop.CLASSES[number % 3] for number in range(count)]
    for number, name in enumerate(names):
        write_photo(folder / f"images/{number}.jpg", name, rng)
    lines = [row(number, name, f"{shop.title(name, rng)} {number}") for number, name in enumerate(names)]
    (folder / "styles.csv").write_text("\n".join([HEADER, *lines]) + "\n", "utf-8")
    if splits:
        given_splits = [f"{number},{SPLITS[max(0, number % 6 - 3)]}" for number in range(count)]
        (folder / "splits.csv").write_text("\n".join(["id,split", *given_splits]) + "\n", "utf-8")
    return folder


def add_line(file, line):
    with file.open("a", encoding="utf-8") as stream:
        stream.write(line + "\n")


def load(data, config, work=None, decode=True):
    work = work or data / "work"
    work.mkdir(exist_ok=True)
    dataset = load_dataset(config, data, work)
    if decode:
        decode_photos(dataset, shop.SIZE, work)
    return dataset


def facts(dataset):
    return [each.id for each in dataset.listings], dataset.labels.tolist(), dataset.splits.tolist(), dataset.classes


def list_file(folder, count=30):
    """A list file `train.lst` with its photos beside it."""
    rng = np.random.default_rng(5)
    lines = []
    for number in range(count):
        write_photo(folder / f"photos/{number}.jpg", shop.CLASSES[number % 3], rng)
        lines.append(f"{number}\t{shop.CLASSES[number % 3]}\tphotos/{number}.jpg\n")
    (folder / "train.lst").write_text("".join(lines), "utf-8")


def class_folders(root, splits, count=6):
    rng = np.random.default_rng(5)
    for split in splits:
        for name in shop.CLASSES:
            for number in range(count):
                write_photo(root / split / name / f"{number}.jpg", name, rng)
