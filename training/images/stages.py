"""Trains the image model in stages: class imbalance, checkpoints, exact resume.

A stage trains on some or all classes; the next stage starts from its weights, rows of the classifier included (the
two-stage recipe: the most frequent classes first, then all of them).
"""

import json
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
from safetensors.numpy import load_file

from productcat.arithmetic.distributions import softmax
from productcat.jobs.progress import Progress
from training.images.augment import augment
from training.images.image_model import LOGITS, build, forget_within, freeze, policy, restore
from training.images.weights import assign, load_weights, metadata_of, save_tensors, values_of
from training.listings.imbalance import loss_weights, repeat_factors
from training.metrics import mean_class_top_k, top_k


def train(examples, validation, n_classes, config, work, seed=0, before=None):
    """Run all stages, or go on where a killed run stopped.

    Parameters
    ----------
    examples, validation : (photos, labels)
        Photos of shape (n, height, width, 3), dtype uint8, and class numbers of shape (n,), int, in [0, n_classes).
    work : pathlib.Path
        Where checkpoints, the log and the result of each stage are kept.
    before : (path, classes), optional
        Weights from which the first stage starts, a safetensors file by Keras's paths, and the number here of each
        class of its classifier, -1 for a class that is not here.

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
        raise ValueError("no photo is there for validation: expected at least one; see splits in [data]")
    work.mkdir(parents=True, exist_ok=True)
    frequent = np.argsort(-np.bincount(examples[1], minlength=n_classes), kind="stable")
    for number, stage in enumerate(config.stages):
        classes = np.sort(frequent[: stage.top_classes]) if stage.top_classes else np.arange(n_classes)
        result = work / f"{stage.name}.safetensors"
        if not result.exists():
            # Each stage draws its fresh weights alike, whether or not the stages before ran in this process.
            keras.utils.set_random_seed(seed + number)
            run = StageRun(config, stage, classes, work, seed=(seed, number))
            run.train(_only(*examples, classes), _only(*validation, classes), before)
        before = result, classes
    return restore(config, n_classes, before[0])


def _only(photos, labels, classes):
    """The rows of `classes`, as (photos, rows, labels renumbered by their place in `classes`)."""
    rows = np.flatnonzero(np.isin(labels, classes))
    return photos, rows, np.searchsorted(classes, labels[rows])


class StageRun:
    """One stage: holds the model and its optimizer, and knows how to save and resume both."""

    def __init__(self, config, stage, classes, work, seed):
        self.config, self.stage, self.classes, self.work, self.seed = config, stage, classes, work, seed
        self.checkpoint = work / f"{stage.name}.checkpoint.safetensors"
        self.best = work / f"{stage.name}.best.safetensors"
        self.state = {"epoch": 0, "step": 0, "best_top1": -1.0, "best_epoch": -1}

    def train(self, data, validation, before):
        order = self.order(data[2], epoch=0)
        self.model = self.compiled(steps=self.stage.epochs * self.steps(order))
        if self.checkpoint.exists():
            self.resume()
        elif before:
            take_over(self.whole, *before, self.classes)
        weights = loss_weights(data[2], len(self.classes), self.config.loss_weight_power)
        while self.state["epoch"] < self.stage.epochs and not self.out_of_patience():
            self.run_epoch(data, weights)
            self.end_epoch(validation)
        result = self.result(before)
        if self.stage.average_with_start:
            assign(self.whole.weights, result)
            self.note(self.judged(validation, "mean"))
        save_tensors(self.work / f"{self.stage.name}.safetensors", result)
        self.checkpoint.unlink(missing_ok=True)
        self.best.unlink()

    def result(self, before):
        """The weights with which the stage ends. → dict, path → ndarray"""
        best = load_file(self.best)
        if not self.stage.average_with_start:
            return best
        assign(self.whole.weights, best)  # what the start lacks, such as new classes, stays as trained
        take_over(self.whole, *before, self.classes)
        return {path: (best[path] + value) / 2 for path, value in values_of(self.whole.weights).items()}

    def compiled(self, steps):
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

    def order(self, labels, epoch):
        """Places of the photos of one epoch, rare classes repeated, shuffled."""
        rng = np.random.default_rng([*self.seed, epoch])
        repeats = repeat_factors(labels, len(self.classes), self.config.oversample_below)[labels]
        # The fraction is drawn anew each epoch, so that 1.5 means three times in two epochs.
        drawn = np.floor(repeats + rng.random(len(labels))).astype(int)
        return rng.permutation(np.repeat(np.arange(len(labels)), drawn))

    def steps(self, order):
        return max(1, len(order) // self.config.batch_size)

    def run_epoch(self, data, weights):
        labels = data[2]
        epoch, order = self.state["epoch"], self.order(labels, self.state["epoch"])
        steps, first = self.steps(order), self.state["step"]
        self.model.reset_metrics()  # the loss that is shown is the mean since here
        title = f"{self.stage.name}, epoch {epoch + 1} of {self.stage.epochs}"
        with Progress(title, steps * self.config.batch_size, "photos", done=first * self.config.batch_size) as progress:
            for step, batch in enumerate(self.batches(data, order, epoch, first), first):
                loss = self.model.train_on_batch(batch[0], batch[1], sample_weight=weights[batch[2]])
                progress.advance(len(batch[2]), f"loss {float(np.ravel(loss)[0]):.3f}")
                self.state["step"] = step + 1
                if (step + 1) % self.config.checkpoint_steps == 0:
                    self.save_checkpoint()

    def batches(self, data, order, epoch, first):
        """Augmented batches of (photos, one-hot labels, label numbers), made ahead by two threads."""
        photos, rows, labels = data
        size = self.stage.small_size if epoch < self.stage.small_epochs else self.config.photo_size
        batch_size, kind = self.config.batch_size, self.stage.augment or self.config.augment

        def make(step):
            places = order[step * batch_size : (step + 1) * batch_size]
            rng = np.random.default_rng([*self.seed, epoch, step])
            batch = np.stack([augment(photos[rows[place]], rng, kind, size) for place in places])
            targets = np.eye(len(self.classes), dtype=np.float32)[labels[places]]
            if self.config.mixup:
                batch, targets = mixed(batch, targets, self.config.mixup, rng)
            return batch, targets, labels[places]

        with ThreadPoolExecutor(2) as pool:
            ahead = deque()
            for step in range(first, self.steps(order)):
                ahead.append(pool.submit(make, step))
                if len(ahead) > 6:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()

    def end_epoch(self, validation):
        entry = self.judged(validation, self.state["epoch"] + 1)
        if entry["validation_top1"] > self.state["best_top1"]:
            self.state |= {"best_top1": entry["validation_top1"], "best_epoch": self.state["epoch"]}
            save_tensors(self.best, values_of(self.model.weights))
        self.state |= {"epoch": self.state["epoch"] + 1, "step": 0}
        self.save_checkpoint()
        self.note(entry)

    def judged(self, validation, epoch):
        """What the model gets right of the validation photos, as an entry of the log. → dict"""
        photos, rows, labels = validation
        started = time.monotonic()
        distributions = softmax(predict_logits(self.model, photos, rows))
        return {
            "stage": self.stage.name,
            "epoch": epoch,
            "validation_top1": float(top_k(distributions, labels, 1).mean()),
            "validation_top5": float(top_k(distributions, labels, 5).mean()),
            "validation_mean_class_top1": mean_class_top_k(distributions, labels, 1),
            "validation_seconds": round(time.monotonic() - started, 1),
        }

    def note(self, entry):
        """Print an entry, and add it to the log."""
        print(json.dumps(entry), flush=True)
        with (self.work / "log.jsonl").open("a") as log:
            log.write(json.dumps(entry) + "\n")

    def out_of_patience(self):
        return self.state["epoch"] - 1 - self.state["best_epoch"] >= self.config.patience

    def save_checkpoint(self):
        tensors = values_of(self.model.weights) | values_of(self.model.optimizer.variables, "optimizer/")
        save_tensors(self.checkpoint, tensors, metadata={"state": json.dumps(self.state)})

    def resume(self):
        tensors = load_file(self.checkpoint)
        assign(self.model.weights, tensors)
        assign(self.model.optimizer.variables, tensors, "optimizer/")
        self.state = json.loads(metadata_of(self.checkpoint)["state"])


def take_over(model, path, classes, own):
    """Give a network an earlier one's weights, and its classifier's columns for the shared classes.

    path, classes : as `before` of `train`. own : ndarray of shape (n,), the number of each class of `model`
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


def mixed(photos, targets, alpha, rng):
    """Each photo of a batch with another laid over it, labels in the same proportion; the larger part is its own.

    photos : ndarray of shape (n, height, width, 3), uint8; targets : ndarray of shape (n, n_classes)
    """
    own = rng.beta(alpha, alpha)
    own = max(own, 1 - own)
    order = rng.permutation(len(photos))
    blend = own * photos.astype(np.float32) + (1 - own) * photos[order]
    return np.round(blend).astype(np.uint8), own * targets + np.float32(1 - own) * targets[order]


def predict_logits(model, photos, rows, batch_size=128):
    """Logits of some rows of a photo array, float32, shape (n_rows, n_classes)."""
    parts = [model.predict_on_batch(photos[rows[i : i + batch_size]]) for i in range(0, len(rows), batch_size)]
    return np.concatenate([np.asarray(part, np.float32) for part in parts])
