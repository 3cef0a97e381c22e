"""From raw listings to a bundle, step by step. A step that is done is not done again.

Each step keeps its results in a folder of the work directory whose name holds a fingerprint of everything that the step
depends on: its settings, the data, the steps before. So a changed setting redoes what it touches, and nothing else.
"""

import dataclasses
import hashlib
import json
import os
import time

import numpy as np

from productcat.categories.categorizer import Categorizer
from productcat.categories.projections import CategoryProjections
from productcat.duplicates.metric import SetMetric
from productcat.models.bundle import Bundle, sha256
from productcat.models.image_model import GRAPH, ImageModel
from productcat.models.title_model import TitleModel
from training import metrics
from training.assemble import assemble
from training.categories import evaluate
from training.categories.fitting import calibrated, fit_ensemble, fit_rule
from training.categories.prototypes import class_projections
from training.images import image_model, stages
from training.images.export import export, run_all
from training.images.weights import WEIGHTS
from training.listings import datasets
from training.listings.photos import decode_photos
from training.titles import title_model

CALIBRATION_PHOTOS = 128
"""So many training photos give the ranges of int8 activations; outliers among more of them make the steps coarse."""

MEANING = {"photos": "a photo that can be read", "title": "a title with a word"}
"""What a listing must have for each kind of evidence, in words."""


