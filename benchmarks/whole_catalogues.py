"""Duplicates in whole catalogues, as a shop would look for them: what is found of what is there, and what is wrong.

    python benchmarks/whole_catalogues.py --data DATA [--split test] [--only edits spam …] [--to JSON]

The catalogues are the fashion listings of one split, all of them, and photos of used clothes. What is looked for are
byte-identical photos under two ids, and copies that are put among them: with few edits, or as sellers make them
(`training/duplicates/copies.py`), with the title or without, with the title worded anew or the same. A pair is wrong
for sure if it is of two brands, the first word of the title, or of two article types.

edits: the listings of a split and ten edited copies of twenty of them. The figure is the largest share of the pairs of
copies that any threshold finds, if at most 5 % of all pairs found are wrong; with titles, at most 2 %.
shipped: `find` on the listings of a split as they are.
shared: the same with a size chart in every tenth listing and a picture that says "no photo" in every fifth.
spam: 2 to 40 copies of twenty photos of used clothes, without titles, and of twenty fashion listings, with titles
worded anew, in catalogues of 320, 3,400 and 40,045 listings. The figures are the share of the pairs of copies that is
found, and the share of what is found with a copy in it that is no pair of copies.
reposts: 200 listings of a split posted again, with a cropped photo and the title worded anew.

Embeddings of photos are kept in --work, so that the next run goes on from there.
"""

import argparse
import csv
import hashlib
import io
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance
from timing import write_figures

from productcat.duplicates.detector import DuplicateDetector
from productcat.duplicates.embedding import Embedding
from productcat.jobs.kept_embeddings import embed_in_shards
from productcat.jobs.progress import Progress
from productcat.listings.listing import Listing
from training.duplicates.copies import crop, seller_copy
from training.duplicates.rewording import reword
from training.listings.archives import unpacked

FASHION, CLOTHING = "fashion-product-images-small.tar.xz", "clothing-dataset-small.tar"
COPIED = 20
"""Number of listings that are copied."""

TIMES = (2, 5, 10, 20, 40)
SIZES = (320, 3_400, 40_045)
REPOSTED = 200
LEAST = 0.01
"""Score from which on pairs are ranked to see what any threshold finds."""

Pixels = NDArray[np.uint8]


class Fashion:
    """The fashion listings of one split.

    rows : dict, id → row of the table
    """

    def __init__(self, folder: Path) -> None:
        with open(folder / "styles.csv", encoding="utf-8") as file:
            self.rows = {row["id"]: row for row in csv.DictReader(file)}
        with open(folder / "splits.csv", encoding="utf-8") as file:
            self.splits = {row["id"]: row["split"] for row in csv.DictReader(file)}
        self.folder = folder

    def ids(self, split: str) -> list[str]:
        """Return the ids of a split; "all" for all of them, and of "train" as many as "test" has, drawn at random."""
        every = [id for id in self.rows if split in ("all", self.splits[id]) and self.photo(id).exists()]
        if split != "train":
            return every
        chosen = np.random.default_rng(5).permutation(len(every))[:4_222]
        return [every[place] for place in sorted(chosen)]

    def photo(self, id: str) -> Path:
        return self.folder / "images" / f"{id}.jpg"

    def title(self, id: str) -> str:
        return self.rows[id]["productDisplayName"]

    def listing(self, id: str) -> Listing:
        return Listing(id, self.title(id), (self.photo(id),))

    def wrong(self, left: str, right: str) -> bool:
        """Tell whether a pair is wrong for sure. Copies of a listing are called <id>+<number>."""
        one, other = (self.rows[each.partition("+")[0]] for each in (left, right))
        brands = (each["productDisplayName"].split(" ")[0].lower() for each in (one, other))
        return len(set(brands)) > 1 or one["articleType"] != other["articleType"]


class Kept:
    """Embeds listings, and keeps the embeddings."""

    def __init__(self, detector: DuplicateDetector, work: Path) -> None:
        self.detector, self.work = detector, work

    def __call__(self, name: str, listings: Iterable[Listing]) -> list[Embedding]:
        folder = self.work / f"{name}-{self.detector.mark[:10]}"
        folder.mkdir(parents=True, exist_ok=True)
        found: list[Embedding] = []
        with Progress(name, None, "listings") as progress:
            for some, _ in embed_in_shards(self.detector, listings, folder):
                found += some
                progress.advance(len(some))
        return found


def pixels(path: Path) -> Pixels:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def edited(photo: Pixels, rng: np.random.Generator) -> Pixels:
    """Crop up to 10 % of each side, change the brightness by up to a quarter, save as JPEG of quality 50 to 90."""
    height, width = photo.shape[:2]
    top, bottom, left, right = (rng.uniform(0, 0.1, 4) * [height, height, width, width]).round().astype(int)
    image = Image.fromarray(photo[top : height - bottom, left : width - right])
    buffer = io.BytesIO()
    ImageEnhance.Brightness(image).enhance(rng.uniform(0.8, 1.25)).save(
        buffer, "JPEG", quality=int(rng.integers(50, 91))
    )
    return np.asarray(Image.open(buffer, formats=["JPEG"]).convert("RGB"))


