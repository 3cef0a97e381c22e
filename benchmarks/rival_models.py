"""Plain rivals that predict classes: TF-IDF of titles, a frozen ResNet50 on photos, logistic regression on each.

Times are seconds of the processor, all cores together, which other work on the machine hardly changes.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from productcat.calibration.reliability import negative_log_likelihood, top_k
from productcat.errors import ListingError
from productcat.jobs.progress import Progress
from productcat.listings.listing import Listing
from productcat.listings.photos import decoded
from productcat.models.bundle import sha256
from productcat.models.image_model import ImageModel
from training.titles.title_model import TitleBaseline, train_baseline

PHOTO_SIZE = (160, 120)
LEVEL = "embedding_conv5_block3_out"
LISTINGS_AT_ONCE = 256
"""Number of listings that are looked at between two checkpoints."""

STRENGTHS = {"photos": (0.0003, 0.001, 0.003, 0.01, 0.03), "title": (10.0, 30.0, 100.0, 300.0)}
"""Strengths of logistic regression (scikit-learn's C) that are tried; the lowest loss on validation listings wins."""


class Network:
    """ResNet50 with the weights of ImageNet, its photos at `PHOTO_SIZE`, run by ONNX Runtime in float32.

    weights : path of a `.weights.h5` file with the 1000-way top. work : pathlib.Path, where the exported graph is kept.
    """

    def __init__(self, weights: Path, work: Path) -> None:
        self.mark = sha256(weights)[:10]
        graph = work / f"resnet50-{self.mark}.onnx"
        if not graph.exists():
            from training.general import untouched
            from training.images.export import export_float
            from training.images.image_model import ImageConfig

            temporary = graph.with_suffix(".partly")
            export_float(untouched(ImageConfig(PHOTO_SIZE, levels=()), weights), temporary, PHOTO_SIZE)
            temporary.replace(graph)
        self.graph, self.model = graph, ImageModel(graph, PHOTO_SIZE, (LEVEL,))

    def features(self, listings: Sequence[Listing]) -> NDArray[np.float32]:
        """Return pooled features of listings with one photo each, shape (n_listings, 2048)."""
        problems: list[list[str]] = [[] for _ in listings]
        found = []
        for _, pixels in decoded(listings, PHOTO_SIZE, problems):
            found.append(self.model.run(pixels)[1][LEVEL])
        for lines in problems:
            if lines:
                raise ListingError(f"{lines[0]}; the rival needs every photo")
        return np.concatenate(found)

    def kept_features(self, listings: Sequence[Listing], folder: Path) -> NDArray[np.float32]:
        """Return `features`, kept in a file for each batch: an interrupted run goes on after the last one."""
        folder.mkdir(parents=True, exist_ok=True)
        parts = []
        with Progress("photos through ResNet50", len(listings), "photos") as progress:
            for start in range(0, len(listings), LISTINGS_AT_ONCE):
                path = folder / f"{start:06}.npy"
                if not path.exists():
                    temporary = path.with_suffix(".partly.npy")
                    np.save(temporary, self.features(listings[start : start + LISTINGS_AT_ONCE]).astype(np.float16))
                    temporary.replace(path)
                parts.append(np.load(path).astype(np.float32))
                progress.advance(len(parts[-1]))
        return np.concatenate(parts)


@dataclass(frozen=True)
class Known:
    """What logistic regression learns from and is tuned on: inputs (titles or features) and numbers of classes."""

    train: tuple[NDArray[Any], NDArray[np.intp]]
    val: tuple[NDArray[Any], NDArray[np.intp]]
    n_classes: int


@dataclass(frozen=True)
class Fitted:
    """A rival. tried : dict, strength → figures on the validation listings. seconds : time of the fit that is used."""

    model: TitleBaseline
    strength: float
    tried: dict[float, dict[str, float]]
    seconds: float


def tuned(modality: str, known: Known, work: Path) -> Fitted:
    """Fit logistic regression of the best strength. modality : "photos" or "title"; work : keeps the figures of each

    The models are not kept, since scikit-learn saves by pickle only. So the best one is fitted again.
    """
    tried: dict[float, dict[str, float]] = {}
    models: dict[float, tuple[TitleBaseline, float]] = {}
    for strength in STRENGTHS[modality]:
        path = work / f"{modality}-{strength}.json"
        if not path.exists():
            models = {strength: fitted(modality, known, strength)}
            path.write_text(json.dumps(validated(*models[strength], known)), "utf-8")
        tried[strength] = json.loads(path.read_text("utf-8"))
        print(f"{modality}, C = {strength:g}: {tried[strength]}", flush=True)
    best = min(tried, key=lambda strength: tried[strength]["log_loss"])
    model, seconds = models.get(best) or fitted(modality, known, best)
    return Fitted(model, best, tried, seconds)


def fitted(modality: str, known: Known, strength: float) -> tuple[TitleBaseline, float]:
    """Fit a model that gives distributions. → model, seconds that its fit took"""
    started = time.process_time()
    train = train_baseline if modality == "title" else photo_baseline
    return train(*known.train, known.n_classes, strength), time.process_time() - started


def validated(model: TitleBaseline, seconds: float, known: Known) -> dict[str, float]:
    """Return figures on the validation listings."""
    inputs, labels = known.val
    distributions = model.predict_proba(inputs)
    loss, top1 = negative_log_likelihood(distributions, labels), top_k(distributions, labels, 1).mean()
    return {"log_loss": round(loss, 4), "top1": round(float(top1), 4), "fit_seconds": round(seconds, 1)}


def photo_baseline(
    features: NDArray[np.float32], labels: NDArray[np.intp], n_classes: int, strength: float
) -> TitleBaseline:
    """Fit logistic regression on standardized features. → as `training.titles.title_model.train_baseline`"""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    scaler, classifier = StandardScaler(), LogisticRegression(C=strength, max_iter=300, tol=1e-3)
    classifier.fit(scaler.fit_transform(features), labels)
    return TitleBaseline(n_classes, scaler, classifier)
