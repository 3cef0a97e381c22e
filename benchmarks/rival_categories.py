"""Held-out fashion listings through productcat and through plain rivals: which class?

The rivals learn from the training listings. As for productcat, everything else is chosen on the validation listings:
the strength of the regularization, the temperatures, the weights of the average and its kind.
"""

import pickle
import time
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rival_models import Known, Network, tuned
from timing import take_turns

from productcat import Categorizer, Listing
from productcat.calibration.reliability import top_k
from productcat.models.bundle import Bundle
from training.categories.fitting import calibrated, fit_ensemble
from training.images.weights import WEIGHTS
from training.listings.datasets import DataConfig, Dataset, checksum, load_dataset
from training.metrics import summary

DATA = DataConfig("fashion-product-images-small.tar.xz")
TIMED = 200
"""Number of test listings whose predictions are timed, in one batch."""

NAMES = {
    "title": "TF-IDF + logistic regression",
    "photos": "ResNet50 + logistic regression",
    "both": "average of the two",
}
"""The rivals, by their modality."""


def measure(options: Namespace) -> dict[str, Any]:
    """Fit the rivals and run the test listings through all. → figures, as they are stored"""
    ours, mark = Categorizer.load(options.bundle), checksum(DATA, options.data)
    made = ours.bundle.manifest.get("trained_from", {})
    if made.get("data_sha256") != mark:
        raise ValueError(f"bundle {options.bundle or 'fashion'} was not made from this {DATA.source}, with its splits")
    dataset = load_dataset(DATA, options.data, options.work, made["seed"])
    rivals = Rivals(dataset, Network(options.weights, options.work), options.work / f"rivals-{mark[:10]}")
    labels, listings = dataset.labels[dataset.rows("test")], [dataset.listings[row] for row in dataset.rows("test")]
    seen = {f"productcat, {use}": ours.class_distributions(listings, use) for use in NAMES}
    seen |= {NAMES[use]: each for use, each in rivals.distributions("test").items()}
    times, size = milliseconds_each(rivals, ours, listings[:TIMED], options.rounds), sizes(rivals, ours)
    fits = rivals.fit_seconds(times[NAMES["photos"]])
    rows = {
        name: {**rounded(summary(seen[name], labels)), "fit_s": fit, "ms": times[name], "mb": size[name]}
        for use, rival in NAMES.items()
        for name, fit in ((rival, fits[use]), (f"productcat, {use}", None))
    }
    return {
        "data": {"source": DATA.source, "sha256": mark, "listings": len(labels), "classes": len(ours.classes)},
        "bundle": {"name": ours.bundle.manifest["name"], "seal": ours.bundle.manifest["seal"]},
        "rows": rows,
        "top1_gain": {use: gain(seen[f"productcat, {use}"], seen[NAMES[use]], labels) for use in NAMES},
        "rivals": rivals.described(labels),
    }


