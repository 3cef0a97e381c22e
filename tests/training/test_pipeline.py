"""`python -m training`: raw listings → a bundle that loads and predicts; no step is done twice, and none is lost."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from frozen import put_together

from productcat import Categorizer, DuplicateDetector, Listing
from productcat.categories.projections import FewShot
from productcat.models.bundle import Bundle

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "training/configs/samples.toml"
TEXT = SAMPLES.read_text("utf-8").replace("epochs = 16", "epochs = 4")
"""The configuration for the samples, with fewer epochs: what is tested does not depend on how good the photos get."""

PHOTO = ROOT / "data/samples/images/3385.jpg"

pytestmark = pytest.mark.timeout(900)


def command(module, config, *options):
    return [sys.executable, "-m", module, str(config), "--data", str(ROOT / "data"), *map(str, options)]


def run(config, to, work, *options):
    """Run `python -m training`; → its output, a list of lines"""
    arguments = command("training", config, "--to", to, "--work", work, *options)
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def steps(lines):
    """(name of the step, "started" or "done before"), in order."""
    found = (re.fullmatch(r"([a-z-]+)-[0-9a-f]{10}: (started|done before)", line) for line in lines)
    return [each.groups() for each in found if each]


def checksums(bundle):
    """sha256 of every file that training made; the model card holds no more than the manifest."""
    return {name: value for name, value in Bundle.open(bundle).manifest["sha256"].items() if name != "README.md"}


@pytest.fixture(scope="module")
def config(tmp_path_factory, duplicates_bundle):
    """The file of TEXT, with the features of another bundle."""
    path = tmp_path_factory.mktemp("config") / "quick.toml"
    path.write_text(f'features = "{duplicates_bundle}"\n{TEXT}', "utf-8")
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory, config):
    """The folder of one run on the samples, with bundle, work and table.csv in it, and its output."""
    folder = tmp_path_factory.mktemp("run")
    return folder, run(config, folder / "bundle", folder / "work", "--table", folder / "table.csv")


def test_one_command_makes_a_bundle_from_the_samples(trained):
    folder, lines = trained
    assert "320 rows, 320 listings, 14 classes" in lines
    names = ["image", "image-export", "title", "ensemble", "prototypes", "evaluation"]
    assert steps(lines) == [(name, "started") for name in names]
    assert not Bundle.open(folder / "bundle").problems()


def test_the_classes_have_prototypes_that_leave_their_confidences_alone(trained):
    categorizer = Categorizer.load(trained[0] / "bundle")
    listings = [Listing(title="brown shoulder handbag"), Listing(title="black sports shoes")]
    before = categorizer.predict_proba(listings)
    known = categorizer.projections.prototypes
    assert all(known[kind].vectors.any(axis=1).all() for kind in ("photos", "title"))
    categorizer.projections = replace(categorizer.projections, few_shot=FewShot(scale=5.0, title_scale=5.0))
    np.testing.assert_array_equal(categorizer.predict_proba(listings), before)


def test_the_bundle_predicts(trained):
    categorizer = Categorizer.load(trained[0] / "bundle")
    assert len(categorizer.classes) == 14
    assert categorizer.categories == categorizer.classes
    listings = [Listing("1", "Murcia Brown Shoulder Bag", (PHOTO,)), Listing("2", photos=(PHOTO,)), Listing("3")]
    both, photo, nothing = categorizer.predict(listings)
    assert both.candidates[0].category == "Handbags"
    assert photo.candidates
    assert nothing.decision == "abstain"
    _, subcategories = categorizer.roll_up(categorizer.class_distributions(listings[:1]), "subCategory")
    assert subcategories.sum() == pytest.approx(1.0)


def test_prototypes_are_made_of_the_features_of_the_bundle_that_is_named(trained, tiny_bundle):
    bundle, other = Bundle.open(trained[0] / "bundle"), Bundle.open(tiny_bundle)
    graphs = [folder / "model.onnx" for folder in (bundle.part("features"), other.part("image"))]
    assert graphs[0].read_bytes() == graphs[1].read_bytes()
    assert not (bundle.part("features") / "weights.safetensors").exists()
    assert Categorizer.load(bundle.path).projections.prototypes["photos"].vectors.shape == (14, 16)
    assert bundle.manifest["trained_from"]["features"].startswith("shop, ")
    assert bundle.manifest["duplicates"]["description"] == Bundle.open(tiny_bundle).manifest.get("description", "")
    DuplicateDetector.load(bundle.path)  # the metric comes along with the features that it was learnt on


def test_a_bundle_without_features_is_refused_before_any_training(image_part, title_part, tmp_path):
    from training.config import Config, load_config
    from training.pipeline import Pipeline

    bare = shutil.copytree(image_part, tmp_path / "image")
    settings = json.loads((bare / "settings.json").read_text("utf-8")) | {"levels": []}
    (bare / "settings.json").write_text(json.dumps(settings), "utf-8")
    put_together(tmp_path / "bare", {"image": bare, "title": title_part})
    text = f'name = "x"\nfeatures = "{tmp_path / "bare"}"\n[data]\nsource = "x.csv"\n'
    (tmp_path / "x.toml").write_text(text, "utf-8")
    config = load_config(tmp_path / "x.toml", Config)
    with pytest.raises(ValueError, match="its image model gives no features; name another bundle"):
        Pipeline(config, text, tmp_path, tmp_path / "work")


def test_the_manifest_tells_how_the_bundle_was_made_and_what_it_reaches(trained, config):
    manifest = Bundle.open(trained[0] / "bundle").manifest
    assert manifest["name"] == "samples"
    assert manifest["trained_from"]["config"] == config.read_text("utf-8")
    assert re.fullmatch("[0-9a-f]{64}", manifest["trained_from"]["data_sha256"])
    assert manifest["trained_from"]["listings"] == {"train": 212, "val": 46, "test": 62}
    assert sum(manifest["training_mix"].values()) == 212
    assert manifest["export"]["float_max_difference"] < 1e-4
    for use in ("photos", "title", "both"):
        assert set(manifest["metrics"]["test"][use]) == set(manifest["metrics"]["validation"][use])
    assert manifest["metrics"]["test"]["listings"] == 62
    assert manifest["metrics"]["test"]["title"]["top1"] > 0.8
    assert 0 <= manifest["metrics"]["test"]["photos"]["top1"] <= 1
    assert "validation_tfidf_logistic_regression" in manifest["title_comparison"]
    assert set(manifest["average_losses"]) == {"log", "plain"}
    assert set(manifest["decision_rules_alone"]) == {"photos", "title"}
    for decisions in manifest["metrics"]["test"]["decisions_alone"].values():
        assert decisions["assign"] + decisions["shortlist"] + decisions["abstain"] == pytest.approx(1.0)
    assert {"tensorflow", "keras", "onnxruntime"} <= set(manifest["versions"])
    # Strictly JSON: no NaN.
    json.dumps(manifest, allow_nan=False)


def test_the_figures_are_printed_and_the_table_has_a_row_for_each_class(trained):
    folder, lines = trained
    figures = json.loads("\n".join(lines[lines.index("{") :]))
    assert figures == Bundle.open(folder / "bundle").manifest["metrics"]["test"]
    with (folder / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 14
    assert sum(int(row["support"]) for row in rows) == 62
    assert list(rows[0]) == [
        "class",
        "support",
        *(f"{use}_top{k}" for use in ("photos", "title", "both") for k in (1, 5)),
    ]
    mean = sum(float(row["title_top1"]) * int(row["support"]) for row in rows) / 62
    assert mean == pytest.approx(figures["title"]["top1"], abs=1e-3)


def test_a_second_run_does_no_step_again_and_makes_the_same_bundle(trained, config, tmp_path):
    folder, before = trained
    lines = run(config, tmp_path / "again", folder / "work")
    assert steps(lines) == [(name, "done before") for name, _ in steps(before)]
    assert checksums(tmp_path / "again") == checksums(folder / "bundle")


def test_a_changed_setting_redoes_what_it_touches_and_nothing_else(trained, tmp_path):
    text = TEXT.replace('source = "samples"', 'source = "samples"\nextra_titles = ["samples/styles.csv:usage"]')
    (tmp_path / "changed.toml").write_text(text + "\n[decision]\nprecision = 0.9\n", "utf-8")
    lines = run(tmp_path / "changed.toml", tmp_path / "bundle", trained[0] / "work")
    redone = [(name, "started") for name in ("title", "ensemble", "prototypes", "evaluation")]
    assert steps(lines) == [("image", "done before"), ("image-export", "done before"), *redone]


def wait_for_epochs(process, work, epochs):
    """Wait until the image training has finished some epochs; → the folder of that step"""
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        assert process.poll() is None, "training ended before it could be killed"
        for log in work.glob("samples/image-*/log.jsonl"):
            if len(log.read_text().splitlines()) >= epochs:
                return log.parent
        time.sleep(0.05)
    raise AssertionError("no epoch was finished in time")


def test_a_run_that_is_killed_while_training_goes_on_and_ends_with_the_same_bundle(trained, config, tmp_path):
    work = tmp_path / "work"
    arguments = command("training", config, "--to", tmp_path / "bundle", "--work", work)
    with subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        folder = wait_for_epochs(process, work, 2)
        os.kill(process.pid, signal.SIGKILL)
    assert not (folder / "done.json").exists()
    assert not (tmp_path / "bundle").exists()
    done = len((folder / "log.jsonl").read_text().splitlines())
    run(config, tmp_path / "bundle", work)
    log = [json.loads(line)["epoch"] for line in (folder / "log.jsonl").read_text().splitlines()]
    assert log == list(range(1, len(log) + 1))
    assert len(log) > done
    assert checksums(tmp_path / "bundle") == checksums(trained[0] / "bundle")


# What a user gets wrong is one line


def mistake(capsys, config, *options):
    """The message with which the command ends."""
    from training.__main__ import main

    with pytest.raises(SystemExit) as ended:
        main([str(config), *map(str, options)])
    message = ended.value.code
    assert message.startswith("error: ")
    assert "\n" not in message
    assert not capsys.readouterr().out
    return message


def test_a_missing_data_folder_is_one_line(capsys, tmp_path):
    options = "--data", tmp_path / "nowhere", "--to", tmp_path / "to", "--work", tmp_path / "work"
    message = mistake(capsys, SAMPLES, *options)
    assert message == f"error: {tmp_path}/nowhere/samples: no such data; give the folder that holds it with --data"


def test_a_bundle_that_exists_is_one_line_and_stays_as_it_is(capsys, tmp_path):
    (tmp_path / "to").mkdir()
    message = mistake(capsys, SAMPLES, "--data", ROOT / "data", "--to", tmp_path / "to")
    assert message == f"error: {tmp_path}/to: exists already; a bundle is written to a new directory"
    assert not list((tmp_path / "to").iterdir())


def test_an_unknown_setting_is_one_line(capsys, tmp_path):
    config = tmp_path / "own.toml"
    config.write_text(TEXT.replace("batch_size", "badge_size"), "utf-8")
    message = mistake(capsys, config, "--data", ROOT / "data", "--to", tmp_path / "to", "--work", tmp_path)
    assert message.startswith(f"error: {config}: unknown setting 'badge_size' in [image]; known: photo_size, backbone")


def test_a_missing_configuration_or_file_of_weights_is_one_line(capsys, tmp_path):
    to = "--data", ROOT / "data", "--to", tmp_path / "to", "--work", tmp_path / "work"
    assert "none.toml: No such file or directory" in mistake(capsys, "none.toml", *to)
    message = mistake(capsys, SAMPLES, *to, "--weights", "no.weights.h5")
    assert message == 'error: no.weights.h5: no such file of weights; give one, or weights = "imagenet" or "none"'


def test_a_mistake_ends_the_process_with_1_and_without_traceback(tmp_path):
    arguments = command("training", tmp_path / "none.toml", "--to", tmp_path)
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == f"error: {tmp_path}: exists already; a bundle is written to a new directory\n"


# Comparison of ways to train

VARIANTS = """
name = "tiny"

