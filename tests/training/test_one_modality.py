"""Training from photos alone or from titles alone: a bundle with one model, and nothing of the other."""

import contextlib
import io
import json
from dataclasses import replace

import numpy as np
import pytest
import shop
from tiny_network import registered

from productcat import Categorizer, DecisionRule, ListingError
from productcat.models.bundle import Bundle
from training.listings.splits import SPLITS

SETTINGS = """
name = "tiny"
seed = 1

[image]
backbone = "TinyNetwork"
weights = "none"
levels = []
photo_size = [32, 24]
batch_size = 8
precision = "float32"
augment = "none"
warmup_steps = 2
stages = [{ name = "all", epochs = 6, learning_rate = 2e-2 }]

[title]
members = 1
epochs = 6
minimum_ngram_count = 2

[data]
"""
CLASS_FOLDERS = 'source = "photos"\ntable = ""\n'
TITLES = 'source = "titles.csv"\nlabel = "label"\ntitle = "title"\nphotos = ""\nphoto_pattern = ""\nparents = []\n'
COUNTS = {"train": 16, "val": 6, "test": 6}
"""Listings of each class."""


def photos_alone(data):
    """Class folders in three splits."""
    rng = np.random.default_rng(5)
    for split, count in COUNTS.items():
        for name in shop.CLASSES:
            folder = data / "photos" / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                (folder / f"{number}.jpg").write_bytes(shop.encode(shop.photo(name, rng), "JPEG"))


def titles_alone(data):
    """A table without a column of photos, and its splits."""
    rng = np.random.default_rng(5)
    rows = [(name, split) for split, count in COUNTS.items() for _ in range(count) for name in shop.CLASSES]
    table = [f"{number},{name},{shop.title(name, rng)} {number}" for number, (name, _) in enumerate(rows)]
    splits = [f"{number},{split}" for number, (_, split) in enumerate(rows)]
    for file, header, lines in (("titles", "id,label,title", table), ("splits", "id,split", splits)):
        (data / f"{file}.csv").write_text("\n".join([header, *lines]) + "\n", "utf-8")


def run(folder, settings):
    """`python -m training` in this process. → the lines that it prints"""
    from training.__main__ import main

    (folder / "tiny.toml").write_text(SETTINGS + settings, "utf-8")
    options = "--data", folder, "--to", folder / "bundle", "--work", folder / "work", "--table", folder / "table.csv"
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        main([str(each) for each in (folder / "tiny.toml", *options)])
    return printed.getvalue().splitlines()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """For "photos" and for "title" the folder of a run on them alone, and what it printed."""
    found = {}
    for use, write, settings in (("photos", photos_alone, CLASS_FOLDERS), ("title", titles_alone, TITLES)):
        folder = tmp_path_factory.mktemp(use)
        write(folder)
        with registered():
            found[use] = folder, run(folder, settings)
    return found


@pytest.fixture(params=["photos", "title"])
def one(request, trained):
    """(kind of evidence, folder of the run, what it printed), for one after the other."""
    return request.param, *trained[request.param]


def alone(listings, use):
    """The listings with one kind of evidence only."""
    return [replace(each, title="") if use == "photos" else replace(each, photos=()) for each in listings]


def test_the_missing_model_is_said_in_one_line_and_is_absent_from_the_bundle(one):
    use, folder, lines = one
    present, absent = ("image", "title") if use == "photos" else ("title", "image")
    what = {"title": "a title with a word", "image": "a photo that can be read"}[absent]
    said = [line for line in lines if "the bundle gets no" in line]
    assert said == [f"no training listing has {what}: the bundle gets no {absent} model"]
    bundle = Bundle.open(folder / "bundle")
    assert bundle.has(present)
    assert not bundle.has(absent)


def test_the_bundle_predicts_from_its_evidence_and_abstains_from_the_other(one, shop_listings):
    use, folder, _ = one
    listings, names = shop_listings
    categorizer = Categorizer.load(folder / "bundle")
    found = categorizer.predict(listings)
    assert np.mean([each.candidates[0].category == name for each, name in zip(found, names, strict=True)]) > 0.6
    assert categorizer.predict(alone(listings, use)) == found
    other = categorizer.predict(alone(listings, "title" if use == "photos" else "photos"))
    assert {(each.decision, each.candidates) for each in other} == {("abstain", ())}


