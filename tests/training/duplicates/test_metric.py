"""The metric between sets of photos is learnt from pairs, and runs as it was trained."""

from dataclasses import replace

import numpy as np
import pytest

from productcat.duplicates.detector import DuplicateDetector
from productcat.duplicates.evidence import evidence
from productcat.duplicates.metric import Head, SetMetric
from productcat.duplicates.photo_sets import PhotoSets
from productcat.duplicates.whitening import known_share
from training.duplicates import metric as duplicates
from training.duplicates.catalogues import Catalogue, found_in
from training.duplicates.item_photos import Item
from training.duplicates.photo_table import PhotoTable
from training.duplicates.protocol import Protocol, compared, most_similar, report
from training.duplicates.siamese import Samples, SiameseConfig, candidates, fit_head

CONFIG = duplicates.MetricConfig(features=(24, 16), dimensions=12)
SIAMESE = SiameseConfig(catalogues=3)


@pytest.fixture(scope="module")
def items():
    """Three domains of twelve items with two to five photos."""
    rng = np.random.default_rng(3)
    return [
        Item(domain, f"{number:02}", tuple(f"{place}.jpg" for place in range(rng.integers(2, 6))))
        for domain in ("bags", "cars", "toys")
        for number in range(12)
    ]


@pytest.fixture(scope="module")
def table(items):
    """Features in which each domain has a backdrop, and each item something of its own."""
    rng = np.random.default_rng(4)
    backdrops = {domain: rng.normal(0, 3, 40) for domain in ("bags", "cars", "toys")}
    rows, names, domains = [], [], []
    for item in items:
        own = rng.normal(0, 1, 40)
        for _ in item.photos:
            rows.append(backdrops[item.domain] + own + rng.normal(0, 0.7, 40))
            names.append(f"{item.domain}/{item.name}")
            domains.append(item.domain)
    outputs = np.abs(np.array(rows)).astype(np.float16)
    little = rng.integers(-127, 128, (len(rows), 256)).astype(np.int8)
    return PhotoTable({"low": outputs[:, :24], "high": outputs}, little, np.array(domains), np.array(names))


@pytest.fixture(scope="module")
def known(table):
    return duplicates.bases(table, CONFIG)


@pytest.fixture(scope="module")
def kept(table, known):
    return table.kept(known)


@pytest.fixture(scope="module")
def samples(kept, known):
    return Samples.drawn(kept, known, CONFIG, SIAMESE, seed=1)


@pytest.fixture(scope="module")
def metric(kept, known, samples):
    return duplicates.metric_of(kept, known, fit_head(samples, SIAMESE), CONFIG)


def test_wide_outputs_are_kept_in_orthogonal_directions_and_narrow_ones_whole(known):
    assert known["low"] is None
    np.testing.assert_allclose(known["high"].T @ known["high"], np.eye(16), atol=1e-5)


def test_the_same_seed_learns_the_same_head(kept, known, samples, metric):
    again = fit_head(Samples.drawn(kept, known, CONFIG, SIAMESE, seed=1), SIAMESE)
    np.testing.assert_array_equal(again.weights, metric.head.weights)
    other = fit_head(Samples.drawn(kept, known, CONFIG, SIAMESE, seed=2), SIAMESE)
    assert (other.weights != metric.head.weights).any()


def test_pairs_to_learn_from_are_those_that_find_scores(table, kept, metric):
    rows = [np.flatnonzero(table.items == item) for item in np.unique(table.items)]
    detector = DuplicateDetector(None, replace(metric, threshold=2.1), 0.0)  # no pair leads to more of them
    listings = [
        replace(each, id=str(number)) for number, each in enumerate(kept.listings([row[:1] for row in rows] * 2))
    ]
    known = detector.adapt(listings)
    items = np.tile(np.arange(len(rows)), 2)
    seen, same = candidates(known, listings, items)
    found = known.find(listings, 0.0, adapt=False)
    assert len(found) == len(same) < len(listings) * (len(listings) - 1) / 2
    np.testing.assert_allclose(sorted(pair.score for pair in found), sorted(metric.head.probabilities(seen)), atol=1e-6)
    assert sum(items[int(pair.left)] == items[int(pair.right)] for pair in found) == same.sum() == len(rows)


