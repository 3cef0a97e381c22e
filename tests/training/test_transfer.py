"""Going on from a bundle: `init_from`, and the comparison of starts by `python -m training.transfer`."""

import json
from pathlib import Path

import numpy as np
import pytest
from tiny_network import registered

ROOT = Path(__file__).parents[2]

TINY = """
name = "tiny"

[data]
source = "samples"

[image]
backbone = "TinyNetwork"
weights = "none"
levels = []
photo_size = [32, 32]
batch_size = 64
warmup_steps = 2
precision = "float32"
stages = [{ name = "all", epochs = 1, learning_rate = 1e-3 }]
"""

STARTS = """
[[starts]]
name = "random weights"
weights = "none"

[[starts]]
name = "own"
init_from = "BUNDLE"

[[sizes]]
examples = 2
draws = 2
repeats = 2

[[sizes]]
examples = 0
starts = ["own"]
"""

pytestmark = [pytest.mark.timeout(900), pytest.mark.usefixtures("tiny")]


@pytest.fixture(scope="module")
def tiny():
    """Meanwhile the backbone "TinyNetwork" is there."""
    with registered():
        yield


def written(folder, text):
    path = folder / "tiny.toml"
    path.write_text(text, "utf-8")
    return path


def options(folder):
    return ["--data", str(ROOT / "data"), "--work", str(folder / "work")]


@pytest.fixture(scope="module")
def bundle(tiny, tmp_path_factory):
    """A bundle trained on the samples for an epoch."""
    from training.__main__ import main

    folder = tmp_path_factory.mktemp("bundle")
    main([str(written(folder, TINY)), "--to", str(folder / "first"), *options(folder)])
    return folder / "first"


def pipeline(folder, bundle):
    """The pipeline of a configuration that starts from a bundle."""
    from training.config import Config, load_config
    from training.pipeline import Pipeline

    text = TINY.replace("[image]", f'[image]\ninit_from = "{bundle}"')
    return Pipeline(load_config(written(folder, text), Config), text, ROOT / "data", folder / "work")


def test_training_goes_on_from_the_weights_and_classes_of_a_bundle(bundle, tmp_path):
    from training.images import image_model, stages
    from training.images.weights import load_weights

    made = pipeline(tmp_path, bundle)
    config, (path, classes) = made.training_start()
    assert classes == list(range(len(made.dataset.classes)))
    model = image_model.build(config, len(classes))
    stages.take_over(model, path, classes, np.arange(len(classes)))
    kept = load_weights(bundle / "image/weights.safetensors")
    for weight in model.weights:
        np.testing.assert_array_equal(np.asarray(weight), kept[weight.path], err_msg=weight.path)


def test_the_manifest_names_the_bundle_that_training_started_from(bundle, tmp_path):
    from productcat.models.bundle import Bundle

    made = pipeline(tmp_path, bundle)
    made.run(tmp_path / "second")
    created = Bundle.open(bundle).manifest["created"]
    assert Bundle.open(tmp_path / "second").manifest["trained_from"]["init_from"] == f"tiny, {created}"


def test_a_bundle_without_float_weights_is_no_start(tmp_path):
    from productcat.models.bundle import Bundle, write_bundle

    opened, without = Bundle.open(ROOT / "tests/bundles/format-1/bundle"), tmp_path / "without"

    def fill(folder):
        opened.copy_files(folder)
        (folder / "image/weights.safetensors").unlink()

    write_bundle(without, opened.manifest, fill)
    with pytest.raises(ValueError, match=r"no image/weights\.safetensors in it to start from"):
        pipeline(tmp_path, without)


def test_starts_are_compared_by_the_number_of_examples_and_measured_once(bundle, tmp_path, capsys):
    from training.transfer import main

    config = written(tmp_path, TINY + STARTS.replace("BUNDLE", str(bundle)))
    command = [str(config), *options(tmp_path), "--to", str(tmp_path / "to.json"), "--figure", str(tmp_path / "to.svg")]
    main(command)
    rows = json.loads((tmp_path / "to.json").read_text())
    assert [(row["start"], row["examples"], row["trained"]) for row in rows] == [
        (start, examples, trained)
        for start, examples in (("random weights", 2), ("own", 2), ("own", "all"))
        for trained in ("whole", "frozen")
    ]
    assert all(0 <= row["top1"] <= 1 and row["error"] >= 0 for row in rows)
    assert rows[0]["draws"] == 2
    assert rows[0]["listings"] == rows[2]["listings"] < rows[4]["listings"]
    assert not list((tmp_path / "work").rglob("*.safetensors"))
    assert (tmp_path / "to.svg").read_text().startswith("<?xml")
    first = capsys.readouterr().out
    main(command)
    again = capsys.readouterr().out
    assert "done before" in again
    assert "started" not in again
    assert first.splitlines()[-len(rows) :] == again.splitlines()[-len(rows) :]


def test_the_same_examples_are_drawn_for_every_start():
    from training.transfer import drawn

    labels = np.repeat([0, 1, 2], [10, 5, 1])
    places = drawn(labels, 2, np.random.default_rng(0))
    assert np.bincount(labels[places]).tolist() == [2, 2, 1]
    assert len(set(places.tolist())) == 5
    np.testing.assert_array_equal(places, drawn(labels, 2, np.random.default_rng(0)))
    np.testing.assert_array_equal(drawn(labels, 0, np.random.default_rng(0)), np.arange(16))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("", "no [[starts]] in it: expected at least one"),
        (
            STARTS.replace('["own"]', '["mine"]'),
            "[[sizes]] names the start 'mine': the [[starts]] are random weights, own",
        ),
    ],
)
def test_a_comparison_that_cannot_be_made_is_one_line(tmp_path, more, message):
    from training.transfer import main

    with pytest.raises(SystemExit) as ended:
        main([str(written(tmp_path, TINY + more)), *options(tmp_path)])
    assert ended.value.code == f"error: {tmp_path}/tiny.toml: {message}"