def test_figures_of_the_missing_model_are_left_out(one):
    use, folder, lines = one
    manifest = Bundle.open(folder / "bundle").manifest
    test = manifest["metrics"]["test"]
    json.dumps(manifest, allow_nan=False)
    assert list(manifest["metrics"]["validation"]) == [use]
    assert {"photos", "title", "both"} & set(test) == {use}
    assert test[use]["top1"] > 0.6
    assert {"assign", "precision_of_assigned"} <= set(test["decisions"])
    assert not {"decisions_alone", "title_rescue"} & set(test)
    assert not {"decision_rules_alone", "average_losses"} & set(manifest)
    assert ("photos_per_class" in test, "export" in manifest, "init_from" in manifest["trained_from"]) == (
        (True,) * 3 if use == "photos" else (False,) * 3
    )
    assert ("title_comparison" in manifest) == (use == "title")
    assert set(manifest["ensemble"]["temperatures"]) == {"photos", "title", "both"}
    assert json.loads("\n".join(lines[lines.index("{") :])) == test
    header = (folder / "table.csv").read_text().splitlines()[0]
    assert header == f"class,support,{use}_top1,{use}_top5"


def test_a_second_run_does_nothing_twice(one, tmp_path):
    use, folder, before = one
    (folder / "bundle").rename(tmp_path / "bundle")
    with registered():
        lines = run(folder, CLASS_FOLDERS if use == "photos" else TITLES)
    steps = [line.partition("-")[0] for line in before if line.endswith(": started")]
    assert [line.partition("-")[0] for line in lines if line.endswith(": done before")] == steps
    assert not [line for line in lines if line.endswith(": started")]


def test_a_bundle_with_one_model_is_saved_and_loaded_with_its_rules(one, shop_listings, tmp_path):
    categorizer = Categorizer.load(one[1] / "bundle")
    examples = [listing for listing, name in zip(*shop_listings, strict=True) if name == "Belts"]
    categorizer.add_category("Waist", examples)
    categorizer.rules["photos"] = DecisionRule(0.8, 0.4, 3)
    categorizer.rules["title"] = DecisionRule(0.7, 0.3, 2)
    categorizer.save(tmp_path / "saved")
    loaded = Categorizer.load(tmp_path / "saved")
    assert loaded.rules == categorizer.rules
    assert loaded.categories == [*shop.CLASSES, "Waist"]
    assert loaded.predict(shop_listings[0]) == categorizer.predict(shop_listings[0])


def test_a_category_by_name_alone_needs_a_title_model(trained):
    from_photos, from_titles = (Categorizer.load(trained[use][0] / "bundle") for use in ("photos", "title"))
    with pytest.raises(ListingError) as refused:
        from_photos.add_category("leather belt")
    assert str(refused.value) == ("category 'leather belt': there is no title model here; give examples with a photo")
    from_titles.add_category("leather belt")
    assert "leather belt" in from_titles.categories


def test_data_with_neither_photos_nor_words_are_one_line(tmp_path):
    rows = [f"{number},Belts,!!!" for number in range(60)]
    (tmp_path / "titles.csv").write_text("\n".join(["id,label,title", *rows]) + "\n", "utf-8")
    (tmp_path / "splits.csv").write_text("\n".join(["id,split", *(f"{n},{SPLITS[n % 3]}" for n in range(60))]) + "\n")
    with pytest.raises(SystemExit) as ended:
        run(tmp_path, TITLES)
    assert ended.value.code == (
        f"error: {tmp_path}/titles.csv: no listing for 'train' has a photo that can be read or a title with a word; "
        "check title, photos and splits of [data]"
    )


def test_a_split_without_what_training_has_is_one_line(tmp_path):
    titles_alone(tmp_path)
    lines = (tmp_path / "titles.csv").read_text("utf-8").splitlines()
    tested = COUNTS["test"] * len(shop.CLASSES)
    lines[-tested:] = [f"{line.rpartition(',')[0]},!" for line in lines[-tested:]]
    (tmp_path / "titles.csv").write_text("\n".join(lines) + "\n", "utf-8")
    with pytest.raises(SystemExit) as ended:
        run(tmp_path, TITLES)
    assert ended.value.code.endswith(
        "no listing for 'test' has a title with a word; check title, photos and splits of [data]"
    )


def test_image_models_cannot_be_compared_without_photos(tmp_path):
    from training.compare import main

    titles_alone(tmp_path)
    (tmp_path / "tiny.toml").write_text(f'{SETTINGS}{TITLES}\n[[variants]]\nname = "one"\n', "utf-8")
    with pytest.raises(SystemExit) as ended:
        main([str(each) for each in (tmp_path / "tiny.toml", "--data", tmp_path, "--work", tmp_path / "work")])
    assert ended.value.code == (
        f"error: {tmp_path}/tiny.toml: no training listing has a photo, so there is nothing to compare; check [data]"
    )
