"""Whatever becomes of the search space and the photos of an index: it answers as before, or is refused in one line.

The files in which LanceDB keeps its books are left out: it may abort the process over them, and no test survives that.
"""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import shop
from frozen import SHOP
from hypothesis import given
from hypothesis import strategies as st
from mutations import bounded, changed_bytes, changed_safetensors, tried

from productcat import DuplicateDetector, Listing, ListingIndex, ProductcatError
from productcat.index.listing_index import SPACE


@pytest.fixture(scope="module")
def detector():
    return DuplicateDetector.load(SHOP)


@pytest.fixture(scope="module")
def index(detector, tmp_path_factory):
    """An index with rows of several writings, and the folder in which a copy of it may be changed."""
    rng = np.random.default_rng(7)
    photos = [tuple(shop.photo(shop.CLASSES[i % 3], rng) for _ in range(1 + i % 2)) for i in range(8)]
    listings = [Listing(f"item-{i}", f"title {i}", each, float(i)) for i, each in enumerate(photos)]
    folder = tmp_path_factory.mktemp("fuzz")
    opened = ListingIndex.open(folder / "index", detector)
    opened.add(listings[:6])
    opened.add(listings[4:])
    opened.remove(["item-1"])
    wanted = detector.embed(replace(each, id="new") for each in listings[:3])
    return folder / "index", folder / "changed", wanted, answers(folder / "index", detector, wanted)


def answers(path, detector, wanted):
    """What an index says. All of it is either as it was or refused."""
    opened = ListingIndex.open(path, detector)
    said = opened.search(wanted, adapt=False)
    opened.store.check()
    return said, sorted(opened.ids()), len(opened), [each.title for each in opened.sample()]


def with_other(index, detector, name, content):
    """What an index says that has one other file; None where it is refused in one line."""
    path, changed, wanted, _ = index
    shutil.rmtree(changed, ignore_errors=True)
    shutil.copytree(path, changed)
    (changed / name).write_bytes(content)
    try:
        with bounded():
            return answers(changed, detector, wanted)
    except ProductcatError as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017, it may also answer
        return None


def files(path):
    return sorted(each.relative_to(path).as_posix() for each in path.rglob("*") if each.is_file())


@tried(25)
@given(data=st.data())
def test_any_search_space_answers_as_before_or_is_refused(index, detector, data):
    content = data.draw(changed_safetensors((index[0] / SPACE).read_bytes()))
    assert with_other(index, detector, SPACE, content) in (None, index[-1])


@tried(25)
@given(data=st.data())
def test_any_file_of_photos_answers_as_before_or_is_refused(index, detector, data):
    name = data.draw(st.sampled_from([each for each in files(index[0]) if each.endswith(".lance")]))
    content = data.draw(changed_bytes((index[0] / name).read_bytes()))
    assert with_other(index, detector, name, content) in (None, index[-1])
