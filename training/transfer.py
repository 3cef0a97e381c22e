"""`python -m training.transfer CONFIG`: compare where to start from, by the number of examples of each label.

Each start (random weights, ImageNet, a bundle) is trained on 5, 20, ... examples of each label. Each draw takes other
examples, the same for all starts. The network is measured on the test listings twice: once trained as a whole, once
frozen, with a logistic regression on its features.
"""

import dataclasses
import functools
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up notes would drown the progress

import keras

from training.commands import (
    FIGURES_OPTION,
    FOLDER_OPTIONS,
    WEIGHTS_OPTION,
    command,
    mistakes_in_one_line,
    write_figures,
)
from training.config import Config, load_config
from training.images import image_model, stages
from training.pipeline import Pipeline, Rows


@dataclass(frozen=True)
class Start:
    """Where training starts from, with the settings of `ImageConfig`. Empty ones are as in `[image]`."""

    name: str
    weights: str = "imagenet"
    init_from: str = ""
    backbone: str = ""


@dataclass(frozen=True)
class Size:
    """How much is trained on.

    examples: number of each label; 0: all. repeats: number of times that each is seen in an epoch.
    draws: number of times that examples are drawn. Where the data have no split, each draw splits the listings again.
    photo_size: (height, width) instead of that of `[image]`; (0, 0): that one.
    starts: names of the starts that are trained on so many; empty: all starts.
    """

    examples: int
    draws: int = 1
    repeats: int = 1
    photo_size: tuple[int, int] = (0, 0)
    starts: tuple[str, ...] = ()


