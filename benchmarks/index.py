"""A `ListingIndex` of a million photos, and usearch with the same vectors.

    python benchmarks/index.py [--bundle BUNDLE] [--photos FOLDER] [--vectors N] [--folder FOLDER] [--to JSON]

The photos are made up from the features of real ones: one photo, and a share of the difference of two others. They
are added as embeddings, so only the real photos are opened. usearch holds the vectors in memory and writes its file
whole. It has neither features nor transactions, which a catalogue on disk also needs.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from timing import cores, write_figures

from productcat.arithmetic.vectors import unit
from productcat.duplicates.detector import DuplicateDetector
from productcat.duplicates.embedding import Embedding
from productcat.index.listing_index import NEAREST, ListingIndex
from productcat.index.rows import LISTING, VECTOR
from productcat.listings.listing import Listing

SAMPLES = Path(__file__).parent.parent / "data" / "samples" / "images"
PHOTOS = 4
"""Number of photos of a listing."""

QUERIES = 300
"""Number of searches that are measured."""

ADDED = 20
"""Number of additions that are measured."""

COUNTED = 5
"""Number of times that listings are counted, and that a sample of them is drawn."""

REAL = 3_000
"""Number of real photos that are read, at most."""

LISTINGS_AT_ONCE = 256
"""Number of listings that are made up in one batch."""

RECALL_AT = 10

Argument, Result = TypeVar("Argument"), TypeVar("Result")


class Maker:
    """Makes up listings around real photos."""

    def __init__(self, detector: DuplicateDetector, folder: Path) -> None:
        files = sorted(each for each in folder.rglob("*") if each.suffix.lower() in (".jpg", ".jpeg", ".png"))
        chosen = files[:: max(len(files) // REAL, 1)][:REAL]
        listings = (Listing(str(each), photos=(each,)) for each in chosen)
        found = [embedding for embedding, _ in detector.look(listings) if len(embedding)]
        stacked = {name: np.concatenate([each.features[name] for each in found]) for name in detector.spaces}
        self.features = {name: unit(each.astype(np.float32)) for name, each in stacked.items()}
        self.thumbnails = np.concatenate([each.thumbnails for each in found])
        self.seconds = 0.0

    def listings(self, n_listings: int, n_photos: int, name: str, seed: int) -> Iterator[Embedding]:
        """Yield made-up listings; `seconds` says how long making them took."""
        rng = np.random.default_rng(seed)
        for start in range(0, n_listings, LISTINGS_AT_ONCE):
            started = time.perf_counter()
            n = min(LISTINGS_AT_ONCE, n_listings - start)
            one, two, three = rng.integers(0, len(self.thumbnails), (3, n * n_photos))
            share = rng.uniform(0.1, 0.8, (n * n_photos, 1)).astype(np.float32)
            made = {
                level: _compact(each[one] + share * (each[two] - each[three])) for level, each in self.features.items()
            }
            little = self.thumbnails[one]
            self.seconds += time.perf_counter() - started
            for i in range(n):
                rows = slice(i * n_photos, (i + 1) * n_photos)
                yield Embedding(f"{name}{start + i}", {level: each[rows] for level, each in made.items()}, little[rows])


def _compact(features: NDArray[np.float32]) -> NDArray[np.int8]:
    return np.round(features * (127 / np.abs(features).max(axis=1, keepdims=True))).astype(np.int8)


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """Return the median and the 99th percentile in milliseconds."""
    p50, p99 = np.percentile(np.array(seconds) * 1e3, [50, 99])
    return {"p50_ms": round(float(p50), 2), "p99_ms": round(float(p99), 2)}


def clocked(call: Callable[[Argument], Result], arguments: Iterable[Argument]) -> tuple[list[Result], list[float]]:
    """Call with each argument. → results, seconds of each call"""
    results, seconds = [], []
    for each in arguments:
        started = time.perf_counter()
        results.append(call(each))
        seconds.append(time.perf_counter() - started)
    return results, seconds


def build(index: ListingIndex, maker: Maker, n_vectors: int) -> dict[str, Any]:
    """Fill the index. → figures"""
    started = time.perf_counter()
    index.add(maker.listings(n_vectors // PHOTOS, PHOTOS, "made-up-", seed=0))
    index.tidy(now=True)
    seconds = time.perf_counter() - started - maker.seconds
    stats = index.stats()
    return {
        "listings": stats.listings,
        "photos": stats.photos,
        "build_s": round(seconds, 1),
        "bytes_a_photo": round(stats.bytes / stats.photos, 1),
        "gigabytes": round(stats.bytes / 1e9, 3),
    }


def exact(vectors: NDArray[np.float32], owners: Sequence[str], queries: NDArray[np.float32]) -> list[list[str]]:
    """Return the listings of the photos that are nearest to each query."""
    found = []
    for start in range(0, len(queries), 50):
        cosines = queries[start : start + 50] @ vectors.T
        nearest = np.argpartition(-cosines, RECALL_AT, axis=1)[:, :RECALL_AT]
        found += [[owners[place] for place in row] for row in nearest]
    return found


def recall(found: Sequence[Sequence[str]], expected: Sequence[Sequence[str]]) -> float:
    """Return the share of the nearest photos that were found; photos of one listing count together."""
    shares = [
        (Counter(one[:RECALL_AT]) & Counter(other)).total() / RECALL_AT
        for one, other in zip(found, expected, strict=True)
    ]
    return round(float(np.mean(shares)), 4)


def search(index: ListingIndex, maker: Maker, vectors: NDArray[np.float32], owners: Sequence[str]) -> dict[str, Any]:
    """Search with made-up listings. → figures"""
    wanted = list(maker.listings(QUERIES, 1, "query-", seed=1))
    queries = np.concatenate([index.space.project(each.features) for each in wanted])
    index.search(wanted[:20])
    found, seconds = clocked(lambda query: index.store.nearest(query[None], NEAREST)[0].listings, queries)
    _, whole = clocked(lambda each: index.search([each]), wanted)
    _, counted = clocked(lambda _: len(index), range(COUNTED))
    _, sampled = clocked(lambda _: index.sample(), range(COUNTED))
    several = list(maker.listings(QUERIES // 3, PHOTOS, "several-", seed=2))
    _, of_several = clocked(lambda each: index.search([each]), several)
    return {
        f"recall_at_{RECALL_AT}": recall(found, exact(vectors, owners, queries)),
        "nearest_photos": percentiles(seconds),
        "search_1_photo": percentiles(whole),
        "count": percentiles(counted),
        "sample": percentiles(sampled),
        f"search_{PHOTOS}_photos": percentiles(of_several),
    }


def search_vectors(index: ListingIndex, maker: Maker) -> dict[str, Any]:
    """Measure what the short vectors cost: the share of the nearest photos, by whole vectors, that they propose."""
    spaces = index.detector.spaces
    whole = np.concatenate([spaces[name].project(each) for name, each in maker.features.items()], axis=1)
    nearest = [
        _others(vectors, n) for vectors, n in ((whole, RECALL_AT), (index.space.project(maker.features), NEAREST))
    ]
    shares = [len({*one} & {*other}) / len(one) for one, other in zip(*nearest, strict=True)]
    return {
        "real_photos": len(whole),
        "dimensions": index.space.n_dimensions,
        "whole_dimensions": whole.shape[1],
        f"nearest_{RECALL_AT}_proposed_among_{NEAREST}": round(float(np.mean(shares)), 4),
    }


def _others(vectors: NDArray[np.float32], n: int) -> NDArray[np.intp]:
    """Return the n nearest other vectors of each, shape (n_vectors, n)."""
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -np.inf)
    n = min(n, len(vectors) - 1)
    return np.argpartition(-cosines, n - 1, axis=1)[:, :n]


def add_and_find(index: ListingIndex, maker: Maker) -> dict[str, Any]:
    """Add listings one by one, and search for each. → figures"""
    new = list(maker.listings(ADDED, PHOTOS, "new-", seed=3))

    def once(each: Embedding) -> None:
        index.add([each])
        found = index.search([Embedding("another", each.features, each.thumbnails)])[0]
        if found[0].right != each.id:
            sys.exit(f"listing {each.id} was added and is not found")

    _, seconds = clocked(once, new)
    return {"add_and_find_s": {"median": round(float(np.median(seconds)), 3), "most": round(max(seconds), 3)}}


def rival(
    vectors: NDArray[np.float32], owners: Sequence[str], queries: NDArray[np.float32], folder: Path
) -> dict[str, Any]:
    """Run usearch with the same vectors. → figures"""
    from usearch.index import Index  # once it is imported, importing ONNX Runtime crashes the process

    file, threads = folder / "usearch", cores()
    index = Index(ndim=vectors.shape[1], metric="cos", dtype="f16", expansion_search=2 * NEAREST)
    started = time.perf_counter()
    index.add(np.arange(len(vectors)), vectors, threads=threads)
    index.save(file)
    built = time.perf_counter() - started
    found, seconds = clocked(lambda query: [owners[key] for key in index.search(query, NEAREST).keys], queries)

    def once(number: int) -> None:
        index.add(len(vectors) + number, queries[number])
        index.save(file)
        index.search(queries[number], NEAREST)

    _, added = clocked(once, range(3))
    return {
        "build_s": round(built, 1),
        "bytes_a_photo": round(file.stat().st_size / len(vectors), 1),
        f"recall_at_{RECALL_AT}": recall(found, exact(vectors, owners, queries)),
        "nearest_photos": percentiles(seconds),
        "add_and_find_s": {"median": round(float(np.median(added)), 3), "most": round(max(added), 3)},
    }


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Measure both. → figures"""
    detector = DuplicateDetector.load(options.bundle)
    maker = Maker(detector, options.photos)
    index = ListingIndex.open(folder / "index", detector)
    ours = build(index, maker, options.vectors)
    print(ours, file=sys.stderr)
    rows = index.store.table.search().select([LISTING, VECTOR]).to_arrow()
    vectors = rows[VECTOR].combine_chunks().flatten().to_numpy().reshape(len(rows), -1).astype(np.float32)
    owners = rows[LISTING].to_pylist()
    ours |= search(index, maker, vectors, owners)
    print(ours, file=sys.stderr)
    ours |= add_and_find(index, maker)
    queries = np.concatenate([index.space.project(each.features) for each in maker.listings(QUERIES, 1, "", seed=1)])
    theirs = rival(vectors, owners, queries, folder)
    return {"search_vectors": search_vectors(index, maker), "productcat": ours, "usearch": theirs}


def main() -> None:
    """Measure, print, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", default="general", help="a bundle with a duplicates part (default: %(default)s)")
    parser.add_argument("--photos", type=Path, default=SAMPLES, help="the real photos (default: the samples)")
    parser.add_argument("--vectors", type=int, default=1_000_000, help="photos in the index (default: %(default)s)")
    parser.add_argument("--folder", type=Path, help="where the index is made, and removed (default: a temporary one)")
    parser.add_argument("--to", type=Path, help="also write the figures to this JSON file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        figures = measure(options, Path(folder))
    for name, value in figures.items():
        print(f"{name}: {value}")
    write_figures(figures, options.to)


if __name__ == "__main__":
    main()
