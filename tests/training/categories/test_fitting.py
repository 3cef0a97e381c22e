"""What is fitted on validation listings: temperatures, weights, the decision rule."""

from dataclasses import asdict, astuple, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from productcat import DecisionRule
from productcat.arithmetic.distributions import average, sharpen, softmax
from productcat.calibration.reliability import negative_log_likelihood, top_k
from productcat.categories.ensemble import Ensemble, Temperatures, Weights, combine
from training.categories.fitting import (
    DecisionConfig,
    EnsembleConfig,
    calibrated,
    fit_ensemble,
    fit_rule,
    fit_temperature,
)

N_CLASSES = 5


def drawn(rng, n, strength):
    """(distributions, labels): the labels come true as often as the distributions say."""
    distributions = softmax(rng.normal(size=(n, N_CLASSES)) * strength)
    labels = (distributions.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    return distributions, np.minimum(labels, N_CLASSES - 1)


def witness(rng, labels, strength, noise=1.0):
    """What a model says that sees the label through noise."""
    return softmax(strength * (np.eye(N_CLASSES)[labels] + noise * rng.normal(size=(len(labels), N_CLASSES))))


def two_witnesses(seed, n=400, strengths=(4.0, 1.0)):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, N_CLASSES, n)
    return witness(rng, labels, strengths[0], 0.8), witness(rng, labels, strengths[1], 0.5), labels


def alike(kind, informed=True):
    """Settings under which photos and title count alike."""
    return Ensemble(kind, informed)


@settings(deadline=None, max_examples=20)
@given(st.floats(0.3, 4.0), st.integers(0, 100))
def test_the_temperature_that_spoilt_a_calibrated_model_is_found(temperature, seed):
    distributions, labels = drawn(np.random.default_rng(seed), 6000, 2.0)
    spoilt = sharpen(distributions, 1 / temperature)
    assert fit_temperature(spoilt, labels) == pytest.approx(temperature, rel=0.1)


def test_a_temperature_is_fitted_where_some_listings_have_no_evidence():
    distributions, labels = drawn(np.random.default_rng(1), 500, 2.0)
    fitted = fit_temperature(distributions, labels)
    with_gaps = np.vstack([distributions, np.full((50, N_CLASSES), np.nan)])
    assert fit_temperature(with_gaps, np.append(labels, np.zeros(50, int))) == pytest.approx(fitted)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 1000), st.sampled_from(["best", "log", "plain"]), st.floats(0.2, 8.0), st.floats(0.2, 8.0))
def test_the_fit_is_never_worse_than_equal_weights_of_calibrated_models(seed, kind, first, second):
    photos, title, labels = two_witnesses(seed, 120, (first, second))
    fitted, losses = fit_ensemble(photos, title, labels, EnsembleConfig(average=kind))
    parts = [sharpen(each, fit_temperature(each, labels)) for each in (photos, title)]
    for name in ("log", "plain") if kind == "best" else (kind,):
        assert losses[name] <= negative_log_likelihood(combine(*parts, alike(name)), labels) + 1e-9
    both = calibrated(photos, title, fitted)["both"]
    assert negative_log_likelihood(both, labels) == pytest.approx(min(losses.values()))


def test_the_fit_beats_the_plain_average_and_each_model_alone():
    photos, title, labels = two_witnesses(3)
    _, losses = fit_ensemble(photos, title, labels)
    plain = negative_log_likelihood(average([photos, title], kind="plain"), labels)
    alone = [negative_log_likelihood(sharpen(each, fit_temperature(each, labels)), labels) for each in (photos, title)]
    assert min(losses.values()) < min(plain, *alone)


def test_the_model_that_knows_more_weighs_more():
    rng = np.random.default_rng(5)
    labels = rng.integers(0, N_CLASSES, 500)
    good, poor = witness(rng, labels, 3.0, 0.4), witness(rng, labels, 3.0, 3.0)
    for photos, title, stronger in ((good, poor, "photos"), (poor, good, "title")):
        weights = fit_ensemble(photos, title, labels, EnsembleConfig(average="plain"))[0].weights
        assert getattr(weights, stronger) > 0.7
        assert weights.photos + weights.title == pytest.approx(1.0)


@pytest.mark.parametrize("kind", ["log", "plain"])
def test_the_kind_of_average_and_equal_weights_are_as_set(kind):
    photos, title, labels = two_witnesses(7)
    fitted, losses = fit_ensemble(photos, title, labels, EnsembleConfig(average=kind, equal_weights=True))
    assert fitted.average == kind
    assert fitted.weights == Weights()
    assert list(losses) == [kind]


def test_the_best_average_is_the_one_with_the_lower_loss():
    photos, title, labels = two_witnesses(9)
    fitted, losses = fit_ensemble(photos, title, labels)
    assert set(losses) == {"log", "plain"}
    assert fitted.average == min(losses, key=losses.get)


def test_listings_that_lack_photos_or_title_do_not_stop_the_fit():
    photos, title, labels = two_witnesses(11)
    photos[:40], title[30:80] = np.nan, np.nan
    fitted, losses = fit_ensemble(photos, title, labels)
    assert np.isfinite([*astuple(fitted.weights), *astuple(fitted.temperatures), *losses.values()]).all()
    seen = calibrated(photos, title, fitted)
    both = seen["both"]
    assert np.isnan(both).any(axis=1).tolist() == [30 <= row < 40 for row in range(len(labels))]
    np.testing.assert_allclose(both[:30], seen["title"][:30])
    np.testing.assert_allclose(both[40:80], seen["photos"][40:80])


