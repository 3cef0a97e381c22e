"""Pairs of photo sets through productcat and through plain rivals: the same item or not?

The protocol is that of `training/duplicates/protocol.py`. The shipped detector has learnt from all of these items, so
it is not scored on them: `training/results/duplicates.json` has the figures of detectors that had not seen the items
which they judge. Rivals that occur in both files prove that both are of the same items, halves and network.
"""

import json
import time
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from productcat import DuplicateDetector, Listing
from productcat.models.bundle import Bundle, sha256
from productcat.models.image_model import ImageModel
from training.config import load_config
from training.duplicates.item_photos import Item, describe_items, read_items
from training.duplicates.photo_table import PhotoTable, look_at
from training.duplicates.protocol import Protocol, Rows, best_of_sets, report, untrained
from training.general import GeneralConfig

ROOT = Path(__file__).parent.parent
CONFIG = ROOT / "training/configs/general.toml"
MEASURED = ROOT / "training/results/duplicates.json"
LIKE = 0.005
"""Largest difference of a mean figure from that of the same method in MEASURED."""

RIVALS = {
    "mean embedding, cosine": "embedding_conv5_block3_out, means",
    "best pair of photos, conv4, cosine": "embedding_conv4_block6_out, best photos",
}
"""Rivals that are also in MEASURED, with their names there."""

OURS = {
    f"productcat, {way}, unseen {what}": (f"unseen {what}", f"Siamese network, {way}")
    for way in ("known catalogue", "nothing known")
    for what in ("items", "domains")
}
TIMED = 200
"""Number of photos on which the detector is timed."""

Score = Callable[[Sequence[Rows], Sequence[Rows]], NDArray[np.floating]]
"""Scores pairs of sets of rows. → (n_left, n_right)"""

Known, Photos = TypeVar("Known"), TypeVar("Photos", bound=Sequence[Any])


def measure(options: Namespace) -> dict[str, Any]:
    """Score all pairs. → figures, as they are stored"""
    config, stored = load_config(CONFIG, GeneralConfig), json.loads(MEASURED.read_text("utf-8"))
    bundle = Bundle.open(options.bundle or "general")
    items, left_out = read_items(options.data / config.photos.items, options.work)
    table = photo_table(items, bundle, options.work)
    protocol = Protocol(items, table, config.metric, config.siamese, config.seed)
    photos = [photo for item in items for photo in item.photos]
    scores, times = hashed(protocol, photos)
    for name, there in RIVALS.items():
        scores[name] = by_domain(protocol, lambda left, right, there=there: untrained(table, left, right)[there])
    figures = report(scores, config.seed)
    for name, there in RIVALS.items():
        check(figures[name], stored["unseen items"][there], name)
    figures |= {name: stored[part][method] for name, (part, method) in OURS.items()}
    ours = milliseconds(DuplicateDetector.load(bundle.path), photos[:TIMED])
    rows = {name: {**row(each), "photo_ms": times.get(name, ours)} for name, each in figures.items()}
    return {**sources(config, options, bundle), "items": list(describe_items(items, left_out)), "rows": rows}


def hashed(
    protocol: Protocol, photos: Sequence[Path]
) -> tuple[dict[str, dict[str, NDArray[np.floating]]], dict[str, float]]:
    """Score all pairs by hashes. → scores, milliseconds that each takes for a photo"""
    scores, times = {}, {}
    for name, encode in hashes().items():
        bits, times[name] = timed(lambda some, encode=encode: np.stack([encode(photo) for photo in some]), photos)
        same = likeness(bits)
        scores[name] = by_domain(protocol, lambda left, right, same=same: best_of_sets(same, left, right))
    return scores, times


def photo_table(items: Sequence[Item], bundle: Bundle, work: Path) -> PhotoTable:
    """Return photos of items as the network of the bundle sees them; they are kept for the next run."""
    model = ImageModel.load(bundle.part("image"))
    path = work / f"item-photos-{sha256(model.graph)[:10]}.npz"
    if not path.exists():
        listings = [Listing(item.name, photos=item.photos) for item in items]
        look_at(listings, [item.domain for item in items], model, "photos of items")[0].save(path)
    table = PhotoTable.load(path)
    if len(table.items) != sum(len(item.photos) for item in items):
        raise ValueError(f"{path}: {len(table.items)} photos, not those of {len(items)} items; remove it")
    return table


def hashes() -> dict[str, Callable[[Path], NDArray[np.bool_]]]:
    """Return functions from the path of a photo to 64 bits, by name."""
    import imagehash
    from PIL import Image

    def by(function: Callable[[Image.Image], Any]) -> Callable[[Path], NDArray[np.bool_]]:
        def encode(photo: Path) -> NDArray[np.bool_]:
            with Image.open(photo) as image:
                return function(image).hash.ravel()

        return encode

    return {"pHash, best match": by(imagehash.phash), "dHash, best match": by(imagehash.dhash)}


def timed(encode: Callable[[Photos], Known], photos: Photos) -> tuple[Known, float]:
    """Encode photos. → the result, milliseconds that each photo took, all cores together"""
    started = time.process_time()
    known = encode(photos)
    return known, round((time.process_time() - started) / len(photos) * 1000, 2)


def milliseconds(detector: DuplicateDetector, photos: Sequence[Path]) -> float:
    """Measure the milliseconds that the detector takes for a photo."""
    listings = [Listing(str(photo), photos=(photo,)) for photo in photos]
    detector.embed(listings[:1])  # loads the network
    return timed(detector.embed, listings)[1]


def likeness(bits: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Count the equal bits of every pair of photos. bits : (n_photos, n_bits) → (n_photos, n_photos)"""
    signs = np.where(bits, 1.0, -1.0)
    return (signs @ signs.T + bits.shape[1]) / 2


def by_domain(protocol: Protocol, score: Score) -> dict[str, NDArray[np.floating]]:
    """Score all pairs of halves in each domain. → dict, domain → (n_items, n_items)"""
    found = {}
    for domain in np.unique(protocol.domains):
        members = np.flatnonzero(protocol.domains == domain)
        left, right = ([side[item] for item in members] for side in (protocol.left, protocol.right))
        found[str(domain)] = score(left, right)
    return found


def check(here: dict[str, Any], there: dict[str, Any], name: str) -> None:
    """Raise ValueError unless the figures of one method are those that were stored."""
    pairs = [(here["figures"]["mean"][figure], value) for figure, value in there["figures"]["mean"].items()]
    if any(abs(one - other) > LIKE for one, other in pairs):
        raise ValueError(
            f"{name}: {pairs} here and in {MEASURED.name}; it was measured with other data or another bundle, "
            "run `python -m training.general` with --report again"
        )


def row(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return the means over the domains, with intervals, as they are stored."""
    mean, intervals = figures["figures"]["mean"], figures["intervals"]["mean"]
    rounded = {name: round(value, 4) for name, value in mean.items()}
    return {**rounded, "intervals": {name: [round(end, 4) for end in each] for name, each in intervals.items()}}


def sources(config: GeneralConfig, options: Namespace, bundle: Bundle) -> dict[str, Any]:
    """Return what the figures come from."""
    source = options.data / config.photos.items
    return {
        "data": {"source": source.name, "sha256": sha256(source) if source.is_file() else None, "seed": config.seed},
        "bundle": {"name": bundle.manifest["name"], "seal": bundle.manifest["seal"]},
        "measured": {"file": str(MEASURED.relative_to(ROOT)), "sha256": sha256(MEASURED)},
    }
