"""A backbone is any of `keras.applications` with a file of weights, or a SavedModel such as a TF-Hub module."""

import numpy as np
import pytest

N_FEATURES = 6


@pytest.fixture(scope="module")
def backbones():
    """The module under test; Keras takes seconds to import, so only when a test needs it."""
    import training.images.backbones

    return training.images.backbones


def save(folder, function):
    """A SavedModel as TF-Hub has them: photos with values from 0 to 1 → `function` of their mean colours."""
    import tensorflow as tf

    class Encoder(tf.Module):
        def __init__(self):
            super().__init__()
            self.matrix = tf.Variable(np.random.default_rng(0).normal(size=(3, N_FEATURES)).astype(np.float32))

        @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3), tf.float32, name="photos")])
        def serve(self, photos):
            return function(tf.reduce_mean(photos, axis=(1, 2)) @ self.matrix)

    encoder = Encoder()
    tf.saved_model.save(encoder, str(folder), signatures={"serving_default": encoder.serve})
    return encoder.matrix.numpy()


def photos(n=5):
    return np.random.default_rng(1).integers(0, 256, (n, 12, 10, 3)).astype(np.uint8)


def test_a_saved_model_gives_the_features_and_is_exported_with_the_classifier(backbones, tmp_path):
    from productcat.models.image_model import ImageModel
    from training.images import image_model
    from training.images.export import compare, export_float

    matrix = save(tmp_path / "encoder", lambda features: {"default": features, "logits": features[:, :2]})
    config = image_model.ImageConfig(backbone=str(tmp_path / "encoder"), levels=(), photo_size=(12, 10))
    model = image_model.build(config, 3)
    features = np.asarray(model(photos())["embedding_features"])
    np.testing.assert_allclose(features, (photos() / 255).mean(axis=(1, 2)) @ matrix, atol=1e-5)
    levels = export_float(model, tmp_path / "model.onnx", config.photo_size)
    compare(model, ImageModel(tmp_path / "model.onnx", config.photo_size, levels), photos())


def test_only_the_classifier_is_trained_on_a_saved_model(backbones, tmp_path):
    from training.images import image_model, stages

    save(tmp_path / "encoder", lambda features: {"features": features})
    stage = image_model.Stage("all", 2, 0.1)
    settings = {"backbone": str(tmp_path / "encoder"), "levels": (), "stages": (stage,), "precision": "float32"}
    config = image_model.ImageConfig(photo_size=(12, 10), batch_size=4, augment="none", warmup_steps=1, **settings)
    examples = photos(8), np.arange(8) % 2
    model = stages.train(examples, examples, 2, config, tmp_path / "work")
    assert [weight.path for weight in model.trainable_weights] == ["classifier/kernel", "classifier/bias"]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own, while saving
def test_a_file_of_weights_is_read_into_the_backbone(backbones, tmp_path):
    import keras

    keras.utils.set_random_seed(7)
    whole = keras.applications.MobileNetV2(weights=None)
    whole.save_weights(tmp_path / "own.weights.h5")
    loaded = backbones.load_backbone("MobileNetV2", str(tmp_path / "own.weights.h5"))
    kernel = whole.get_layer("block_3_expand").get_weights()[0]
    np.testing.assert_array_equal(loaded.get_layer("block_3_expand").get_weights()[0], kernel)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own, while saving
def test_layers_that_keras_numbers_have_the_same_names_in_every_model(backbones, monkeypatch, tmp_path):
    import keras

    def application(include_top=True, weights=None, input_shape=(None, None, 3)):
        photos = keras.Input(input_shape)
        features = keras.layers.Conv2D(4, 3, name="own_name")(photos)
        for _ in range(11):
            features = keras.layers.BatchNormalization(scale=False)(keras.layers.Conv2D(4, 1)(features))
        top = keras.layers.Dense(5)(keras.layers.GlobalAveragePooling2D()(features))
        return keras.Model(photos, top if include_top else features)

    monkeypatch.setattr(keras.applications, "Unnamed", application, raising=False)
    whole = application()
    whole.save_weights(tmp_path / "own.weights.h5")
    first, second = (backbones.load_backbone("Unnamed", str(tmp_path / "own.weights.h5")) for _ in range(2))
    assert [each.path for each in first.weights] == [each.path for each in second.weights]
    assert len({each.path for each in first.weights}) == len(first.weights)
    assert first.get_layer("own_name")
    kernels = [[layer.get_weights()[0] for layer in model.layers if "conv2d" in layer.name] for model in (whole, first)]
    np.testing.assert_array_equal(*kernels)


def test_what_is_not_a_backbone_is_named(backbones, tmp_path):
    with pytest.raises(ValueError, match="no saved_model.pb in it; give the folder of a SavedModel"):
        backbones.load_backbone(str(tmp_path), "none")
    save(tmp_path / "two", lambda features: {"one": features, "other": features})
    with pytest.raises(ValueError, match="its outputs are one, other; expected one, or one called default"):
        backbones.load_backbone(str(tmp_path / "two"), "none")


def test_a_module_of_tf_hub_without_tensorflow_hub_says_what_to_install(backbones, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tensorflow_hub", None)
    with pytest.raises(ValueError, match='needs tensorflow-hub; pip install tensorflow-hub "setuptools<82"'):
        backbones.load_backbone("https://example.org/module/1", "none")


def test_a_module_of_tf_hub_is_fetched_and_read(backbones, monkeypatch, tmp_path):
    import types

    save(tmp_path / "encoder", lambda features: {"default": features})
    hub = types.SimpleNamespace(resolve={"https://example.org/module/1": str(tmp_path / "encoder")}.__getitem__)
    monkeypatch.setitem(__import__("sys").modules, "tensorflow_hub", hub)
    model = backbones.load_backbone("https://example.org/module/1", "none")
    assert model(photos() / 255).shape == (5, N_FEATURES)


@pytest.mark.parametrize("kept", [{}, {"scale": False}, {"center": False}])  # Inception's layers have no scale
def test_a_normalization_layer_trains_like_that_of_keras(backbones, kept):
    import keras

    features = np.random.default_rng(0).normal(3, 2, (16, 6, 5, 4)).astype(np.float32)
    ours, theirs = backbones.FusedBatchNormalization(**kept), keras.layers.BatchNormalization(**kept)
    np.testing.assert_allclose(ours(features, training=True), theirs(features, training=True), atol=1e-4)
    np.testing.assert_allclose(ours.moving_mean, theirs.moving_mean, rtol=1e-5)
    # The fused kernel divides by n − 1.
    np.testing.assert_allclose(ours.moving_variance, theirs.moving_variance, rtol=5e-3)
    ours.set_weights(theirs.get_weights())
    np.testing.assert_allclose(ours(features), theirs(features), atol=1e-6)
