"""Copies as sellers make them: `DuplicateDetector` against pHash and dHash, on photos that nothing was learnt from.

Every photo of a test split is copied in one way at a time. Each original is compared with each copy, and only its own
copy is a duplicate. The figure is the largest share of the copies that one threshold finds while 99.9 % of what it
finds is right. For a known catalogue there is also the share that the bundle's own threshold finds, and how much of
that is right. The last figure is what this threshold finds in catalogues of ten listings.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from timing import write_figures

if TYPE_CHECKING:
    from productcat import DuplicateDetector
    from productcat.duplicates.embedding import Embedding

PRECISION = 0.999
WAYS = ("crop", "mirror", "recompress", "border", "watermark", "rotate", "colour")
KNOWN, OWN = "productcat, known catalogue", "known catalogue, the bundle's threshold"
SMALL = "catalogues of ten listings, the bundle's threshold"
FEW = 5
"""Number of photos in a small catalogue, which also holds their copies."""

CATALOGUES = 10
"""Number of small catalogues."""

SEED = 20
"""Seed of the splits, where the data have none: that of the configurations of both shipped bundles."""

SETS = {
    "fashion": {"source": "fashion-product-images-small.tar.xz"},
    "clothing": {"source": "clothing-dataset-small.tar", "table": ""},
}


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder with the two data sets")
    parser.add_argument("--bundle", help="a bundle with a duplicates part (default: the shipped one)")
    parser.add_argument("--photos", type=int, default=300, help="photos of each set (default: 300)")
    parser.add_argument("--work", type=Path, help="where the data are unpacked (default: a temporary folder)")
    parser.add_argument("--to", type=Path, help="also write the figures to this JSON file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        results = measure(options, options.work or Path(temporary))
    for name, rows in results["recall"].items():
        for way, figures in rows.items():
            print(f"{name:10}{way:12}" + "".join(f"{rival} {figure:.3f}   " for rival, figure in figures.items()))
    write_figures({"photos": options.photos, **results}, options.to)


def measure(options: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Measure what is found.

    Returns
    -------
    dict
        "recall": set → dict, way to copy → dict, rival → recall. "precision": set → dict, way to copy → that of the
        bundle's own threshold in a known catalogue. "threshold": the bundle's own.
    """
    from productcat import DuplicateDetector
    from training.duplicates.copies import COPIES

    detector = DuplicateDetector.load(options.bundle)
    found: dict[str, dict[str, dict[str, float]]] = {}
    precisions: dict[str, dict[str, float]] = {}
    for number, (name, settings) in enumerate(SETS.items()):
        photos = test_photos(options, work, settings, number)
        left = prepared(detector, photos)
        for way in WAYS:
            rng = np.random.default_rng([number, len(way)])
            right = prepared(detector, [COPIES[way](photo, rng) for photo in photos])
            adapted = detector.adapt([*left["embeddings"], *right["embeddings"]])  # as `find` does
            scores = {
                "productcat": detector.score_matrix(left["embeddings"], right["embeddings"]),
                KNOWN: adapted.score_matrix(left["embeddings"], right["embeddings"]),
            }
            for hashed in ("pHash", "dHash"):
                scores[hashed] = -(left[hashed][:, None] != right[hashed][None]).sum(axis=2)
            own = scores[KNOWN] >= adapted.threshold
            recalls = {rival: recall(each) for rival, each in scores.items()} | {OWN: float(np.diag(own).mean())}
            recalls[SMALL] = in_small_catalogues(detector, left["embeddings"], right["embeddings"])
            found.setdefault(name, {})[way] = recalls
            precisions.setdefault(name, {})[way] = float(np.trace(own) / max(own.sum(), 1))
            print(name, way, recalls, precisions[name][way], file=sys.stderr, flush=True)
    return {"recall": found, "precision": precisions, "threshold": detector.threshold}


def in_small_catalogues(
    detector: "DuplicateDetector", left: "Sequence[Embedding]", right: "Sequence[Embedding]"
) -> float:
    """Return the share of copies that `find` finds in catalogues of ten listings."""
    found = 0
    for start in range(0, FEW * CATALOGUES, FEW):
        some = slice(start, start + FEW)
        one = [replace(each, id=f"a {each.id}") for each in left[some]]
        other = [replace(each, id=f"b {each.id}") for each in right[some]]
        found += sum(pair.left[2:] == pair.right[2:] for pair in detector.find([*one, *other]))
    return found / (FEW * CATALOGUES)


def test_photos(
    options: argparse.Namespace, work: Path, settings: dict[str, Any], seed: int
) -> list[NDArray[np.uint8]]:
    """Read photos of a test split. → list of ndarray of shape (h, w, 3)"""
    from PIL import Image

    from training.listings.datasets import DataConfig, load_dataset

    dataset = load_dataset(DataConfig(**settings), options.data, work, SEED)
    rows = np.random.default_rng(seed).permutation(dataset.rows("test"))[: options.photos]
    photos = []
    for row in rows:
        with Image.open(dataset.listings[row].photos[0]) as image:
            photos.append(np.asarray(image.convert("RGB")))
    return photos


def prepared(detector: "DuplicateDetector", photos: Sequence[NDArray[np.uint8]]) -> dict[str, Any]:
    """Return what each rival keeps of photos."""
    import imagehash
    from PIL import Image

    from productcat import Listing

    images = [Image.fromarray(photo) for photo in photos]
    kept = {"embeddings": detector.embed([Listing(str(i), photos=(photo,)) for i, photo in enumerate(photos)])}
    for name, function in (("pHash", imagehash.phash), ("dHash", imagehash.dhash)):
        kept[name] = np.stack([function(image).hash.ravel() for image in images])
    return kept


def recall(scores: NDArray[np.number]) -> float:
    """Return the largest share of the copies that one threshold finds at `PRECISION`."""
    from productcat.evaluation.pair_figures import recall_at_precision

    return recall_at_precision(scores.ravel().astype(float), np.eye(len(scores), dtype=bool).ravel(), PRECISION)[0]


if __name__ == "__main__":
    main()
