"""The metric between sets of photos is learnt from pairs, and runs as it was trained."""

from dataclasses import replace

import numpy as np
import pytest

from productcat.duplicates.detector import DuplicateDetector
from productcat.duplicates.evidence import evidence, names
from productcat.duplicates.metric import SetMetric
from productcat.duplicates.photo_sets import PhotoSets
from productcat.duplicates.thumbnails import LENGTH
from productcat.duplicates.titles import Rarity, TitleTable
from training.duplicates import metric as duplicates
from training.duplicates.catalogues import Catalogue, found_in, threshold_in
from training.duplicates.item_photos import Item
from training.duplicates.photo_table import PhotoTable
from training.duplicates.protocol import Protocol, report
from training.duplicates.shops import Shop
from training.duplicates.siamese import UNLEARNT, Samples, SiameseConfig, candidates, fit_head

NAMES = names(("low", "high"))
"""Of the evidence."""

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
    little = rng.integers(-127, 128, (len(rows), LENGTH)).astype(np.int8)
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
def shops(table, kept, known):
    """Photos of two domains, of which the first of each item was copied, and those of another."""
    others = kept.domains == "toys"
    alone = np.array([f"{item} {row}" for row, item in enumerate(kept.items)])
    rest = replace(kept, items=alone).rows(others)
    detector = DuplicateDetector(None, duplicates.metric_of(kept, known, UNLEARNT, CONFIG), 0.5)
    return Shop(kept.rows(~others), rest, [""] * len(rest.items)).samples(detector, 0)


@pytest.fixture(scope="module")
def metric(kept, known, samples, shops):
    return duplicates.metric_of(kept, known, fit_head(samples, shops, SIAMESE), CONFIG)


def test_wide_outputs_are_kept_in_orthogonal_directions_and_narrow_ones_whole(known):
    assert known["low"] is None
    np.testing.assert_allclose(known["high"].T @ known["high"], np.eye(16), atol=1e-5)


def test_the_same_seed_learns_the_same_head(kept, known, shops, metric):
    again = fit_head(Samples.drawn(kept, known, CONFIG, SIAMESE, seed=1), shops, SIAMESE)
    np.testing.assert_array_equal(again.known.items.weights, metric.head.known.items.weights)
    other = fit_head(Samples.drawn(kept, known, CONFIG, SIAMESE, seed=2), shops, SIAMESE)
    assert (other.known.items.weights != metric.head.known.items.weights).any()


def test_pairs_to_learn_from_are_those_that_find_scores(table, kept, metric):
    rows = [np.flatnonzero(table.items == item) for item in np.unique(table.items)]
    detector = DuplicateDetector(None, replace(metric, threshold=2.1), 0.0)
    listings = [
        replace(each, id=str(number)) for number, each in enumerate(kept.listings([row[:1] for row in rows] * 2))
    ]
    known = detector.adapt(listings)
    items = np.tile(np.arange(len(rows)), 2)
    seen, same, pairs = candidates(known, listings, items)
    assert len(pairs) == len(same) < len(listings) * (len(listings) - 1) / 2
    assert same.sum() == len(rows)
    scores = known.among(0).score([listings[a] for a, _ in pairs], [listings[b] for _, b in pairs])
    np.testing.assert_allclose(scores, known.metric.head.probabilities(seen), atol=1e-5)


def test_every_domain_is_drawn_and_shows_each_item_twice_before_and_after_it_is_known(samples):
    assert samples.seen.shape == (len(samples.same), len(NAMES) + 1)
    for some in (samples.twice & samples.known, samples.twice & ~samples.known):
        twins = np.bincount(samples.domains[some], samples.same[some])
        assert (twins > 0.9 * SIAMESE.catalogues * 12).all()
    assert set(samples.listings[samples.twice]) == {24}


def test_other_catalogues_show_a_few_items_again(samples):
    again = samples.rows(~samples.twice)
    assert again.known.all()
    shown_again = len(np.unique(again.pairs[again.same])) / len(np.unique(again.pairs))
    assert 0.1 < shown_again < 0.6
    assert set(again.domains) == {0, 1, 2}
    assert set(again.pairs.ravel()).isdisjoint(samples.rows(samples.twice).pairs.ravel())


