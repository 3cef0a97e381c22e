"""Copies photos as sellers do before they post them again, to learn and to measure that copies are found.

Each kind of copy is a function of a photo, an array of shape (h, w, 3), uint8, and of a random generator. So a copy can
be repeated exactly. A copy need not have the size of its photo.
"""

import io
import string
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance, ImageFont

ANOTHER_KIND = 0.5, 0.25
"""Share of the copies that are changed in at least two ways, and in three."""

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int, int]


def crop(photo: Pixels, rng: np.random.Generator) -> Pixels:
    """Keep 70 to 95 % of each side."""
    sides = photo.shape[:2]
    kept = [max(1, round(side * rng.uniform(0.7, 0.95))) for side in sides]
    top, left = (rng.integers(side - keep + 1) for side, keep in zip(sides, kept, strict=True))
    return photo[top : top + kept[0], left : left + kept[1]].copy()


def mirror(photo: Pixels, _rng: np.random.Generator) -> Pixels:
    """Swap left and right."""
    return photo[:, ::-1].copy()


def recompress(photo: Pixels, rng: np.random.Generator) -> Pixels:
    """Save as JPEG of quality 20 to 70; half of the copies at 50 to 100 % of the size."""
    image = Image.fromarray(photo)
    if rng.random() < 0.5:
        scale = rng.uniform(0.5, 1.0)
        smaller = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        image = image.resize(smaller, Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=int(rng.integers(20, 71)))
    return np.asarray(Image.open(buffer, formats=["JPEG"]).convert("RGB"))


def border(photo: Pixels, rng: np.random.Generator) -> Pixels:
    """Add a frame of one colour, 3 to 15 % of the shorter side wide, on all sides; half of them black or white."""
    height, width = photo.shape[:2]
    thick = max(1, round(min(height, width) * rng.uniform(0.03, 0.15)))
    colour = rng.choice([0, 255]) if rng.random() < 0.5 else rng.integers(0, 256, 3)
    framed = np.empty((height + 2 * thick, width + 2 * thick, 3), np.uint8)
    framed[:] = colour
    framed[thick:-thick, thick:-thick] = photo
    return framed


def watermark(photo: Pixels, rng: np.random.Generator) -> Pixels:
    """Lay a word or a round logo over a part of the photo, half transparent."""
    image = Image.fromarray(photo).convert("RGBA")
    layer = Image.new("RGBA", image.size, (0, 0, 0, 0))
    alpha = int(rng.integers(90, 180))
    light, dark = (255, 255, 255, alpha), (0, 0, 0, alpha)
    # An edge of the other colour shows the mark on white and on black photos.
    inside, edge = (light, dark) if rng.random() < 0.5 else (dark, light)
    draw = ImageDraw.Draw(layer)
    if rng.random() < 0.5:
        _write(draw, image.size, rng, inside, edge)
    else:
        _stamp(draw, image.size, rng, inside, edge)
    return np.asarray(Image.alpha_composite(image, layer).convert("RGB"))


def _write(
    draw: ImageDraw.ImageDraw, size: tuple[int, int], rng: np.random.Generator, inside: Colour, edge: Colour
) -> None:
    """Write a word of random letters, 40 to 90 % as wide as the photo."""
    word = "".join(rng.choice(list(string.ascii_letters), rng.integers(4, 13)))
    width = size[0] * rng.uniform(0.4, 0.9)
    height = max(4.0, 10 * width / ImageFont.load_default(size=10).getlength(word))
    place = rng.uniform(0, max(1.0, size[0] - width)), rng.uniform(0, max(1.0, size[1] - height))
    stroke = max(1, round(height / 20))
    font = ImageFont.load_default(size=height)
    draw.text(place, word, inside, font, stroke_width=stroke, stroke_fill=edge)


def _stamp(
    draw: ImageDraw.ImageDraw, size: tuple[int, int], rng: np.random.Generator, inside: Colour, edge: Colour
) -> None:
    """Draw a ring with a disc in it, 15 to 35 % as wide as the photo's shorter side."""
    across = max(3.0, min(size) * rng.uniform(0.15, 0.35))
    left, top = (rng.uniform(0, max(1.0, side - across)) for side in size)
    draw.ellipse((left, top, left + across, top + across), fill=inside, outline=edge, width=max(1, round(across / 8)))
    third = across / 3
    draw.ellipse((left + third, top + third, left + 2 * third, top + 2 * third), fill=edge)


def rotate(photo: Pixels, rng: np.random.Generator) -> Pixels:
    """Turn by 90, 180 or 270 degrees."""
    return np.rot90(photo, int(rng.integers(1, 4))).copy()


def colour(photo: Pixels, rng: np.random.Generator) -> Pixels:
    """Raise or lower brightness, contrast and saturation, each by 10 to 35 %."""
    image = Image.fromarray(photo)
    for enhancer in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        image = enhancer(image).enhance(1 + rng.choice([-1, 1]) * rng.uniform(0.1, 0.35))
    return np.asarray(image)


COPIES: dict[str, Callable[[Pixels, np.random.Generator], Pixels]] = {
    "crop": crop,
    "mirror": mirror,
    "recompress": recompress,
    "border": border,
    "watermark": watermark,
    "rotate": rotate,
    "colour": colour,
}
"""Every kind of copy, by its name."""


def seller_copy(photo: Pixels, rng: np.random.Generator, kinds: Sequence[str] = tuple(COPIES)) -> Pixels:
    """Copy a photo as a seller might: with one change, in half of the copies with two, in a quarter with three.

    Parameters
    ----------
    photo : ndarray of shape (h, w, 3), dtype uint8
        It is left as it is.
    rng : numpy.random.Generator
    kinds : sequence of str
        Names in `COPIES` to draw from; each is used once at most, and the order is drawn too.

    Returns
    -------
    ndarray of shape (height, width, 3), dtype uint8
    """
    unknown = [kind for kind in kinds if kind not in COPIES]
    if unknown or not kinds:
        raise ValueError(f"kinds={tuple(kinds)}: expected at least one of {', '.join(COPIES)}, and no other")
    n_changes = 1 + sum(rng.random() < np.array(ANOTHER_KIND))
    for kind in rng.permutation(kinds)[:n_changes]:
        photo = COPIES[kind](photo, rng)
    return photo
