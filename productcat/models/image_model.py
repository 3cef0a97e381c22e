"""Photos → distributions and embeddings, by ONNX Runtime.

Made by `training/images/image_model.py` and `training/images/export.py`: scaling of pixel values is inside the graph.
"""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from productcat.arithmetic.vectors import unit
from productcat.errors import BundleError
from productcat.listings.photos import decoded

DISTRIBUTION = "distribution"
SETTINGS, GRAPH = "settings.json", "model.onnx"


@dataclass
class ImageModel:
    """One network in ONNX form. The session is opened on first use.

    Attributes
    ----------
    graph : pathlib.Path
    size : (height, width)
        The photos that the network takes, in pixels.
    levels : tuple of str
        Names of the embeddings that it gives, lowest level first.
    """

    graph: Path
    size: tuple[int, int]
    levels: tuple[str, ...] = ()
    _session: object = field(default=None, repr=False)

    @classmethod
    def load(cls, folder):
        """The model in the "image" part of a bundle."""
        settings = json.loads((folder / SETTINGS).read_text("utf-8"))
        return cls(folder / GRAPH, tuple(settings["photo_size"]), tuple(settings["levels"]))

    def run(self, photos):
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
    def session(self):
        """The onnxruntime.InferenceSession."""
        if self._session is None:
            onnxruntime = runtime()
            if not self.graph.is_file():
                raise BundleError(f"{self.graph}: the bundle is not there any more; load one that stays")
            options = onnxruntime.SessionOptions()
            options.log_severity_level = 3  # the runtime's notes on graphs are not for users
            if hasattr(os, "sched_getaffinity"):
                # By default the runtime counts the machine's cores, also those that this process may not use.
                options.intra_op_num_threads = len(os.sched_getaffinity(0))
            self._session = onnxruntime.InferenceSession(str(self.graph), options, providers=["CPUExecutionProvider"])
        return self._session


def runtime():
    """ONNX Runtime. Without the variable, read when it is loaded, it notes every model on disk and tells its makers."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime


def photo_means(photo_sets, model, problems):
    """What an image model makes of each listing's photos, all of them together.

    Parameters
    ----------
    listings : sequence of Listing
    model : ImageModel
    problems : list of list, length n_listings
        As `decoded` takes it.

    Returns
    -------
    dict, name → ndarray with a row for each listing, of NaN where no photo could be read
        Of shape (n_listings, n_classes) for `DISTRIBUTION`: the mean of the photos' distributions. Of shape
        (n_listings, n_features), float32, for each level of the model: the direction of the mean of the photos'
        features, each scaled to length 1. Empty when not one photo of all these listings could be read.
    """
    sums, counts = {}, np.zeros((len(photo_sets), 1))
    for owners, pixels in decoded(photo_sets, model.size, problems):
        distributions, embeddings = model.run(pixels)
        parts = {DISTRIBUTION: distributions} | {level: unit(each) for level, each in embeddings.items()}
        for name, rows in parts.items():
            if name not in sums:
                sums[name] = np.zeros((len(photo_sets), rows.shape[1]), rows.dtype)
            np.add.at(sums[name], owners, rows)
        np.add.at(counts, owners, 1)
    with np.errstate(invalid="ignore"):  # 0 / 0 is the NaN of a listing without photos
        means = {DISTRIBUTION: sums.pop(DISTRIBUTION) / counts} if sums else {}
    return means | {level: np.where(counts > 0, unit(each), np.float32(np.nan)) for level, each in sums.items()}
