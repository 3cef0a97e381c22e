"""Turn photos into distributions and embeddings, by ONNX Runtime.

`training/images/image_model.py` and `training/images/export.py` make the model. It scales pixel values itself.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from productcat.arithmetic.vectors import unit
from productcat.errors import BundleError
from productcat.listings.photo_kinds import Photo
from productcat.listings.photos import decoded
from productcat.listings.shrinking import Pixels, Size
from productcat.models.contents import AGAIN, Contents
from productcat.models.network_file import LARGEST_SIDE, UnfitNetworkError
from productcat.models.plain_files import UnfitFileError, checksum_of, unchanged

DISTRIBUTION = "distribution"
FILES = SETTINGS, GRAPH = "settings.json", "model.onnx"

_opening = Lock()
"""Held while a session is opened: threads that start at the same moment would each open one."""


@dataclass
class ImageModel:
    """One network in ONNX form. The session is opened on first use. Threads may share a model.

    Attributes
    ----------
    graph : pathlib.Path
    size : (height, width)
        Size of the photos that the network takes, in pixels.
    levels : tuple of str
        Names of the embeddings that it gives, lowest level first.
    checksum : str, optional
        Hexadecimal sha256 that the graph must have when it is opened.
    widths : dict, name of an output → int
        How many numbers it has for each photo, where the graph says so.
    """

    graph: Path
    size: Size
    levels: tuple[str, ...] = ()
    checksum: str | None = None
    widths: dict[str, int] = field(default_factory=dict, repr=False, compare=False)
    _session: Any = field(default=None, init=False, repr=False, compare=False)

    @classmethod
    def load(cls, folder: Path | Contents) -> Self:
        """Load the model in the "image" part of a bundle, and look into its graph without running it.

        Raises
        ------
        BundleError
            A file is missing, damaged or changed, the graph can do more than compute once, or it does not fit the
            settings.
        """
        contents = Contents.of(folder)
        settings = contents.entries(SETTINGS)
        size = settings.whole("photo_size", 1, LARGEST_SIDE)
        if len(size) != 2:
            settings.refuse("photo_size", "a height and a width in pixels")
        levels = settings.texts("levels")
        network, checksum = contents.network(GRAPH)
        outputs = [DISTRIBUTION, *levels]
        try:
            network.check((size[0], size[1]), outputs)
        except UnfitNetworkError as error:
            raise BundleError(f"{contents.said}{GRAPH} {error}; {AGAIN}") from None
        widths = {name: width for name in outputs if (width := network.width(name)) is not None}
        return cls(contents.folder / GRAPH, (size[0], size[1]), tuple(levels), checksum, widths)

    def run(self, photos: Pixels) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float32]]]:
        """Look at a batch of photos once.

        Parameters
        ----------
        photos : ndarray of shape (n, height, width, 3), dtype uint8

        Returns
        -------
        distributions : ndarray of shape (n, n_classes), float64, rows sum to 1
        embeddings : dict, level → ndarray of shape (n, n_features), float32

        Raises
        ------
        BundleError
            The network cannot be run, or what it gives is not of this kind, such as NaN.
        """
        names = [DISTRIBUTION, *self.levels]
        session = self.session
        try:
            outputs = session.run(names, {"photos": photos})
        except Exception as error:  # the runtime's errors have no base of their own
            raise BundleError(f"{self.graph}: the network cannot be run ({_line(error)}); {AGAIN}") from None
        for name, output in zip(names, outputs, strict=True):
            self._check(name, output, len(photos))
        distributions = outputs[0].astype(np.float64)
        sums = distributions.sum(axis=1, keepdims=True)
        if (distributions < 0).any() or not (sums > 0).all():
            raise BundleError(f"{self.graph}: the network gives a {DISTRIBUTION} that is not one; {AGAIN}")
        distributions /= sums  # float32 rows miss 1 by rounding
        return distributions, dict(zip(self.levels, outputs[1:], strict=True))

    def _check(self, name: str, output: Any, n_photos: int) -> None:
        """Raise BundleError unless an output has a row of finite numbers for each photo."""
        shape: tuple[int, ...] = getattr(output, "shape", ())
        width = self.widths.get(name)
        if len(shape) != 2 or shape[0] != n_photos or width not in (None, shape[1]):
            expected = f"({n_photos}, {width or 'any'})"
            raise BundleError(f"{self.graph}: the network gives {name} of shape {shape}, expected {expected}; {AGAIN}")
        if not np.isfinite(output).all():
            raise BundleError(f"{self.graph}: the network gives a number in {name} that is not finite; {AGAIN}")

    @property
    def session(self) -> Any:
        """The onnxruntime.InferenceSession. There is one, however many threads ask for it."""
        if self._session is None:
            with _opening:
                if self._session is None:
                    self._session = self._opened()
        return self._session

    def _opened(self) -> Any:
        try:
            return unchanged(self._session_of, self.graph)  # so what is checked is what runs
        except UnfitFileError as error:
            if not self.graph.exists():
                raise BundleError(f"{self.graph}: the bundle is not there any more; load one that stays") from None
            raise BundleError(f"{self.graph} {error}; {AGAIN}") from None

    def _session_of(self, graph: Path) -> Any:
        """Compare the checksum of a network, and open it."""
        with ThreadPoolExecutor(1) as pool:
            checksum = pool.submit(checksum_of, graph) if self.checksum is not None else None
            onnxruntime = runtime()  # meanwhile, since the first time it takes a while
            if checksum and checksum.result() != self.checksum:
                raise BundleError(f"{graph} was changed since the bundle was loaded; load one that stays")
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # the runtime's notes on graphs are not for users
        options.add_session_config_entry("session.load_model_format", "ONNX")
        if hasattr(os, "sched_getaffinity"):
            # By default the runtime counts the machine's cores, also those that this process may not use.
            options.intra_op_num_threads = len(os.sched_getaffinity(0))
        try:
            # From a path, not from bytes, which takes the runtime twice the time and the memory of one more copy.
            return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the runtime's errors have no base of their own
            raise BundleError(f"{graph}: the network cannot be opened ({_line(error)}); {AGAIN}") from None


def _line(error: Exception) -> str:
    """Return the first line of what the runtime complains of."""
    said = f"{error}".strip().partition("\n")[0]
    return ascii(said if len(said) <= 160 else f"{said[:157]}...")[1:-1]


def runtime() -> Any:
    """Import ONNX Runtime without telemetry.

    It reads the variable when it is loaded. Without it, it lists every model on disk and reports them to its makers.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime


def photo_means(
    photo_sets: Sequence[Sequence[Photo]], model: ImageModel, problems: Sequence[list[str]]
) -> dict[str, NDArray[Any]]:
    """Return what an image model sees in the photos of each listing, averaged.

    Parameters
    ----------
    photo_sets : sequence of length n_listings
        The photos of each listing.
    model : ImageModel
    problems : sequence of list of str, length n_listings
        Gets the reason for each photo that is left out, as in `decoded`.

    Returns
    -------
    dict, name → ndarray with a row for each listing, of NaN where no photo is evidence
        Of shape (n_listings, n_classes), float64, for `DISTRIBUTION`: the mean of the photos' distributions. Of shape
        (n_listings, n_features), float32, for each level of the model: the direction of the mean of the photos'
        features, each scaled to length 1. Empty when no photo of any listing is evidence.
    """
    sums: dict[str, NDArray[Any]] = {}
    counts = np.zeros((len(photo_sets), 1))
    for owners, pixels in decoded(photo_sets, model.size, problems):
        distributions, embeddings = model.run(pixels)
        parts: dict[str, NDArray[Any]] = {
            DISTRIBUTION: distributions,
            **{level: unit(each) for level, each in embeddings.items()},
        }
        for name, rows in parts.items():
            if name not in sums:
                sums[name] = np.zeros((len(photo_sets), rows.shape[1]), rows.dtype)
            np.add.at(sums[name], owners, rows)
        np.add.at(counts, owners, 1)
    with np.errstate(invalid="ignore"):  # 0 / 0 is the NaN of a listing without photos
        return {
            name: rows / counts if name == DISTRIBUTION else np.where(counts > 0, unit(rows), np.float32(np.nan))
            for name, rows in sums.items()
        }