[data]
source = "samples"

[image]
backbone = "MobileNet"
weights = "none"
levels = []
photo_size = [32, 32]
batch_size = 64
precision = "float32"
stages = [{ name = "all", epochs = 1, learning_rate = 1e-3 }]

[[variants]]
name = "as it is"

[[variants]]
name = "two stages"
augment = "none"
stages = [
    { name = "top", epochs = 1, learning_rate = 1e-3, top_classes = 4 },
    { name = "all", epochs = 1, learning_rate = 1e-3, average_with_start = true },
]
"""


def test_two_variants_are_compared_and_a_second_comparison_trains_nothing(tmp_path):
    (tmp_path / "tiny.toml").write_text(VARIANTS, "utf-8")
    arguments = command("training.compare", tmp_path / "tiny.toml", "--work", tmp_path, "--to", tmp_path / "to.json")
    for word in ("started", "done before"):
        done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert steps(done.stdout.splitlines()) == [("image", word)] * 2
        table = done.stdout.splitlines()[-2:]
        assert [re.split(r"  +", line)[0] for line in table] == ["as it is", "two stages"]
        figures = json.loads((tmp_path / "to.json").read_text())
        assert list(figures) == ["as it is", "two stages"]
        assert list(figures["as it is"]) == ["validation_top1", "validation_top5", "validation_mean_class_top1"]
    logs = [path.read_text().splitlines() for path in tmp_path.glob("*/image-*/log.jsonl")]
    (mean,) = (entry for lines in logs if (entry := json.loads(lines[-1]))["epoch"] == "mean")
    assert figures["two stages"].items() <= mean.items()  # not those of the epoch before the mean


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('augment = "none"', 'augmentation = "none"', "variant 'two stages'; known: photo_size"),
        ("[[variants]]", "[[ways]]", "unknown setting 'ways' in the top level"),
        (VARIANTS[VARIANTS.index("[[variants]]") :], "", "no [[variants]] in it; give each a name and the settings"),
    ],
)
def test_a_comparison_of_nothing_or_of_unknown_settings_is_one_line(capsys, tmp_path, old, new, message):
    from training.compare import main

    assert old in VARIANTS
    (tmp_path / "tiny.toml").write_text(VARIANTS.replace(old, new), "utf-8")
    with pytest.raises(SystemExit) as ended:
        main([str(tmp_path / "tiny.toml"), "--data", str(ROOT / "data"), "--work", str(tmp_path)])
    assert ended.value.code.startswith(f"error: {tmp_path}/tiny.toml")
    assert message in ended.value.code
