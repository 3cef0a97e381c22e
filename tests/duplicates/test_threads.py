"""Threads share a detector: each gets its own scores and its own problems, as if it were alone."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import shop

from productcat import DuplicateDetector, Listing

THREADS = 8


def share_of(thread):
    """Listings of one thread, the last with a photo that cannot be read."""
    rng = np.random.default_rng(thread)
    listings = [Listing(f"{thread}-{i}", photos=(shop.photo(shop.CLASSES[i % 3], rng),)) for i in range(10)]
    return [*listings, Listing(f"{thread}-broken", photos=(b"no photo",))]


def test_embeddings_scores_and_problems_of_eight_threads_are_those_of_one(duplicates_bundle):
    shared = DuplicateDetector.load(duplicates_bundle)

    def work(detector, thread):
        problems = []
        seen = detector.embed(share_of(thread), problems.append)
        found = [(each.left, each.right, each.score) for each in detector.find(seen, 0.1)]
        return detector.score_matrix(seen, seen).tolist(), found, problems

    with ThreadPoolExecutor(THREADS) as pool:
        together = list(pool.map(lambda thread: work(shared, thread), range(THREADS)))
    for thread in range(THREADS):
        assert [each.listing for each in together[thread][2]] == [f"{thread}-broken"]
        assert together[thread] == work(DuplicateDetector.load(duplicates_bundle), thread)
