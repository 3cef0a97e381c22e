"""`python -m training.calibration_gain`: what a calibration on labelled listings gives, measured on others."""

import json
from dataclasses import replace

import numpy as np
import pytest

from productcat import Categorizer
from training import calibration_gain


def test_confidences_are_measured_before_and_after_on_both_sets(shop_folders, tiny_bundle, tmp_path, monkeypatch):
    monkeypatch.setattr(calibration_gain, "LABELLED", 24)
    monkeypatch.setattr(calibration_gain, "DRAWS", 2)
    doubtful = Categorizer.load(tiny_bundle)
    doubtful.projections = replace(
        doubtful.projections, few_shot=replace(doubtful.projections.few_shot, temperature=3.0)
    )
    doubtful.save(tmp_path / "doubtful")
    arguments = [f"{tmp_path / 'doubtful'}", "--data", f"{shop_folders}", "--work", f"{tmp_path / 'work'}"]
    calibration_gain.main([*arguments, "--to", f"{tmp_path / 'figures.json'}"])
    figures = json.loads((tmp_path / "figures.json").read_text())
    (sets,) = figures.values()
    assert set(sets) == {"clothing", "olx-five"}
    for each in sets.values():
        assert set(each) == {"0", "5"}
        assert all(0 <= value <= 1 for found in each.values() for value in found.values())
        assert each["5"]["top1_after"] > 0.8
        assert each["5"]["calibration_error_after"] < each["5"]["calibration_error_before"]


def test_perfect_confidences_have_an_error_by_chance_that_shrinks_with_the_listings():
    few, many = (calibration_gain.of_chance(np.full((n, 2), 0.5), np.random.default_rng(1)) for n in (20, 2000))
    assert 0.0 < many < 0.02 < few


def test_a_data_set_that_is_not_there_is_named(tiny_bundle, tmp_path):
    with pytest.raises(SystemExit, match="clothing-dataset-small.tar"):
        calibration_gain.main([f"{tiny_bundle}", "--data", f"{tmp_path}", "--work", f"{tmp_path / 'work'}"])
