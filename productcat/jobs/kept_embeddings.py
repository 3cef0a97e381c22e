"""Embeddings kept on disk during a long run, so that the same run goes on when it is started again after a kill.

They lie in a folder, in files of SHARD listings each. A file says from which listings, photos and image model it was
made, and is made again if these have changed.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count, islice
from pathlib import Path

import numpy as np

from productcat import __version__
from productcat.duplicates.detector import DuplicateDetector
from productcat.duplicates.embedding import FORMAT, Embedding, joined
from productcat.errors import ListingError, ProductcatError
from productcat.jobs.outputs import PathLike, write_whole
from productcat.listings.fingerprint import fingerprint
from productcat.listings.listing import Listing

SHARD = 256
"""Number of listings in a file: a multiple of the detector's batch, so each listing meets the same others."""

LEVEL = "level/"


def embed_in_shards(
    detector: DuplicateDetector,
    listings: Iterable[Listing],
    folder: PathLike | None = None,
    titles_alone: bool = False,
) -> Iterator[tuple[list[Embedding], list[str]]]:
    """Embed listings, and keep the embeddings.

    Parameters
    ----------
    detector : DuplicateDetector
    listings : iterable of Listing
        It may be longer than memory.
    folder : str | os.PathLike, optional
        It must exist; see `kept_in`. With None nothing is kept.
    titles_alone : bool
        As for `DuplicateDetector.embed`.

    Yields
    ------
    embeddings : list of Embedding
        Those of the next SHARD listings.
    problems : list of str
        What is wrong with their photos.
    """
    made_by = f"{__version__} {FORMAT} {detector.mark}{' titles alone' if titles_alone else ''}" if folder else ""
    listings = iter(listings)
    for number in count():
        some = list(islice(listings, SHARD))
        if not some:
            return
        if not folder:
            yield _looked_at(detector, some, titles_alone)
            continue
        path, made_of = Path(folder) / f"{number:06}.safetensors", _made_of(made_by, some, titles_alone)
        found = _load(path, made_of, some)
        if not found:
            found = _looked_at(detector, some, titles_alone)
            _save(path, made_of, *found)
        yield found


def _looked_at(
    detector: DuplicateDetector, listings: Sequence[Listing], titles_alone: bool
) -> tuple[list[Embedding], list[str]]:
    """Embed listings. Return the embeddings, and what is wrong with the photos."""
    seen = list(detector.look(listings, titles_alone))
    return [embedding for embedding, _ in seen], [str(problem) for _, problems in seen for problem in problems]


@contextmanager
def kept_in(folder: PathLike | None) -> Iterator[None]:
    """Make a folder for embeddings, unless it is None. After an error remove it again if it is empty."""
    if folder is None:
        yield
        return
    try:
        Path(folder).mkdir(exist_ok=True)
    except OSError as error:
        raise ListingError(
            f"{folder}: cannot be written ({error.strerror}); choose a folder that you may write to"
        ) from None
    try:
        yield
    except ProductcatError:
        with suppress(OSError):
            Path(folder).rmdir()
        raise


def remove_folder(folder: PathLike) -> None:
    """Remove the embeddings of a run that is done. Other files in the folder stay."""
    for path in Path(folder).glob("*.safetensors"):
        path.unlink()
    if not any(Path(folder).iterdir()):
        Path(folder).rmdir()


def _made_of(made_by: str, listings: Sequence[Listing], titles_alone: bool) -> str:
    """Return the fingerprint of the listings of a shard. A title counts where it decides what is a problem."""
    found = hashlib.sha256(made_by.encode())
    for listing in listings:
        found.update(fingerprint(listing.photos, listing.id, listing.title if titles_alone else "").encode())
    return found.hexdigest()


def _save(path: Path, made_of: str, embeddings: Sequence[Embedding], problems: Sequence[str]) -> None:
    from safetensors.numpy import save

    whole = joined(embeddings)
    tensors = {f"{LEVEL}{name}": each for name, each in whole.features.items()} | {"thumbnails": whole.thumbnails}
    tensors["counts"] = np.array([len(each) for each in embeddings])
    write_whole(path, [save(tensors, {"made_of": made_of, "problems": json.dumps(problems)})])


def _load(path: Path, made_of: str, listings: Sequence[Listing]) -> tuple[list[Embedding], list[str]] | None:
    """Read embeddings and problems as they were kept. None if there is no such file, or one made from other things."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np") as file:
            said = file.metadata() or {}
            if said.get("made_of") != made_of:
                return None
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is not a dict)
    except (OSError, SafetensorError):
        return None
    thumbnails, counts = tensors.pop("thumbnails"), tensors.pop("counts")
    ends = np.cumsum(counts)
    embeddings = []
    for listing, start, end in zip(listings, ends - counts, ends, strict=True):
        features = {name.removeprefix(LEVEL): each[start:end] for name, each in tensors.items()}
        embeddings.append(Embedding(listing.id, features, thumbnails[start:end], listing.title, listing.price))
    return embeddings, json.loads(said["problems"])
