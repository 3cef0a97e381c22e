"""Training photos are changed at random."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from training.images.augment import AUGMENTATIONS, augment, mixed


def catalogue_photo(height=80, width=60):
    """A red thing on white, darker below."""
    photo = np.full((height, width, 3), 255, np.uint8)
    photo[height // 4 : height * 3 // 4, width // 4 : width * 3 // 4] = (180, 40, 40)
    photo[height // 2 : height * 3 // 4, width // 4 : width * 3 // 4] = (90, 20, 20)
    return photo


each_kind = pytest.mark.parametrize("kind", AUGMENTATIONS)


@each_kind
@given(seed=st.integers(0, 2**32 - 1), height=st.integers(1, 90), width=st.integers(1, 90))
def test_every_photo_comes_out_in_the_size_asked_for(kind, seed, height, width):
    photo = catalogue_photo(1 + seed % 97, 1 + seed % 61)
    before = photo.copy()
    changed = augment(photo, np.random.default_rng(seed), kind, (height, width))
    assert changed.shape == (height, width, 3)
    assert changed.dtype == np.uint8
    np.testing.assert_array_equal(photo, before)


@each_kind
def test_the_same_generator_state_gives_the_same_photo(kind):
    for seed in range(30):
        one, other = (augment(catalogue_photo(), np.random.default_rng(seed), kind, (56, 42)) for _ in range(2))
        np.testing.assert_array_equal(one, other)


def test_kind_none_only_resizes():
    rng = np.random.default_rng(0)
    state = rng.bit_generator.state
    np.testing.assert_array_equal(augment(catalogue_photo(), rng, "none", (80, 60)), catalogue_photo())
    resized = Image.fromarray(catalogue_photo()).resize((42, 56), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(augment(catalogue_photo(), rng, "none", (56, 42)), np.asarray(resized))
    assert rng.bit_generator.state == state


@pytest.mark.parametrize("kind", ["light", "phone"])
def test_photos_differ_from_draw_to_draw(kind):
    rng = np.random.default_rng(0)
    photos = {augment(catalogue_photo(), rng, kind, (80, 60)).tobytes() for _ in range(20)}
    assert len(photos) == 20


def test_light_changes_leave_the_thing_in_the_middle_and_the_backdrop_around_it():
    rng = np.random.default_rng(0)
    for _ in range(50):
        changed = augment(catalogue_photo(), rng, "light", (80, 60)).astype(int)
        middle = changed[36:44, 26:34].mean(axis=(0, 1))
        assert middle[0] > 1.5 * middle[1]  # still red
        assert changed[[0, -1]][:, [0, -1]].mean() > 220  # still on white


def test_phone_photos_sometimes_have_another_backdrop():
    rng = np.random.default_rng(0)
    corners = [augment(catalogue_photo(), rng, "phone", (80, 60))[0, 0].mean() for _ in range(200)]
    assert 10 <= sum(corner < 200 for corner in corners) <= 60


def test_mirror_images_are_as_frequent_as_not():
    photo = catalogue_photo()
    photo[:, :30] = 0
    rng = np.random.default_rng(0)
    left_is_dark = [augment(photo, rng, "light", (80, 60))[:, :20].mean() < 100 for _ in range(300)]
    assert 110 < sum(left_is_dark) < 190


def test_an_unknown_kind_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="augment='heavy': expected one of none, light, phone"):
        augment(catalogue_photo(), np.random.default_rng(0), "heavy", (80, 60))


@given(alpha=st.floats(0.05, 5.0), seed=st.integers(0, 999))
def test_mixed_photos_and_labels_share_one_proportion_and_keep_most_of_their_own(alpha, seed):
    rng = np.random.default_rng(seed)
    photos = np.repeat(np.array([0, 100, 200], np.uint8), 12).reshape(3, 2, 2, 3)
    blended, targets = mixed(photos, np.eye(3, dtype=np.float32), alpha, rng)
    assert blended.dtype == np.uint8
    np.testing.assert_allclose(targets.sum(axis=1), 1.0, atol=1e-6)
    assert (np.diag(targets) >= 0.5 - 1e-6).all()
    np.testing.assert_allclose(blended[:, 0, 0, 0], targets @ [0.0, 100.0, 200.0], atol=0.51)