@dataclass(frozen=True)
class TransferConfig(Config):
    """A training configuration, and what is compared: `[[starts]]` and `[[sizes]]`."""

    starts: tuple[Start, ...] = ()
    sizes: tuple[Size, ...] = ()

    def __post_init__(self) -> None:
        for setting in ("starts", "sizes"):
            if not getattr(self, setting):
                raise ValueError(f"no [[{setting}]] in it: expected at least one")
        known = [start.name for start in self.starts]
        for name in (name for size in self.sizes for name in size.starts):
            if name not in known:
                raise ValueError(f"[[sizes]] names the start {name!r}: the [[starts]] are {', '.join(known)}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command. A user's mistake is one line on standard error and exit code 1."""
    parser = command("training.transfer", __doc__, FOLDER_OPTIONS, WEIGHTS_OPTION, FIGURES_OPTION)
    parser.add_argument("config", type=Path, help="a TOML file, such as training/configs/transfer.toml")
    parser.add_argument("--figure", type=Path, help="draw the learning curves into this SVG or PNG file")
    options = parser.parse_args(arguments)
    with mistakes_in_one_line():
        results = transfer(options.config, options.data, options.work, options.weights)
        write_figures(results, options.to)
    for row in results:
        size = "{}×{}".format(*row["photo_size"])
        line = "{start:24} {trained:7} {examples:>5} {size:>8}  {top1:.3f} ± {error:.3f} {megabytes:6} MB {ms:6} ms"
        print(line.format(**row, size=size))
    if options.figure:
        from training.transfer_figure import draw

        draw(results, options.figure)


def transfer(path: Path, data: Path, work: Path, weights: str | None = None) -> list[dict[str, Any]]:
    """Train and measure every start with every number of examples.

    Returns
    -------
    list of dict
        start, trained ("whole" or "frozen"), examples ("all" or a number), photo_size, draws, listings (number trained
        on in a draw), top1 (on the test listings, mean over the draws), error (standard error of that mean), megabytes
        (of the network's weights in float32), and ms (milliseconds of the processor for a photo in Keras).
    """
    config, text = load_config(path, TransferConfig), path.read_text("utf-8")

    @functools.cache  # a pipeline reads the data, and sizes share it
    def pipeline(start: Start, photo_size: tuple[int, int], draw: int) -> Pipeline:
        given = weights if start.weights == "imagenet" and not start.init_from else None
        return Pipeline(
            from_start(config, start, photo_size, config.seed + draw), text, data, work / config.name, given
        )

    found = []
    for start in config.starts:
        for size in config.sizes:
            if size.starts and start.name not in size.starts:
                continue
            photo_size = size.photo_size if any(size.photo_size) else config.image.photo_size
            draws = [measured(pipeline(start, photo_size, draw), size) for draw in range(size.draws)]
            known = {"start": start.name, "examples": size.examples or "all", "draws": size.draws}
            for trained in ("whole", "frozen"):
                found.append({**known, "photo_size": photo_size, "trained": trained, **summary(draws, trained)})
    return found


def from_start(config: Config, start: Start, photo_size: tuple[int, int], seed: int) -> Config:
    """Return the configuration of training from a `Start` on photos of a size."""
    image = dataclasses.replace(
        config.image,
        backbone=start.backbone or config.image.backbone,
        weights=start.weights,
        init_from=start.init_from,
        photo_size=photo_size,
    )
    return dataclasses.replace(config, image=image, seed=seed)


def summary(draws: Sequence[dict[str, Any]], trained: str) -> dict[str, float]:
    """Return means over draws, as `measured` gives them. trained : "whole" or "frozen" """
    top1 = np.array([each[trained] for each in draws])
    if len(top1) > 1:
        error = top1.std(ddof=1) / np.sqrt(len(top1))
    else:  # that of a share of the test listings
        error = np.sqrt(top1[0] * (1 - top1[0]) / draws[0]["test"])
    costs = {name: round(float(np.median([each[name] for each in draws])), 1) for name in ("megabytes", "ms")}
    return {
        "listings": draws[0]["listings"],
        "top1": round(float(top1.mean()), 6),
        "error": round(float(error), 6),
        **costs,
    }


def measured(pipeline: Pipeline, size: Size) -> dict[str, Any]:
    """Train on one draw and measure on the test listings, or read what was measured."""
    depends = pipeline.image_settings(), *pipeline.read_from, size.examples, size.repeats
    folder = pipeline.steps.folder("transfer", *depends)

    def make(folder: Path) -> dict[str, Any]:
        photos, labels = pipeline.photos_of("train")
        validation, test = pipeline.photos_of("val"), pipeline.photos_of("test")
        rng = np.random.default_rng([pipeline.config.seed, size.examples])
        chosen = drawn(labels, size.examples, rng)
        examples, classes = Rows(photos.array, photos.rows[chosen]), len(pipeline.dataset.classes)
        again = Rows(photos.array, np.tile(photos.rows[chosen], size.repeats)), np.tile(labels[chosen], size.repeats)
        config, before = pipeline.training_start()
        model = stages.train(again, validation, classes, config, folder, pipeline.config.seed, before)
        logits = outputs(keras.Model(model.input, model.output[image_model.LOGITS]), test)
        whole = float((logits.argmax(axis=1) == test[1]).mean())
        for weights in folder.glob("*.safetensors"):
            weights.unlink()  # each run writes about a hundred megabytes that nothing reads again
        untouched = image_model.build(config, classes)
        if before:
            stages.take_over(untouched, *before, np.arange(classes))
        frozen, ms = logistic_regression(untouched, (examples, labels[chosen]), validation, test)
        megabytes = sum(int(np.prod(weight.shape)) for weight in untouched.weights) * 4 / 1e6
        counts = {"listings": len(chosen), "test": len(test[1])}
        return {"whole": whole, "frozen": frozen, **counts, "megabytes": megabytes, "ms": ms}

    return pipeline.steps.run(folder, make)


def drawn(labels: NDArray[np.intp], examples: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Draw places of so many examples of each label at random; 0: of all."""
    if not examples:
        return np.arange(len(labels))
    places = [rng.permutation(np.flatnonzero(labels == label))[:examples] for label in np.unique(labels)]
    return np.concatenate(places)


LabelledPhotos = tuple[Rows, NDArray[np.intp]]


def logistic_regression(
    model: keras.Model, train: LabelledPhotos, validation: LabelledPhotos, test: LabelledPhotos
) -> tuple[float, float]:
    """Measure a logistic regression on a network's last features; its C is chosen on `validation`.

    → top-1 on `test`, milliseconds of the processor for the features of a photo
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    network = keras.Model(model.input, model.get_layer("classifier").input)
    features = [outputs(network, each) for each in (train, validation)]
    started = time.process_time()
    features.append(outputs(network, test))
    milliseconds = (time.process_time() - started) / len(test[1]) * 1000
    lines = [make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=1000)) for c in (1e-3, 1e-2, 1e-1)]
    lines = [line.fit(features[0], train[1]) for line in lines]
    best = max(lines, key=lambda line: line.score(features[1], validation[1]))
    return float(best.score(features[2], test[1])), milliseconds


def outputs(network: keras.Model, labelled: LabelledPhotos) -> NDArray[np.float32]:
    """Return what a network says of photos, shape (n, n_outputs)."""
    return stages.predict_logits(network, labelled[0], np.arange(len(labelled[1])))


if __name__ == "__main__":
    main()
