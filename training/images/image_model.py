"""Builds the image model's network, and holds its settings; `training/images/stages.py` trains it.

The network is preprocessing and a backbone of `training/images/backbones.py`. Its outputs are a distribution over the
classes and the pooled features of one or more levels.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import keras
from safetensors.numpy import load_file

from productcat.models.image_model import DISTRIBUTION
from training.images.backbones import Preprocess, load_backbone
from training.images.weights import assign

LOGITS = "logits"
POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
"""Keras's policies, by the setting `precision`; "auto" chooses one of them."""

CPUINFO = Path("/proc/cpuinfo")
BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}
"""Flags of processors that compute in bfloat16; the last one is Arm's."""


@dataclass(frozen=True)
class Stage:
    """One run over the data.

    epochs: times that all photos are seen. learning_rate: of AdamW, the highest; it rises over `warmup_steps` and falls
    with a cosine to 0.
    top_classes: train only on the photos of that many most frequent classes; 0 means all classes.
    augment: instead of the image model's setting, if given. Lighter changes in the last epochs make training photos
    more like those to be read later (Touvron et al. 2019, "Fixing the train-test resolution discrepancy").
    small_epochs: number of first epochs with photos of `small_size`, which is faster (progressive resizing, as in
    Tan & Le 2021, "EfficientNetV2").
    train_from: the beginning of a layer's name. Layers of the backbone before the first such layer keep their weights
    and their batch statistics. "classifier" trains only the classifier; "" trains all layers.
    average_with_start: the stage ends half-way between the weights that it started from and those of its best epoch,
    which is often better than either (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models").
    """

    name: str
    epochs: int
    learning_rate: float
    top_classes: int = 0
    augment: str = ""
    small_epochs: int = 0
    small_size: tuple[int, int] = (80, 60)
    train_from: str = ""
    average_with_start: bool = False


@dataclass(frozen=True)
class ImageConfig:
    """Settings of the image model; the `[image]` table of a training configuration.

    photo_size: (height, width) in pixels.
    backbone: a name of `keras.applications`, the path of a SavedModel, or the handle of a module of TF-Hub; the latter
    two keep their weights, so only the classifier is trained on them.
    weights: "imagenet" (Keras downloads them), "none", or the path of a `.weights.h5` file of the
    backbone with its 1000-way top.
    init_from: the path of a bundle, to start from its image model instead of `weights`. The classes that both know
    keep their part of the classifier. The backbones must be the same, and the bundle must hold its weights.
    stages: run one after the other, each from the weights of the one before.
    batch_size: number of photos. checkpoint_steps: number of batches between checkpoints, where a killed run goes on.
    augment: "none", "light" or "phone"; see `training.images.augment`.
    label_smoothing: the share of a label that is spread over all classes (Szegedy et al. 2016).
    weight_decay: of AdamW (Loshchilov & Hutter 2019). warmup_steps: batches until the learning rate is at its highest.
    levels: backbone layers whose pooled outputs become embeddings; the last features are always among them.
    loss_weight_power: a class of n photos weighs n**-power in the loss (0: all photos weigh the same).
    oversample_below: a class with less than this share of the photos is repeated, by
    sqrt(oversample_below / share) (repeat-factor sampling, Gupta et al. 2019); 0: never.
    mixup: photos and labels of a batch are mixed in pairs, in a proportion drawn from Beta(mixup, mixup), so that noisy
    labels are not memorized (Zhang et al. 2018, "mixup: Beyond Empirical Risk Minimization"); 0: never.
    precision: of the arithmetic in training, "bfloat16" (weights stay in float32), "float32", or "auto": bfloat16 if
    the machine computes in it. On other CPUs bfloat16 takes several times as long.
    patience: epochs without a better validation top-1 before a stage stops early.
    """

    photo_size: tuple[int, int] = (112, 84)
    backbone: str = "ResNet50"
    weights: str = "imagenet"
    init_from: str = ""
    levels: tuple[str, ...] = ("conv4_block6_out",)
    stages: tuple[Stage, ...] = (Stage("all", epochs=4, learning_rate=4e-4),)
    batch_size: int = 64
    precision: str = "auto"
    augment: str = "phone"
    loss_weight_power: float = 0.0
    oversample_below: float = 0.0
    label_smoothing: float = 0.1
    mixup: float = 0.0
    weight_decay: float = 0.02
    warmup_steps: int = 200
    patience: int = 4
    checkpoint_steps: int = 250

    def __post_init__(self) -> None:
        names = [stage.name for stage in self.stages]
        if not names or len(set(names)) < len(names):
            called = ", ".join(names) or "nothing"
            raise ValueError(f"the stages are called {called}: expected at least one stage, each with its own name")
        if self.stages[-1].top_classes:
            raise ValueError(f"the last stage has top_classes = {self.stages[-1].top_classes}: expected 0, all classes")
        if self.stages[0].average_with_start and not self.init_from:
            raise ValueError(f"the stage {names[0]!r} has average_with_start: expected a stage before it, or init_from")
        if self.precision not in ("auto", *POLICIES):
            raise ValueError(f"precision is {self.precision!r}: expected one of auto, {', '.join(POLICIES)}")
        if self.patience < 1:
            raise ValueError(f"patience is {self.patience}: expected at least 1 epoch")


