"""The image model trains in stages: exact resume, class imbalance, early stopping, on a network of 2,000 weights."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from tiny_network import registered

ROOT = Path(__file__).parents[3]
N_CLASSES = 4


@pytest.fixture(scope="module")
def training():
    """The module under test; Keras takes seconds to import, so only when a test needs it."""
    import training.images.stages

    with registered():
        yield training.images.stages


def data(seed=0):
    """Return photos in the colours of their classes, and labels; the later classes are rarer."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(N_CLASSES), (20, 16, 8, 4)))
    colours = np.array([(130, 120, 120), (120, 130, 120), (120, 120, 130), (130, 130, 120)])[labels]
    colours = rng.normal(colours, 2)[:, None, None]  # so similar that one epoch does not learn them all
    return rng.normal(colours, 20, (len(labels), 24, 18, 3)).clip(0, 255).astype(np.uint8), labels


def settings(**changes):
    from training.images.image_model import ImageConfig, Stage

    stages = Stage("frequent", 3, 0.02, top_classes=2), Stage("all", 4, 0.02)
    tiny = ImageConfig(
        photo_size=(24, 18),
        backbone="TinyNetwork",
        weights="none",
        levels=("low_out",),
        stages=stages,
        batch_size=8,
        precision="float32",
        augment="light",
        oversample_below=0.2,
        warmup_steps=2,
        checkpoint_steps=2,
    )
    return replace(tiny, **changes)


def run(module, work, **changes):
    return module.train(data(), data(seed=1), N_CLASSES, settings(**changes), work, seed=3)


def log(work):
    return [json.loads(line) for line in (work / "log.jsonl").read_text().splitlines()]


def stop_after_checkpoint(module, patch, stage, epoch, step, stop):
    """Call `stop` right after a certain checkpoint is written."""
    save = module.StageRun.save_checkpoint

    def save_and_stop(stage_run):
        save(stage_run)
        if (stage_run.stage.name, stage_run.state.epoch, stage_run.state.step) == (stage, epoch, step):
            stop()

    patch.setattr(module.StageRun, "save_checkpoint", save_and_stop)


def interrupt():
    raise KeyboardInterrupt


def train_and_die(work, stage, epoch, step):
    """Train in a process of its own, which is killed half-way."""
    from training.images import stages

    stop_after_checkpoint(
        stages, pytest.MonkeyPatch(), stage, epoch, step, lambda: os.kill(os.getpid(), signal.SIGKILL)
    )
    with registered():
        run(stages, Path(work))


@pytest.fixture(scope="module")
def unbroken(training, tmp_path_factory):
    """The result of an unbroken run: (model, its work directory)."""
    work = tmp_path_factory.mktemp("unbroken")
    return run(training, work), work


def test_two_stages_learn_the_classes(unbroken):
    model, work = unbroken
    photos, labels = data(seed=2)
    assert (np.asarray(model(photos)["distribution"]).argmax(axis=1) == labels).mean() > 0.7
    assert [entry["stage"] for entry in log(work)] == ["frequent"] * 3 + ["all"] * 4
    assert all(0 <= entry["validation_mean_class_top1"] <= 1 for entry in log(work))


def test_a_trained_model_gives_distributions_and_an_embedding_of_each_level(unbroken):
    model, _ = unbroken
    outputs = {name: np.asarray(value) for name, value in model(data()[0][:5]).items()}
    assert {name: value.shape for name, value in outputs.items()} == {
        "distribution": (5, N_CLASSES),
        "logits": (5, N_CLASSES),
        "embedding_low_out": (5, 8),
        "embedding_high_out": (5, 16),
    }
    assert all(value.dtype == np.float32 for value in outputs.values())
    np.testing.assert_allclose(outputs["distribution"].sum(axis=1), 1.0, atol=1e-6)


def test_the_result_holds_the_weights_of_the_best_epoch(training, unbroken):
    model, work = unbroken
    photos, labels = data(seed=1)
    top1 = float((np.asarray(model(photos)["logits"]).argmax(axis=1) == labels).mean())
    assert top1 == max(entry["validation_top1"] for entry in log(work) if entry["stage"] == "all")


def test_a_finished_run_leaves_one_file_for_each_stage_and_the_log(unbroken):
    _, work = unbroken
    assert sorted(file.name for file in work.iterdir()) == ["all.safetensors", "frequent.safetensors", "log.jsonl"]


def test_a_finished_run_is_not_trained_again(training, unbroken):
    model, work = unbroken
    before = (work / "log.jsonl").read_text()
    again = run(training, work)
    assert (work / "log.jsonl").read_text() == before
    for mine, other in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)


def assert_same_weights(one, other):
    """Assert that both work directories end with the same weights, to the bit."""
    expected, got = (load_file(work / "all.safetensors") for work in (one, other))
    assert expected.keys() == got.keys()
    for key in expected:
        np.testing.assert_array_equal(got[key], expected[key], err_msg=key)


