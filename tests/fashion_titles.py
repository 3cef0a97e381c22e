"""Titles of three kinds of fashion, for tests of title models."""

import numpy as np

KINDS = {"Tshirts": ("T-shirt", "Tshirt"), "Handbags": ("Handbag", "Hand Bag"), "Watches": ("Dial Watch", "Watch")}
BRANDS = ("Puma", "Nike", "Levis", "Fossil", "Wrangler", "Baggit", "Reebok", "Lotto")
COLOURS = ("Black", "White", "Blue", "Red", "Navy Blue", "Off White", "Green")
N_CLASSES = 4
"""One more than the kinds: a class without titles."""


def make_titles(count, rng):
    """Titles such as "Nike Men Red Watch" and the numbers of their classes."""
    labels = np.arange(count) % len(KINDS)
    names = [tuple(KINDS.values())[label][rng.integers(2)] for label in labels]
    people = ("Men", "Women", "Unisex", "Men's")
    parts = ([str(rng.choice(words)) for words in (BRANDS, people, COLOURS)] + [name] for name in names)
    return [" ".join(each) for each in parts], labels