def policy(precision: str) -> str:
    """Return the name of Keras's policy for a setting `precision`."""
    if precision == "auto":
        flags = set(CPUINFO.read_text().split()) if CPUINFO.exists() else set()
        precision = "bfloat16" if accelerated() or flags & BFLOAT16_FLAGS else "float32"
    return POLICIES[precision]


def accelerated() -> bool:
    """Return whether Keras computes on something faster than a CPU."""
    if keras.backend.backend() == "torch":  # Keras does not list its devices
        import torch  # type: ignore[import-not-found, unused-ignore]  # installed only to train on PyTorch

        return torch.cuda.is_available()
    return any(not device.lower().startswith("cpu") for device in keras.distribution.list_devices())


def build(config: ImageConfig, n_classes: int) -> keras.Model:
    """Build an untrained classifier on the configured backbone.

    Returns
    -------
    keras.Model
        uint8 photos of shape (n, height, width, 3) → dict with "distribution" of shape (n, n_classes), "logits" of the
        same shape, and for each level "embedding_<level>" of shape (n, n_features), float32.
    """
    backbone = load_backbone(config.backbone, config.weights)
    photos = keras.Input((None, None, 3), dtype="uint8", name="photos")
    names = [*config.levels, backbone.layers[-1].name]
    features = keras.Model(backbone.input, [backbone.get_layer(name).output for name in names], name="backbone")
    maps = features(Preprocess(config.backbone, name="preprocess")(photos))
    pooled = [keras.layers.GlobalAveragePooling2D(dtype="float32")(each) if each.ndim == 4 else each for each in maps]
    logits = keras.layers.Dense(n_classes, dtype="float32", name="classifier")(pooled[-1])
    outputs = {DISTRIBUTION: keras.layers.Softmax(dtype="float32")(logits), LOGITS: logits}
    outputs |= {f"embedding_{name}": each for name, each in zip(names, pooled, strict=True)}
    return keras.Model(photos, outputs, name="image_model")


def freeze(model: keras.Model, train_from: str) -> None:
    """Let only the layers from the first of that name on be trained; see `Stage.train_from`."""
    layers = model.get_layer("backbone").layers
    places = [place for place, layer in enumerate(layers) if layer.name.startswith(train_from)]
    if train_from == "classifier":
        places = [len(layers)]
    if not places:
        known = ", ".join(dict.fromkeys(layer.name.split("_")[0] for layer in layers if layer.weights))
        raise ValueError(f"train_from = {train_from!r}: no layer has that name; expected classifier, {known}")
    for layer in layers[: places[0]]:
        layer.trainable = False


def forget_within(model: keras.Model, steps: int) -> None:
    """Let batch normalization's moving statistics cover only the last tenth of a run of `steps` batches.

    Keras remembers a hundred batches. So after a short run half of the statistics would still be those of its start,
    and would be wrong for photos unlike the ones before.
    """
    for layer in model.get_layer("backbone").layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = min(layer.momentum, max(0.5, 1 - 10 / steps))


def restore(config: ImageConfig, n_classes: int, path: Path) -> keras.Model:
    """Return a float32 model with the weights of a finished stage."""
    keras.mixed_precision.set_global_policy("float32")
    model = build(dataclasses.replace(config, weights="none"), n_classes)
    assign(model.weights, load_file(path))
    return model
