"""A little shop for the tests: three classes that differ in the look of their photos and in their titles."""

import io

import numpy as np
from PIL import Image, ImageDraw

CLASSES = ("Belts", "Handbags", "Tshirts")
PARENTS = {
    "Belts": {"subCategory": "Belts", "masterCategory": "Accessories"},
    "Handbags": {"subCategory": "Bags", "masterCategory": "Accessories"},
    "Tshirts": {"subCategory": "Topwear", "masterCategory": "Apparel"},
}
SIZE = (32, 24)
"""(height, width) of the photos, in pixels."""

BRANDS = ("Puma", "Nike", "Levis", "Fossil", "Wrangler", "Baggit")
WORDS = {
    "Belts": ("leather belt", "brown belt"),
    "Handbags": ("shoulder handbag", "red handbag"),
    "Tshirts": ("striped tshirt", "blue tshirt"),
}
COLOURS = {"Belts": (120, 70, 20), "Handbags": (200, 30, 40), "Tshirts": (30, 60, 200)}


def photo(name, rng, size=SIZE):
    """A photo of one class: a bar, a box or a T on white, with noise. → uint8 array (h, w, 3)"""
    height, width = size
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    colour = tuple(int(np.clip(value + rng.integers(-25, 25), 0, 255)) for value in COLOURS[name])
    shift = int(rng.integers(-height // 12, height // 12 + 1))
    top, middle, bottom = height // 4 + shift, height // 2 + shift, height * 3 // 4 + shift
    if name == "Belts":
        draw.rectangle((1, middle - height // 16, width - 2, middle + height // 16), fill=colour)
    elif name == "Handbags":
        draw.rectangle((width // 5, middle - height // 8, width * 4 // 5, bottom), fill=colour)
        draw.arc((width // 3, top - height // 8, width * 2 // 3, bottom - height // 8), 180, 360, fill=colour)
    else:
        draw.rectangle((1, top, width - 2, middle - height // 12), fill=colour)
        draw.rectangle((width // 4, top, width * 3 // 4, bottom), fill=colour)
    noisy = np.asarray(image, np.int16) + rng.integers(-8, 9, (height, width, 1))
    return np.clip(noisy, 0, 255).astype(np.uint8)


def title(name, rng):
    """A title of one class, such as "Puma Men red handbag"."""
    return f"{rng.choice(BRANDS)} {rng.choice(['Men', 'Women'])} {rng.choice(WORDS[name])}"


def encode(pixels, format="PNG"):
    """The bytes of a photo file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format)
    return buffer.getvalue()


def learning_data():
    """(photos, titles, labels) of 240 listings of the shop; the last 60 are for validation."""
    rng = np.random.default_rng(7)
    labels = np.arange(240) % len(CLASSES)
    photos = np.stack([photo(CLASSES[label], rng) for label in labels])
    titles = [title(CLASSES[label], rng) for label in labels]
    return photos, titles, labels
