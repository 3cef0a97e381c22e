"""How far mixes of classes are from each other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from productcat.evaluation.drift import jensen_shannon, mix_drift, training_mix, usual_divergence

N = 5


@given(arrays(float, (2, N), elements=st.floats(0, 1)).filter(lambda each: (each.sum(axis=1) > 0.1).all()))
def test_the_divergence_of_mixes_is_symmetric_and_between_nothing_and_one_bit(mixes):
    left, right = (mixes / mixes.sum(axis=1, keepdims=True))[:, None]
    found = jensen_shannon(left, right)[0]
    assert 0 <= found <= 1 + 1e-9
    assert found == pytest.approx(jensen_shannon(right, left)[0])
    assert jensen_shannon(left, left)[0] == pytest.approx(0, abs=1e-9)


def test_mixes_with_nothing_in_common_are_one_bit_apart_and_all_listings_would_have_to_move():
    found = mix_drift(np.array([1.0, 0.0]), np.array([0.0, 1.0]), ["a", "b"])
    assert (found["jensen_shannon"], found["moved"]) == (pytest.approx(1), 1)
    assert [each["class"] for each in found["differences"]] == ["a", "b"]


def test_a_sample_of_the_training_mix_is_usually_no_farther_than_is_usual():
    mix, rng = np.array([0.5, 0.3, 0.2]), np.random.default_rng(1)
    usual = usual_divergence(mix, 100)
    samples = rng.multinomial(100, mix, 1000) / 100
    assert (jensen_shannon(samples, mix[None]) <= usual).mean() == pytest.approx(0.95, abs=0.03)


@pytest.mark.parametrize("manifest", [{}, {"training_mix": {}}, {"training_mix": {"a": 0}}, {"training_mix": {"z": 1}}])
def test_a_mix_that_the_manifest_does_not_hold_is_not_known(manifest):
    assert training_mix(manifest, ["a", "b"]) is None
