"""Fixtures of all rooms: real bundles, which stand in tests/bundles. Nothing is mocked, and nothing is trained here."""

import importlib.util
import shutil

import numpy as np
import pytest
import shop
from frozen import SHOP, put_together
from hypothesis import settings

from productcat import Listing

settings.register_profile("productcat", deadline=None)  # a busy machine is no failure
settings.load_profile("productcat")

NEEDS = {"training": ("tensorflow",), "docs": ("tensorflow", "sphinx", "nbclient")}
"""Folders of tests → the libraries without which they are left out."""

LEFT_OUT = {
    folder: missing
    for folder, libraries in NEEDS.items()
    if (missing := [library for library in libraries if not importlib.util.find_spec(library)])
}
collect_ignore = list(LEFT_OUT)


def left_out():
    """One line for each folder of tests that is left out."""
    lines = (f"tests/{folder} is left out: not installed: {', '.join(missing)}" for folder, missing in LEFT_OUT.items())
    return [f'{line}. pip install -e ".[dev]"' for line in lines]


def pytest_report_header(config):
    return left_out()


def pytest_terminal_summary(terminalreporter, config):
    if config.get_verbosity() < 0:  # then there is no header
        for line in left_out():
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def image_part():
    """The image part of the shop's bundle."""
    return SHOP / "image"


@pytest.fixture(scope="session")
def title_part():
    """The title part of the shop's bundle."""
    return SHOP / "title"


@pytest.fixture(scope="session")
def tiny_bundle(image_part, title_part, tmp_path_factory):
    """The path of a bundle of the shop that detects no duplicates."""
    path = tmp_path_factory.mktemp("bundles") / "shop"
    put_together(path, {"image": image_part, "title": title_part})
    return path


@pytest.fixture(scope="session")
def duplicates_bundle(tmp_path_factory):
    """The path of a bundle of the shop that detects duplicates too."""
    return shutil.copytree(SHOP, tmp_path_factory.mktemp("bundles") / "shop")


@pytest.fixture
def shop_listings():
    """Listings of the shop that no model has seen, with the names of their classes."""
    rng = np.random.default_rng(99)
    names = [shop.CLASSES[number % 3] for number in range(12)]
    return [Listing(f"new-{i}", shop.title(name, rng), (shop.photo(name, rng),)) for i, name in enumerate(names)], names