def test_every_domain_is_drawn_and_shows_each_item_twice(samples):
    assert samples.seen.shape == (len(samples.same), 9)
    assert (np.bincount(samples.domains, samples.same) > 0.9 * SIAMESE.catalogues * 12).all()
    np.testing.assert_array_equal(samples.seen[:, -1], np.float32(known_share(12)))


def test_with_little_freedom_the_head_is_its_prior_and_copies_count_what_they_are_given(samples):
    stiff = fit_head(samples, replace(SIAMESE, l2=1e6))
    np.testing.assert_allclose(stiff.weights, [10, 0, 0, 3, 0, 0, 3, 0, 0], atol=1e-3)
    assert stiff.bias == pytest.approx(-6)
    free = fit_head(samples, replace(SIAMESE, l2=1e-3, copy_prior=5.0))
    assert np.abs(free.weights[:6] - stiff.weights[:6]).max() > 0.1
    assert (free.weights[6], free.weights[8]) == (5.0, 0.0)


def drawn(seed, n, n_domains, odds):
    """Samples of noise, in which the logarithm of the odds is what `odds` makes of the evidence and the domains."""
    rng = np.random.default_rng(seed)
    domains = np.arange(n) % n_domains
    seen = rng.normal(0, 0.5, (n, 9)).astype(np.float32)
    return Samples(seen, rng.random(n) < 1 / (1 + np.exp(-odds(seen, domains))), domains)


def test_no_similarity_counts_against_a_pair():
    samples = drawn(0, 4000, 2, lambda seen, domains: 3 * seen[:, 0] - 3 * seen[:, 2] - seen[:, 4] - seen[:, 7])
    weights = fit_head(samples, SIAMESE).weights
    assert weights[0] > 2
    np.testing.assert_array_equal(weights[[2, 4]], 0.0)
    assert weights[7] < -0.5  # the number of photos may


@pytest.mark.parametrize("alike", [0.0, 0.3, 0.6])
def test_the_more_photos_a_pair_has_in_common_the_greater_is_every_similarity(alike):
    """Four photos of an item, as alike as given, and its first one, two, three and four once more."""
    axes = np.eye(5, dtype=np.float32)
    photos = np.sqrt(1 - alike) * axes[:4] + np.sqrt(alike) * axes[4]
    counts = np.array([4, 1, 2, 3, 4])
    vectors = np.concatenate([photos[:count] for count in counts]).astype(np.float32)
    sets = PhotoSets({"low": vectors}, np.zeros((len(vectors), 256), np.int8), counts)
    seen = evidence(sets, sets, np.array([[0, 1], [0, 2], [0, 3], [0, 4]]))[:, :3]
    assert (np.diff(seen, axis=0) > -1e-6).all()


def test_what_tells_domains_apart_is_no_evidence():
    """One domain has many twins among its pairs, and many photos; within a domain their number says nothing."""
    samples = drawn(0, 4000, 2, lambda seen, domains: np.where(domains, 0.0, -3.0))
    samples.seen[:, 7] += samples.domains
    assert abs(fit_head(samples, SIAMESE).weights[7]) < 0.3


def test_a_domain_counts_as_much_as_any_other_however_many_pairs_it_has():
    few = drawn(1, 600, 2, lambda seen, domains: np.where(domains, 4, 1) * seen[:, 0])
    rows = np.concatenate([np.flatnonzero(few.domains == 0), *[np.flatnonzero(few.domains == 1)] * 10])
    many = Samples(few.seen[rows], few.same[rows], few.domains[rows])
    np.testing.assert_allclose(fit_head(many, SIAMESE).weights, fit_head(few, SIAMESE).weights, atol=1e-3)


def test_settings_that_no_head_can_have_are_told(samples):
    with pytest.raises(ValueError, match=r"prior is \[1\.0\]: expected 2 numbers, one for each level"):
        fit_head(samples, replace(SIAMESE, prior=(1.0,)))
    for wrong in ({"catalogues": 0}, {"items": 1}, {"most_photos": 0}, {"l2": -1.0}, {"prior": (-1.0, 3.0)}):
        name = next(iter(wrong))
        with pytest.raises(ValueError, match=f"^{name} is "):
            replace(SIAMESE, **wrong)