def test_a_shop_has_pairs_of_copies_and_many_more_of_others(shops):
    known = shops.seen[:, -1] > 0
    for some in (known, ~known):
        assert 0 < shops.same[some].sum() < 0.5 * some.sum()
    assert len(set(shops.listings)) == 1


@pytest.mark.parametrize(("titles", "counts"), [(("blue tie", "red tie"), True), (("blue tie", "Tie blue"), False)])
def test_pictures_that_agree_are_sister_articles_where_their_titles_differ(kept, known, titles, counts):
    """Of two others one has the other's picture, with another corner. All copies together count more."""
    others = np.flatnonzero(kept.domains == "toys")
    items, little = np.array([f"{item} {row}" for row, item in enumerate(kept.items)]), kept.thumbnails.copy()
    outputs = {name: each.copy() for name, each in kept.outputs.items()}
    for each in (little, *outputs.values()):
        each[others[1]] = each[others[0]]
    little[others[1], 0] += 1
    rest = replace(kept, items=items, thumbnails=little, outputs=outputs).rows(kept.domains == "toys")
    detector = DuplicateDetector(None, duplicates.metric_of(kept, known, UNLEARNT, CONFIG), 0.5)
    copied = kept.rows(kept.domains == "bags")
    found = Shop(copied, rest, [*titles, *[""] * (len(others) - 2)]).samples(detector, 0)
    n_copied = len(copied.items)
    for some in (found.rows(found.known), found.rows(~found.known)):
        first = some.pairs[:, 0] % (n_copied + len(others)) == n_copied
        second = some.pairs[:, 1] % (n_copied + len(others)) == n_copied + 1
        assert not some.same[first & second].any()
        n_times = (first & second).sum()
        assert 0 < n_times < some.same.sum() if counts else n_times == 0


def drawn(seed, n, n_domains, odds, listings=60):
    """Samples of noise, in which the logarithm of the odds is what `odds` makes of the evidence and the domains."""
    rng = np.random.default_rng(seed)
    domains = np.arange(n) % n_domains
    seen = np.abs(rng.normal(0, 0.5, (n, len(NAMES) + 1))).astype(np.float32)
    seen[:, -1] = np.arange(n) // n_domains % 2  # half of them in a known catalogue
    same = rng.random(n) < 1 / (1 + np.exp(-odds(seen, domains)))
    pairs = np.arange(2 * n).reshape(n, 2)
    return Samples(seen, same, pairs, domains, np.full(n, listings), np.ones(n, bool))


def column(name):
    return NAMES.index(name)


def test_no_similarity_counts_against_a_pair_and_no_difference_for_it():
    def odds(seen, domains):
        return 3 * seen[:, 0] - 3 * seen[:, 2] - seen[:, 4] + 3 * seen[:, column("hue")] - 2

    samples = drawn(0, 8000, 2, odds)
    head = fit_head(samples, samples, SIAMESE)
    for weights in (each.weights for way in (head.known, head.unknown) for each in (way.items, way.copies)):
        assert (weights[[*range(6), column("details"), column("copy")]] >= 0).all()
        assert (weights[[column("hue"), column("light")]] <= 0).all()
    for way in (head.known, head.unknown):
        assert way.items.weights[column("outlines")] <= 0 <= way.copies.weights[column("outlines")]
        assert way.items.weights[0] > 1
        np.testing.assert_array_equal(way.items.weights[[2, 4]], 0.0)


def test_an_item_in_other_photos_and_a_copy_are_both_found_and_each_needs_its_own_evidence_only():
    """Half of the pairs of one item look alike, the other half are copies that do not."""

    def odds(seen, domains):
        return np.logaddexp(8 * seen[:, 0] - 7, 6 * seen[:, column("copy")] - 7)

    samples = drawn(3, 30_000, 2, odds)
    head = fit_head(samples, samples, SIAMESE)
    seen = np.zeros((4, len(NAMES) + 1))
    seen[:, -1] = 1.0
    seen[1, 0] = seen[2, column("copy")] = 1.5
    seen[3, [0, column("copy")]] = 1.5
    neither, looks, copy, both = head.probabilities(seen)
    assert neither < 0.05
    assert min(looks, copy) > 0.75
    assert both >= max(looks, copy) - 1e-9


