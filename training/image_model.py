"""Fine-tunes an ImageNet network on photos: stages, class imbalance, checkpoints, exact resume.

The network is any `keras.applications` backbone, the preprocessing is part of it, and its outputs are
a distribution over the classes and the pooled features of one or more levels. A stage trains on some
or all classes; the next stage starts from its weights, rows of the classifier included (the two-stage
recipe: the most frequent classes first, then all of them).
"""

import dataclasses
import json
import sys
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from safetensors.numpy import load_file, save_file

from productcat.image_model import DISTRIBUTION
from productcat.progress import Progress
from training.augment import augment

LOGITS = "logits"


@dataclass(frozen=True)
class Stage:
    """One run over the data.

    top_classes: train on the photos of that many most frequent classes only; 0 means all classes.
    small_epochs: that many first epochs see photos of `small_size`, which is faster (progressive
    resizing, as in Tan & Le 2021, "EfficientNetV2").
    """

    name: str
    epochs: int
    learning_rate: float
    top_classes: int = 0
    small_epochs: int = 0
    small_size: tuple[int, int] = (80, 60)


@dataclass(frozen=True)
class ImageConfig:
    """Settings of the image model; the `[image]` table of a training configuration.

    photo_size: (height, width) in pixels.
    weights: "imagenet" (Keras downloads them), "none", or the path of a `.weights.h5` file of the
    backbone with its 1000-way top.
    levels: backbone layers whose pooled outputs become embeddings; the last features are always there.
    loss_weight_power: a class of n photos weighs n**-power in the loss (0: all photos alike).
    oversample_below: a class holding less than this share of the photos is repeated, by
    sqrt(oversample_below / share) (repeat-factor sampling, Gupta et al. 2019); 0: never.
    patience: epochs without a better validation top-1 before a stage stops early.
    """

    photo_size: tuple[int, int] = (112, 84)
    backbone: str = "ResNet50"
    weights: str = "imagenet"
    levels: tuple[str, ...] = ("conv4_block6_out",)
    stages: tuple[Stage, ...] = (Stage("all", epochs=4, learning_rate=4e-4),)
    batch_size: int = 64
    mixed_precision: bool = True
    augment: str = "phone"
    loss_weight_power: float = 0.0
    oversample_below: float = 0.0
    label_smoothing: float = 0.1
    weight_decay: float = 0.02
    warmup_steps: int = 200
    patience: int = 4
    checkpoint_steps: int = 250


class Preprocess(keras.layers.Layer):
    """uint8 RGB photos → what a `keras.applications` backbone was trained to see."""

    def __init__(self, backbone, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        module = sys.modules[getattr(keras.applications, backbone).__module__]
        self.preprocess_input = module.preprocess_input

    def call(self, photos):
        return self.preprocess_input(keras.ops.cast(photos, "float32"), data_format="channels_last")


class FusedBatchNormalization(keras.layers.BatchNormalization):
    """Batch normalization through TensorFlow's fused kernel: ResNet50 trains 1.5 times faster on CPUs.

    Keras 3 composes batch normalization of elementary operations, and in mixed precision casts each
    feature map to float32 and back. Other backends, and inference, keep Keras's own code.
    """

    def call(self, inputs, training=None, mask=None):
        if not training or not self.trainable or keras.backend.backend() != "tensorflow":
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf

        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs, self.gamma, self.beta, epsilon=self.epsilon, is_training=True
        )
        for moving, seen in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + keras.ops.cast(seen, moving.dtype) * (1.0 - self.momentum))
        return outputs


def load_backbone(config):
    """The `keras.applications` network without its top, with the weights that the settings name."""
    application = getattr(keras.applications, config.backbone)
    if config.weights in ("imagenet", "none"):
        weights = None if config.weights == "none" else "imagenet"
        backbone = application(include_top=False, weights=weights, input_shape=(None, None, 3))
    else:
        whole = application(weights=None)
        whole.load_weights(config.weights)
        backbone = application(include_top=False, weights=None, input_shape=(None, None, 3))
        for layer in backbone.layers:
            if layer.weights:
                layer.set_weights(whole.get_layer(layer.name).get_weights())
    return _with_fused_batch_normalization(backbone)


def _with_fused_batch_normalization(backbone):
    def swap(layer):
        if type(layer) is keras.layers.BatchNormalization:
            return FusedBatchNormalization.from_config(layer.get_config())
        return layer.__class__.from_config(layer.get_config())

    swapped = keras.models.clone_model(backbone, clone_function=swap)
    swapped.set_weights(backbone.get_weights())
    return swapped


