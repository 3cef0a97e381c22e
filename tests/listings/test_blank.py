"""A picture of one colour shows nothing, whatever surrounds it; a faint one shows something."""

import numpy as np
import pytest
import shop
from hypothesis import given
from hypothesis import strategies as st
from photo_files import encode, scene
from PIL import Image, ImageDraw, ImageFilter

from productcat.listings.photos import decoded, is_blank

SIZES = [(112, 84), (224, 224)]
each_size = pytest.mark.parametrize("size", SIZES, ids=str)


def page(colour=(255, 255, 255), size=(300, 400)):
    return Image.new("RGB", size, colour)


def noisy(colour, strength):
    noise = np.random.default_rng(0).normal(0, strength, (400, 300, 3))
    return Image.fromarray(np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8))


def dusty():
    image = page((240, 240, 240))
    ImageDraw.Draw(image).rectangle((20, 30, 25, 34), fill=(0, 0, 0))
    return image


def framed(inside, colour, width):
    image = page(colour)
    image.paste(inside.resize((300 - 2 * width, 400 - 2 * width)), (width, width))
    return image


def drawn(draw, blur=0.5):
    image = page()
    draw(ImageDraw.Draw(image))
    return image.filter(ImageFilter.GaussianBlur(blur))


BLANK = {
    "one pixel": page((10, 60, 200), (1, 1)),
    "a white page": page(),
    "a black page": page((0, 0, 0)),
    "a tall page": page((200, 30, 40), (60, 400)),
    "a wide page": page((200, 30, 40), (400, 60)),
    "a covered lens": noisy((12, 10, 14), 4),
    "a scanned page": noisy((246, 245, 240), 3),
    "dust": dusty(),
    "a page in a frame": framed(page(), (30, 30, 30), 8),
    "nothing at all": Image.new("RGBA", (300, 400), (10, 200, 10, 0)),
}
SOMETHING = {
    "a faint shirt": drawn(lambda d: d.rectangle((60, 80, 240, 320), fill=(246, 246, 246), outline=(225, 225, 225))),
    "a chain": drawn(lambda d: d.arc((60, 20, 240, 360), 0, 180, fill=(120, 120, 120), width=3)),
    "a ring": drawn(lambda d: d.ellipse((130, 180, 170, 220), outline=(170, 150, 60), width=5)),
    "a line of text": drawn(lambda d: d.text((40, 180), "no picture of this article yet", fill=(0, 0, 0)), 0),
    "stripes": drawn(lambda d: [d.rectangle((0, y, 300, y + 10), fill=(200, 20, 20)) for y in range(0, 400, 40)]),
    "a scene in a frame": framed(Image.fromarray(scene()), (0, 0, 0), 20),
}


@each_size
@pytest.mark.parametrize("name", BLANK)
def test_what_has_one_colour_shows_nothing(name, size):
    for photo in (BLANK[name], encode(BLANK[name], "PNG"), encode(BLANK[name].convert("RGB"), "JPEG", quality=70)):
        problems = [[]]
        assert not list(decoded([[photo]], size, problems))
        assert problems[0][0].endswith(": shows nothing but one colour, and is left out")
        assert is_blank(photo)


@each_size
@pytest.mark.parametrize("name", SOMETHING)
def test_what_is_faint_or_small_shows_something(name, size):
    for photo in (SOMETHING[name], encode(SOMETHING[name], "JPEG", quality=70)):
        assert [owners for owners, _ in decoded([[photo]], size, [[]])] == [[0]]
        assert not is_blank(photo)


@pytest.mark.parametrize("kind", shop.CLASSES)
@pytest.mark.parametrize("size", [(32, 24), *SIZES], ids=str)
def test_articles_of_the_shop_show_something(kind, size):
    photos = [shop.photo(kind, np.random.default_rng(seed), size) for seed in range(8)]
    assert sum(len(pixels) for _, pixels in decoded([photos], size, [[]])) == 8


@given(
    st.tuples(*[st.integers(0, 255)] * 3),
    st.integers(1, 300),
    st.integers(1, 300),
    st.sampled_from([(32, 24), *SIZES]),
)
def test_one_colour_of_any_shape_shows_nothing(colour, height, width, size):
    assert not list(decoded([[np.full((height, width, 3), colour, np.uint8)]], size, [[]]))


def test_those_that_show_something_stay_with_their_owners():
    blank, full = np.full((32, 24, 3), 9, np.uint8), scene(32, 24)
    problems = [[], [], []]
    found = list(decoded([[blank], [full, blank], [full]], (32, 24), problems))
    assert [owners for owners, _ in found] == [[1, 2]]
    assert list(map(len, problems)) == [1, 1, 0]
