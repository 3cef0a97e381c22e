"""Loading a bundle: what is wrong with one is told then, and what is loaded needs no current folder."""

import os

import numpy as np
import pytest

from productcat import BundleError, Categorizer
from productcat.models.bundle import Bundle, write_bundle


def test_a_categorizer_outlives_a_change_of_the_current_folder(tiny_bundle, shop_listings, tmp_path, monkeypatch):
    listings = shop_listings[0][:3]
    expected = Categorizer.load(tiny_bundle).predict_proba(listings)
    monkeypatch.chdir(tiny_bundle.parent)
    found = Categorizer.load(tiny_bundle.name)
    monkeypatch.chdir(tmp_path)
    np.testing.assert_array_equal(found.predict_proba(listings), expected)
    found.save(tmp_path / "copy")
    np.testing.assert_array_equal(Categorizer.load("copy").predict_proba(listings), expected)


def test_a_bundle_that_went_after_it_was_loaded_is_told(tiny_bundle, shop_listings, tmp_path):
    Categorizer.load(tiny_bundle).save(tmp_path / "copy")
    found = Categorizer.load(tmp_path / "copy")
    os.rename(tmp_path / "copy", tmp_path / "elsewhere")
    with pytest.raises(BundleError, match=r"model.onnx: the bundle is not there any more; load one that stays"):
        found.predict(shop_listings[0][:1])


@pytest.mark.parametrize("name", ["ensemble", "decision_rule"])
def test_a_sealed_manifest_that_lacks_an_entry_is_refused_by_its_name(tiny_bundle, tmp_path, name):
    whole = Bundle.open(tiny_bundle)
    manifest = {key: value for key, value in whole.manifest.items() if key != name}
    write_bundle(tmp_path / "lacking", manifest, whole.copy_files)
    with pytest.raises(BundleError, match=rf"lacking: no '{name}' in its manifest.json; use a bundle made by product"):
        Categorizer.load(tmp_path / "lacking")


@pytest.mark.parametrize("name", ["classes.json", "image/model.onnx", "title/weights.safetensors", "README.md"])
def test_a_file_that_may_not_be_read_is_named(tiny_bundle, monkeypatch, name):
    def opened(file, *options, really=os.open):
        if str(file).endswith(name):
            raise PermissionError(13, "Permission denied")
        return really(file, *options)

    monkeypatch.setattr(os, "open", opened)  # the superuser may read everything
    with pytest.raises(BundleError, match=rf"{name} cannot be read \(Permission denied\)"):
        Categorizer.load(tiny_bundle)