class Rivals:
    """The rivals, fitted. work : where features and figures of trials are kept"""

    def __init__(self, dataset: Dataset, network: Network, work: Path) -> None:
        self.dataset, self.network = dataset, network
        features = network.kept_features(dataset.listings, work / f"features-{network.mark}")
        titles = np.array([listing.title for listing in dataset.listings], object)
        self.inputs, self.fits = {"photos": features, "title": titles}, {}
        for kind, inputs in self.inputs.items():
            train, val = ((inputs[rows], dataset.labels[rows]) for rows in map(dataset.rows, ("train", "val")))
            self.fits[kind] = tuned(kind, Known(train, val, len(dataset.classes)), work)
        labels = dataset.labels[dataset.rows("val")]
        self.settings, self.losses = fit_ensemble(*self.raw("val"), labels)

    def raw(self, split: str) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        """Return distributions before any temperature, from photos and from titles; each (n_listings, n_classes)."""
        rows = self.dataset.rows(split)
        photos, title = (self.fits[each].model.predict_proba(self.inputs[each][rows]) for each in ("photos", "title"))
        return photos, title

    def distributions(self, split: str) -> dict[str, NDArray[np.floating]]:
        """Return calibrated distributions. → dict, "photos", "title" or "both" → (n_listings, n_classes)"""
        return calibrated(*self.raw(split), self.settings)

    def predict(self, listings: Sequence[Listing], use: str) -> NDArray[np.floating]:
        """Return distributions of listings as a user of the rivals would get them."""
        photos, title = (self.fits[kind].model for kind in ("photos", "title"))
        seen = {"photos": None, "title": None}
        if use != "title":
            seen["photos"] = photos.predict_proba(self.network.features(listings))
        if use != "photos":
            seen["title"] = title.predict_proba([listing.title for listing in listings])
        return calibrated(seen["photos"], seen["title"], self.settings)[use]

    def fit_seconds(self, milliseconds: float) -> dict[str, int]:
        """Return the time from photos and titles to fitted models. milliseconds : for the features of a photo"""
        looking = len(self.dataset.rows("train")) * milliseconds / 1000
        found = {"photos": self.fits["photos"].seconds + looking, "title": self.fits["title"].seconds}
        return {use: round(seconds) for use, seconds in {**found, "both": sum(found.values())}.items()}

    def described(self, labels: NDArray[np.intp]) -> dict[str, Any]:
        """Return what was tried and chosen, and the figures of the test listings without the temperatures."""
        plain = dict(zip(("photos", "title"), self.raw("test"), strict=True))
        chosen = {
            kind: {"C": fit.strength, "tried": fit.tried, "without_temperature": rounded(summary(plain[kind], labels))}
            for kind, fit in self.fits.items()
        }
        return {**chosen, "average": self.settings, "average_log_losses": self.losses}


def milliseconds_each(rivals: Rivals, ours: Categorizer, listings: Sequence[Listing], rounds: int) -> dict[str, float]:
    """Measure the milliseconds that a listing takes, in one batch, everything loaded. → dict, name → float"""

    def measured(predict: Callable[[Sequence[Listing], str], object], use: str) -> float:
        started = time.process_time()
        predict(listings, use)
        return (time.process_time() - started) / len(listings) * 1000

    calls = {}
    for use, rival in NAMES.items():
        calls[f"productcat, {use}"] = partial(measured, ours.class_distributions, use)
        calls[rival] = partial(measured, rivals.predict, use)
    return {name: round(float(np.median(each)), 2) for name, each in take_turns(calls, rounds).items()}


def sizes(rivals: Rivals, ours: Categorizer) -> dict[str, float]:
    """Measure the megabytes of the files that are opened: the bundle; pickled scikit-learn models and a network."""
    found = {kind: len(pickle.dumps(fit.model)) for kind, fit in rivals.fits.items()}
    found["photos"] += rivals.network.graph.stat().st_size
    result = {NAMES[use]: size for use, size in {**found, "both": sum(found.values())}.items()}
    parts = {"photos": ours.bundle.part("image"), "title": ours.bundle.part("title"), "both": ours.bundle.path}
    for use, folder in parts.items():
        files = [file for file in folder.rglob("*") if file.is_file() and not _unopened(file, ours.bundle)]
        result[f"productcat, {use}"] = sum(file.stat().st_size for file in files)
    return {name: round(size / 1e6, 1) for name, size in result.items()}


def _unopened(file: Path, bundle: Bundle) -> bool:
    """Tell whether a file is only for training, or for categories that are made of examples."""
    return "features" in file.relative_to(bundle.path).parts or file == bundle.part("image") / WEIGHTS


def gain(ours: NDArray[np.floating], theirs: NDArray[np.floating], labels: NDArray[np.intp]) -> dict[str, Any]:
    """Return how much more top-1 productcat has, with its 95 % interval, from paired differences of the listings."""
    differences = top_k(ours, labels, 1).astype(float) - top_k(theirs, labels, 1)
    mean, error = differences.mean(), differences.std(ddof=1) / np.sqrt(len(differences))
    return {"mean": round(mean, 4), "interval": [round(mean - 1.96 * error, 4), round(mean + 1.96 * error, 4)]}


def rounded(figures: Mapping[str, float]) -> dict[str, float]:
    """Round figures as they are stored."""
    return {name: round(value, 4) for name, value in figures.items()}
