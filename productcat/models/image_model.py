"""Turn photos into distributions and embeddings, by ONNX Runtime.

`training/images/image_model.py` and `training/images/export.py` make the model. It scales pixel values itself.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from productcat.arithmetic.vectors import unit
from productcat.errors import BundleError
from productcat.listings.photos import Photo, decoded
from productcat.listings.shrinking import Pixels, Size

DISTRIBUTION = "distribution"
SETTINGS, GRAPH = "settings.json", "model.onnx"

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
    """

    graph: Path
    size: Size
    levels: tuple[str, ...] = ()
    _session: Any = field(default=None, init=False, repr=False, compare=False)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Load the model in the "image" part of a bundle."""
        settings = json.loads((folder / SETTINGS).read_text("utf-8"))
        height, width = settings["photo_size"]
        return cls(folder / GRAPH, (height, width), tuple(settings["levels"]))

    def run(self, photos: Pixels) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float32]]]:
        """Look at a batch of photos once.

        Parameters
        ----------
        photos : ndarray of shape (n, height, width, 3), dtype uint8

        Returns
        -------
        distributions : ndarray of shape (n, n_classes), float64, rows sum to 1
        embeddings : dict, level → ndarray of shape (n, n_features), float32
        """
        outputs = self.session.run([DISTRIBUTION, *self.levels], {"photos": photos})
        distributions = outputs[0].astype(np.float64)
        distributions /= distributions.sum(axis=1, keepdims=True)  # float32 rows miss 1 by rounding
        return distributions, dict(zip(self.levels, outputs[1:], strict=True))

    @property
    def session(self) -> Any:
        """The onnxruntime.InferenceSession. There is one, however many threads ask for it."""
        if self._session is None:
            with _opening:
                if self._session is None:
                    self._session = self._opened()
        return self._session

    def _opened(self) -> Any:
        onnxruntime = runtime()
        if not self.graph.is_file():
            raise BundleError(f"{self.graph}: the bundle is not there any more; load one that stays")
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # the runtime's notes on graphs are not for users
        if hasattr(os, "sched_getaffinity"):
            # By default the runtime counts the machine's cores, also those that this process may not use.
            options.intra_op_num_threads = len(os.sched_getaffinity(0))
        return onnxruntime.InferenceSession(str(self.graph), options, providers=["CPUExecutionProvider"])


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
        Gets the reason for each photo that cannot be read, as in `decoded`.

    Returns
    -------
    dict, name → ndarray with a row for each listing, of NaN where no photo can be read
        Of shape (n_listings, n_classes), float64, for `DISTRIBUTION`: the mean of the photos' distributions. Of shape
        (n_listings, n_features), float32, for each level of the model: the direction of the mean of the photos'
        features, each scaled to length 1. Empty when no photo of any listing can be read.
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
