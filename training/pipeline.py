"""Runs the steps from raw listings to a bundle."""

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from productcat.categories.categorizer import Categorizer
from productcat.categories.projections import CategoryProjections
from productcat.duplicates.metric import SetMetric
from productcat.models.bundle import Bundle, sha256
from productcat.models.image_model import GRAPH, ImageModel
from productcat.models.title_model import TitleModel
from training.assemble import assemble
from training.categories.evaluate import evaluate
from training.categories.fitting import calibrated, fit_ensemble, fit_rule
from training.categories.prototypes import class_projections
from training.config import Config
from training.images import image_model, stages
from training.images.export import export, run_all
from training.images.image_model import ImageConfig
from training.images.weights import WEIGHTS
from training.listings import datasets
from training.listings.photos import decode_photos
from training.listings.splits import SPLITS
from training.metrics import summary
from training.steps import Steps
from training.titles import title_model

CALIBRATION_PHOTOS = 128
"""Number of training photos that give the ranges of int8 activations; outliers among more make the steps coarse."""

MEANING = {"photos": "a photo that can be read", "title": "a title with a word"}
"""What a listing must have for each modality, in words."""


class Pipeline:
    """All steps of one configuration. Making it reads the data; `run` does the steps.

    Parameters
    ----------
    config : training.config.Config
    text : str
        The configuration file, kept in the manifest.
    data, work : pathlib.Path
        The data folder, and where results of the steps are kept.
    weights : str, optional
        Path of ImageNet weights, instead of those that the configuration names.

    Raises
    ------
    ValueError
        The weights do not exist, a bundle that the configuration names lacks a part, or a split has no usable listing.
    """

    def __init__(self, config: Config, text: str, data: Path, work: Path, weights: str | None = None) -> None:
        self.config, self.text, self.data = config, text, data
        self.weights = weights or config.image.weights
        if self.weights not in ("imagenet", "none") and not os.path.isfile(self.weights):
            raise ValueError(f'{self.weights}: no such file of weights; give one, or weights = "imagenet" or "none"')
        self.start = Bundle.open(config.image.init_from) if config.image.init_from else None
        if self.start and not (self.start.part("image") / WEIGHTS).is_file():
            raise ValueError(f"{self.start.path}: no image/{WEIGHTS} in it to start from; train it again")
        self.features = Bundle.open(config.features) if config.features else None
        if self.features and not ImageModel.load(self.features.part("image")).levels:
            raise ValueError(f"{self.features.path}: its image model gives no features; name another bundle")
        self.steps = Steps(work, config.seed)
        self.dataset = datasets.load_dataset(config.data, data, work, config.seed)
        self.checksum = datasets.checksum(config.data, data, self.dataset.listings)
        # More titles change what the title model learns, but nothing that comes from the listings.
        self.read_from = dataclasses.replace(config.data, extra_titles=()), self.checksum
        decoded = self.steps.folder("photos", *self.read_from, seeded=False)
        decode_photos(self.dataset, config.image.photo_size, decoded)
        for line in datasets.describe(self.dataset):
            print(line, flush=True)
        self.evidence = self.dataset.evidence("train")
        wanted = self.evidence or list(MEANING)
        for split in SPLITS:
            if not set(wanted) & set(self.dataset.evidence(split)):
                what = f"no listing for {split!r} has {' or '.join(MEANING[each] for each in wanted)}"
                raise ValueError(f"{data / config.data.source}: {what}; check title, photos and splits of [data]")

    def run(self, to: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Make the bundle at `to`. → its metrics on `test`, and the rows of the table of its classes

        A model is left out if no training listing has its modality.
        """
        for modality, part in (("photos", "image"), ("title", "title")):
            if modality not in self.evidence:
                print(f"no training listing has {MEANING[modality]}: the bundle gets no {part} model", flush=True)
        image = self.image_step() if "photos" in self.evidence else None
        title = self.title_step() if "title" in self.evidence else None
        report = self.ensemble_step(image, title)
        lender = self.features if image else None
        parts = {"image": image, "title": title, "features": lender.part("image") if lender else None}
        projections = self.prototypes_step(parts)
        manifest = self.manifest(image, title, report)
        figures, per_class = self.evaluation_step(parts, projections, manifest)
        manifest["metrics"] = {"validation": report["validation"], "test": figures}
        metric = None
        # A metric between photo sets belongs to the features that it was learnt on, and comes along with them.
        if lender and lender.has("duplicates") and not lender.has("features"):
            metric, of_lender = SetMetric.load(lender.part("duplicates")), lender.manifest
            told = {"description": of_lender.get("description", "")}
            manifest["duplicates"] = told | of_lender.get("duplicates", {})
        assemble(to, manifest, self.dataset.classes, parts, projections, metric)
        return figures, per_class

    def image_step(self) -> Path:
        """Train the image model, export it, and prove the exports. → folder of the bundle's image part"""
        trained = self.trained()
        exported = self.steps.folder("image-export", trained.name)
        self.steps.run(exported, lambda folder: self.export_image(trained, folder))
        return exported

    def trained(self) -> Path:
        """Train the image model. → folder with the weights of its stages"""
        folder = self.steps.folder("image", self.image_settings(), *self.read_from)
        self.steps.run(folder, self.train_image)
        return folder

    def image_settings(self) -> ImageConfig:
        """Return the settings of the image model for a fingerprint: a start counts by its content, not by its path."""
        if self.start:
            return dataclasses.replace(self.config.image, init_from=self.start.manifest["seal"], weights="none")
        origin = sha256(self.weights) if os.path.isfile(self.weights) else self.weights
        return dataclasses.replace(self.config.image, weights=origin)

    def photos_of(self, split: str) -> tuple["Rows", NDArray[np.intp]]:
        """Return the photos of one split, read from disk when they are needed, and their classes."""
        rows = self.dataset.photo_rows(split)
        return Rows(self.dataset.photos, rows), self.dataset.labels[self.dataset.owners[rows]]

    def train_image(self, folder: Path) -> dict[str, Any]:
        config, before = self.training_start()
        examples, validation, classes = self.photos_of("train"), self.photos_of("val"), len(self.dataset.classes)
        stages.train(examples, validation, classes, config, folder, self.config.seed, before)
        return {"log": [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]}

    def training_start(self) -> tuple[ImageConfig, tuple[Path, list[int]] | None]:
        """Return the settings to train the image model with, and `before` as `stages.train` takes it."""
        if not self.start:
            return dataclasses.replace(self.config.image, weights=self.weights), None
        number = {each["name"]: place for place, each in enumerate(self.dataset.classes)}
        classes = [number.get(each["name"], -1) for each in self.start.read_json("classes.json")]
        before = self.start.part("image") / WEIGHTS, classes
        return dataclasses.replace(self.config.image, weights="none"), before

    def export_image(self, trained: Path, folder: Path) -> dict[str, Any]:
        config = self.config.image
        weights = trained / f"{config.stages[-1].name}.safetensors"
        model = image_model.restore(config, len(self.dataset.classes), weights)
        train = self.dataset.photo_rows("train")
        rng = np.random.default_rng(self.config.seed)
        some = rng.choice(train, min(CALIBRATION_PHOTOS, len(train)), replace=False)
        return export(model, folder, config.photo_size, self.photos_of("val"), self.dataset.photos[np.sort(some)])

    def title_step(self) -> Path:
        """Train the title model and its classic rival. → folder of the bundle's title part"""
        more = datasets.extra_titles(self.config.data, self.data)
        folder = self.steps.folder("title", self.config.title, *self.read_from, more)
        self.steps.run(folder, lambda folder: self.train_title(folder, more))
        return folder

    def train_title(self, folder: Path, more: list[str]) -> dict[str, Any]:
        dataset, classes = self.dataset, len(self.dataset.classes)
        split = {name: (dataset.titles(name), dataset.labels[dataset.rows(name)]) for name in ("train", "val")}
        model = title_model.train(*split["train"], split["val"], classes, self.config.title, more, self.config.seed)
        model.save(folder)
        rival = title_model.train_baseline(*split["train"], classes)
        titles, labels = split["val"]
        return {
            "validation": summary(model.distributions(titles), labels),
            "validation_tfidf_logistic_regression": summary(rival.predict_proba(titles), labels),
        }

    def ensemble_step(self, image: Path | None, title: Path | None) -> dict[str, Any]:
        """Fit temperatures, weights and the rules on validation listings. → the step's report"""
        config = self.config
        parts = {part: folder.name for part, folder in (("image", image), ("title", title)) if folder}
        folder = self.steps.folder("ensemble", config.ensemble, config.decision, parts)

        def make(_: Path) -> dict[str, Any]:
            labels = self.dataset.labels[self.dataset.rows("val")]
            photos = self.seen_in_photos(image, "val") if image else None
            titles = TitleModel.load(title).distributions(self.dataset.titles("val")) if title else None
            ensemble, losses = fit_ensemble(photos, titles, labels, config.ensemble)
            seen = calibrated(photos, titles, ensemble)
            projections = CategoryProjections.of_classes([each["name"] for each in self.dataset.classes])
            confidences = {modality: projections.confidences(each) for modality, each in seen.items()}
            rules = {each: fit_rule(rows, labels, config.decision.of(each)) for each, rows in confidences.items()}
            whole = list(rules)[-1]  # "both", or the only modality
            found = {
                "ensemble": ensemble.settings(),
                "decision_rule": rules.pop(whole),
                "decision_rules_alone": rules,
            }
            validation = {modality: summary(each, labels) for modality, each in seen.items()}
            return {**found, "average_losses": losses, "validation": validation}

        return self.steps.run(folder, make)

    def prototypes_step(self, parts: Mapping[str, Path | None]) -> CategoryProjections:
        """Make the classes categories, with their prototypes."""
        features = sha256(parts["features"] / GRAPH) if parts["features"] else ""
        folder = self.steps.folder(
            "prototypes", [part.name for part in (parts["image"], parts["title"]) if part], features
        )

        def make(folder: Path) -> dict[str, Any]:
            image = parts["features"] or parts["image"]
            class_projections(self.dataset, image, parts["title"], self.config.seed).save(folder)
            return {}

        self.steps.run(folder, make)
        return CategoryProjections.load(folder)

    def seen_in_photos(self, image: Path, split: str) -> NDArray[np.float64]:
        """Return the image model's distributions of one split's listings; NaN rows for those without photos."""
        rows, photo_rows = self.dataset.rows(split), self.dataset.photo_rows(split)
        each = run_all(ImageModel.load(image), Rows(self.dataset.photos, photo_rows))
        place = np.searchsorted(rows, self.dataset.owners[photo_rows])
        sums, counts = np.zeros((len(rows), each.shape[1])), np.bincount(place, minlength=len(rows))[:, None]
        np.add.at(sums, place, each)
        with np.errstate(invalid="ignore"):  # 0 / 0 is the NaN of a listing without photos
            return sums / counts

    def manifest(self, image: Path | None, title: Path | None, report: dict[str, Any]) -> dict[str, Any]:
        """Return what the bundle says of itself, except its figures on `test` and whatever parts it lacks."""
        fitted = ("ensemble", "decision_rule", "decision_rules_alone", "average_losses")
        measured = {"export": image, "title_comparison": title}
        origin = {"init_from": "ImageNet" if self.weights != "none" else "random weights"}
        for name, bundle in (("init_from", self.start), ("features", self.features)):
            if bundle:
                origin[name] = "{name}, {created}".format(**bundle.manifest)
        return {
            "name": self.config.name,
            "description": self.config.description,
            **{key: report[key] for key in fitted if report[key]},
            "trained_from": {
                "config": self.text,
                "data_sha256": self.checksum,
                **(origin if image else {}),
                "seed": self.config.seed,
                "listings": {split: len(self.dataset.rows(split)) for split in SPLITS},
                "split": self.dataset.report["split"],
            },
            "training_mix": self.training_mix(),
            **{key: self.steps.result(part) for key, part in measured.items() if part},
        }

    def training_mix(self) -> dict[str, int]:
        """Count the training listings of each class; `productcat evaluate` tells from it whether the mix has moved."""
        counts = np.bincount(self.dataset.labels[self.dataset.rows("train")], minlength=len(self.dataset.classes))
        return {each["name"]: int(count) for each, count in zip(self.dataset.classes, counts, strict=True)}

    def evaluation_step(
        self, parts: Mapping[str, Path | None], projections: CategoryProjections, manifest: dict[str, Any]
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Measure `test` through the public interface of a bundle that is assembled for it."""
        folder = self.steps.folder("evaluation", json.dumps(manifest, sort_keys=True))

        def make(_: Path) -> dict[str, Any]:
            candidate = folder / "bundle"
            if not candidate.exists():
                assemble(candidate, manifest, self.dataset.classes, parts, projections)
            rows = self.dataset.rows("test")
            listings, labels = [self.dataset.listings[row] for row in rows], self.dataset.labels[rows]
            training = self.dataset.labels[self.dataset.rows("train")]
            figures, table = evaluate(Categorizer.load(candidate), listings, labels, training)
            return {"figures": figures, "per_class": table}

        result = self.steps.run(folder, make)
        return result["figures"], result["per_class"]


class Rows:
    """Some rows of an array on disk, read when they are indexed."""

    def __init__(self, array: NDArray[np.uint8], rows: NDArray[np.intp]) -> None:
        self.array, self.rows = array, rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, places: Any) -> NDArray[np.uint8]:
        return self.array[self.rows[places]]