@pytest.mark.parametrize("kind", ["log", "plain"])
@given(st.integers(0, 1000), st.floats(0.05, 0.95), st.floats(0.3, 3.0))
def test_what_says_nothing_leaves_the_other_evidence_as_it_is(kind, seed, share, temperature):
    seen, _ = drawn(np.random.default_rng(seed), 20, 3.0)
    nothing = np.full_like(seen, 1 / N_CLASSES)
    fitted = Ensemble(kind, True, Weights(share, 1 - share), Temperatures(both=temperature))
    np.testing.assert_allclose(combine(seen, nothing, fitted), seen, atol=1e-9)
    np.testing.assert_allclose(combine(nothing, seen, fitted), seen, atol=1e-9)


@pytest.mark.parametrize("kind", ["log", "plain"])
def test_where_both_are_certain_the_weights_count_as_they_were_fitted(kind):
    photos, title = (np.eye(N_CLASSES)[[each]] * (1 - 1e-6) + 1e-6 / N_CLASSES for each in (0, 1))
    fitted = Ensemble(kind, True, Weights(0.7, 0.3), Temperatures(both=0.8))
    as_fitted = combine(photos, title, replace(fitted, informed=False))
    np.testing.assert_allclose(combine(photos, title, fitted), as_fitted, atol=1e-3)


@pytest.mark.parametrize("kind", ["log", "plain"])
def test_the_less_a_title_says_the_less_it_takes_from_sure_photos(kind):
    photos = softmax(np.array([[5.0, 0.0, 0.0, 0.0, 0.0]]))
    fitted = Ensemble(kind, True, Weights(0.3, 0.7))
    titles = [softmax(np.array([[0.0, strength, 0.0, 0.0, 0.0]])) for strength in (0.0, 0.5, 1.0, 2.0, 6.0)]
    sure = [combine(photos, title, fitted)[0, 0] for title in titles]
    assert sure == sorted(sure, reverse=True)
    assert sure[0] == pytest.approx(photos[0, 0])
    assert sure[-1] < 0.5


@pytest.mark.parametrize("missing", [None, np.full((400, N_CLASSES), np.nan)], ids=["no model", "no evidence"])
@pytest.mark.parametrize("use", ["photos", "title"])
def test_one_model_alone_is_only_calibrated(use, missing):
    alone, _, labels = two_witnesses(13)
    parts = (alone, missing) if use == "photos" else (missing, alone)
    fitted, losses = fit_ensemble(*parts, labels)
    assert losses == {}
    assert fitted.temperatures == Temperatures(**{use: fit_temperature(alone, labels)})
    seen = calibrated(*parts, fitted)
    assert list(seen) == [use]
    nothing = np.full_like(alone, np.nan)
    together = combine(*((seen[use], nothing) if use == "photos" else (nothing, seen[use])), fitted)
    np.testing.assert_allclose(together, seen[use])


def test_nothing_can_be_fitted_where_there_is_no_evidence():
    with pytest.raises(ValueError, match="no validation listing has a photo or a title that the models know"):
        fit_ensemble(None, np.full((3, N_CLASSES), np.nan), np.zeros(3, int))


@given(st.integers(0, 1000), st.sampled_from([0.7, 0.9, 0.95]))
def test_what_the_fitted_rule_assigns_on_validation_is_as_precise_as_asked(seed, precision):
    confidences, labels = drawn(np.random.default_rng(seed), 300, 3.0)
    rule = DecisionRule(**fit_rule(confidences, labels, DecisionConfig(precision=precision, shortlist_at=0.0)))
    names = [str(number) for number in range(N_CLASSES)]
    assigned = [rule.decide(names, row).category == names[label] for row, label in zip(confidences, labels, strict=True)
                if rule.decide(names, row).decision == "assign"]  # fmt: skip
    assert assigned
    assert np.mean(assigned) >= precision


def test_the_rule_never_assigns_below_the_shortlist():
    confidences = np.tile(softmax(np.array([[0.2, 0.1, 0.0]])), (50, 1))
    rule = fit_rule(confidences, np.zeros(50, int))
    assert top_k(confidences, np.zeros(50, int), 1).all()
    assert rule == {"assign_at": 0.5, "shortlist_at": 0.5, "shortlist_size": 5}


def test_photos_alone_may_have_a_precision_of_their_own():
    config = DecisionConfig(precision=0.99, photos_precision=0.9)
    assert [config.of(use).precision for use in ("photos", "title", "both")] == [0.9, 0.99, 0.99]
    assert DecisionConfig(precision=0.99).of("photos").precision == 0.99


def test_a_threshold_that_is_given_counts_whatever_the_precision():
    confidences, labels = drawn(np.random.default_rng(0), 300, 3.0)
    rule = fit_rule(confidences, labels, DecisionConfig(assign_at=0.9, shortlist_at=0.5))
    assert rule == {"assign_at": 0.9, "shortlist_at": 0.5, "shortlist_size": 5}


def test_where_no_threshold_is_precise_enough_only_certainty_is_assigned():
    confidences, labels = np.tile([[0.9, 0.1]], (50, 1)), np.ones(50, int)
    rule = DecisionRule(**fit_rule(confidences, labels))
    assert asdict(rule)["assign_at"] == 1.0
