"""`find` in catalogues of growing size: how its time grows, its memory, and the pairs that comparing all finds besides.

    nice python benchmarks/find.py [--bundle BUNDLE] [--photos FOLDER] [--sizes N N N] [--compare-at N] [--to JSON]

The photos are made up from the features of real ones: an item's is one photo, and a share of the differences of others.
A tenth of the items are posted again, some of them 40 times, with smaller differences. Each size runs in a process of
its own, so its peak memory is that of `find` and of the embeddings that it is given. All catalogues have equally many
duplicates for their size, because pairs are what `find` returns, and their number must not grow faster.
"""

import argparse
import json
import math
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from timing import run_process, write_figures

if TYPE_CHECKING:
    from productcat.duplicates.embedding import Embedding

SAMPLES = Path(__file__).parent.parent / "data" / "samples" / "images"

SIZES = (10_000, 40_000, 160_000)
"""Numbers of photos."""

MOST_PHOTOS = 3
"""Number of photos of a listing, at most: one to so many."""

REAL = 3_000
"""Number of real photos that are read, at most."""

POSTED = {1: 0.9, 2: 0.08, 4: 0.0195, 40: 0.0005}
"""How often items are posted, and the share of items for each."""

LISTINGS_AT_ONCE = 256
"""Number of listings that are made up in one batch."""