def build(config, n_classes):
    """An untrained classifier on the configured backbone.

    Returns
    -------
    keras.Model
        uint8 photos of shape (n, height, width, 3) → dict with "distribution" of shape (n, n_classes), "logits" of the
        same shape, and for each level "embedding_<level>" of shape (n, n_features), float32.
    """
    backbone = load_backbone(config)
    photos = keras.Input((None, None, 3), dtype="uint8", name="photos")
    names = [*config.levels, backbone.layers[-1].name]
    features = keras.Model(backbone.input, [backbone.get_layer(name).output for name in names], name="backbone")
    maps = features(Preprocess(config.backbone, name="preprocess")(photos))
    pooled = [keras.layers.GlobalAveragePooling2D(dtype="float32")(each) for each in maps]
    logits = keras.layers.Dense(n_classes, dtype="float32", name="classifier")(pooled[-1])
    outputs = {DISTRIBUTION: keras.layers.Softmax(dtype="float32")(logits), LOGITS: logits}
    outputs |= {f"embedding_{name}": each for name, each in zip(names, pooled, strict=True)}
    return keras.Model(photos, outputs, name="image_model")


def train(photos, labels, validation, n_classes, config, work, seed=0):
    """Run all stages, or go on where a killed run stopped.

    Parameters
    ----------
    photos : ndarray of shape (n, height, width, 3), dtype uint8
    labels : ndarray of shape (n,), int
        Class numbers in [0, n_classes).
    validation : (photos, labels) of the same form
    work : pathlib.Path
        Where checkpoints, the log and the result of each stage are kept.

    Returns
    -------
    keras.Model
        As `build`, in float32, with the weights of the best epoch of the last stage.
    """
    keras.utils.set_random_seed(seed)
    work.mkdir(parents=True, exist_ok=True)
    frequent = np.argsort(-np.bincount(labels, minlength=n_classes), kind="stable")
    before = None
    for number, stage in enumerate(config.stages):
        classes = np.sort(frequent[: stage.top_classes]) if stage.top_classes else np.arange(n_classes)
        result = work / f"{stage.name}.safetensors"
        if not result.exists():
            run = StageRun(config, stage, classes, work, seed=(seed, number))
            run.train(_only(photos, labels, classes), _only(*validation, classes), before)
        before = result, classes
    return restore(config, n_classes, before[0])


