"""What few examples count: fitted on simulated tasks, by the arithmetic of the runtime."""

import json

import numpy as np
import pytest

from productcat.calibration.reliability import negative_log_likelihood
from productcat.categories.projections import FewShot
from training.categories.tasks import Labelled, draw, simulated
from training.few_shot import fit, main, report

NAMES = ["hats", "lamps", "chairs", "drums"]


def listings(rng, n=160, n_classes=6):
    """Categories that lie apart in features, less so in distributions; every second one has a telling name."""
    labels = np.arange(n) % len(NAMES)
    centres = np.random.default_rng(0).normal(size=(len(NAMES), 12))
    features = centres[labels] + 0.7 * rng.normal(size=(n, 12))
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    distributions = rng.dirichlet(np.ones(n_classes), n)
    distributions[np.arange(n), labels] += 0.5
    distributions /= distributions.sum(axis=1, keepdims=True)
    named = np.full((len(NAMES), n_classes), np.nan)
    named[::2] = 0.1
    named[[0, 2], [0, 2]] = 0.5
    return Labelled(distributions, {"photos": features.astype(np.float32)}, labels, NAMES, named)


@pytest.fixture(scope="module")
def fitted():
    return fit(simulated(listings(np.random.default_rng(1)), seed=1, draws=1))


def test_what_is_fitted_is_better_on_new_listings_than_leaving_prototypes_out(fitted):
    rng = np.random.default_rng(2)
    labelled = listings(rng)
    for n in (1, 5):
        task = draw(labelled, None, [n] * len(NAMES), rng)
        losses = [
            negative_log_likelihood(task.confidences(*settings), task.queries.labels)
            for settings in (fitted, (FewShot(), 1e-3))
        ]
        assert losses[0] < losses[1]


def test_the_report_is_of_examples_that_are_not_judged(fitted):
    labelled = listings(np.random.default_rng(3))
    found = report(labelled, None, *fitted, seed=3)
    assert set(found) == {0, 1, 5, 10, 30}
    assert found[10]["top1"] > found[0]["top1"]
    assert all(0 <= value <= 1 for figures in found.values() for value in figures.values())
    task = draw(labelled, None, [5] * len(NAMES), np.random.default_rng(4))
    judged = {each.tobytes() for each in task.queries.vectors["photos"]}
    assert not judged & {each.tobytes() for each in task.support.vectors["photos"]}
    assert len(task.queries.labels) + len(task.support.labels) == len(labelled.labels)


def test_a_category_without_examples_and_without_a_known_name_is_no_likelier_than_others(fitted):
    labelled = listings(np.random.default_rng(5))
    task = draw(labelled, None, [0, 0, 0, 0], np.random.default_rng(6))
    confidences = task.confidences(*fitted)
    np.testing.assert_allclose(confidences.sum(axis=1), 1.0)
    np.testing.assert_allclose(confidences[:, 1], confidences[:, 3])


def test_the_command_writes_a_bundle_whose_settings_are_those_of_its_report(shop_folders, tiny_bundle, tmp_path):
    report_file, to = tmp_path / "figures.json", tmp_path / "bundle"
    arguments = [f"{tiny_bundle}", "--data", f"{shop_folders}", "--work", f"{tmp_path / 'work'}", "--to", f"{to}"]
    main([*arguments, "--report", f"{report_file}"])
    figures = json.loads(report_file.read_text())
    saved = json.loads((to / "projections" / "categories.json").read_text())
    assert saved["few_shot"]["scale"] == figures["settings"]["scale"] > 0
    assert saved["few_shot"]["title_scale"] == figures["settings"]["title_scale"] > 0
    assert saved["floor"] == figures["settings"]["floor"]
    assert {"clothing, test", "olx-five"} <= set(figures)
