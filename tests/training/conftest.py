"""What tests of training share: a bundle that is made now, and raw data."""

import os
import tarfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import make_bundles
import numpy as np
import pytest
import shop


@pytest.fixture(scope="session")
def shop_data():
    """(photos, titles, labels) of 240 listings of the shop; the last 60 are for validation."""
    return shop.learning_data()


@pytest.fixture(scope="session")
def made_bundle(tmp_path_factory):
    """The path of the shop's bundle, trained and exported now."""
    path = tmp_path_factory.mktemp("made") / "shop"
    make_bundles.make_shop(path)
    return path


@pytest.fixture
def shop_folders(tmp_path):
    """The shop's photos in two class folders, and offers, under the names of the data sets that commands read."""
    rng = np.random.default_rng(9)
    for name, splits, n in (
        ("clothing-dataset-small", ("train/", "validation/", "test/"), 14),
        ("olx-five", ("",), 24),
    ):
        root = tmp_path / "raw" / name
        for split in splits:
            for label in shop.CLASSES:
                folder = root / f"{split}{label}"
                folder.mkdir(parents=True)
                for number in range(n):
                    (folder / f"{number}.png").write_bytes(shop.encode(shop.photo(label, rng)))
        with tarfile.open(tmp_path / f"{name}.tar", "w") as tar:
            tar.add(root, name)
    offers = [f"{n},{shop.title(shop.CLASSES[n % 3], rng)},{shop.CLASSES[n % 3]}" for n in range(60)]
    (tmp_path / "pricerunner-titles.csv").write_text("\n".join(["product_id,product_title,category_label", *offers]))
    return tmp_path