def test_a_metric_that_is_saved_and_loaded_scores_the_same(table, kept, metric, tmp_path):
    metric.save(tmp_path / "duplicates")
    again = SetMetric.load(tmp_path / "duplicates")
    listings = kept.listings([np.flatnonzero(table.items == item) for item in np.unique(table.items)[:6]])
    scores = [DuplicateDetector(None, each, 0.5).score_matrix(listings, listings) for each in (metric, again)]
    np.testing.assert_allclose(*scores, atol=1e-3)


@pytest.fixture(scope="module")
def protocol(items, table):
    return Protocol(items, table, CONFIG, SIAMESE, seed=2)


@pytest.fixture(scope="module")
def unseen_domains(protocol):
    return protocol.unseen_domains()


def test_every_pair_of_a_domain_is_scored_once_by_every_method(protocol, unseen_domains):
    for scores in (unseen_domains, protocol.unseen_items()):
        for method in ("Siamese network, known catalogue", "logistic regression, nothing known", "low, means"):
            assert {domain: matrix.shape for domain, matrix in scores[method].items()} == dict.fromkeys(
                ("bags", "cars", "toys"), (12, 12)
            )
            assert not any(np.isnan(matrix).any() for matrix in scores[method].values())


def test_what_is_learnt_tells_items_of_an_unseen_domain_apart_better_than_chance(unseen_domains):
    figures = report({"Siamese network, known catalogue": unseen_domains["Siamese network, known catalogue"]})
    assert figures["Siamese network, known catalogue"]["figures"]["mean"]["auc"] > 0.8


def test_candidates_are_each_listings_most_similar_and_most_twins_are_among_them(unseen_domains):
    seen, same = most_similar(unseen_domains, 3)
    assert seen.shape == (2 * 36 * 3, 2)
    assert 48 < same.sum() <= 72
    assert sorted(set(seen[:, 1])) == [0.0, known_share(12)]


def test_held_out_catalogues_are_of_one_domain_and_mixed_and_scored_as_find_scores_them(protocol, unseen_domains):
    catalogues = protocol.catalogues(lambda head: head)
    kinds = [each.kind for each in catalogues]
    assert (kinds.count("one domain, all twice"), kinds.count("one domain, a fifth again")) == (3, 3)
    seen = catalogues[kinds.index("one domain, all twice")]
    assert (seen.n_listings, sum(seen.same) + seen.n_missed) == (24, 12)
    held_out, fold = protocol.folds["one domain"][0]
    detector = DuplicateDetector(None, replace(fold.metric, threshold=2.1), 0.0)  # no pair leads to more of them
    sides = [side[item] for item in np.flatnonzero(held_out) for side in (protocol.left, protocol.right)]
    listings = [replace(each, id=str(row)) for row, each in enumerate(fold.kept.listings(sides))]
    found = [pair.score for pair in detector.find(listings)]
    np.testing.assert_allclose(sorted(found), sorted(seen.scores), atol=1e-6)


def test_what_is_found_in_catalogues_is_counted_kind_by_kind():
    catalogues = [
        Catalogue("a", 10, [0.9, 0.8, 0.2], [True, False, True], n_missed=1),
        Catalogue("a", 30, [0.9, 0.7], [False, True], n_missed=0),
        Catalogue("b", 10, [0.1], [True], n_missed=0),
    ]
    found = found_in(catalogues, {10: 0.5, 30: 0.8}.get)
    assert found["a"] == {"catalogues": 2, "listings": 20.0, "found": 3, "precision": 1 / 3, "recall": 1 / 4}
    assert found["b"] == {"catalogues": 1, "listings": 10.0, "found": 0, "precision": None, "recall": 0.0}


def test_each_half_is_compared_with_the_halves_of_its_domain(items):
    assert compared(items) == 12
    assert compared([Item("a", "0", ()), *(Item("b", str(number), ()) for number in range(3))]) == (1 * 1 + 3 * 3) / 4


def test_calibration_fits_the_share_of_duplicates_in_unknown_and_in_known_catalogues(unseen_domains):
    seen, same = most_similar(unseen_domains, 6)
    head, threshold = duplicates.calibrated(Head(np.array([1.0, 0.0]), 0.0), seen, same, precision=0.9)
    probabilities, known = head.probabilities(seen), seen[:, 1] > 0
    assert head.weights[0] > 0
    for part in (known, ~known):
        assert probabilities[part].mean() == pytest.approx(same[part].mean(), abs=0.01)
    assert threshold == 1.0 or same[known & (probabilities >= threshold)].mean() >= 0.9