def test_a_killed_run_goes_on_and_ends_with_the_same_weights_to_the_bit(training, unbroken, tmp_path):
    code = f"import test_stages as t; t.train_and_die({str(tmp_path)!r}, 'frequent', 1, 2)"
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests"), str(Path(__file__).parent)])}
    died = subprocess.run([sys.executable, "-c", code], env=paths, capture_output=True, text=True, check=False)
    assert died.returncode == -signal.SIGKILL, died.stderr[-2000:]
    assert (tmp_path / "frequent.checkpoint.safetensors").exists()
    run(training, tmp_path)
    assert_same_weights(unbroken[1], tmp_path)


@pytest.mark.parametrize(("epoch", "step"), [(2, 0), (3, 4)], ids=["between epochs", "within an epoch"])
def test_a_run_interrupted_in_the_last_stage_ends_with_the_same_weights(training, unbroken, tmp_path, epoch, step):
    with pytest.MonkeyPatch.context() as patch:
        stop_after_checkpoint(training, patch, "all", epoch, step, interrupt)
        with pytest.raises(KeyboardInterrupt):
            run(training, tmp_path)
    run(training, tmp_path)
    assert_same_weights(unbroken[1], tmp_path)


def test_a_run_killed_between_two_stages_ends_with_the_same_weights(training, unbroken, tmp_path):
    finished = unbroken[1] / "frequent.safetensors"
    (tmp_path / finished.name).write_bytes(finished.read_bytes())
    run(training, tmp_path)
    assert_same_weights(unbroken[1], tmp_path)


def test_another_seed_gives_other_weights(training, unbroken, tmp_path):
    from training.images import image_model

    stages = (image_model.Stage("frequent", 1, 0.02, top_classes=2),)
    stages = (*stages, image_model.Stage("all", 1, 0.02))
    training.train(data(), data(seed=1), N_CLASSES, settings(stages=stages), tmp_path, seed=4)
    expected, got = load_file(unbroken[1] / "frequent.safetensors"), load_file(tmp_path / "frequent.safetensors")
    assert not np.array_equal(expected["classifier/kernel"], got["classifier/kernel"])


def test_settings_that_cannot_end_in_a_whole_model_are_refused_before_any_training(training, tmp_path):
    from training.images import image_model

    stages = (image_model.Stage("frequent", 1, 0.02, top_classes=2),)
    with pytest.raises(ValueError, match="the last stage has top_classes = 2"):
        run(training, tmp_path / "work", stages=stages)
    with pytest.raises(ValueError, match="patience is 0"):
        run(training, tmp_path / "work", patience=0)
    with pytest.raises(ValueError, match="the stages are called nothing"):
        run(training, tmp_path / "work", stages=())
    with pytest.raises(ValueError, match="the stages are called all, all"):
        run(training, tmp_path / "work", stages=(image_model.Stage("all", 1, 0.02),) * 2)
    assert not (tmp_path / "work").exists()


def test_a_backbone_that_does_not_exist_is_named(training, tmp_path):
    with pytest.raises(ValueError, match="backbone = 'ResNet5': keras.applications has none"):
        run(training, tmp_path, backbone="ResNet5")


def test_a_stage_without_progress_stops_after_patience_epochs(training, tmp_path):
    from training.images import image_model

    stages = (image_model.Stage("still", 9, 0.0),)
    run(training, tmp_path, stages=stages, patience=2)
    assert len(log(tmp_path)) == 3


def test_the_next_stage_takes_over_weights_and_the_classifier_columns_of_shared_classes(training, tmp_path, unbroken):
    before, classes = unbroken[1] / "all.safetensors", np.arange(N_CLASSES)
    config = settings()
    stage = training.StageRun(config, config.stages[0], np.array([1, 3]), tmp_path, seed=(0, 0))
    stage.model = stage.compiled(steps=10)
    training.take_over(stage.whole, before, classes, stage.classes)
    names, old = [each.path for each in stage.model.weights], load_file(before)
    weights = dict(zip(names, stage.model.get_weights(), strict=True))
    np.testing.assert_array_equal(weights["classifier/kernel"], old["classifier/kernel"][:, [1, 3]])
    np.testing.assert_array_equal(weights["classifier/bias"], old["classifier/bias"][[1, 3]])
    for key in weights.keys() - {"classifier/kernel", "classifier/bias"}:
        np.testing.assert_array_equal(weights[key], old[key], err_msg=key)


def test_a_stage_may_end_half_way_between_its_start_and_its_best_epoch(training, unbroken, tmp_path):
    first, last = settings().stages
    run(training, tmp_path, stages=(first, replace(last, average_with_start=True)))
    paths = tmp_path / "frequent.safetensors", unbroken[1] / "all.safetensors", tmp_path / "all.safetensors"
    start, best, found = map(load_file, paths)
    for path, value in found.items():
        if start[path].shape == value.shape:
            np.testing.assert_allclose(value, (start[path] + best[path]) / 2, rtol=1e-6)
        else:
            taken = value != best[path]  # the columns of the two classes that the first stage knew
            assert taken.reshape(-1, N_CLASSES).any(axis=0).sum() == 2
    assert [each["epoch"] for each in log(tmp_path)][-2:] == [last.epochs, "mean"]
    killed = tmp_path / "killed"
    with pytest.MonkeyPatch.context() as patch:
        stop_after_checkpoint(training, patch, "all", 2, 0, interrupt)
        with pytest.raises(KeyboardInterrupt):
            run(training, killed, stages=(first, replace(last, average_with_start=True)))
    run(training, killed, stages=(first, replace(last, average_with_start=True)))
    assert_same_weights(tmp_path, killed)
    assert log(killed)[-1]["validation_top1"] == log(tmp_path)[-1]["validation_top1"]


