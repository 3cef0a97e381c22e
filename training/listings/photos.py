"""Decodes the photos of a dataset once, into a file that training maps."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from productcat.errors import ListingError
from productcat.jobs.progress import Progress
from productcat.listings.listing import Listing
from productcat.listings.photos import read_photo
from training.listings.datasets import Dataset


def decode_photos(dataset: Dataset, size: tuple[int, int], folder: Path) -> None:
    """Decode all photos into `folder`, unless it has them; set `photos`, `owners` and the report of a Dataset.

    A listing that has no readable photo and no title is left out: its split becomes "".

    Raises
    ------
    ListingError
        Listings have photos, and none of them can be read.
    """
    wanted = [(row, photo) for row, listing in enumerate(dataset.listings) for photo in listing.photos]
    height, width = size
    pixels = folder / f"photos-{height}x{width}.npy"
    kept = folder / f"unreadable-{height}x{width}.json"
    if not kept.exists():
        folder.mkdir(parents=True, exist_ok=True)
        temporary = kept.with_suffix(".tmp")
        reasons = _decode(wanted, size, pixels, dataset.listings)
        temporary.write_text(json.dumps(reasons, ensure_ascii=False, indent=1), "utf-8")
        temporary.replace(kept)
    unreadable = json.loads(kept.read_text("utf-8"))
    owners = [-1 if str(number) in unreadable else row for number, (row, _) in enumerate(wanted)]
    dataset.owners = np.array(owners, np.intp)
    # Without photos there is no file to map.
    dataset.photos = np.load(pixels, mmap_mode="r") if wanted else np.empty((0, *size, 3), np.uint8)
    dataset.report["unreadable_photos"] = list(unreadable.values())
    titled = [bool(listing.title.strip()) for listing in dataset.listings]
    blank = np.flatnonzero(~np.isin(range(len(titled)), dataset.owners) & ~np.array(titled))
    dataset.splits[blank] = ""
    dataset.report["without_photo_and_title"] = [f"listing {dataset.listings[row].id!r}" for row in blank]


def _decode(
    wanted: Sequence[tuple[int, Any]], size: tuple[int, int], path: Path, listings: Sequence[Listing]
) -> dict[int, str]:
    """Write the pixels of all photos; return number of the photo → why it cannot be read.

    wanted: pairs of a listing's number and a photo of it.
    """
    if not wanted:
        return {}
    array = np.lib.format.open_memmap(path, "w+", np.uint8, (len(wanted), *size, 3))
    unreadable = {}

    def decode(number: int) -> None:
        row, photo = wanted[number]
        try:
            array[number] = read_photo(photo, size)
        except ListingError as error:
            unreadable[number] = f"listing {listings[row].id!r}: {error}"

    with ThreadPoolExecutor() as pool, Progress("photos", len(wanted), "photos") as progress:
        for _ in pool.map(decode, range(len(wanted))):
            progress.advance(1)
    array.flush()
    if len(unreadable) == len(wanted):  # a wrong path is more likely than damage to every photo
        raise ListingError(
            f"none of the {len(wanted)} photos can be read; check photos and photo_pattern of [data], or set both to "
            f'"" to train from titles alone; the first is {unreadable[0]}'
        )
    return dict(sorted(unreadable.items()))
