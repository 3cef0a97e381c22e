"""Makes what is frozen in tests/bundles: trains and exports in seconds, with everything that `[dev]` installs.

To make it again: `rm -r tests/bundles/{shop,colour_features,fashion_titles} && python tests/make_bundles.py`.
"""

import json
import os
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import shop
from fashion_titles import N_CLASSES, make_titles
from frozen import COLOUR_FEATURES, COLOUR_PHOTO_SIZE, FASHION_TITLES, SHOP

MANIFEST = {
    "name": "shop",
    "description": "Three classes of a shop that does not exist.",
    "ensemble": {
        "average": "log",
        "weights": {"photos": 0.5, "title": 0.5},
        "temperatures": {"photos": 1.0, "title": 1.0, "both": 0.5},
    },
    "decision_rule": {"assign_at": 0.9, "shortlist_at": 0.5, "shortlist_size": 5},
    "trained_from": {"seed": 1},
    "metrics": {},
}


def small_network(n_classes):
    """Two convolutions: uint8 photos → distribution and one embedding. None of `keras.applications`."""
    import keras

    photos = keras.Input((*shop.SIZE, 3), dtype="uint8")
    seen = keras.layers.Rescaling(1 / 255)(photos)
    for filters in (8, 16):
        seen = keras.layers.Conv2D(filters, 3, strides=2, activation="relu", padding="same")(seen)
    pooled = keras.layers.GlobalAveragePooling2D()(seen)
    distribution = keras.layers.Dense(n_classes, activation="softmax")(pooled)
    return keras.Model(photos, {"distribution": distribution, "embedding_top": pooled})


def train_image_part(folder):
    """Train the small network on the shop's photos and export it."""
    import keras

    from training.images.export import export

    keras.utils.set_random_seed(1)
    photos, _, labels = shop.learning_data()
    model = small_network(len(shop.CLASSES))
    classifier = keras.Model(model.input, model.output["distribution"])
    classifier.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    classifier.fit(photos[:180], labels[:180], batch_size=32, epochs=8, verbose=0)
    folder.mkdir()
    export(model, folder, shop.SIZE, (photos[180:], labels[180:]), photos[:60])


def train_title_part(folder):
    """Train a title model on the shop's titles."""
    from training.titles.title_model import TitleConfig, train

    _, titles, labels = shop.learning_data()
    validation = titles[180:], labels[180:]
    train(titles[:180], labels[:180], validation, len(shop.CLASSES), TitleConfig(), seed=1).save(folder)


def set_metric(image_part):
    """A metric between sets of photos whose head is set by hand."""
    from productcat.arithmetic.vectors import unit
    from productcat.duplicates.evidence import names
    from productcat.duplicates.metric import Experts, Head, Level, SetMetric, Weights
    from productcat.duplicates.whitening import Background
    from productcat.models.image_model import ImageModel

    photos = shop.learning_data()[0][:180]
    features = unit(ImageModel.load(image_part).run(photos)[1]["embedding_top"]).astype(np.float64)
    levels = {"embedding_top": Level(None, Background.of(features, np.ones(len(features))), 8)}
    by_name = dict.fromkeys(names(levels), 0.0) | {"embedding_top/means": 4.0, "copy": 8.0}
    by_name |= {"embedding_top/best": 2.0, "embedding_top/all": 2.0}
    weights = Weights(np.array(list(by_name.values())), -13.0)
    head = Head(*[Experts.one(weights)] * 2)
    return SetMetric(levels, head, threshold=0.5, compared=3.0)


def make_shop(path):
    """Train the parts of the shop's bundle and put them together."""
    from training.assemble import assemble

    with tempfile.TemporaryDirectory() as temporary:
        parts = {part: Path(temporary) / part for part in ("image", "title")}
        train_image_part(parts["image"])
        train_title_part(parts["title"])
        classes = [{"name": name, "parents": shop.PARENTS[name]} for name in shop.CLASSES]
        assemble(path, MANIFEST, classes, parts, duplicates=set_metric(parts["image"]))


def make_colour_features(folder):
    """Export a network whose one feature is the mean colour of a photo."""
    import keras

    from training.images.export import export_float

    keras.utils.set_random_seed(1)
    photos = keras.Input((*COLOUR_PHOTO_SIZE, 3), dtype="uint8")
    colour = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(photos))
    classes = keras.layers.Dense(2, activation="softmax")(colour)
    folder.mkdir()
    model = keras.Model(photos, {"distribution": classes, "embedding_colour": colour})
    levels = export_float(model, folder / "model.onnx", COLOUR_PHOTO_SIZE)
    settings = {"photo_size": COLOUR_PHOTO_SIZE, "levels": levels, "arithmetic": "float32"}
    (folder / "settings.json").write_text(json.dumps(settings), "utf-8")


def train_fashion_titles():
    """Train a small title model, one of whose classes has no titles. → TitleModel"""
    from training.titles.title_model import TitleConfig, train

    titles, labels = make_titles(300, np.random.default_rng(3))
    config = TitleConfig(dimensions=8, epochs=8, members=2)
    extra = ("samsung galaxy phone", "apple iphone", "")
    return train(titles[:240], labels[:240], (titles[240:], labels[240:]), N_CLASSES, config, extra, seed=1)


if __name__ == "__main__":
    make_shop(SHOP)
    make_colour_features(COLOUR_FEATURES)
    train_fashion_titles().save(FASHION_TITLES)
