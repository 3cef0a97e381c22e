"""Configurations: a TOML file becomes settings, or an error that names what is wrong in it."""

from pathlib import Path

import pytest

from training.config import Config, change, load_config
from training.general import GeneralConfig
from training.images.image_model import ImageConfig, Stage
from training.transfer import TransferConfig

CONFIGS = sorted((Path(__file__).parents[2] / "training/configs").glob("*.toml"))
WHOLE = """
name = "own"
seed = 7

[data]
source = "own"
parents = ["aisle"]

[image]
photo_size = [64, 48]
weight_decay = 1

[[image.stages]]
name = "top"
epochs = 1
learning_rate = 1e-3
top_classes = 20

[[image.stages]]
name = "all"
epochs = 2
learning_rate = 1e-4

[title]
dimensions = 8

[ensemble]
average = "log"

[decision]
precision = 0.95
"""


@pytest.fixture
def written(tmp_path):
    """A function that writes a configuration and gives its path."""

    def write(text):
        (tmp_path / "own.toml").write_text(text, "utf-8")
        return tmp_path / "own.toml"

    return write


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_committed_configuration_loads(path):
    kinds = {"general": GeneralConfig, "transfer": TransferConfig, "backbones": TransferConfig}
    config = load_config(path, kinds.get(path.stem, Config))
    assert config.name == path.stem
    assert config.image.stages
    assert all(isinstance(stage, Stage) for stage in config.image.stages)


def test_every_table_becomes_settings(written):
    config = load_config(written(WHOLE), Config)
    assert (config.name, config.seed) == ("own", 7)
    assert config.data.parents == ("aisle",)
    assert config.image.photo_size == (64, 48)
    assert config.image.weight_decay == 1.0
    assert config.image.stages == (Stage("top", 1, 1e-3, top_classes=20), Stage("all", 2, 1e-4))
    assert config.title.dimensions == 8
    assert config.ensemble.average == "log"
    assert config.decision.precision == 0.95
    assert config.image.batch_size == ImageConfig().batch_size


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('source = "own"', 'sauce = "own"', r"unknown setting 'sauce' in \[data\]; known: source, table, label"),
        ("[title]", "[titles]", r"unknown setting 'titles' in the top level; known: name, data, image, title"),
        ("top_classes", "top", r"unknown setting 'top' in \[stages\]; known: name, epochs, learning_rate"),
        ('source = "own"', "", r"no setting 'source' in \[data\], and it has no default"),
        ('name = "own"', "", r"no setting 'name' in the top level, and it has no default"),
        ("photo_size = [64, 48]", "photo_size = [64]", r"photo_size = \[64\]: expected a list of 2"),
        ("photo_size = [64, 48]", "photo_size = 64", "photo_size = 64: expected a list of 2"),
        ('parents = ["aisle"]', 'parents = "aisle"', "parents = 'aisle': expected a list"),
        ('parents = ["aisle"]', "parents = [1]", "parents = 1: expected str, not int"),
        ("seed = 7", 'seed = "7"', "seed = '7': expected int, not str"),
        ("epochs = 1", "epochs = 1.5", "epochs = 1.5: expected int, not float"),
        ("weight_decay = 1", "weight_decay = true", "weight_decay = True: expected float, not bool"),
        ('average = "log"', 'average = "mean"', "average is 'mean': expected one of log, plain, best"),
        ('[ensemble]\naverage = "log"', "", None),
        ("[decision]", "[decision", "not TOML"),
    ],
)
def test_what_is_wrong_in_a_configuration_is_named_with_its_file(written, old, new, message):
    assert old in WHOLE
    path = written(WHOLE.replace(old, new, 1))
    if message is None:
        assert load_config(path, Config).ensemble.average == "best"
        return
    with pytest.raises(ValueError, match=r"own\.toml: .*" + message):
        load_config(path, Config)


def test_a_table_that_is_none_is_named(written):
    with pytest.raises(ValueError, match=r"\[data\] is 'own': expected a table of settings"):
        load_config(written('name = "own"\ndata = "own"\n'), Config)


def test_settings_are_changed_as_a_variant_says():
    base = ImageConfig(batch_size=8)
    changed = change(base, {"photo_size": [32, 24], "stages": [{"name": "a", "epochs": 1, "learning_rate": 1}]}, "a")
    assert changed == ImageConfig(batch_size=8, photo_size=(32, 24), stages=(Stage("a", 1, 1.0),))
    with pytest.raises(ValueError, match="unknown setting 'batch' in variant 'x'; known: photo_size"):
        change(base, {"batch": 3}, "variant 'x'")
