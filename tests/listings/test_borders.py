"""Frames and borders around photos, which sellers add, and which go before photos are compared."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from productcat.listings.borders import BLEND, without_border, without_frame

COLOURS = st.tuples(*[st.integers(0, 255)] * 3)


def noise(height=60, width=60, seed=0):
    """A photo without lines of one colour. → uint8 array (height, width, 3)"""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def framed(photo, colour, *widths):
    """A photo within a frame. widths : one of all sides, or one each of top, bottom, left and right"""
    top, bottom, left, right = widths if len(widths) == 4 else widths * 4
    height, width = photo.shape[:2]
    whole = np.empty((top + height + bottom, left + width + right, 3), np.uint8)
    whole[:] = colour
    whole[top : top + height, left : left + width] = photo
    return whole


@given(colour=COLOURS, width=st.integers(3, 15), seed=st.integers(0, 9))
def test_a_frame_goes_and_the_pixels_that_scaling_mixes_with_it(colour, width, seed):
    photo = noise(seed=seed)
    np.testing.assert_array_equal(without_frame(framed(photo, colour, width)), photo[BLEND:-BLEND, BLEND:-BLEND])


@given(colour=COLOURS, width=st.integers(0, 15), turns=st.integers(0, 3), mirrored=st.booleans())
def test_a_photo_that_is_turned_or_mirrored_loses_the_same(colour, width, turns, mirrored):
    def turned(photo):
        return np.rot90(photo[:, ::-1] if mirrored else photo, turns)

    whole = framed(noise(60, 44), colour, width)
    for without in (without_frame, without_border):
        np.testing.assert_array_equal(without(turned(whole)), turned(without(whole)))


@pytest.mark.parametrize("sides", [(8, 8, 0, 0), (0, 0, 8, 8)])
def test_a_frame_is_found_inside_the_white_that_fills_a_photo_up(sides):
    photo = noise()
    filled = framed(framed(photo, (0, 90, 0), 6), (255, 255, 255), *sides)
    np.testing.assert_array_equal(without_frame(filled), photo[BLEND:-BLEND, BLEND:-BLEND])


@pytest.mark.parametrize(
    "whole",
    [
        noise(),
        framed(noise(), (255, 255, 255), 8, 8, 0, 0),
        framed(noise(), (200, 200, 200), 4, 9, 7, 12),  # an object before a backdrop
        framed(noise(), (0, 0, 0), 2),
        framed(noise(20, 20), (0, 0, 0), 20),
        np.full((40, 40, 3), 200, np.uint8),
    ],
    ids=["none", "filled up", "backdrop", "a line", "mostly frame", "one colour"],
)
def test_what_is_no_frame_stays(whole):
    assert without_frame(whole) is whole


@given(colour=COLOURS, widths=st.tuples(*[st.integers(0, 15)] * 4))
def test_a_border_goes_however_wide_its_sides_are(colour, widths):
    photo = noise()
    np.testing.assert_array_equal(without_border(framed(photo, colour, *widths)), photo)


def test_a_photo_of_one_colour_is_left_whole():
    whole = framed(np.zeros((20, 20, 3), np.uint8), (255, 255, 255), 10)
    assert without_border(whole).size


@given(st.sampled_from([(4, 13), (10, 6), (24, 24)]), st.integers(200, 249), st.integers(0, 3))
def test_a_white_photo_with_a_grey_corner_is_left_whole(size, grey, turns):
    photo = np.full((*size, 3), 255, np.uint8)
    photo[0, 0] = grey  # hardly another colour, and yet one of its sides no longer counts as filled up
    photo = np.rot90(photo, turns)
    assert without_frame(photo).shape == photo.shape
