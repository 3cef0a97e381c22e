"""The plain way to do what productcat does: Keras for the photo, gensim for the title.

    python benchmarks/keras_way.py make FOLDER HEIGHT WIDTH CLASSES      untrained models of the real size
    python benchmarks/keras_way.py predict FOLDER PHOTO TITLE            one listing, from start to answer

Speed does not depend on what a network has learnt, so the models are untrained.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np

WORDS = 12_000
"""Number of words; about the vocabulary of the fashion titles."""

FEATURES = 100
"""Number of features of a word; gensim's default."""


def build(height: int, width: int, n_classes: int) -> Any:
    """Make a ResNet50 with its preprocessing and a classifier, like `training/images/image_model.py`. → keras.Model"""
    import keras

    photos = keras.Input((height, width, 3))
    backbone = keras.applications.ResNet50(include_top=False, weights=None, pooling="avg")
    features = backbone(keras.applications.resnet50.preprocess_input(photos))
    return keras.Model(photos, keras.layers.Dense(n_classes, activation="softmax")(features))


def make(folder: Path, height: int, width: int, n_classes: int) -> None:
    """Save the models that `predict` loads."""
    from gensim.models import KeyedVectors

    folder.mkdir(parents=True, exist_ok=True)
    build(height, width, n_classes).save(folder / "photo.keras")
    rng = np.random.default_rng(0)
    vectors = KeyedVectors(FEATURES)
    vectors.add_vectors([f"word{i}" for i in range(WORDS)], rng.normal(size=(WORDS, FEATURES)).astype(np.float32))
    vectors.save(str(folder / "words.kv"))
    np.save(folder / "title.npy", rng.normal(size=(FEATURES, n_classes)).astype(np.float32))


def predict(folder: Path, photo: str, title: str) -> None:
    """Do all that one prediction needs: load, decode, predict, average, print."""
    import keras
    from gensim.models import KeyedVectors
    from PIL import Image

    model = keras.models.load_model(folder / "photo.keras")
    height, width = model.input_shape[1:3]
    with Image.open(photo) as image:
        pixels = np.asarray(image.convert("RGB").resize((width, height)), np.float32)
    of_photo = model.predict(pixels[None], verbose=0)[0]
    vectors = KeyedVectors.load(str(folder / "words.kv"))
    known = [word for word in title.lower().split() if word in vectors] or vectors.index_to_key[:3]
    scores = vectors[known].mean(axis=0) @ np.load(folder / "title.npy")
    of_title = np.exp(scores - scores.max())
    both = of_photo + of_title / of_title.sum()
    print(int(both.argmax()), float(both.max() / 2))


if __name__ == "__main__":
    job, folder, *rest = sys.argv[1:]
    if job == "make":
        make(Path(folder), *map(int, rest))
    else:
        predict(Path(folder), *rest)
