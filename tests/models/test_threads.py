"""Models that threads share: one session, and the answers of one thread."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import onnxruntime
import pytest
import shop
from frozen import SHOP

from productcat.models.image_model import DISTRIBUTION, ImageModel, photo_means
from productcat.models.title_model import TitleModel
from productcat.models.word_bags import WordBags

THREADS = 8


def at_once(work):
    """What `work` gives in each of 8 threads that start at the same moment."""
    start = Barrier(THREADS)

    def run(number):
        start.wait()
        return work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(THREADS)))


def photos(seed, n=5):
    rng = np.random.default_rng(seed)
    return np.stack([shop.photo(shop.CLASSES[i % 3], rng) for i in range(n)])


def test_threads_that_start_at_the_same_moment_open_one_session(monkeypatch):
    opened, session = [], onnxruntime.InferenceSession

    def counted(*arguments, **options):
        opened.append(arguments)
        return session(*arguments, **options)

    monkeypatch.setattr(onnxruntime, "InferenceSession", counted)
    model = ImageModel.load(SHOP / "image")
    sessions = at_once(lambda _: model.session)
    assert len(opened) == 1
    assert all(each is model.session for each in sessions)


def test_photos_get_the_same_distributions_and_features_in_8_threads_as_in_one():
    shared, alone = ImageModel.load(SHOP / "image"), ImageModel.load(SHOP / "image")
    for number, (distributions, features) in enumerate(at_once(lambda number: shared.run(photos(number)))):
        expected_distributions, expected_features = alone.run(photos(number))
        np.testing.assert_array_equal(distributions, expected_distributions)
        for level in alone.levels:
            np.testing.assert_array_equal(features[level], expected_features[level])


def test_unreadable_photos_are_noted_by_the_thread_that_met_them():
    model = ImageModel.load(SHOP / "image")

    def means(number):
        problems = [[], []]
        found = photo_means([(bytes(number + 1), *photos(number)), ()], model, problems)
        return found[DISTRIBUTION], problems

    for number, (distributions, problems) in enumerate(at_once(means)):
        assert np.isnan(distributions).all(axis=1).tolist() == [False, True]
        assert [len(each) for each in problems] == [1, 0]
        assert problems[0][0].startswith(f"photo of {number + 1} bytes: ")


@pytest.mark.parametrize("loaded", [TitleModel.load, lambda folder: WordBags(TitleModel.load(folder))])
def test_titles_get_the_same_vectors_in_8_threads_as_in_one(loaded):
    titles = ["Puma Men red handbag", "lether blet", "", "striped tshirt", "zzz"]
    shared, alone = loaded(SHOP / "title"), loaded(SHOP / "title")
    for number, vectors in enumerate(at_once(lambda number: shared.vectors(titles[number % 5 :]))):
        np.testing.assert_array_equal(vectors, alone.vectors(titles[number % 5 :]))
