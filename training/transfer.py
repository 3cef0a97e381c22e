"""`python -m training.transfer CONFIG`: where to start from, by the number of examples of each label.

Each start (random weights, ImageNet, a bundle) is trained on 5, 20, ... examples of each label, drawn anew for each
draw and alike for all starts, and measured on the test listings: once with the whole network trained, once with the
network frozen and a logistic regression on its features.
"""

import argparse
import dataclasses
import functools
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up notes would drown the progress

import keras

from training.commands import FIGURES_OPTION, FOLDER_OPTIONS, WEIGHTS_OPTION, mistakes_in_one_line, write_figures
from training.config import Config, load_config
from training.images import image_model, stages
from training.pipeline import Pipeline, Rows


@dataclass(frozen=True)
class Start:
    """Where training starts from; the settings as in `ImageConfig`, empty ones as in `[image]`."""

    name: str
    weights: str = "imagenet"
    init_from: str = ""
    backbone: str = ""


@dataclass(frozen=True)
class Size:
    """examples: of each label; 0: all. repeats: so often is each seen an epoch.

    draws: so many times they are drawn, and the listings split anew where the data bring no split.
    photo_size: (height, width) in place of that of `[image]`, where given.
    starts: names of those that are trained on so many; without any, all are.
    """

    examples: int
    draws: int = 1
    repeats: int = 1
    photo_size: tuple[int, int] = ()
    starts: tuple[str, ...] = ()


@dataclass(frozen=True)
class TransferConfig(Config):
    """A training configuration, and what is compared: `[[starts]]` and `[[sizes]]`."""

    starts: tuple[Start, ...] = ()
    sizes: tuple[Size, ...] = ()

    def __post_init__(self):
        for setting in ("starts", "sizes"):
            if not getattr(self, setting):
                raise ValueError(f"no [[{setting}]] in it: expected at least one")
        known = [start.name for start in self.starts]
        for name in (name for size in self.sizes for name in size.starts):
            if name not in known:
                raise ValueError(f"[[sizes]] names the start {name!r}: the [[starts]] are {', '.join(known)}")


def main(arguments=None):
    """The command. A user's mistake is one line on standard error and exit code 1."""
    description, parents = __doc__.split("\n")[0], [FOLDER_OPTIONS, WEIGHTS_OPTION, FIGURES_OPTION]
    parser = argparse.ArgumentParser("python -m training.transfer", description=description, parents=parents)
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


def transfer(path, data, work, weights=None):
    """Train and measure every start with every number of examples.

    Returns
    -------
    list of dict
        start, trained ("whole" or "frozen"), examples ("all" or a number), photo_size, draws, listings (trained on in a
        draw), top1 on the test listings, mean over the draws, error, the standard error of that mean, megabytes of the
        network's weights in float32, and ms, milliseconds of the processor for a photo in Keras.
    """
    config, text = load_config(path, TransferConfig), path.read_text("utf-8")
    found = []
    for start in config.starts:
        given = weights if start.weights == "imagenet" and not start.init_from else None

        @functools.cache  # it reads the data, which sizes share
        def pipeline(photo_size, draw, start=start, given=given):
            drawn_config = from_start(config, start, photo_size, config.seed + draw)
            return Pipeline(drawn_config, text, data, work / config.name, given)

        for size in (size for size in config.sizes if start.name in (size.starts or [start.name])):
            photo_size = size.photo_size or config.image.photo_size
            draws = [measured(pipeline(photo_size, draw), size) for draw in range(size.draws)]
            known = {"start": start.name, "examples": size.examples or "all", "draws": size.draws}
            known["photo_size"] = photo_size
            found += [{**known, "trained": trained, **summary(draws, trained)} for trained in ("whole", "frozen")]
    return found


def from_start(config, start, photo_size, seed):
    """The configuration of training from a `Start` on photos of a size."""
    image = dataclasses.replace(
        config.image,
        backbone=start.backbone or config.image.backbone,
        weights=start.weights,
        init_from=start.init_from,
        photo_size=photo_size,
    )
    return dataclasses.replace(config, image=image, seed=seed)


def summary(draws, trained):
    """Means over draws of one way to train. draws: dicts of `measured` → dict"""
    top1 = np.array([each[trained] for each in draws])
    if len(top1) > 1:
        error = top1.std(ddof=1) / np.sqrt(len(top1))
    else:  # of a share of the test listings
        error = np.sqrt(top1[0] * (1 - top1[0]) / draws[0]["test"])
    costs = {name: round(float(np.median([each[name] for each in draws])), 1) for name in ("megabytes", "ms")}
    return {
        "listings": draws[0]["listings"],
        "top1": round(float(top1.mean()), 6),
        "error": round(float(error), 6),
        **costs,
    }


def measured(pipeline, size):
    """Train on one draw and measure on the test listings, or read what was measured. → dict"""
    depends = pipeline.image_settings(), *pipeline.read_from, size.examples, size.repeats
    folder = pipeline.folder("transfer", *depends)

    def make(folder):
        photos, labels = pipeline.photos_of("train")
        validation, test = pipeline.photos_of("val"), pipeline.photos_of("test")
        rng = np.random.default_rng([pipeline.config.seed, size.examples])
        chosen = drawn(labels, size.examples, rng)
        examples, classes = Rows(photos.array, photos.rows[chosen]), len(pipeline.dataset.classes)
        again = Rows(photos.array, np.tile(photos.rows[chosen], size.repeats)), np.tile(labels[chosen], size.repeats)
        config, before = pipeline.training_start()
        model = stages.train(again, validation, classes, config, folder, pipeline.config.seed, before)
        whole = outputs(keras.Model(model.input, model.output[image_model.LOGITS]), test)
        whole = float((whole.argmax(axis=1) == test[1]).mean())
        for weights in folder.glob("*.safetensors"):
            weights.unlink()  # a hundred megabytes of each run, and never read again
        untouched = image_model.build(config, classes)
        if before:
            stages.take_over(untouched, *before, np.arange(classes))
        frozen, ms = logistic_regression(untouched, (examples, labels[chosen]), validation, test)
        megabytes = sum(int(np.prod(weight.shape)) for weight in untouched.weights) * 4 / 1e6
        counts = {"listings": len(chosen), "test": len(test[1])}
        return {"whole": whole, "frozen": frozen, **counts, "megabytes": megabytes, "ms": ms}

    return pipeline.step(folder, make)


def drawn(labels, examples, rng):
    """Places of so many examples of each label, drawn at random; 0: of all. → ndarray, int"""
    if not examples:
        return np.arange(len(labels))
    places = [rng.permutation(np.flatnonzero(labels == label))[:examples] for label in np.unique(labels)]
    return np.concatenate(places)


def logistic_regression(model, train, validation, test):
    """Top-1 on `test` of a logistic regression on a network's last features, its C chosen on `validation`.

    train, validation, test : (photos, labels) → top-1, milliseconds of the processor for the features of a photo
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


def outputs(network, labelled):
    """What a network says of photos. labelled: (photos, labels) → ndarray of shape (n, n_outputs)"""
    return stages.predict_logits(network, labelled[0], np.arange(len(labelled[1])))


if __name__ == "__main__":
    main()
