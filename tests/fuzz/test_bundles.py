"""Whatever is in a bundle whose seal fits: it answers, or it is refused in one line."""

import hashlib
import json
import shutil
import warnings

import numpy as np
import pytest
import shop
from frozen import SHOP
from hypothesis import given
from hypothesis import strategies as st
from mutations import bounded, changed_bytes, changed_json, changed_safetensors, tried
from resealed import entries, resealed, tensors

from productcat import Categorizer, DuplicateDetector, Listing, ProductcatError
from productcat.cli.bundle_summary import bundle_lines
from productcat.models.bundle import MANIFEST, Bundle, seal
from productcat.models.model_card import model_card
from productcat.models.network_file import NetworkFile, UnfitNetworkError

CATEGORIES, MATRIX = "projections/categories.json", "projections/projections.safetensors"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A bundle of the shop with all that a bundle may have, and a folder whose files may be changed."""
    folder = tmp_path_factory.mktemp("fuzz")
    rng = np.random.default_rng(0)
    unit = rng.normal(size=(3, 16)).astype(np.float32)
    few = {"scale": 10.0, "neutral": 0.3, "settling": 2.0, "ridge": 2.0, "title_scale": 10.0, "title_neutral": 0.1}
    settings = entries(few_shot=few, examples=[2, 0, 1], title_examples=[1, 1, 0], deviations=[2, 0, 0])
    arrays = tensors(
        prototypes=lambda _: unit,
        title_prototypes=lambda _: np.eye(3, 512, dtype=np.float32),
        deviations=lambda _: unit[:2].astype(np.float16),
    )
    confusion = tensors(confusion=lambda _: np.full((3, 3), 1 / 3, np.float32))
    more = {
        "decision_rules_alone": {"photos": {"assign_at": 0.9, "shortlist_at": 0.5, "shortlist_size": 5}},
        "metrics": {"test": {"both": {"top1": 0.5, "top5": 0.75, "macro_f1": 0.5}, "listings": 8}},
        "trained_from": {"init_from": "ImageNet", "listings": {"train": 8}, "seed": 1},
        "calibration": {"listings": 200, "precision": 0.9},
        "categories": {"number": 3, "that are no classes": ["Tents"]},
        "training_mix": {"Belts": 3},
    }
    changes = {CATEGORIES: settings, MATRIX: arrays, "title/weights.safetensors": confusion}
    return resealed(SHOP, folder / "whole", changes, more), shutil.copytree(folder / "whole", folder / "changed")


def listings():
    rng = np.random.default_rng(1)
    photo = shop.photo("Belts", rng)
    return [Listing("1", "leather belt", (photo,)), Listing("2", "lether blet", (photo[:, ::-1],)), Listing("3")]


def use(path, *works):
    """Do with a bundle what people do. An error on purpose is one line."""
    for work in works:
        said = ""
        try:
            with bounded(), warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                work(path)
        except ProductcatError as error:
            said = str(error)
        assert "\n" not in said
        assert len(said) < 1_000


def _show(path):
    opened = Bundle.open(path)
    bundle_lines(opened)
    model_card(opened.manifest)


def _categorize(path):
    categorizer = Categorizer.load(path)
    answers = categorizer.predict(listings())
    assert [each.decision == "abstain" for each in answers[2:]] == [True]
    assert all(each.candidates for each in answers[: 2 if categorizer.title_model else 1])
    np.testing.assert_allclose(categorizer.predict_proba(listings()[:2]).sum(axis=1), 1.0, atol=1e-6)
    categorizer.add_category("Tents", listings()[:1])
    categorizer.predict(listings())


def _detect(path):
    detector = DuplicateDetector.load(path)
    scores = detector.score(listings()[:1], listings()[1:2])
    assert ((scores >= 0) & (scores <= 1)).all()


def _works(name):
    """What a changed file has to do with."""
    if name.startswith("duplicates"):
        return [_detect]
    return [_show, _categorize, *([_detect] if name.startswith("image") else [])]


def sealed_with(whole, name, content):
    """Write one other file into the folder, seal it, use it, and put everything back."""
    given_bundle, path = whole
    manifest = json.loads((given_bundle / MANIFEST).read_text("utf-8"))
    manifest["sha256"][name] = hashlib.sha256(content).hexdigest()
    manifest["bytes"][name] = len(content)
    (path / name).write_bytes(content)
    (path / MANIFEST).write_text(json.dumps(manifest | {"seal": seal(manifest)}), "utf-8")
    try:
        use(path, *_works(name))
    finally:
        for each in (name, MANIFEST):
            shutil.copyfile(given_bundle / each, path / each)


def test_the_whole_bundle_answers(whole):
    for work in (_show, _categorize, _detect):
        work(whole[1])


JSON = [
    "classes.json",
    "projections/categories.json",
    "image/settings.json",
    "title/settings.json",
    "title/vocabulary.json",
    "duplicates/settings.json",
]


@tried(80)
@given(data=st.data(), name=st.sampled_from(JSON))
def test_any_settings_answer_or_are_refused(whole, data, name):
    found = json.loads((whole[0] / name).read_text("utf-8"))
    sealed_with(whole, name, json.dumps(data.draw(changed_json(found))).encode())


@tried(20)
@given(data=st.data(), name=st.sampled_from(JSON))
def test_any_bytes_of_settings_answer_or_are_refused(whole, data, name):
    sealed_with(whole, name, data.draw(changed_bytes((whole[0] / name).read_bytes())))


@tried(60)
@given(data=st.data(), sealed=st.sampled_from([True, True, True, False]))
def test_any_manifest_answers_or_is_refused(whole, data, sealed):
    given_bundle, path = whole
    found = data.draw(changed_json(json.loads((given_bundle / MANIFEST).read_text("utf-8"))))
    if sealed and isinstance(found, dict):
        found["seal"] = seal(found)
    (path / MANIFEST).write_text(json.dumps(found), "utf-8")
    try:
        use(path, _show, _categorize)
    finally:
        shutil.copyfile(given_bundle / MANIFEST, path / MANIFEST)


@tried(80)
@given(
    data=st.data(),
    name=st.sampled_from(
        ["projections/projections.safetensors", "title/weights.safetensors", "duplicates/duplicates.safetensors"]
    ),
)
def test_any_arrays_answer_or_are_refused(whole, data, name):
    sealed_with(whole, name, data.draw(changed_safetensors((whole[0] / name).read_bytes())))


@tried(150)
@given(data=st.data())
def test_any_network_is_looked_into_or_refused(whole, data):
    content = data.draw(changed_bytes((whole[0] / "image/model.onnx").read_bytes()))
    said = ""
    try:
        NetworkFile.read(content).check((32, 24), ["distribution", "embedding_top"])
    except UnfitNetworkError as error:
        said = str(error)
    assert "\n" not in said
