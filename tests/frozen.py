"""What stands in tests/bundles, and bundles that tests put together from its parts; no training library is needed."""

import json
import shutil
from pathlib import Path

from productcat.categories.projections import CategoryProjections
from productcat.models.bundle import Bundle, write_bundle

FROZEN = Path(__file__).parent / "bundles"
SHOP = FROZEN / "shop"
"""A bundle of the shop with a part that detects duplicates."""

COLOUR_FEATURES = FROZEN / "colour_features"
"""An image model of other photos and classes than the shop's. Its one feature is the mean colour."""

COLOUR_PHOTO_SIZE = 8, 8
FASHION_TITLES = FROZEN / "fashion_titles"
"""A title model that has learnt from `fashion_titles.make_titles`."""


def put_together(path, parts, classes=None):
    """Write a bundle that differs from the shop's in its parts.

    parts : dict, "image" | "title" | "features" | "duplicates" → folder
    classes : list of dict, optional
        name and parents, in the order of the models' outputs; without, those of the shop.
    """
    opened = Bundle.open(SHOP)
    classes = classes or opened.read_json("classes.json")

    def fill(folder):
        (folder / "classes.json").write_text(json.dumps(classes), "utf-8")
        CategoryProjections.of_classes([each["name"] for each in classes]).save(folder / "projections")
        for part, source in parts.items():
            shutil.copytree(source, folder / part)

    write_bundle(path, opened.manifest, fill)
