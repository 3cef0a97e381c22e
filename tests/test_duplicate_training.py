"""The metric between sets of photos is learnt from pairs, and runs as it was trained."""

from dataclasses import replace

import numpy as np
import pytest

from productcat.duplicates import DuplicateDetector
from productcat.embedding import Embedding
from productcat.photo_evidence import evidence
from productcat.set_metric import Head, SetMetric
from productcat.whitening import known_share
from training import duplicates
from training.catalogues import Catalogue, found_in
from training.duplicate_protocol import Protocol, candidates, compared, report
from training.item_photos import Item
from training.photo_table import PhotoTable
from training.siamese import SiameseConfig

CONFIG = duplicates.MetricConfig(features=(24, 16), dimensions=12)
SIAMESE = SiameseConfig(catalogues=3)
LEVELS = ("low", "high")


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
def domains(table, known):
    return duplicates.domains_of(table, known, CONFIG)


@pytest.fixture(scope="module")
def samples(domains):
    return duplicates.Samples.drawn(domains, LEVELS, SIAMESE, seed=1)


@pytest.fixture(scope="module")
def network(samples):
    return duplicates.train_siamese(samples, LEVELS, SIAMESE)


@pytest.fixture(scope="module")
def metric(table, known, network):
    return duplicates.metric_of(table, known, network.head(), CONFIG)


def embeddings(table, metric, sets):
    return [
        Embedding(
            "",
            {
                name: level.compact(table.outputs[name][rows].astype(np.float32))
                for name, level in metric.levels.items()
            },
            table.thumbnails[rows],
        )
        for rows in sets
    ]


def test_wide_outputs_are_kept_in_orthogonal_directions_and_narrow_ones_whole(known):
    assert known["low"] is None
    np.testing.assert_allclose(known["high"].T @ known["high"], np.eye(16), atol=1e-5)


def test_the_same_seed_learns_the_same_metric(domains, network):
    again = duplicates.train_siamese(duplicates.Samples.drawn(domains, LEVELS, SIAMESE, seed=1), LEVELS, SIAMESE)
    for one, other in zip(network.weights, again.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


def test_pairs_to_learn_from_are_the_nearest_of_every_listing_in_its_catalogue(samples):
    assert set(samples.domains) == {0, 1, 2}
    assert samples.seen.shape == (len(samples.same), 9)
    assert samples.same.sum() > 0.9 * 3 * 3 * 12
    logits = np.array([[5.0, 4.0, 3.0], [2.0, 1.0, 0.0]])
    assert duplicates.nearest(logits, 1).tolist() == [[True, True, True], [True, False, False]]
    assert duplicates.nearest(logits, 3).all()


def test_with_little_freedom_the_head_is_its_prior_and_copies_count_what_they_are_given(samples):
    stiff = duplicates.train_siamese(samples, LEVELS, replace(SIAMESE, l2=1e6)).head()
    np.testing.assert_allclose(stiff.weights, [10, 0, 0, 3, 0, 0, 3, 0, 0], atol=1e-3)
    free = duplicates.train_siamese(samples, LEVELS, replace(SIAMESE, l2=1e-3, copy_prior=5.0)).head()
    assert np.abs(free.weights[:6] - stiff.weights[:6]).max() > 0.1
    assert free.weights[6] == 5.0


def test_what_tells_domains_apart_is_no_evidence():
    """One domain has many twins among its pairs, and many photos; within a domain their number says nothing."""
    rng, n = np.random.default_rng(0), 4000
    domains = np.repeat([0, 1], n // 2)
    seen = np.zeros((n, 9), np.float32)
    seen[:, 7] = domains + rng.normal(0, 0.5, n)
    samples = duplicates.Samples(seen, rng.random(n) < np.where(domains, 0.5, 0.05), domains)
    assert abs(duplicates.train_siamese(samples, LEVELS, SIAMESE).head().weights[7]) < 0.3


@pytest.mark.parametrize("adapt", [False, True])
def test_the_network_and_productcat_see_the_same_evidence_and_give_the_same_scores(table, metric, network, adapt):
    detector = DuplicateDetector(None, metric, 0.5)
    rows = [np.flatnonzero(table.items == item) for item in np.unique(table.items[table.domains == "cars"])]
    left, right = [each[:1] for each in rows], [each[1:] for each in rows]
    if adapt:
        detector = detector.adapt(embeddings(table, metric, rows))
    sets = [detector.sets(embeddings(table, metric, side)) for side in (left, right)]
    whole = detector.sets(embeddings(table, metric, [np.arange(len(table.items))]))
    vectors = {level: each * whole.lengths[level][:, None] for level, each in whole.vectors.items()}
    shares = whole.own.shares if adapt else np.zeros(len(table.items))
    inputs = duplicates.Domain(table, (vectors, shares, 0.0)).batch(left, right)
    pairs = np.indices((12, 12)).reshape(2, -1).T
    seen = evidence(*sets, pairs)
    np.testing.assert_allclose(np.asarray(network.evidence(inputs))[..., :-1].reshape(144, -1), seen, atol=2e-3)
    expected = 1 / (1 + np.exp(-np.asarray(network(inputs)).ravel()))
    np.testing.assert_allclose(metric.probabilities(seen), expected, atol=0.02)


def test_a_metric_that_is_saved_and_loaded_scores_the_same(table, metric, tmp_path):
    metric.save(tmp_path / "duplicates")
    again = SetMetric.load(tmp_path / "duplicates")
    rows = [np.flatnonzero(table.items == item) for item in np.unique(table.items)[:6]]
    kept = embeddings(table, metric, rows)
    scores = [DuplicateDetector(None, each, 0.5).score_matrix(kept, kept) for each in (metric, again)]
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
    seen, same = candidates(unseen_domains, 3)
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
    listings = [replace(each, id=str(row)) for row, each in enumerate(embeddings(protocol.table, fold.metric, sides))]
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
    seen, same = candidates(unseen_domains, 6)
    head, threshold = duplicates.calibrated(Head(np.array([1.0, 0.0]), 0.0), seen, same, precision=0.9)
    probabilities, known = head.probabilities(seen), seen[:, 1] > 0
    assert head.weights[0] > 0
    for part in (known, ~known):
        assert probabilities[part].mean() == pytest.approx(same[part].mean(), abs=0.01)
    assert threshold == 1.0 or same[known & (probabilities >= threshold)].mean() >= 0.9
