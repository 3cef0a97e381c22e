"""Pictures laid over each other: a copy agrees in its details however it was cropped or turned, another does not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from productcat.duplicates.pictures import COLUMNS, DETAILS, EVIDENCE, SURE, compared, picture_evidence
from productcat.duplicates.registration import agreement, turned
from productcat.duplicates.thumbnails import LENGTH, OLD_SIDE, SIDE, grays, of_format_2, thumbnails

SEEDS = st.integers(0, 500)


def scene(seed, side=224):
    """A photo full of shapes. → uint8 array (side, side, 3)"""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)
    image = Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC)
    for _ in range(12):
        left, top = rng.integers(0, side - 30, 2).tolist()
        width, height = rng.integers(10, 90, 2).tolist()
        image.paste(
            tuple(rng.integers(0, 256, 3).tolist()), (left, top, min(left + width, side), min(top + height, side))
        )
    return np.asarray(image.filter(ImageFilter.GaussianBlur(1.5)))


def cropped(photo, shares):
    height, width = photo.shape[:2]
    top, bottom, left, right = (
        round(share * side) for share, side in zip(shares, (height, height, width, width), strict=True)
    )
    return np.asarray(Image.fromarray(photo[top : height - bottom, left : width - right]).resize((width, height)))


def same(first, second):
    """→ the columns of one pair of photos, by name"""
    return dict(zip(COLUMNS, compared(thumbnails(first[None]), thumbnails(second[None]))[0].tolist(), strict=True))


@settings(max_examples=25)
@given(SEEDS, st.tuples(*[st.floats(0, 0.12)] * 4), st.integers(0, 7), st.floats(0.75, 1.25))
def test_a_copy_agrees_however_it_is_cropped_turned_mirrored_and_lit(seed, shares, turn, light):
    photo = scene(seed)
    copy = np.clip(cropped(photo, shares) * light, 0, 255).astype(np.uint8)
    copy = turned(copy.transpose(2, 0, 1), np.full(3, turn)).transpose(1, 2, 0)
    assert same(photo, copy)["details"] > 0.6


@settings(max_examples=25)
@given(SEEDS, SEEDS)
def test_another_scene_does_not_agree(seed, other):
    assert same(scene(seed), scene(other + 1_000))["details"] < 0.6


@settings(max_examples=25)
@given(SEEDS, SEEDS, st.floats(0, 0.2))
def test_it_does_not_matter_which_is_first(seed, other, share):
    first, second = scene(seed), cropped(scene(other % 3 + seed), (share, 0, 0, share / 2))
    np.testing.assert_array_equal(
        *(compared(thumbnails(a[None]), thumbnails(b[None])) for a, b in ((first, second), (second, first)))
    )


def test_a_pair_is_compared_the_same_whatever_pairs_are_beside_it():
    little = thumbnails(np.stack([scene(seed) for seed in range(6)]))
    together = compared(little[[0, 1, 2, 0]], little[[3, 4, 5, 0]])
    np.testing.assert_allclose(together[1:2], compared(little[1:2], little[4:5]), atol=1e-5)
    assert together[3, DETAILS] == pytest.approx(1.0, abs=1e-4)


def test_blue_and_white_are_told_apart_and_a_paler_blue_is_not():
    photo = scene(3).astype(float)
    gray = np.repeat(photo.mean(axis=2, keepdims=True), 3, axis=2)
    blue, paler, red = gray * [0.5, 0.6, 1.0], gray * [0.62, 0.68, 1.0], gray * [1.0, 0.5, 0.4]
    hues = [
        same(*(each.astype(np.uint8) for each in pair))["hue"] for pair in ((blue, paler), (blue, gray), (blue, red))
    ]
    assert hues[0] < 0.35
    assert min(hues[1:]) > 0.6


def test_light_and_dark_are_told_apart():
    photo = scene(5)
    assert same(photo, photo)["light"] == 0
    assert same(photo, photo // 3)["light"] > 0.15


def test_no_pairs_give_no_rows():
    nothing = np.empty((0, LENGTH), np.int8)
    assert compared(nothing, nothing).shape == (0, len(COLUMNS))


def test_a_thumbnail_of_the_old_format_agrees_with_the_new_one_of_its_photo():
    photo = scene(7)
    gray = np.asarray(Image.fromarray(photo).convert("L").resize((OLD_SIDE, OLD_SIDE), Image.Resampling.BOX), float)
    gray -= gray.mean()
    old = np.round(gray * 127 / np.abs(gray).max()).astype(np.int8).reshape(1, -1)
    kept = of_format_2(old)
    assert kept.shape == (1, LENGTH)
    laid = agreement(grays(kept), grays(thumbnails(photo[None])))
    assert laid.correlation[0] > 0.95
    assert grays(kept).shape == (1, SIDE, SIDE)


def test_only_details_that_hardly_differ_are_evidence_of_a_copy():
    seen = np.zeros((4, len(COLUMNS)), np.float32)
    seen[:, DETAILS] = [0.0, SURE, 0.9, 0.99]
    found = dict(zip(EVIDENCE, picture_evidence(seen).T, strict=True))
    assert found["copy"][:2].tolist() == [0.0, 0.0]
    assert 0.4 < found["copy"][2] < found["copy"][3] < 1.6
    assert found["details"][0] == 0.0
    assert (np.diff(found["details"]) > 0).all()