def test_new_classes_keep_their_fresh_columns(training, tmp_path, unbroken):
    config = settings()
    stage = training.StageRun(config, config.stages[1], np.arange(N_CLASSES), tmp_path, seed=(0, 1))
    stage.model = stage.compiled(steps=10)
    fresh, _ = stage.whole.get_layer("classifier").get_weights()
    training.take_over(stage.whole, unbroken[1] / "frequent.safetensors", [1, 0, -1], stage.classes)
    kernel, _ = stage.whole.get_layer("classifier").get_weights()
    np.testing.assert_array_equal(kernel[:, [2, 3]], fresh[:, [2, 3]])
    taken = load_file(unbroken[1] / "frequent.safetensors")["classifier/kernel"]
    np.testing.assert_array_equal(kernel[:, [1, 0]], taken)


def normalization_of(path):
    """The tensors of one batch normalization, and the kernel of the layer before it."""
    tensors = load_file(path)
    low = {name: value for name, value in tensors.items() if "low" in name}
    high = {name: value for name, value in tensors.items() if "high" in name}
    return low, high, tensors["classifier/kernel"]


@pytest.mark.parametrize(("train_from", "high_moves"), [("high", True), ("classifier", False)])
def test_layers_before_train_from_keep_weights_and_batch_statistics(
    training, tmp_path, unbroken, train_from, high_moves
):
    from training.images import image_model

    stages = (image_model.Stage("last", 1, 0.02, train_from=train_from),)
    before = unbroken[1] / "all.safetensors", range(N_CLASSES)
    training.train(data(), data(seed=1), N_CLASSES, settings(stages=stages), tmp_path, seed=3, before=before)
    old, new = normalization_of(before[0]), normalization_of(tmp_path / "last.safetensors")
    assert len(old[0]) == len(old[1]) == 5
    assert all((old[0][name] == new[0][name]).all() for name in old[0])
    assert all((old[1][name] != new[1][name]).any() == high_moves for name in old[1])
    assert (old[2] != new[2]).any()


def test_a_layer_to_train_from_that_does_not_exist_is_named(training, tmp_path):
    from training.images import image_model

    stages = (image_model.Stage("all", 1, 0.02, train_from="conv9"),)
    with pytest.raises(ValueError, match="'conv9': no layer has that name; expected classifier, low, high"):
        run(training, tmp_path, stages=stages)


def test_a_short_run_ends_with_the_batch_statistics_of_its_photos(training, tmp_path):
    import keras

    from training.images import image_model

    stages = (image_model.Stage("all", 1, 1e-4),)
    backbone = run(training, tmp_path, stages=stages, augment="none").get_layer("backbone")
    convolution = keras.Model(backbone.input, backbone.get_layer("low_convolution").output)
    seen = np.asarray(convolution(data()[0] / 127.5 - 1.0)).mean(axis=(0, 1, 2))
    remembered = np.asarray(backbone.get_layer("low_normalization").moving_mean)
    np.testing.assert_allclose(remembered, seen, atol=0.2 * np.abs(seen).max())


def test_mixed_precision_trains_and_ends_in_float32(training, tmp_path):
    import keras

    from training.images import image_model

    stages = (image_model.Stage("all", 1, 0.02),)
    model = run(training, tmp_path, stages=stages, precision="bfloat16")
    assert keras.mixed_precision.global_policy().name == "float32"
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}


def test_an_epoch_shows_every_photo_and_the_rare_ones_about_as_often_as_their_factor(training, tmp_path):
    config = settings(oversample_below=0.3)
    stage = training.StageRun(config, config.stages[1], np.arange(2), tmp_path, seed=(0, 0))
    labels = np.repeat([0, 1], [90, 10])
    shown = np.bincount(np.concatenate([stage.order(labels, epoch) for epoch in range(200)]), minlength=100)
    assert (shown[:90] == 200).all()
    np.testing.assert_allclose(shown[90:].mean() / 200, np.sqrt(3), rtol=0.05)
    np.testing.assert_array_equal(stage.order(labels, 7), stage.order(labels, 7))
    assert not np.array_equal(stage.order(labels, 7)[:50], stage.order(labels, 8)[:50])


def test_training_with_mixed_photos_differs_and_repeats_itself(training, tmp_path):
    whole = run(training, tmp_path / "whole", mixup=0.4)
    plain = run(training, tmp_path / "plain")
    again = run(training, tmp_path / "again", mixup=0.4)
    weights = [[np.asarray(each) for each in model.weights] for model in (whole, plain, again)]
    assert all((one == other).all() for one, other in zip(weights[0], weights[2], strict=True))
    assert any((one != other).any() for one, other in zip(weights[0], weights[1], strict=True))