def copies(
    chosen: Sequence[str],
    photo: Callable[[str], Path],
    title: Callable[[str], str],
    times: int,
    how: Callable[[Pixels, np.random.Generator], Pixels],
    seed: int,
) -> list[Listing]:
    """Copy listings so many times, as <id>+<number>, with titles worded anew."""
    found = []
    for number, id in enumerate(chosen):
        rng, original = np.random.default_rng([seed, number]), pixels(photo(id))
        for copy in range(times):
            found.append(Listing(f"{id}+{copy + 1}", reword(title(id), rng), (how(original, rng),)))
    return found


def original(id: str) -> str:
    return id.partition("+")[0]


def pairs_of(ids: Iterable[str]) -> int:
    """Count the pairs of postings of one item."""
    return sum(times * (times - 1) // 2 for times in Counter(map(original, ids)).values())


def untitled(embeddings: Iterable[Embedding]) -> list[Embedding]:
    return [replace(each, title="") for each in embeddings]


def edits(fashion: Fashion, kept: Kept, split: str) -> dict[str, Any]:
    """See "edits" above."""
    ids = fashion.ids(split)
    chosen = [ids[place] for place in np.random.default_rng(25).permutation(len(ids))[:COPIED]]
    listings = copies(chosen, fashion.photo, fashion.title, 10, edited, 3)
    catalogue = kept(f"fashion-{split}", map(fashion.listing, ids))
    postings = kept(f"edits-{split}", listings)
    found = {}
    for name, embeddings, most in (
        ("photos alone, at most 5 % wrong", untitled([*catalogue, *postings]), 0.05),
        ("with titles, at most 2 % wrong", [*catalogue, *postings], 0.02),
    ):
        pairs = kept.detector.find(embeddings, LEAST)
        wrong = np.array([fashion.wrong(pair.left, pair.right) for pair in pairs])
        ours = np.array([original(pair.left) == original(pair.right) for pair in pairs])
        good = np.flatnonzero(np.cumsum(wrong) <= most * np.arange(1, len(pairs) + 1))
        n_found = int(ours[: good[-1] + 1].sum()) if len(good) else 0
        total = pairs_of([each.id for each in embeddings])
        shipped = sum(pair.score >= kept.detector.threshold for pair in pairs)
        found[name] = {
            "found": n_found / total,
            "pairs": total,
            "shipped, found": float(ours[:shipped].sum() / total),
            "shipped, wrong": float(wrong[:shipped].mean()) if shipped else None,
        }
    return found


def shipped(fashion: Fashion, kept: Kept, split: str) -> dict[str, Any]:
    """See "shipped" above."""
    ids = fashion.ids(split)
    pairs = kept.detector.find(kept(f"fashion-{split}", map(fashion.listing, ids)))
    by_photo: dict[str, list[str]] = {}
    for id in ids:
        by_photo.setdefault(hashlib.sha256(fashion.photo(id).read_bytes()).hexdigest(), []).append(id)
    identical = {frozenset(pair) for same in by_photo.values() for pair in combinations(same, 2)}
    reported = {frozenset((pair.left, pair.right)) for pair in pairs}
    wrong = sum(fashion.wrong(pair.left, pair.right) for pair in pairs)
    return {
        "listings": len(ids),
        "pairs": len(pairs),
        "two brands or types": wrong / max(len(pairs), 1),
        "byte-identical pairs": len(identical),
        "byte-identical pairs found": len(identical & reported) / max(len(identical), 1),
    }


def chart(words: str, rng: np.random.Generator) -> Pixels:
    """Draw a table of numbers under a heading."""
    image = Image.new("RGB", (240, 320), "white")
    draw = ImageDraw.Draw(image)
    draw.text((60, 12), words, "black")
    for row in range(8):
        for column in range(4):
            draw.rectangle((15 + 54 * column, 50 + 30 * row, 65 + 54 * column, 76 + 30 * row), outline="gray")
            draw.text((30 + 54 * column, 57 + 30 * row), str(rng.integers(10, 99)), "black")
    return np.asarray(image)


def no_photo() -> Pixels:
    image = Image.new("RGB", (240, 320), (235, 235, 235))
    draw = ImageDraw.Draw(image)
    draw.ellipse((70, 90, 170, 190), outline=(150, 150, 150), width=8)
    draw.line((80, 180, 160, 100), fill=(150, 150, 150), width=8)
    draw.text((90, 220), "NO PHOTO", (120, 120, 120))
    return np.asarray(image)


def shared(fashion: Fashion, kept: Kept, split: str) -> dict[str, Any]:
    """See "shared" above."""
    catalogue = kept(f"fashion-{split}", map(fashion.listing, fashion.ids(split)))
    pictures = [chart("SIZE CHART", np.random.default_rng(0)), no_photo()]
    extra = kept.detector.embed([Listing("", photos=(each,)) for each in pictures])
    more = [
        joined_with(each, [extra[0]] * (number % 10 == 0) + [extra[1]] * (number % 5 == 1))
        for number, each in enumerate(catalogue)
    ]
    before, after = ({(p.left, p.right) for p in kept.detector.find(each)} for each in (catalogue, more))
    return {
        "pairs before": len(before),
        "pairs after": len(after),
        "changed": len(before ^ after) / max(len(before), 1),
    }


def joined_with(listing: Embedding, extra: Sequence[Embedding]) -> Embedding:
    parts = [listing, *extra]
    features = {name: np.concatenate([each.features[name] for each in parts]) for name in listing.features}
    return replace(listing, features=features, thumbnails=np.concatenate([each.thumbnails for each in parts]))


def spam(fashion: Fashion, clothing: Path, kept: Kept, split: str, sizes: Sequence[int]) -> dict[str, Any]:
    """See "spam" above."""
    folder = {"test": "test", "val": "validation", "train": "train"}[split]
    clothes = sorted(str(each.relative_to(clothing)) for each in clothing.rglob("*.jpg"))
    worn = [each for each in clothes if each.startswith(folder)]
    worn = [worn[place] for place in np.random.default_rng(25).permutation(len(worn))[:COPIED]]
    ids = fashion.ids(split)
    stock = [ids[place] for place in np.random.default_rng(26).permutation(len(ids))[:COPIED]]
    most = max(TIMES)
    of_clothes = kept(
        f"spam-clothing-{split}", copies(worn, lambda id: clothing / id, lambda _: "", most, seller_copy, 1)
    )
    of_fashion = kept(f"spam-fashion-{split}", copies(stock, fashion.photo, fashion.title, most, seller_copy, 2))
    every = kept("fashion-all", map(fashion.listing, fashion.ids("all")))
    used = kept("clothing", (Listing(each, photos=(clothing / each,)) for each in clothes))
    rng = np.random.default_rng(27)
    found: dict[str, Any] = {}
    for name, postings, chosen, few in (
        ("clothing, photos alone", of_clothes, worn, used),
        ("fashion, with titles", of_fashion, stock, every),
    ):
        others = [each for each in every if each.id not in chosen]
        few = [each for each in few if each.id not in chosen]
        for size in sizes:
            pool = others if size > len(few) else few
            catalogue = [pool[place] for place in np.sort(rng.permutation(len(pool))[:size])]
            for times in TIMES:
                some = [each for each in postings if int(each.id.rpartition("+")[2]) <= times]
                pairs = kept.detector.find([*catalogue, *some])
                copied = {each.id for each in some}
                about = [pair for pair in pairs if pair.left in copied or pair.right in copied]
                right = sum(original(pair.left) == original(pair.right) for pair in about)
                cell = {
                    "found": right / pairs_of([each.id for each in some]),
                    "wrong beside": (len(about) - right) / max(len(about), 1),
                    "pairs": len(pairs),
                }
                found.setdefault(name, {}).setdefault(str(size), {})[str(times)] = cell
                print(name, size, times, json.dumps(cell), flush=True)
    return found


def reposts(fashion: Fashion, kept: Kept, split: str) -> dict[str, Any]:
    """See "reposts" above."""
    ids = fashion.ids(split)
    chosen = [ids[place] for place in np.random.default_rng(28).permutation(len(ids))[:REPOSTED]]
    again = kept(f"reposts-{split}", copies(chosen, fashion.photo, fashion.title, 1, crop, 4))
    pairs = kept.detector.find([*kept(f"fashion-{split}", map(fashion.listing, ids)), *again])
    return {"reposts": len(again), "found": sum(original(p.left) == original(p.right) for p in pairs) / len(again)}


def main() -> None:
    """Measure, print, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder with the two data sets")
    parser.add_argument("--bundle", help="a bundle with a duplicates part (default: the shipped one)")
    parser.add_argument("--split", default="test", choices=["train", "val", "test"])
    parser.add_argument("--only", nargs="+", default=["edits", "shipped", "shared", "reposts", "spam"])
    parser.add_argument("--sizes", nargs="+", type=int, default=list(SIZES), help="of the catalogues with spam")
    parser.add_argument("--work", type=Path, help="where data and embeddings are kept (default: a temporary folder)")
    parser.add_argument("--to", type=Path, help="also write the figures to this JSON file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = options.work or Path(temporary)
        fashion = Fashion(unpacked(options.data / FASHION, work))
        clothing = unpacked(options.data / CLOTHING, work)
        kept = Kept(DuplicateDetector.load(options.bundle), work)
        parts: dict[str, Callable[[], dict[str, Any]]] = {
            "edits": lambda: edits(fashion, kept, options.split),
            "shipped": lambda: shipped(fashion, kept, options.split),
            "shared": lambda: shared(fashion, kept, options.split),
            "reposts": lambda: reposts(fashion, kept, options.split),
            "spam": lambda: spam(fashion, clothing, kept, options.split, options.sizes),
        }
        found: dict[str, Any] = {"split": options.split}
        for name in options.only:
            found[name] = parts[name]()
            print(name, json.dumps(found[name], indent=1), flush=True)
            write_figures(found, options.to)  # what is measured is not lost when the next part is interrupted


if __name__ == "__main__":
    main()
