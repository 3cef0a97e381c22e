"""Trains the image model in stages: class imbalance, checkpoints, exact resume.

A stage trains on some or all classes. The next stage starts from its weights, rows of the classifier included (the
two-stage recipe: first the most frequent classes, then all of them).
"""

import json
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from productcat.arithmetic.distributions import softmax
from productcat.calibration.reliability import top_k
from productcat.jobs.progress import Progress
from training.images.augment import augment, mixed
from training.images.image_model import LOGITS, ImageConfig, Stage, build, forget_within, freeze, policy, restore
from training.images.photos import LabelledPhotos, Photos
from training.images.weights import assign, load_weights, metadata_of, save_tensors, values_of
from training.listings.imbalance import loss_weights, repeat_factors
from training.metrics import mean_class_top_k

Before = tuple[Path, Sequence[int] | NDArray[np.intp]]
"""Weights to start from: a safetensors file by Keras's paths, and our number of each class of its classifier.

The number is -1 for a class that we do not have."""

Batch = tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.intp]]
"""Photos, labels as rows of shares of the classes, and label numbers."""


def train(
    examples: LabelledPhotos,
    validation: LabelledPhotos,
    n_classes: int,
    config: ImageConfig,
    work: Path,
    seed: int = 0,
    before: Before | None = None,
) -> keras.Model:
    """Run all stages, or go on where a killed run stopped.

    Parameters
    ----------
    examples, validation : (photos, labels)
        Photos of shape (n, height, width, 3), dtype uint8, and class numbers of shape (n,), int, in [0, n_classes).
    work : pathlib.Path
        Where checkpoints, the log and the result of each stage are kept.
    before : (path, classes), optional
        Weights from which the first stage starts.

    Returns
    -------
    keras.Model
        As `build`, in float32, with the weights of the best epoch of the last stage, or half-way from its start to
        them (`average_with_start`). The log has the figures of each epoch, and those of such a mean as epoch "mean".

    Raises
    ------
    ValueError
        There are no validation photos.
    """
    if not len(validation[1]):
        raise ValueError("there is no photo for validation: expected at least one; see splits in [data]")
    work.mkdir(parents=True, exist_ok=True)
    frequent = np.argsort(-np.bincount(examples[1], minlength=n_classes), kind="stable")
    for number, stage in enumerate(config.stages):
        classes = np.sort(frequent[: stage.top_classes]) if stage.top_classes else np.arange(n_classes)
        result = work / f"{stage.name}.safetensors"
        if not result.exists():
            # Each stage draws the same fresh weights, whether or not the stages before it ran in this process.
            keras.utils.set_random_seed(seed + number)
            run = StageRun(config, stage, classes, work, seed=(seed, number))
            run.train(Examples.of(*examples, classes), Examples.of(*validation, classes), before)
        before = result, classes
    return restore(config, n_classes, result)


@dataclass(frozen=True)
class Examples:
    """Photos of a stage's classes.

    rows: their places in `photos`, shape (n,). labels: the place of each photo's class among the stage's, shape (n,).
    """

    photos: Photos
    rows: NDArray[np.intp]
    labels: NDArray[np.intp]

    @classmethod
    def of(cls, photos: Photos, labels: NDArray[np.intp], classes: NDArray[np.intp]) -> Self:
        """Take the photos of some classes; labels : ndarray of shape (n_photos,), classes : sorted"""
        rows = np.flatnonzero(np.isin(labels, classes))
        return cls(photos, rows, np.searchsorted(classes, labels[rows]))


@dataclass
class State:
    """How far a stage is: the next batch is batch `step` of epoch `epoch`."""

    epoch: int = 0
    step: int = 0
    best_top1: float = -1.0
    best_epoch: int = -1