def restore(config, n_classes, path):
    """A float32 model with the weights of a finished stage."""
    keras.mixed_precision.set_global_policy("float32")
    model = build(dataclasses.replace(config, weights="none"), n_classes)
    _assign(model.weights, load_file(path))
    return model


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
        self.state = {"epoch": 0, "step": 0, "best_top1": -1.0, "best_epoch": -1, "log": []}

    def train(self, data, validation, before):
        order = self.order(data[2], epoch=0)
        self.model = self.compiled(steps=self.stage.epochs * self.steps(order))
        if self.checkpoint.exists():
            self.resume()
        elif before:
            self.start_from(*before)
        weights = loss_weights(data[2], len(self.classes), self.config.loss_weight_power)
        while self.state["epoch"] < self.stage.epochs and not self.out_of_patience():
            self.run_epoch(data, weights)
            self.end_epoch(validation)
        _save(self.work / f"{self.stage.name}.safetensors", load_file(self.best))
        self.checkpoint.unlink(missing_ok=True)
        self.best.unlink()

    def compiled(self, steps):
        config = self.config
        keras.mixed_precision.set_global_policy("mixed_bfloat16" if config.mixed_precision else "float32")
        self.whole = build(config, len(self.classes))
        model = keras.Model(self.whole.input, self.whole.output[LOGITS])
        schedule = keras.optimizers.schedules.CosineDecay(
            0.0, max(1, steps - config.warmup_steps), warmup_target=self.stage.learning_rate, warmup_steps=config.warmup_steps
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
        _, rows, labels = data
        epoch, order = self.state["epoch"], self.order(labels, self.state["epoch"])
        steps, first = self.steps(order), self.state["step"]
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
        batch_size, kind = self.config.batch_size, self.config.augment

        def make(step):
            places = order[step * batch_size : (step + 1) * batch_size]
            rng = np.random.default_rng([*self.seed, epoch, step])
            batch = np.stack([augment(photos[rows[place]], rng, kind, size) for place in places])
            return batch, np.eye(len(self.classes), dtype=np.float32)[labels[places]], labels[places]

        with ThreadPoolExecutor(2) as pool:
            ahead = deque()
            for step in range(first, self.steps(order)):
                ahead.append(pool.submit(make, step))
                if len(ahead) > 6:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()

    def end_epoch(self, validation):
        photos, rows, labels = validation
        started = time.monotonic()
        logits = predict_logits(self.model, photos, rows)
        top1 = float((logits.argmax(1) == labels).mean())
        top5 = float((np.argsort(-logits, 1)[:, :5] == labels[:, None]).any(1).mean())
        hits = [float((logits.argmax(1) == labels)[labels == each].mean()) for each in np.unique(labels)]
        entry = {"stage": self.stage.name, "epoch": self.state["epoch"] + 1, "validation_top1": top1, "validation_top5": top5}
        entry["validation_mean_class_top1"] = float(np.mean(hits))
        entry["validation_seconds"] = round(time.monotonic() - started, 1)
        print(json.dumps(entry), flush=True)
        self.state["log"].append(entry)
        if top1 > self.state["best_top1"]:
            self.state |= {"best_top1": top1, "best_epoch": self.state["epoch"]}
            _save(self.best, _values(self.model.weights))
        self.state |= {"epoch": self.state["epoch"] + 1, "step": 0}
        self.save_checkpoint()
        with (self.work / "log.jsonl").open("a") as log:
            log.write(json.dumps(entry) + "\n")

    def out_of_patience(self):
        return self.state["epoch"] - 1 - self.state["best_epoch"] >= self.config.patience

    def save_checkpoint(self):
        tensors = _values(self.model.weights) | _values(self.model.optimizer.variables, "optimizer/")
        _save(self.checkpoint, tensors, metadata={"state": json.dumps(self.state)})

    def resume(self):
        tensors = load_file(self.checkpoint)
        _assign(self.model.weights, tensors)
        _assign(self.model.optimizer.variables, tensors, "optimizer/")
        self.state = json.loads(_metadata(self.checkpoint)["state"])

    def start_from(self, path, classes):
        """Take over an earlier stage's weights, and its classifier's columns for the shared classes."""
        tensors = load_file(path)
        kernel, bias = self.whole.get_layer("classifier").get_weights()
        shared, old = np.isin(self.classes, classes), np.isin(classes, self.classes)
        values = _values(self.model.weights)
        for name, mine in ((_key(w), w) for w in self.whole.get_layer("classifier").weights):
            value = kernel if mine.ndim == 2 else bias
            value[..., shared] = tensors[name][..., old]
            values[name] = value
        _assign(self.model.weights, {**tensors, **{k: v for k, v in values.items() if k.startswith("classifier/")}})


def predict_logits(model, photos, rows, batch_size=128):
    """Logits of some rows of a photo array, float32, shape (n_rows, n_classes)."""
    parts = [model.predict_on_batch(photos[rows[i : i + batch_size]]) for i in range(0, len(rows), batch_size)]
    return np.concatenate([np.asarray(part, np.float32) for part in parts])


def loss_weights(labels, n_classes, power):
    """Weight of each class in the loss, n**-power scaled to a mean of 1 over the photos. → (n_classes,)"""
    counts = np.maximum(np.bincount(labels, minlength=n_classes), 1)
    weights = counts**-float(power)
    return (weights / weights[labels].mean()).astype(np.float32)


def repeat_factors(labels, n_classes, below):
    """How often a photo of each class is shown per epoch, at least 1. → (n_classes,)"""
    share = np.maximum(np.bincount(labels, minlength=n_classes), 1) / len(labels)
    return np.maximum(1.0, np.sqrt(below / share))


def _key(variable):
    return variable.path


def _values(variables, prefix=""):
    return {prefix + str(i) if prefix else _key(v): np.asarray(v) for i, v in enumerate(variables)}


def _assign(variables, tensors, prefix=""):
    for i, variable in enumerate(variables):
        variable.assign(tensors[prefix + str(i) if prefix else _key(variable)])


def _save(path, tensors, metadata=None):
    """Write whole or not at all: a kill while saving leaves the file before."""
    temporary = path.with_suffix(".tmp")
    save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, temporary, metadata)
    temporary.replace(path)


def _metadata(path):
    with Path(path).open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        return json.loads(file.read(size))["__metadata__"]
