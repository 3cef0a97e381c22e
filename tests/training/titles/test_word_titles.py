"""A title model is made of word vectors and the names of classes."""

import numpy as np
import pytest

from training.titles import word_titles
from training.titles.word_titles import Encoder, WordsConfig, confusion, title_model

WORDS = ["red", "car", "couch", "sofa", "truck", "lorry", "of"]
ALIKE = {"car": 0, "truck": 0, "lorry": 0, "couch": 1, "sofa": 1}


@pytest.fixture
def little(monkeypatch):
    """Two sources of vectors in which cars and couches lie apart."""

    def vectors(words):
        rows = [np.random.default_rng(sum(map(ord, word))).normal(size=8) * 0.3 for word in words]
        for row, word in zip(rows, words, strict=True):
            row[ALIKE.get(word, 5)] += 3
        return np.float32([row / np.linalg.norm(row) for row in rows])

    monkeypatch.setattr(word_titles, "read_glove", lambda config: (vectors(WORDS), WORDS))
    monkeypatch.setattr(word_titles, "encode", vectors)


def test_words_are_read_as_the_classes_whose_names_are_near(little, tmp_path):
    kernel = np.float32([[9, 0], [0, 9], [1, 1]])
    model = title_model(["truck", "couch"], kernel, WordsConfig(dimensions=4))
    model.save(tmp_path)
    model = type(model).load(tmp_path)
    found = model.distributions(["lorry", "red car", "sofa", "unheard", "🎉"])
    np.testing.assert_allclose(found[:3].sum(axis=1), 1.0)
    assert found[:3].argmax(axis=1).tolist() == [0, 0, 1]
    assert np.isnan(found[3:]).all()


def test_a_plural_is_read_as_its_singular(little):
    model = title_model(["truck", "couch"], np.eye(2, dtype=np.float32) * 9, WordsConfig(dimensions=4))
    np.testing.assert_array_equal(model.distributions(["lorrys", "couches"]), model.distributions(["lorry", "couch"]))
    assert np.isnan(model.distributions(["lorryings", "s"])).all()


def test_a_class_whose_name_is_unknown_gets_almost_no_probability(little):
    model = title_model(["truck", "couch", "axolotl"], np.eye(3, dtype=np.float32) * 50, WordsConfig(spread=40))
    assert model.distributions(["car"])[0, 2] < 1e-6


def test_classes_with_similar_weights_are_confused():
    found = confusion(np.float32([[1, 0.9, -1], [0, 0.1, 1]]), spread=5.0)
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    assert found[0, 1] > 10 * found[0, 2]


def test_the_encoder_gives_a_text_the_same_vector_in_every_batch():
    rng = np.random.default_rng(0)
    tensors = {
        f"embeddings.{name}_embeddings.weight": rng.normal(size=(9, 24)) for name in ("word", "position", "token_type")
    }
    layer = "encoder.layer.0."
    shapes = {f"attention.self.{name}": (24, 24) for name in ("query", "key", "value")}
    shapes |= {"attention.output.dense": (24, 24), "intermediate.dense": (48, 24), "output.dense": (24, 48)}
    for name, shape in shapes.items():
        tensors[f"{layer}{name}.weight"], tensors[f"{layer}{name}.bias"] = (
            rng.normal(size=shape),
            rng.normal(size=shape[0]),
        )
    for name in ("embeddings.", f"{layer}attention.output.", f"{layer}output."):
        tensors[f"{name}LayerNorm.weight"], tensors[f"{name}LayerNorm.bias"] = np.ones(24), np.zeros(24)
    encoder = Encoder(tensors)
    tokens = rng.integers(0, 9, (5, 4))
    together = encoder.run(tokens)
    assert together.shape == (5, 24)
    np.testing.assert_allclose(together[2:3], encoder.run(tokens[2:3]), rtol=1e-6)
    assert not np.allclose(encoder.run(tokens[:1, ::-1]), together[:1])  # the order of words matters


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(word_titles, "MINILM", "no_such_package")
    with pytest.raises(ValueError, match="the package no-such-package is missing; install productcat\\[words\\]"):
        word_titles.encode(["car"])