class StageRun:
    """Run one stage: hold the model with its optimizer, save and resume both."""

    whole: keras.Model
    model: keras.Model

    def __init__(
        self, config: ImageConfig, stage: Stage, classes: NDArray[np.intp], work: Path, seed: tuple[int, int]
    ) -> None:
        self.config, self.stage, self.classes, self.work, self.seed = config, stage, classes, work, seed
        self.checkpoint = work / f"{stage.name}.checkpoint.safetensors"
        self.best = work / f"{stage.name}.best.safetensors"
        self.state = State()

    def train(self, data: Examples, validation: Examples, before: Before | None) -> None:
        self.model = self.compiled(self.stage.epochs * self.steps(self.order(data.labels, epoch=0)))
        if self.checkpoint.exists():
            self.resume()
        elif before:
            take_over(self.whole, *before, self.classes)
        weights = loss_weights(data.labels, len(self.classes), self.config.loss_weight_power)
        while self.state.epoch < self.stage.epochs and not self.out_of_patience():
            self.run_epoch(data, weights)
            self.end_epoch(validation)
        result = load_file(self.best)
        if before and self.stage.average_with_start:
            result = self.averaged(result, before)
            assign(self.whole.weights, result)
            self.note(self.measured(validation, "mean"))
        save_tensors(self.work / f"{self.stage.name}.safetensors", result)
        self.checkpoint.unlink(missing_ok=True)
        self.best.unlink()

    def averaged(self, best: dict[str, NDArray[Any]], before: Before) -> dict[str, NDArray[Any]]:
        """Return the weights half-way between the start and the best epoch."""
        assign(self.whole.weights, best)  # what the start lacks, such as new classes, stays as trained
        take_over(self.whole, *before, self.classes)
        return {path: (best[path] + value) / 2 for path, value in values_of(self.whole.weights).items()}

    def compiled(self, steps: int) -> keras.Model:
        config = self.config
        keras.mixed_precision.set_global_policy(policy(config.precision))
        self.whole = build(config, len(self.classes))
        freeze(self.whole, self.stage.train_from)
        forget_within(self.whole, steps)
        model = keras.Model(self.whole.input, self.whole.output[LOGITS])
        schedule = keras.optimizers.schedules.CosineDecay(
            0.0,
            max(1, steps - config.warmup_steps),
            warmup_target=self.stage.learning_rate,
            warmup_steps=config.warmup_steps,
        )
        optimizer = keras.optimizers.AdamW(schedule, weight_decay=config.weight_decay, clipnorm=1.0)
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=config.label_smoothing)
        model.compile(optimizer, loss, jit_compile=False)
        optimizer.build(model.trainable_variables)
        return model

    def order(self, labels: NDArray[np.intp], epoch: int) -> NDArray[np.intp]:
        """Return the places of the photos of one epoch, rare classes repeated, shuffled."""
        rng = np.random.default_rng([*self.seed, epoch])
        repeats = repeat_factors(labels, len(self.classes), self.config.oversample_below)[labels]
        # The fraction is drawn again in each epoch, so that 1.5 means three times in two epochs.
        drawn = np.floor(repeats + rng.random(len(labels))).astype(int)
        return rng.permutation(np.repeat(np.arange(len(labels)), drawn))

    def steps(self, order: NDArray[np.intp]) -> int:
        return max(1, len(order) // self.config.batch_size)

    def run_epoch(self, data: Examples, weights: NDArray[np.float32]) -> None:
        epoch, first = self.state.epoch, self.state.step
        order = self.order(data.labels, epoch)
        self.model.reset_metrics()  # the loss that is shown is the mean since here
        title = f"{self.stage.name}, epoch {epoch + 1} of {self.stage.epochs}"
        batch_size = self.config.batch_size
        with Progress(title, self.steps(order) * batch_size, "photos", done=first * batch_size) as progress:
            for step, (photos, targets, labels) in enumerate(self.batches(data, order, epoch, first), first):
                loss = self.model.train_on_batch(photos, targets, sample_weight=weights[labels])
                progress.advance(len(labels), f"loss {float(np.ravel(loss)[0]):.3f}")
                self.state.step = step + 1
                if (step + 1) % self.config.checkpoint_steps == 0:
                    self.save_checkpoint()

    def batches(self, data: Examples, order: NDArray[np.intp], epoch: int, first: int) -> Iterator[Batch]:
        """Yield augmented batches from step `first` on; two threads make them ahead."""
        size = self.stage.small_size if epoch < self.stage.small_epochs else self.config.photo_size
        batch_size, kind = self.config.batch_size, self.stage.augment or self.config.augment

        def make(step: int) -> Batch:
            places = order[step * batch_size : (step + 1) * batch_size]
            rng = np.random.default_rng([*self.seed, epoch, step])
            photos = np.stack([augment(data.photos[row], rng, kind, size) for row in data.rows[places]])
            labels = data.labels[places]
            targets = np.eye(len(self.classes), dtype=np.float32)[labels]
            if self.config.mixup:
                photos, targets = mixed(photos, targets, self.config.mixup, rng)
            return photos, targets, labels

        with ThreadPoolExecutor(2) as pool:
            ahead: deque[Future[Batch]] = deque()
            for step in range(first, self.steps(order)):
                ahead.append(pool.submit(make, step))
                if len(ahead) > 6:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()

    def end_epoch(self, validation: Examples) -> None:
        entry = self.measured(validation, self.state.epoch + 1)
        if entry["validation_top1"] > self.state.best_top1:
            self.state.best_top1, self.state.best_epoch = entry["validation_top1"], self.state.epoch
            save_tensors(self.best, values_of(self.model.weights))
        self.state.epoch, self.state.step = self.state.epoch + 1, 0
        self.save_checkpoint()
        self.note(entry)

    def measured(self, validation: Examples, epoch: int | str) -> dict[str, Any]:
        """Return the figures of the model on the validation photos, as an entry of the log."""
        started = time.monotonic()
        distributions = softmax(predict_logits(self.model, validation.photos, validation.rows))
        return {
            "stage": self.stage.name,
            "epoch": epoch,
            "validation_top1": float(top_k(distributions, validation.labels, 1).mean()),
            "validation_top5": float(top_k(distributions, validation.labels, 5).mean()),
            "validation_mean_class_top1": mean_class_top_k(distributions, validation.labels, 1),
            "validation_seconds": round(time.monotonic() - started, 1),
        }

    def note(self, entry: dict[str, Any]) -> None:
        """Print an entry, and add it to the log."""
        print(json.dumps(entry), flush=True)
        with (self.work / "log.jsonl").open("a") as log:
            log.write(json.dumps(entry) + "\n")

    def out_of_patience(self) -> bool:
        return self.state.epoch - 1 - self.state.best_epoch >= self.config.patience

    def save_checkpoint(self) -> None:
        tensors = values_of(self.model.weights) | values_of(self.model.optimizer.variables, "optimizer/")
        save_tensors(self.checkpoint, tensors, metadata={"state": json.dumps(asdict(self.state))})

    def resume(self) -> None:
        tensors = load_file(self.checkpoint)
        assign(self.model.weights, tensors)
        assign(self.model.optimizer.variables, tensors, "optimizer/")
        self.state = State(**json.loads(metadata_of(self.checkpoint)["state"]))


def take_over(
    model: keras.Model, path: Path, classes: Sequence[int] | NDArray[np.intp], own: Sequence[int] | NDArray[np.intp]
) -> None:
    """Give a network an earlier one's weights, and its classifier's columns for the shared classes.

    path, classes: as in `Before`. own: the number of each class of `model`.
    """
    tensors = load_weights(path)
    column = {number: place for place, number in enumerate(classes)}
    shared = [(place, column[number]) for place, number in enumerate(own) if number in column]
    here, there = np.array(shared, int).reshape(-1, 2).T
    for weight in model.get_layer("classifier").weights:
        value = np.asarray(weight).copy()
        value[..., here] = tensors[weight.path][..., there]
        tensors[weight.path] = value
    assign(model.weights, tensors)


def predict_logits(
    model: keras.Model, photos: Photos, rows: NDArray[np.intp], batch_size: int = 128
) -> NDArray[np.float32]:
    """Return the logits of some rows of photos, shape (n_rows, n_classes)."""
    parts = [model.predict_on_batch(photos[rows[i : i + batch_size]]) for i in range(0, len(rows), batch_size)]
    return np.concatenate([np.asarray(part, np.float32) for part in parts])
