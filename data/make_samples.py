"""Make data/samples from the two public data sets: python data/make_samples.py FASHION CLOTHING OUT

FASHION has styles.csv, splits.csv and images/<id>.jpg; CLOTHING has test/<label>/<name>.jpg. Whole groups are taken,
so items with the same photo or title stay together. The same data always give the same samples.
"""

import csv
import random
import shutil
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

TYPES = (
    "Belts", "Casual Shoes", "Earrings", "Handbags", "Heels", "Jeans", "Kurtas",
    "Lipstick", "Shirts", "Sports Shoes", "Sunglasses", "Tshirts", "Wallets", "Watches",
)  # fmt: skip
WANTED = {"train": 15, "val": 3, "test": 4}
"""Number of listings of each type and split."""

USER_PHOTOS = 4
"""Number of photos of each label of the clothing data."""

SEED = 20

Row = dict[str, str]
"""A row of a table: column → value."""


def choose_listings(styles: Sequence[Row], splits: Mapping[str, Row]) -> list[Row]:
    """Choose rows of styles.csv: for each type about WANTED rows of each split, in whole groups of at most three."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in styles:
        groups[splits[row["id"]]["group"]].append(row)
    taken: Counter[tuple[str, str]] = Counter()
    chosen: list[Row] = []
    for name in random.Random(SEED).sample(sorted(groups), len(groups)):
        rows = groups[name]
        places = [(row["articleType"], splits[row["id"]]["split"]) for row in rows]
        if len(rows) <= 3 and all(kind in TYPES and taken[kind, split] < WANTED[split] for kind, split in places):
            taken.update(places)
            chosen += rows
    return sorted(chosen, key=lambda row: int(row["id"]))


def read_table(path: Path) -> list[Row]:
    """Read the rows of a CSV file."""
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_table(path: Path, rows: Sequence[Row]) -> None:
    """Write rows into a CSV file."""
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main(fashion: Path, clothing: Path, out: Path) -> None:
    """Write the samples into the new folder `out`."""
    (out / "images").mkdir(parents=True)
    splits = {row["id"]: row for row in read_table(fashion / "splits.csv")}
    chosen = choose_listings(read_table(fashion / "styles.csv"), splits)
    write_table(out / "styles.csv", chosen)
    write_table(out / "splits.csv", [splits[row["id"]] for row in chosen])
    for row in chosen:
        shutil.copy(fashion / "images" / f"{row['id']}.jpg", out / "images")
    for label in sorted((clothing / "test").iterdir()):
        (out / "user-photos" / label.name).mkdir(parents=True)
        for photo in random.Random(SEED).sample(sorted(label.glob("*.jpg")), USER_PHOTOS):
            shutil.copy(photo, out / "user-photos" / label.name)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