def test_probabilities_are_right_among_as_many_listings_as_there_are():
    """What is learnt among 60 listings and in a shop of 6,000 in which duplicates are a hundred times rarer agrees."""

    def odds(seen, domains):
        return 10 * seen[:, column("copy")] - 7 - seen[:, column("pairs")]

    few = drawn(1, 20_000, 2, odds)
    many = drawn(2, 20_000, 1, lambda seen, domains: odds(seen, domains) - np.log(100), listings=6_000)
    head = fit_head(few, many, SIAMESE)
    seen = np.zeros((2, len(NAMES)))
    seen[:, column("copy")] = 0.6, 0.9
    np.testing.assert_allclose(head.known.logits(seen), [-1, 2], atol=0.5)


@pytest.mark.parametrize("alike", [0.0, 0.3, 0.6])
def test_the_more_photos_a_pair_has_in_common_the_greater_is_every_similarity(alike):
    """Four photos of an item, as alike as given, and its first one, two, three and four once more."""
    axes = np.eye(5, dtype=np.float32)
    photos = np.sqrt(1 - alike) * axes[:4] + np.sqrt(alike) * axes[4]
    counts = np.array([4, 1, 2, 3, 4])
    vectors = np.concatenate([photos[:count] for count in counts]).astype(np.float32)
    titles = TitleTable.of([""] * 5, Rarity.empty())
    little = np.zeros((len(vectors), LENGTH), np.int8)
    sets = PhotoSets({"low": vectors}, little, counts, titles, np.full(5, np.nan))
    seen = evidence(sets, sets, np.array([[0, 1], [0, 2], [0, 3], [0, 4]]))[:, :3]
    assert (np.diff(seen, axis=0) > -1e-6).all()


def test_settings_that_no_head_can_have_are_told(samples):
    with pytest.raises(ValueError, match=r"prior is \[1\.0\]: expected a number for each level of the image model"):
        fit_head(samples, samples, replace(SIAMESE, prior=(1.0,)))
    for wrong in (
        {"catalogues": 0},
        {"items": 1},
        {"most_photos": 0},
        {"l2": -1.0},
        {"prior": (-1.0, 3.0)},
        {"prior": (0.0,)},
    ):
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
def protocol(items, table, shops):
    return Protocol(items, table, shops, CONFIG, SIAMESE, seed=2)


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


def test_held_out_catalogues_are_of_one_domain_and_mixed_and_scored_as_find_scores_them(protocol, unseen_domains):
    catalogues = protocol.catalogues()
    kinds = [each.kind for each in catalogues]
    assert (kinds.count("one domain, all twice"), kinds.count("one domain, a fifth again")) == (3, 3)
    seen = catalogues[kinds.index("one domain, all twice")]
    assert (seen.n_listings, sum(seen.same) + seen.n_missed) == (24, 12)
    held_out, fold = protocol.folds["one domain"][0]
    sides = [side[item] for item in np.flatnonzero(held_out) for side in (protocol.left, protocol.right)]
    listings = fold.kept.listings(sides)
    named = [replace(each, id=str(number)) for number, each in enumerate(listings)]
    found = DuplicateDetector(None, fold.metric, 0.5).find(named, threshold=0.0)
    np.testing.assert_allclose(sorted(seen.scores), sorted(pair.score for pair in found), atol=1e-6)


def test_what_is_found_in_catalogues_is_counted_kind_by_kind():
    catalogues = [
        Catalogue("a", 10, [0.9, 0.8, 0.2], [True, False, True], n_missed=1),
        Catalogue("a", 601, [0.4, 0.97], [False, True], n_missed=0),
        Catalogue("b", 10, [0.1], [True], n_missed=0),
    ]
    found = found_in(catalogues, 0.6)
    assert found["a"] == {"catalogues": 2, "listings": 305.5, "found": 3, "precision": 2 / 3, "recall": 2 / 4}
    assert found["b"] == {"catalogues": 1, "listings": 10.0, "found": 0, "precision": None, "recall": 0.0}


def test_the_threshold_is_the_lowest_from_which_on_enough_is_right():
    catalogues = [Catalogue("a", 10, [0.9, 0.8, 0.7, 0.6], [True, True, False, True], n_missed=0)]
    assert threshold_in(catalogues, 0.99) == pytest.approx(0.8)
    assert threshold_in(catalogues, 0.75) == pytest.approx(0.6)
