"""A bundle that borrows parts of a shipped one: found, checked, copied whole, made by `python -m training.borrow`."""

import json
import shutil

import pytest

from productcat import BundleError, Categorizer, DuplicateDetector
from productcat.models import bundle
from productcat.models.bundle import Bundle, read_manifest, seal, write_bundle


def fill(folder, **files):
    for name, content in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """Where a lender lies, a bundle with the parts "image" and "duplicates"."""
    monkeypatch.setattr(bundle, "SHIPPED", tmp_path / "shipped")
    monkeypatch.setattr("training.borrow.SHIPPED", tmp_path / "shipped")
    parts = {"image__graph": "a network", "image__settings": "{}", "duplicates__metric": "a metric"}
    write_bundle(tmp_path / "shipped" / "general", {"name": "general"}, lambda folder: fill(folder, **parts))
    return tmp_path / "shipped"


@pytest.fixture
def whole(tmp_path):
    parts = {"image__graph": "another", "features__graph": "a network", "features__settings": "{}"}
    write_bundle(tmp_path / "whole", {"name": "whole"}, lambda folder: fill(folder, classes="[]", **parts))
    return tmp_path / "whole"


@pytest.fixture
def lean(shipped, whole, tmp_path):
    from training import borrow

    borrow.main([f"{whole}", "general", "--to", f"{tmp_path / 'lean'}"])
    return tmp_path / "lean"


def test_what_both_have_is_left_out_and_read_from_the_lender(lean, whole, shipped):
    assert not (lean / "features").exists()
    opened = Bundle.open(lean)
    assert opened.manifest["borrowed"] == {"features": "general/image"}
    assert opened.part("features") == opened.features_part() == shipped / "general" / "image"
    assert opened.part("image") == lean / "image"
    assert opened.read_json("features/settings") == {}
    mine, theirs = (read_manifest(each)["sha256"] for each in (lean, whole))
    assert mine | {"README.md": ""} == theirs | {"README.md": ""}


def test_a_copy_is_whole_by_itself(lean, shipped, tmp_path):
    opened = Bundle.open(lean)
    write_bundle(tmp_path / "copy", opened.manifest, opened.copy_files)
    shutil.rmtree(shipped)
    copy = Bundle.open(tmp_path / "copy")
    assert "borrowed" not in copy.manifest
    assert (copy.part("features") / "graph").read_text() == "a network"
    with pytest.raises(BundleError, match="features/graph is missing"):
        Bundle.open(lean)


def test_a_lender_that_changed_is_noticed(lean, shipped):
    (shipped / "general" / "image" / "graph").write_text("a newer network")
    with pytest.raises(BundleError, match="features/graph was changed"):
        Bundle.open(lean)


@pytest.mark.parametrize("place", ["/etc", "../elsewhere", "general/../../x"])
def test_a_bundle_that_borrows_from_outside_is_refused(lean, place):
    manifest = read_manifest(lean) | {"borrowed": {"features": place}}
    (lean / "manifest.json").write_text(json.dumps(manifest | {"seal": seal(manifest)}))
    with pytest.raises(BundleError, match="names a file outside it"):
        Bundle.open(lean)


def test_a_bundle_with_nothing_to_borrow_is_told(shipped, tmp_path):
    from training import borrow

    write_bundle(tmp_path / "other", {"name": "other"}, lambda folder: fill(folder, image__graph="another"))
    with pytest.raises(SystemExit, match="shares no part with the shipped bundle general"):
        borrow.main([f"{tmp_path / 'other'}", "general", "--to", f"{tmp_path / 'lean'}"])
    assert not (tmp_path / "lean").exists()


def test_the_default_bundle_is_small_detects_duplicates_and_is_saved_whole(tmp_path):
    opened = Bundle.open()
    assert sum(file.stat().st_size for file in opened.path.rglob("*") if file.is_file()) < 75e6
    assert {"duplicates", "features"} <= set(opened.manifest["borrowed"])
    assert DuplicateDetector.load().metric.threshold == DuplicateDetector.load("general").metric.threshold
    Categorizer.load().save(tmp_path / "saved")
    assert (tmp_path / "saved" / "duplicates").is_dir()
    assert "borrowed" not in Bundle.open(tmp_path / "saved").manifest