class Pipeline:
    """All steps of one configuration. Made, it has read the data; `run` does the steps.

    Parameters
    ----------
    config : training.config.Config
    text : str
        The configuration file, kept in the manifest.
    data, work : pathlib.Path
        The data folder, and where results of the steps are kept.
    weights : str, optional
        Path of ImageNet weights, in place of those that the configuration names.
    """

    def __init__(self, config, text, data, work, weights=None):
        self.config, self.text, self.data, self.work = config, text, data, work
        self.weights = weights or config.image.weights
        if self.weights not in ("imagenet", "none") and not os.path.isfile(self.weights):
            raise ValueError(f'{self.weights}: no such file of weights; give one, or weights = "imagenet" or "none"')
        self.start = Bundle.open(config.image.init_from) if config.image.init_from else None
        if self.start and not (self.start.part("image") / WEIGHTS).is_file():
            raise ValueError(f"{self.start.path}: no image/{WEIGHTS} in it, from which to train on; train it anew")
        self.features = Bundle.open(config.features) if config.features else None
        if self.features and not ImageModel.load(self.features.part("image")).levels:
            raise ValueError(f"{self.features.path}: its image model gives no features; name another bundle")
        work.mkdir(parents=True, exist_ok=True)
        self.dataset = datasets.load_dataset(config.data, data, work, config.seed)
        self.checksum = datasets.checksum(config.data, data, self.dataset.listings)
        # More titles change what the title model learns, and nothing that comes from the listings.
        self.read_from = dataclasses.replace(config.data, extra_titles=()), self.checksum
        decoded = self.folder("photos", *self.read_from, seeded=False)
        decode_photos(self.dataset, config.image.photo_size, decoded)
        for line in datasets.describe(self.dataset):
            print(line, flush=True)
        self.evidence = self.dataset.evidence("train")
        for split in datasets.SPLITS:
            wanted = self.evidence or list(MEANING)
            if not set(wanted) & set(self.dataset.evidence(split)):
                what = f"no listing for {split!r} has {' or '.join(MEANING[each] for each in wanted)}"
                raise ValueError(f"{data / config.data.source}: {what}; check title, photos and splits of [data]")

    def folder(self, name, *depends, seeded=True):
        """The folder of a step, named by what the step depends on. seeded: the seed is among it."""
        plain = [dataclasses.asdict(each) if dataclasses.is_dataclass(each) else each for each in depends]
        fingerprint = hashlib.sha256(json.dumps([plain, self.config.seed if seeded else 0]).encode()).hexdigest()[:10]
        path = self.work / f"{name}-{fingerprint}"
        path.mkdir(parents=True, exist_ok=True)
        return path

    def run(self, to):
        """Make the bundle at `to`. → its metrics on `test`, dict, and rows of the table of its classes

        A model of what no training listing has is left out.
        """
        for evidence, part in (("photos", "image"), ("title", "title")):
            if evidence not in self.evidence:
                print(f"no training listing has {MEANING[evidence]}: the bundle gets no {part} model", flush=True)
        image = self.image_step() if "photos" in self.evidence else None
        title = self.title_step() if "title" in self.evidence else None
        report = self.ensemble_step(image, title)
        features = self.features.part("image") if image and self.features else None
        parts = {"image": image, "title": title, "features": features}
        projections = self.prototypes_step(parts)
        manifest = self.manifest(image, title, report)
        figures, per_class = self.evaluation_step(parts, projections, manifest)
        manifest["metrics"] = {"validation": report["validation"], "test": figures}
        # A metric between photo sets is of the features that it was learnt on, and comes along with them.
        comes_along = features and self.features.has("duplicates") and not self.features.has("features")
        metric = SetMetric.load(self.features.part("duplicates")) if comes_along else None
        if metric:
            told = {"description": self.features.manifest.get("description", "")}
            manifest["duplicates"] = told | self.features.manifest.get("duplicates", {})
        assemble(to, manifest, self.dataset.classes, parts, projections, metric)
        return figures, per_class

    def step(self, folder, make):
        """Run `make(folder)` unless it is done; its result, a dict, is kept as done.json."""
        done = folder / "done.json"
        if done.exists():
            print(f"{folder.name}: done before", flush=True)
        else:
            print(f"{folder.name}: started", flush=True)
            started = time.monotonic()
            result = {**make(folder), "seconds": round(time.monotonic() - started)}
            temporary = done.with_suffix(".tmp")
            temporary.write_text(json.dumps(result, indent=1), "utf-8")
            temporary.replace(done)
        return json.loads(done.read_text("utf-8"))

    def image_step(self):
        """Train the image model, export it, prove the exports. → folder of the bundle's image part"""
        trained = self.trained()
        exported = self.folder("image-export", trained.name)
        self.step(exported, lambda folder: self.export_image(trained, folder))
        return exported

    def trained(self):
        """Train the image model. → folder with the weights of its stages"""
        folder = self.folder("image", self.image_settings(), *self.read_from)
        self.step(folder, self.train_image)
        return folder

    def image_settings(self):
        """The settings of the image model for a fingerprint: a start counts by its content, not by its path."""
        if self.start:
            return dataclasses.replace(self.config.image, init_from=self.start.manifest["seal"], weights="none")
        origin = sha256(self.weights) if os.path.isfile(self.weights) else self.weights
        return dataclasses.replace(self.config.image, weights=origin)

    def photos_of(self, split):
        """(photos, labels) of one split, photos as a view that reads from disk."""
        rows = self.dataset.photo_rows(split)
        return Rows(self.dataset.photos, rows), self.dataset.labels[self.dataset.owners[rows]]

    def train_image(self, folder):
        config, before = self.training_start()
        examples, validation, classes = self.photos_of("train"), self.photos_of("val"), len(self.dataset.classes)
        stages.train(examples, validation, classes, config, folder, self.config.seed, before)
        return {"log": [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]}

    def training_start(self):
        """The settings to train the image model with, and `before` as `stages.train` takes it."""
        if not self.start:
            return dataclasses.replace(self.config.image, weights=self.weights), None
        number = {each["name"]: place for place, each in enumerate(self.dataset.classes)}
        classes = [number.get(each["name"], -1) for each in self.start.read_json("classes.json")]
        before = self.start.part("image") / WEIGHTS, classes
        return dataclasses.replace(self.config.image, weights="none"), before

    def export_image(self, trained, folder):
        config = self.config.image
        weights = trained / f"{config.stages[-1].name}.safetensors"
        model = image_model.restore(config, len(self.dataset.classes), weights)
        train = self.dataset.photo_rows("train")
        rng = np.random.default_rng(self.config.seed)
        some = rng.choice(train, min(CALIBRATION_PHOTOS, len(train)), replace=False)
        return export(model, folder, config.photo_size, self.photos_of("val"), self.dataset.photos[np.sort(some)])

    def title_step(self):
        """Train the title model and its classic rival. → folder of the bundle's title part"""
        more = datasets.extra_titles(self.config.data, self.data)
        folder = self.folder("title", self.config.title, *self.read_from, more)
        self.step(folder, lambda folder: self.train_title(folder, more))
        return folder

    def train_title(self, folder, more):
        dataset, classes = self.dataset, len(self.dataset.classes)
        split = {name: (dataset.titles(name), dataset.labels[dataset.rows(name)]) for name in ("train", "val")}
        model = title_model.train(*split["train"], split["val"], classes, self.config.title, more, self.config.seed)
        model.save(folder)
        rival = title_model.train_baseline(*split["train"], classes)
        titles, labels = split["val"]
        return {
            "validation": metrics.summary(model.distributions(titles), labels),
            "validation_tfidf_logistic_regression": metrics.summary(rival.predict_proba(titles), labels),
        }

    def ensemble_step(self, image, title):
        """Fit temperatures, weights and the rules on validation listings. → the step's report"""
        config = self.config
        parts = {part: folder.name for part, folder in (("image", image), ("title", title)) if folder}
        folder = self.folder("ensemble", config.ensemble, config.decision, parts)

        def make(_):
            rows = self.dataset.rows("val")
            labels = self.dataset.labels[rows]
            photos = self.seen_in_photos(image, "val") if image else None
            titles = TitleModel.load(title).distributions(self.dataset.titles("val")) if title else None
            settings, losses = fit_ensemble(photos, titles, labels, config.ensemble)
            seen = calibrated(photos, titles, settings)
            projections = CategoryProjections.of_classes([each["name"] for each in self.dataset.classes])
            confidences = {use: projections.confidences(each) for use, each in seen.items()}
            rules = {use: fit_rule(each, labels, config.decision.of(use)) for use, each in confidences.items()}
            *_, whole = rules  # "both", or the only kind of evidence that there is
            found = {"ensemble": settings, "decision_rule": rules.pop(whole), "decision_rules_alone": rules}
            validation = {use: metrics.summary(each, labels) for use, each in seen.items()}
            return {**found, "average_losses": losses, "validation": validation}

        return self.step(folder, make)

    def prototypes_step(self, parts):
        """The classes as categories, with their prototypes. → CategoryProjections"""
        features = sha256(parts["features"] / GRAPH) if parts["features"] else ""
        folder = self.folder("prototypes", [part.name for part in (parts["image"], parts["title"]) if part], features)

        def make(folder):
            image = parts["features"] or parts["image"]
            class_projections(self.dataset, image, parts["title"], self.config.seed).save(folder)
            return {}

        self.step(folder, make)
        return CategoryProjections.load(folder)

    def seen_in_photos(self, image, split):
        """Distributions of one split's listings as the image model gives them, NaN rows for those without photos."""
        rows, photo_rows = self.dataset.rows(split), self.dataset.photo_rows(split)
        each = run_all(ImageModel.load(image), Rows(self.dataset.photos, photo_rows))
        place = np.searchsorted(rows, self.dataset.owners[photo_rows])
        sums, counts = np.zeros((len(rows), each.shape[1])), np.bincount(place, minlength=len(rows))[:, None]
        np.add.at(sums, place, each)
        with np.errstate(invalid="ignore"):  # 0 / 0 is the NaN of a listing without photos
            return sums / counts

    def manifest(self, image, title, report):
        """What the bundle says of itself, but for its figures on `test`; nothing of a part that it lacks."""
        fitted = ("ensemble", "decision_rule", "decision_rules_alone", "average_losses")
        measured = {"export": image, "title_comparison": title}
        origin = {"init_from": "ImageNet" if self.weights != "none" else "random weights"}
        for name, bundle in (("init_from", self.start), ("features", self.features)):
            origin |= {name: "{name}, {created}".format(**bundle.manifest)} if bundle else {}
        return {
            "name": self.config.name,
            "description": self.config.description,
            **{key: report[key] for key in fitted if report[key]},
            "trained_from": {
                "config": self.text,
                "data_sha256": self.checksum,
                **(origin if image else {}),
                "seed": self.config.seed,
                "listings": {split: len(self.dataset.rows(split)) for split in datasets.SPLITS},
                "split": self.dataset.report["split"],
            },
            "training_mix": self.training_mix(),
            **{key: json.loads((part / "done.json").read_text("utf-8")) for key, part in measured.items() if part},
        }

    def training_mix(self):
        """How many training listings each class has, by which `productcat evaluate` tells whether the mix has moved."""
        counts = np.bincount(self.dataset.labels[self.dataset.rows("train")], minlength=len(self.dataset.classes))
        return {each["name"]: int(count) for each, count in zip(self.dataset.classes, counts, strict=True)}

    def evaluation_step(self, parts, projections, manifest):
        """Report `test` through the public face of a bundle that is assembled for it."""
        folder = self.folder("evaluation", json.dumps(manifest, sort_keys=True))

        def make(_):
            candidate = folder / "bundle"
            if not candidate.exists():
                assemble(candidate, manifest, self.dataset.classes, parts, projections)
            rows = self.dataset.rows("test")
            listings, labels = [self.dataset.listings[row] for row in rows], self.dataset.labels[rows]
            training = self.dataset.labels[self.dataset.rows("train")]
            figures, table = evaluate.evaluate(Categorizer.load(candidate), listings, labels, training)
            return {"figures": figures, "per_class": table}

        result = self.step(folder, make)
        return result["figures"], result["per_class"]


class Rows:
    """Some rows of an array on disk, read when they are indexed."""

    def __init__(self, array, rows):
        self.array, self.rows = array, rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, places):
        return self.array[self.rows[places]]