def look(bundle: str, folder: Path, target: Path) -> None:
    """Keep what a detector sees in real photos."""
    import numpy as np

    from productcat import DuplicateDetector, Listing
    from productcat.arithmetic.vectors import unit

    files = sorted(each for each in folder.rglob("*") if each.suffix.lower() in (".jpg", ".jpeg", ".png"))
    chosen = files[:: max(len(files) // REAL, 1)][:REAL]
    detector = DuplicateDetector.load(bundle)
    found = [each for each, _ in detector.look(Listing(str(file), photos=(file,)) for file in chosen) if len(each)]
    features = {name: np.concatenate([each.features[name] for each in found]) for name in detector.metric.levels}
    thumbnails = np.concatenate([each.thumbnails for each in found]).astype(np.float32)
    np.savez(target, thumbnails=thumbnails, **{name: unit(each.astype(np.float32)) for name, each in features.items()})


def listings(features: Path, n_photos: int, seed: int = 0) -> "Iterator[Embedding]":
    """Yield made-up listings, some of which show one item. features : the file that `look` writes"""
    import numpy as np

    from productcat.duplicates.embedding import Embedding
    from productcat.duplicates.metric import compact

    real = dict(np.load(features))
    n_real, rng = len(real["thumbnails"]), np.random.default_rng(seed)
    times = rng.choice(list(POSTED), n_photos, p=list(POSTED.values()))
    sizes = rng.integers(1, MOST_PHOTOS + 1, n_photos)
    items = np.repeat(np.arange(n_photos), times)
    items = items[: int(np.searchsorted(np.cumsum(sizes[items]), n_photos)) + 1]
    starts = np.cumsum(sizes) - sizes
    first = np.diff(items, prepend=-1) > 0
    order = rng.permutation(len(items))
    # per photo of an item: one real photo and two differences; per photo of a listing: the number of a third
    parts = rng.integers(0, n_real, (sizes.sum(), 5))
    shares = rng.uniform(0.3, 0.7, (sizes.sum(), 2)).astype(np.float32)
    for start in range(0, len(order), LISTINGS_AT_ONCE):
        some = order[start : start + LISTINGS_AT_ONCE]
        ends = np.cumsum(sizes[items[some]])
        rows = np.concatenate([starts[item] + np.arange(sizes[item]) for item in items[some]])
        one, two, three, four, five = parts[rows].T
        six, seven = rng.integers(0, n_real, (2, len(rows)))
        edited = np.where(np.repeat(first[some], sizes[items[some]]), 0, rng.uniform(0.02, 0.15, len(rows)))
        made = {}
        for name, each in real.items():
            item = each[one] + shares[rows, :1] * (each[two] - each[three])
            item += shares[rows, 1:] * (each[four] - each[five])
            made[name] = compact(item + edited[:, None].astype(np.float32) * (each[six] - each[seven]))
        thumbnails = made.pop("thumbnails")
        for place, end in zip(some.tolist(), ends.tolist(), strict=True):
            photos = slice(end - sizes[items[place]], end)
            kept = {name: each[photos] for name, each in made.items()}
            yield Embedding(f"{items[place]}-{place}", kept, thumbnails[photos])


def find(bundle: str, features: Path, n_photos: int, all_with_all: bool, target: Path) -> None:
    """Find the duplicates among made-up listings, and write figures and pairs."""
    from productcat import DuplicateDetector
    from productcat.duplicates import cells

    if all_with_all:
        cells.COMPARED_WITH_ALL = n_photos + 1
    embeddings = list(listings(features, n_photos))
    detector = DuplicateDetector.load(bundle)
    held, started = _peak_megabytes(), time.process_time()
    pairs = detector.find(embeddings)
    figures = {
        "photos": sum(map(len, embeddings)),
        "listings": len(embeddings),
        "cpu_s": round(time.process_time() - started, 1),
        "peak_mb_before": held,
        "peak_mb": _peak_megabytes(),
        "pairs": len(pairs),
        "of_one_item": sum(_of_one_item(pair.left, pair.right) for pair in pairs),
    }
    target.write_text(json.dumps({"figures": figures, "pairs": [sorted((pair.left, pair.right)) for pair in pairs]}))


def _of_one_item(left: str, right: str) -> bool:
    return left.partition("-")[0] == right.partition("-")[0]


def _peak_megabytes() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6)


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Run each size in a process of its own. → figures"""
    own = [sys.executable, __file__, "--bundle", options.bundle, "--photos", str(options.photos), "--work", str(folder)]
    run_process([*own, "--step", "look"])
    found: dict[str, Any] = {"find": []}
    for size in options.sizes:
        run_process([*own, "--step", "find", "--sizes", str(size)])
        found["find"].append(json.loads((folder / f"{size}.json").read_text())["figures"])
        print(found["find"][-1], file=sys.stderr)
    found["exponents"] = [exponent(*both) for both in pairwise(found["find"])]
    found["exponent"] = exponent(found["find"][0], found["find"][-1])
    if options.compare_at:
        at = str(options.compare_at)
        run_process([*own, "--step", "find-all", "--sizes", at])
        if options.compare_at not in options.sizes:
            run_process([*own, "--step", "find", "--sizes", at])
        exhaustive, ours = (json.loads((folder / f"{name}.json").read_text()) for name in (f"all-{at}", at))
        expected = {tuple(each) for each in exhaustive["pairs"]}
        found["all_with_all"] = exhaustive["figures"]
        both = expected & {tuple(each) for each in ours["pairs"]}
        found["recall"] = round(len(both) / len(expected), 5)
        copies = sum(_of_one_item(*pair) for pair in expected)
        found["recall_of_one_item"] = round(sum(_of_one_item(*pair) for pair in both) / copies, 5)
    return found


def exponent(smaller: dict[str, float], larger: dict[str, float]) -> float:
    """Return the power of the number of photos with which the processor's time grows."""
    return round(math.log(larger["cpu_s"] / smaller["cpu_s"]) / math.log(larger["photos"] / smaller["photos"]), 3)


def main() -> None:
    """Measure, print, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", default="general", help="a bundle with a duplicates part (default: %(default)s)")
    parser.add_argument("--photos", type=Path, default=SAMPLES, help="the real photos (default: the samples)")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="numbers of photos (default: %(default)s)")
    parser.add_argument(
        "--compare-at", type=int, default=SIZES[1], help="number of photos that are also compared all with all, 0: none"
    )
    parser.add_argument("--to", type=Path, help="also write the figures to this JSON file")
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--step", choices=["look", "find", "find-all"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step == "look":
        look(options.bundle, options.photos, options.work / "features.npz")
    elif options.step:
        size, every = options.sizes[0], options.step == "find-all"
        target = options.work / (f"all-{size}.json" if every else f"{size}.json")
        find(options.bundle, options.work / "features.npz", size, every, target)
    else:
        with tempfile.TemporaryDirectory() as folder:
            figures = measure(options, Path(folder))
        for name, value in figures.items():
            print(f"{name}: {value}")
        write_figures(figures, options.to)


if __name__ == "__main__":
    main()
