"""Threads that share an index: the results of one thread, and each its own problems."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest
import shop

from productcat import DuplicateDetector, Listing, ListingIndex
from productcat.problems import Problem

THREADS = 8


def at_once(work, rounds=3):
    """What `work` gives in each round of each of 8 threads that start at the same moment."""
    start = Barrier(THREADS)

    def run(number):
        start.wait()
        return [work(number) for _ in range(rounds)]

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(THREADS)))


def listings_of(number):
    """Three listings of one thread. One of them has a photo that cannot be read, of another length in each thread."""
    rng = np.random.default_rng(number)
    photos = [shop.photo(shop.CLASSES[i % 3], rng) for i in range(4)]
    return [
        Listing(f"thread-{number}-whole", photos=photos[:2]),
        Listing(f"thread-{number}-damaged", photos=(bytes(number + 1), photos[2])),
        Listing(f"thread-{number}-single", photos=photos[3:]),
    ]


@pytest.fixture
def detector(duplicates_bundle):
    return DuplicateDetector.load(duplicates_bundle)


@pytest.fixture
def index(detector, tmp_path):
    """An index of 20 listings, opened again, so that no thread finds anything ready."""
    rng = np.random.default_rng(5)
    photos = [[shop.photo(shop.CLASSES[i % 3], rng) for _ in range(1 + i % 2)] for i in range(20)]
    made = ListingIndex.open(tmp_path / "index", detector)
    made.add(Listing(f"item-{i}", photos=each) for i, each in enumerate(photos))
    return ListingIndex.open(tmp_path / "index", detector)


def assert_own_problem(found, number):
    """The one problem is that of this thread's damaged photo."""
    assert [each.listing for each in found] == [f"thread-{number}-damaged"]
    assert found[0].reason.startswith(f"photo of {number + 1} bytes: ")


@pytest.mark.parametrize("adapt", [True, False])
def test_8_threads_find_what_one_finds_and_each_gets_its_own_problem(index, duplicates_bundle, adapt):
    def search(number, used=index):
        problems = []
        return used.search(listings_of(number), k=5, adapt=adapt, on_problem=problems.append), problems

    found = at_once(search)
    alone = ListingIndex.open(index.path, DuplicateDetector.load(duplicates_bundle))
    for number, rounds in enumerate(found):
        expected, _ = search(number, alone)
        for pairs, problems in rounds:
            assert pairs == expected
            assert_own_problem(problems, number)


def test_8_threads_add_and_remove_while_they_search(index):
    known = index.ids()

    def work(number):
        problems = []
        assert index.add(listings_of(number), on_problem=problems.append) == 3
        index.remove([f"thread-{number}-single"])
        pairs = index.search(listings_of(number)[:1], k=3)[0]
        assert [pair.left for pair in pairs] == [f"thread-{number}-whole"] * 3
        return problems

    for number, rounds in enumerate(at_once(work)):
        for problems in rounds:
            assert_own_problem(problems, number)
    stayed = {f"thread-{number}-{which}" for number in range(THREADS) for which in ("whole", "damaged")}
    assert index.ids() == known | stayed
    assert index.stats().photos == sum(map(len, index.sample())) == 30 + THREADS * 3


def test_a_listing_that_8_threads_add_is_there_once(index, detector):
    embedding = detector.embed([Listing("same", photos=(shop.photo("Belts", np.random.default_rng(1)),))])
    n_rows = index.store.n_rows()
    at_once(lambda _: index.add(embedding), rounds=1)
    assert index.store.n_rows() == n_rows + 1


def test_a_problem_names_the_listing_and_reads_as_one_line(index):
    problems = []
    index.search(listings_of(0), on_problem=problems.append)
    assert isinstance(problems[0], Problem)
    assert str(problems[0]).startswith("listing 'thread-0-damaged': photo of 1 bytes: ")
