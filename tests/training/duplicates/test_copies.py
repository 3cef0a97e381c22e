"""Copies of photos as sellers make them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from training.duplicates.copies import COPIES, seller_copy

SEEDS = range(40)
each_kind = pytest.mark.parametrize("kind", COPIES)


def photo_of_a_thing(height=80, width=60):
    """A striped red thing on a backdrop that gets brighter to the right and bluer to the bottom."""
    photo = np.empty((height, width, 3), np.uint8)
    photo[:, :, :2] = np.linspace(90, 200, width)[None, :, None]
    photo[:, :, 2] = np.linspace(60, 220, height)[:, None]
    photo[height // 4 : height * 3 // 4, width // 4 : width * 3 // 4] = (180, 40, 40)
    photo[height // 2 : height * 3 // 4 : 4, width // 4 : width * 3 // 4] = (60, 20, 90)
    return photo


def copies(kind, photo):
    return [COPIES[kind](photo, np.random.default_rng(seed)) for seed in SEEDS]


def likeness(one, other):
    """Correlation of two photos, the other one brought to the size of the first."""
    height, width = one.shape[:2]
    resized = Image.fromarray(other).resize((width, height), Image.Resampling.BICUBIC)
    return np.corrcoef(one.ravel(), np.asarray(resized).ravel())[0, 1]


@each_kind
@given(seed=st.integers(0, 2**32 - 1), height=st.integers(1, 90), width=st.integers(1, 90))
def test_photos_of_every_size_can_be_copied_and_are_left_as_they_are(kind, seed, height, width):
    photo = photo_of_a_thing(height, width)
    before = photo.copy()
    changed = COPIES[kind](photo, np.random.default_rng(seed))
    assert changed.dtype == np.uint8
    assert changed.ndim == 3
    assert changed.shape[2] == 3
    assert changed.size
    np.testing.assert_array_equal(photo, before)


@each_kind
def test_the_same_generator_state_gives_the_same_copy(kind):
    for one, other in zip(*(copies(kind, photo_of_a_thing()) for _ in range(2)), strict=True):
        np.testing.assert_array_equal(one, other)


@each_kind
def test_a_copy_is_never_the_photo_itself(kind):
    photo = photo_of_a_thing()
    assert all(not np.array_equal(changed, photo) for changed in copies(kind, photo))


@pytest.mark.parametrize("kind", [kind for kind in COPIES if kind != "mirror"])
def test_copies_of_a_kind_differ(kind):
    different = {(changed.shape, changed.tobytes()) for changed in copies(kind, photo_of_a_thing())}
    assert len(different) == 3 if kind == "rotate" else len(different) > len(SEEDS) / 2


def test_a_crop_is_a_part_of_the_photo_with_70_to_95_percent_of_each_side():
    photo = photo_of_a_thing()
    for changed in copies("crop", photo):
        shares = np.array(changed.shape[:2]) / photo.shape[:2]
        assert (shares >= 0.69).all()
        assert (shares <= 0.96).all()
        parts = np.lib.stride_tricks.sliding_window_view(photo, changed.shape)
        assert (parts == changed).all(axis=(-3, -2, -1)).any()


def test_a_mirror_image_of_a_mirror_image_is_the_photo():
    photo = photo_of_a_thing()
    twice = COPIES["mirror"](COPIES["mirror"](photo, None), None)
    np.testing.assert_array_equal(twice, photo)


def test_a_recompressed_photo_shows_the_same_at_half_the_size_or_more():
    photo = photo_of_a_thing()
    heights = [changed.shape[0] for changed in copies("recompress", photo)]
    assert min(heights) >= 40
    assert 10 <= heights.count(80) <= 30
    assert all(likeness(photo, changed) > 0.9 for changed in copies("recompress", photo))


def test_a_border_is_a_frame_of_one_colour_around_the_whole_photo():
    photo = photo_of_a_thing()
    for changed in copies("border", photo):
        thick = (changed.shape[0] - 80) // 2
        assert changed.shape == (80 + 2 * thick, 60 + 2 * thick, 3)
        assert 0.02 <= thick / 60 <= 0.16
        np.testing.assert_array_equal(changed[thick:-thick, thick:-thick], photo)
        frame = np.ones(changed.shape[:2], bool)
        frame[thick:-thick, thick:-thick] = False
        assert len(np.unique(changed[frame], axis=0)) == 1


def test_a_watermark_covers_a_part_of_the_photo_and_lets_it_shine_through():
    photo = photo_of_a_thing(160, 120)
    for changed in copies("watermark", photo):
        touched = (changed != photo).any(axis=2)
        assert 0.003 < touched.mean() < 0.3
        assert likeness(photo, changed) > 0.7
    darker, brighter = (copies("watermark", np.full((80, 60, 3), shade, np.uint8)) for shade in (100, 150))
    assert all((one < other).all() for one, other in zip(darker, brighter, strict=True))


@pytest.mark.parametrize("brightness", [0, 255])
def test_a_watermark_shows_on_black_and_on_white(brightness):
    photo = np.full((80, 60, 3), brightness, np.uint8)
    assert all((changed != photo).any() for changed in copies("watermark", photo))


def test_a_turned_photo_turned_on_is_the_photo():
    photo = photo_of_a_thing()
    for changed in copies("rotate", photo):
        turned = [np.rot90(changed, quarters) for quarters in (1, 2, 3)]
        assert any(np.array_equal(each, photo) for each in turned)
    assert {changed.shape for changed in copies("rotate", photo)} == {(80, 60, 3), (60, 80, 3)}


def test_a_recoloured_photo_keeps_its_shapes():
    photo = photo_of_a_thing()
    for changed in copies("colour", photo):
        assert changed.shape == photo.shape
        assert likeness(photo, changed) > 0.9


def changes(photo, changed):
    """(border, mirror, rotate): which of these a copy of a photo went through, in whatever order."""
    thick = (sum(changed.shape) - sum(photo.shape)) // 4
    inner = changed[thick : changed.shape[0] - thick, thick : changed.shape[1] - thick]
    for mirrored in (False, True):
        for quarters in range(4):
            turned = np.rot90(photo[:, ::-1] if mirrored else photo, quarters)
            if np.array_equal(turned, inner):
                return thick > 0, mirrored, quarters > 0
    raise AssertionError("something else was changed")


def test_a_seller_makes_one_change_often_two_sometimes_three():
    photo = photo_of_a_thing()
    made = np.array(
        [
            changes(photo, seller_copy(photo, np.random.default_rng(seed), ("border", "mirror", "rotate")))
            for seed in range(1000)
        ]
    )
    often = np.bincount(made.sum(axis=1), minlength=4)
    assert often[0] == 0
    assert 450 < often[1] < 550
    assert 210 < often[2] < 290
    assert 210 < often[3] < 290
    assert (abs(made.mean(axis=0) - 1.75 / 3) < 0.06).all()  # no kind is preferred


@given(seed=st.integers(0, 2**32 - 1), height=st.integers(1, 90), width=st.integers(1, 90))
def test_seller_copies_can_be_repeated(seed, height, width):
    photo = photo_of_a_thing(height, width)
    before = photo.copy()
    one, other = (seller_copy(photo, np.random.default_rng(seed)) for _ in range(2))
    assert one.dtype == np.uint8
    assert one.ndim == 3
    np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(photo, before)


@each_kind
def test_one_kind_alone_is_that_kind(kind):
    sizes = {seller_copy(photo_of_a_thing(), np.random.default_rng(seed), (kind,)).shape for seed in SEEDS}
    if kind in ("mirror", "watermark", "colour"):
        assert sizes == {(80, 60, 3)}
    if kind == "rotate":
        assert sizes == {(80, 60, 3), (60, 80, 3)}
    if kind == "border":
        assert all(height > 80 and width > 60 for height, width, _ in sizes)


@pytest.mark.parametrize("kinds", [(), ("crop", "blur")])
def test_unknown_kinds_and_none_are_refused_with_the_known_ones(kinds):
    with pytest.raises(ValueError, match="expected at least one of crop, mirror, recompress, border, watermark"):
        seller_copy(photo_of_a_thing(), np.random.default_rng(0), kinds)
