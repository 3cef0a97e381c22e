"""`python -m training.added_classes`: classes that a bundle never learnt, added from a few examples each."""

import json

import numpy as np
import pytest
import shop

from productcat import Categorizer, Listing
from training.added_classes import main

CONFIG = """
name = "shop"

[data]
source = "shop"
parents = []
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Listings of the shop's classes and of one that its bundle does not know, in the published layout."""
    rng, folder = np.random.default_rng(7), tmp_path_factory.mktemp("data")
    rows, splits = ["id,articleType,productDisplayName"], ["id,split"]
    (folder / "shop/images").mkdir(parents=True)
    for number in range(120):
        known = number % 4 < 3
        name = shop.CLASSES[number % 4] if known else "Curtains"
        pixels = shop.photo(name, rng) if known else rng.integers(0, 60, (*shop.SIZE, 3)).astype(np.uint8)
        (folder / f"shop/images/{number}.jpg").write_bytes(shop.encode(pixels))
        rows.append(f"{number},{name},{shop.title(name, rng) if known else 'heavy velvet curtain'}")
        splits.append(f"{number},{'train' if number < 80 else 'val' if number < 90 else 'test'}")
    (folder / "shop/styles.csv").write_text("\n".join(rows))
    (folder / "shop/splits.csv").write_text("\n".join(splits))
    (folder / "shop.toml").write_text(CONFIG)
    return folder


def test_added_classes_are_found_the_better_the_more_examples_they_have(data, tiny_bundle, tmp_path):
    categorizer = Categorizer.load(tiny_bundle)
    photos = [data / f"shop/images/{number}.jpg" for number in range(3, 80, 4)]
    categorizer.add_category("Curtains", [Listing(title="heavy velvet curtain", photos=(each,)) for each in photos])
    categorizer.save(tmp_path / "whole")
    arguments = [f"{tiny_bundle}", f"{data / 'shop.toml'}", "--data", f"{data}", "--work", f"{tmp_path / 'work'}"]
    rivals = ["--against", f"{tmp_path / 'whole'}", "--plain", f"{tiny_bundle}"]
    main([*arguments, *rivals, "--to", f"{tmp_path / 'figures.json'}"])
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert (figures["known"], figures["added"]) == (3, 1)
    assert figures["20"]["added"] == pytest.approx(figures["trained_on_all"])  # it has no more than these 20
    assert 0.5 < figures["20"]["added"] >= figures["1"]["added"]
    assert figures["20"]["added_error"] == 0.0
    assert figures["20"]["known"] > 0.8
    assert figures["20"]["nearest_mean_added"] > 0.5


def test_a_bundle_of_other_classes_is_refused(data, tiny_bundle, tmp_path):
    other = Categorizer.load(tiny_bundle)
    assert set(other.classes) == set(shop.CLASSES)
    (tmp_path / "few.toml").write_text(CONFIG + "top_classes = 2\n")
    where = ["--data", f"{data}", "--work", f"{tmp_path / 'work'}"]
    with pytest.raises(SystemExit, match="its classes are not some of the 2 of .*few.toml"):
        main([f"{tiny_bundle}", f"{tmp_path / 'few.toml'}", *where])
    with pytest.raises(SystemExit, match="'Curtains' is not among its categories; give a bundle of all classes"):
        main([f"{tiny_bundle}", f"{data / 'shop.toml'}", *where, "--against", f"{tiny_bundle}"])
