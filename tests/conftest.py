"""A tiny real bundle, trained once for all tests, in seconds: nothing of productcat is mocked."""

import os
import tarfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest
import shop
from hypothesis import settings

from productcat import Listing

settings.register_profile("productcat", deadline=None)  # a busy machine is no failure
settings.load_profile("productcat")


@pytest.fixture(scope="session")
def shop_data():
    """(photos, titles, labels) of 240 listings of the shop; the last 60 are for validation."""
    rng = np.random.default_rng(7)
    labels = np.arange(240) % len(shop.CLASSES)
    photos = np.stack([shop.photo(shop.CLASSES[label], rng) for label in labels])
    titles = [shop.title(shop.CLASSES[label], rng) for label in labels]
    return photos, titles, labels


@pytest.fixture(scope="session")
def image_part(shop_data, tmp_path_factory):
    """The image part of a bundle: a small Keras network that is none of `keras.applications`, exported."""
    import keras

    from training.images.export import export

    keras.utils.set_random_seed(1)
    photos, _, labels = shop_data
    model = small_network(len(shop.CLASSES))
    classifier = keras.Model(model.input, model.output["distribution"])
    classifier.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    classifier.fit(photos[:180], labels[:180], batch_size=32, epochs=8, verbose=0)
    folder = tmp_path_factory.mktemp("parts") / "image"
    folder.mkdir()
    export(model, folder, shop.SIZE, (photos[180:], labels[180:]), photos[:60])
    return folder


def small_network(n_classes):
    """Two convolutions: uint8 photos → distribution and one embedding."""
    import keras

    photos = keras.Input((*shop.SIZE, 3), dtype="uint8")
    seen = keras.layers.Rescaling(1 / 255)(photos)
    for filters in (8, 16):
        seen = keras.layers.Conv2D(filters, 3, strides=2, activation="relu", padding="same")(seen)
    pooled = keras.layers.GlobalAveragePooling2D()(seen)
    distribution = keras.layers.Dense(n_classes, activation="softmax")(pooled)
    return keras.Model(photos, {"distribution": distribution, "embedding_top": pooled})


@pytest.fixture(scope="session")
def title_part(shop_data, tmp_path_factory):
    """The title part of a bundle."""
    from training.titles.title_model import TitleConfig, train

    _, titles, labels = shop_data
    model = train(titles[:180], labels[:180], (titles[180:], labels[180:]), len(shop.CLASSES), TitleConfig(), seed=1)
    folder = tmp_path_factory.mktemp("parts") / "title"
    model.save(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_bundle(image_part, title_part, tmp_path_factory):
    """The path of a bundle of the shop."""
    from training.assemble import assemble

    manifest = {
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
    path = tmp_path_factory.mktemp("bundles") / "shop"
    classes = [{"name": name, "parents": shop.PARENTS[name]} for name in shop.CLASSES]
    assemble(path, manifest, classes, {"image": image_part, "title": title_part})
    return path


@pytest.fixture(scope="session")
def shop_metric(image_part, shop_data):
    """A metric between sets of photos whose head is set by hand."""
    from productcat.arithmetic.vectors import unit
    from productcat.duplicates.metric import Head, Level, SetMetric
    from productcat.duplicates.whitening import Background
    from productcat.models.image_model import ImageModel

    model = ImageModel.load(image_part)
    features = unit(model.run(shop_data[0][:180])[1]["embedding_top"]).astype(np.float64)
    background = Background.of(features, np.ones(len(features)))
    levels = {"embedding_top": Level(None, background, 8)}
    head = Head(np.array([4.0, 2.0, 2.0, 8.0, 0.0, 0.0]), -13.0)
    return SetMetric(levels, head, threshold=0.5, compared=3.0)


@pytest.fixture(scope="session")
def duplicates_bundle(tiny_bundle, image_part, title_part, shop_metric, tmp_path_factory):
    """The path of the shop's bundle with a part that detects duplicates."""
    from productcat.models.bundle import Bundle
    from training.assemble import assemble

    opened = Bundle.open(tiny_bundle)
    path = tmp_path_factory.mktemp("bundles") / "shop"
    classes = opened.read_json("classes.json")
    parts = {"image": image_part, "title": title_part}
    assemble(path, opened.manifest, classes, parts, duplicates=shop_metric)
    return path


@pytest.fixture
def shop_listings():
    """Listings of the shop that no model has seen, with the names of their classes."""
    rng = np.random.default_rng(99)
    names = [shop.CLASSES[number % 3] for number in range(12)]
    return [Listing(f"new-{i}", shop.title(name, rng), (shop.photo(name, rng),)) for i, name in enumerate(names)], names


@pytest.fixture
def shop_folders(tmp_path):
    """The shop's photos in two class folders, and offers, under the names of the data sets that commands read."""
    rng = np.random.default_rng(9)
    for name, splits, n in (
        ("clothing-dataset-small", ("train/", "validation/", "test/"), 14),
        ("olx-five", ("",), 24),
    ):
        root = tmp_path / "raw" / name
        for split in splits:
            for label in shop.CLASSES:
                folder = root / f"{split}{label}"
                folder.mkdir(parents=True)
                for number in range(n):
                    (folder / f"{number}.png").write_bytes(shop.encode(shop.photo(label, rng)))
        with tarfile.open(tmp_path / f"{name}.tar", "w") as tar:
            tar.add(root, name)
    offers = [f"{n},{shop.title(shop.CLASSES[n % 3], rng)},{shop.CLASSES[n % 3]}" for n in range(60)]
    (tmp_path / "pricerunner-titles.csv").write_text("\n".join(["product_id,product_title,category_label", *offers]))
    return tmp_path
