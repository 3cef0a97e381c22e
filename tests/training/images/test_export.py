"""Keras → ONNX: the same probabilities, or it does not go into a bundle."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import shop
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from make_bundles import small_network
from safetensors.numpy import load_file

from productcat import Categorizer, Listing
from productcat.models.image_model import ImageModel

README = Path(__file__).parents[3] / "training/README.md"


@pytest.fixture(scope="module")
def network():
    """The small network of the shop, untrained, with weights drawn by a seed."""
    import keras

    keras.utils.set_random_seed(2)
    return small_network(len(shop.CLASSES))


@pytest.fixture
def export():
    """`training.images.export.export`; Keras takes seconds to import, so only when a test needs it."""
    from training.images.export import export

    return export


def on(shop_data):
    photos, _, labels = shop_data
    return (photos[180:], labels[180:]), photos[:60]


def test_the_float_graph_gives_the_probabilities_and_embeddings_of_keras(network, shop_data, tmp_path):
    from training.images.export import compare, export_float

    photos = shop_data[0][180:]
    levels = export_float(network, tmp_path / "float.onnx", shop.SIZE)
    assert levels == ("embedding_top",)
    exported = ImageModel(tmp_path / "float.onnx", shop.SIZE, levels)
    difference, distributions = compare(network, exported, photos)
    assert difference < 1e-4
    expected = network.predict_on_batch(photos)
    np.testing.assert_allclose(distributions, expected["distribution"], atol=1e-4)
    np.testing.assert_allclose(exported.run(photos)[1]["embedding_top"], expected["embedding_top"], atol=1e-4)


def test_the_trained_network_of_the_tests_goes_into_the_bundle_in_int8_and_agrees(made_bundle, shop_data):
    image_part = made_bundle / "image"
    settings = json.loads((image_part / "settings.json").read_text())
    assert settings == {"photo_size": list(shop.SIZE), "levels": ["embedding_top"], "arithmetic": "int8"}
    (photos, labels), _ = on(shop_data)
    distributions, embeddings = ImageModel.load(image_part).run(photos)
    assert (distributions.argmax(axis=1) == labels).mean() > 0.9
    assert embeddings["embedding_top"].shape == (60, 16)
    np.testing.assert_allclose(distributions.sum(axis=1), 1.0)


def test_the_measurements_are_returned(network, export, shop_data, tmp_path):
    measured = export(network, tmp_path, shop.SIZE, *on(shop_data))
    assert measured["float_max_difference"] < 1e-4
    assert measured["arithmetic"] in ("int8", "float32")
    loss = measured["validation_top1"]["float32"] - measured["validation_top1"]["int8"]
    assert (loss <= 0.003) == (measured["arithmetic"] == "int8")


def test_the_same_weights_give_the_same_graph(network, tmp_path):
    from training.images.export import export_float

    for name in ("one", "two"):  # Keras gives the layers of the second other names
        export_float(network, tmp_path / name, shop.SIZE)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_network_that_int8_spoils_stays_float32_and_says_so(export, shop_data, tmp_path):
    """One channel is a thousand times as large as the one that tells the classes apart."""
    import keras

    photos = keras.Input((*shop.SIZE, 3), dtype="uint8")
    scaled = keras.layers.Rescaling(1 / 255)(photos)
    convolution = keras.layers.Conv2D(3, 1)
    mean = keras.layers.GlobalAveragePooling2D()(convolution(scaled))
    telling = keras.layers.Dense(len(shop.CLASSES), activation="softmax")
    model = keras.Model(photos, {"distribution": telling(mean)})
    (seen, _), calibration = on(shop_data)
    kernel = np.eye(3, dtype=np.float32)[None, None] * np.array([3000.0, 1.0, 1.0], np.float32)
    convolution.set_weights([kernel, np.zeros(3, np.float32)])
    # The answer is which of the two small channels is the larger; the large one counts for nothing.
    answer = np.array([[0, 0, 0], [40, -40, 0], [-40, 40, 0]], np.float32)
    telling.set_weights([answer, np.zeros(3, np.float32)])
    labels = model.predict_on_batch(seen)["distribution"].argmax(axis=1)
    assert len(set(labels.tolist())) == 2
    measured = export(model, tmp_path, shop.SIZE, (seen, labels), calibration)
    assert measured["arithmetic"] == "float32"
    assert measured["validation_top1"]["float32"] == 1.0
    assert measured["validation_top1"]["int8"] < 0.997
    assert json.loads((tmp_path / "settings.json").read_text())["arithmetic"] == "float32"
    distributions, _ = ImageModel.load(tmp_path).run(seen)
    assert (distributions.argmax(axis=1) == labels).all()


def test_a_model_without_a_distribution_is_refused(export, shop_data, tmp_path):
    import keras

    photos = keras.Input((*shop.SIZE, 3), dtype="uint8")
    mean = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1.0)(photos))
    for outputs, said in (({"answer": mean}, "answer"), (mean, "outputs without names")):
        with pytest.raises(ValueError, match=f'the model gives {said}: expected an output called "distribution"'):
            export(keras.Model(photos, outputs), tmp_path, shop.SIZE, *on(shop_data))


def test_an_exported_graph_that_differs_from_keras_is_refused(network, shop_data, tmp_path):
    import keras

    from training.images.export import compare, export_float

    photos = shop_data[0][:20]
    levels = export_float(network, tmp_path / "float.onnx", shop.SIZE)
    other = keras.models.clone_model(network)
    other.set_weights([weight * 1.5 for weight in network.get_weights()])
    with pytest.raises(ValueError, match=r"the exported graph differs from Keras by 0\.\d+; allowed is 0\.0001"):
        compare(other, ImageModel(tmp_path / "float.onnx", shop.SIZE, levels), photos)


def test_the_weights_are_kept_to_train_on_from_kernels_in_8_bits_and_vectors_in_float32(made_bundle):
    from training.images.weights import load_weights

    tensors = load_file(made_bundle / "image/weights.safetensors")
    kernels = {name for name in tensors if f"{name}/scale" in tensors}
    assert {name.rpartition("/")[2] for name in kernels} == {"kernel"}
    assert {tensor.dtype.name for name, tensor in tensors.items() if name in kernels} == {"int8"}
    assert {tensor.dtype.name for name, tensor in tensors.items() if name not in kernels} == {"float32"}
    kept = load_weights(made_bundle / "image/weights.safetensors")
    assert kept.keys() == {name for name in tensors if not name.endswith("/scale")}


@given(arrays(np.float32, array_shapes(min_dims=1, max_dims=4, max_side=5), elements=st.floats(-1e9, 1e9, width=32)))
def test_compact_weights_come_back_within_half_a_step_of_their_channel(tmp_path_factory, values):
    from training.images.weights import compact, load_weights, save_tensors

    path = tmp_path_factory.mktemp("weights") / "weights.safetensors"
    kept = compact({"w": values})
    save_tensors(path, kept)
    step = kept["w/scale"] if values.ndim > 1 else 0.0
    back = load_weights(path)["w"]
    assert back.dtype == np.float32
    assert back.shape == values.shape
    assert (np.abs(back - values) <= 0.5 * step * (1 + 1e-3)).all()


def test_the_example_in_the_readme_puts_any_keras_model_into_a_bundle(network, shop_data, tmp_path, monkeypatch):
    (code,) = re.findall(r"^```python\n(.*?)^```$", README.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    photos, titles, labels = shop_data
    given = {
        "model": network,
        "photo_size": shop.SIZE,
        "photos": photos[:60],
        "titles": titles[:180],
        "labels": labels[:180],
        "validation_photos": photos[180:],
        "validation_titles": titles[180:],
        "validation_labels": labels[180:],
        "classes": [{"name": name, "parents": shop.PARENTS[name]} for name in shop.CLASSES],
    }
    monkeypatch.chdir(tmp_path)
    exec(compile(code, str(README), "exec"), given)
    made = Categorizer.load(tmp_path / "own-bundle")
    assert made.classes == list(shop.CLASSES)
    rows = made.class_distributions([Listing("1", "leather belt", (photos[0],)), Listing("2", "red handbag")])
    assert [made.classes[number] for number in rows.argmax(axis=1)] == ["Belts", "Handbags"]
