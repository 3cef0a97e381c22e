"""`find` on all fashion listings: time, memory, and for several scores the pairs that reach it and what is missed."""

import argparse
import hashlib
import json
import resource
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from timing import write_figures

if TYPE_CHECKING:
    from productcat import DuplicatePair

SCORES = (0.99, 0.999, 0.9999, 0.99999)
"""Scores from which pairs are counted, besides the threshold."""


def main() -> None:
    """Measure, print, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder with fashion-product-images-small.tar.xz")
    parser.add_argument("--bundle", help="a bundle with a duplicates part (default: the shipped one)")
    parser.add_argument("--work", type=Path, help="where the data are unpacked (default: a temporary folder)")
    parser.add_argument("--to", type=Path, help="also write the figures to this JSON file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        figures = measure(options, options.work or Path(temporary))
    print(json.dumps(figures, indent=1))
    write_figures(figures, options.to)


def measure(options: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Embed, find, and compare with the groups of identical files."""
    from productcat import DuplicateDetector
    from training.listings.datasets import DataConfig, load_dataset

    listings = load_dataset(DataConfig("fashion-product-images-small.tar.xz"), options.data, work).listings
    detector = DuplicateDetector.load(options.bundle)
    started = time.monotonic()
    embeddings = detector.embed(listings)
    embedded = time.monotonic()
    searched = detector.search(embeddings)
    pairs = searched.pairs
    found = time.monotonic()
    digests = {each.id: hashlib.sha256(Path(each.photos[0]).read_bytes()).hexdigest() for each in listings}
    titles = {each.id: each.title for each in listings}
    groups = identical(digests)
    return {
        "listings": len(listings),
        "embed_seconds": round(embedded - started, 1),
        "find_seconds": round(found - embedded, 1),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6),
        "expected": round(searched.expected, 4),
        "pairs": [reaching(score, pairs, groups, digests, titles) for score in sorted({searched.threshold, *SCORES})],
        "identical_groups": len(groups),
        "identical_listings": sum(map(len, groups)),
    }


def identical(digests: Mapping[str, str]) -> list[list[str]]:
    """Return the groups of ids whose photo files are the same, byte for byte. digests : id → digest of the file"""
    groups: dict[str, list[str]] = defaultdict(list)
    for id, digest in digests.items():
        groups[digest].append(id)
    return [group for group in groups.values() if len(group) > 1]


def reaching(
    score: float,
    pairs: "Sequence[DuplicatePair]",
    groups: Sequence[Sequence[str]],
    digests: Mapping[str, str],
    titles: Mapping[str, str],
) -> dict[str, float]:
    """Count the pairs that reach a score, their shares with one photo file and one title, and the groups missed."""
    some = [pair for pair in pairs if pair.score >= score]
    together = {frozenset((pair.left, pair.right)) for pair in some}
    missed = sum(not connected(group, together) for group in groups)

    def share(known: Mapping[str, str]) -> float:
        return sum(known[pair.left] == known[pair.right] for pair in some) / max(1, len(some))

    shares = {"same_file": share(digests), "same_title": share(titles)}
    return {"score": score, "pairs": len(some), **shares, "identical_groups_missed": missed}


def connected(group: Sequence[str], together: set[frozenset[str]]) -> bool:
    """Tell whether pairs that were found join all of a group."""
    reached, left = {group[0]}, set(group[1:])
    while True:
        more = {each for each in left if any(frozenset((each, other)) in together for other in reached)}
        if not more:
            return not left
        reached, left = reached | more, left - more


if __name__ == "__main__":
    main()
