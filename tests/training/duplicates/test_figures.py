"""The figures of duplicate scores, each against another way to find it, and their intervals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from productcat.evaluation.pair_figures import recall_at_precision
from training.duplicates import figures as metrics


@st.composite
def matrices(draw):
    """Scores of a domain; few different values, so ties are frequent."""
    n_items = draw(st.integers(2, 9))
    return draw(arrays(float, (n_items, n_items), elements=st.sampled_from([0.0, 0.1, 0.5, 0.7, 1.0])))


@st.composite
def drawn(draw):
    """(scores, counts) with at least two different items in each of three rounds."""
    scores = draw(matrices())
    counts = draw(arrays(int, (3, len(scores)), elements=st.integers(0, 3)))
    counts[:, draw(st.permutations(range(len(scores))))[:2]] += 1
    return scores, counts


def domain(n_items, rng, noise=1.0):
    """Scores of items that look like themselves, more or less."""
    left, right = rng.normal(size=(n_items, 24)) + noise * rng.normal(size=(2, n_items, 24))
    return left @ right.T / 24


def copied(scores, counts):
    """(labels, pair scores) of the items written out as often as they occur, without pairs of copies."""
    which = np.repeat(np.arange(len(scores)), counts)
    labels = np.eye(len(which), dtype=bool)
    kept = labels | (which[:, None] != which[None, :])
    return labels[kept], scores[np.ix_(which, which)][kept]


def naive_recall_at_1(scores, which):
    hits = [all(scores[row, row] > scores[row, other] for other in which if other != row) for row in which]
    return np.mean(hits)


@given(matrices())
@settings(max_examples=30)
def test_curves_are_what_sklearn_says(scores):
    labels = np.eye(len(scores)).ravel()
    assert metrics.auc(scores) == pytest.approx(roc_auc_score(labels, scores.ravel()))
    assert metrics.average_precision(scores) == pytest.approx(average_precision_score(labels, scores.ravel()))


@given(matrices())
def test_recall_at_1_counts_rows_whose_own_column_is_above_all_others(scores):
    assert metrics.recall_at_1(scores) == pytest.approx(naive_recall_at_1(scores, range(len(scores))))


def test_a_tie_is_a_miss():
    assert metrics.recall_at_1(np.array([[0.9, 0.9], [0.1, 0.2]])) == 0.5


@given(drawn())
@settings(max_examples=30)
def test_drawn_figures_are_those_of_items_written_out_without_pairs_of_copies(scored):
    scores, counts = scored
    figures = metrics.resampled(scores, counts)
    for number, count in enumerate(counts):
        labels, pairs = copied(scores, count)
        assert figures["auc"][number] == pytest.approx(roc_auc_score(labels, pairs))
        assert figures["average_precision"][number] == pytest.approx(average_precision_score(labels, pairs))
        expected = naive_recall_at_1(scores, np.repeat(np.arange(len(scores)), count))
        assert figures["recall_at_1"][number] == pytest.approx(expected)


@given(matrices())
@settings(max_examples=30)
def test_every_item_drawn_once_gives_the_figures_themselves(scores):
    figures = metrics.resampled(scores, np.ones((1, len(scores))))
    for name, figure in metrics.FIGURES.items():
        assert figures[name] == pytest.approx(figure(scores))


def test_perfect_scores_give_1_and_no_doubt():
    domains = {"bags": np.eye(12), "cars": np.eye(5) + 0.3}
    assert metrics.summary(domains) == {name: dict.fromkeys(metrics.FIGURES, 1.0) for name in ("bags", "cars", "mean")}
    for intervals in metrics.bootstrap(domains, 0, rounds=50).values():
        assert set(intervals.values()) == {(1.0, 1.0)}


def test_scores_that_say_nothing_are_no_better_than_chance():
    figures = metrics.summary({"bags": np.random.default_rng(0).random((150, 150)), "cars": np.full((4, 4), 0.5)})
    assert figures["bags"]["auc"] == pytest.approx(0.5, abs=0.1)
    assert figures["bags"]["average_precision"] < 0.05
    assert figures["bags"]["recall_at_1"] < 0.05
    assert figures["cars"] == {"auc": 0.5, "average_precision": 0.25, "recall_at_1": 0.0}


def test_the_mean_weighs_each_domain_alike():
    rng = np.random.default_rng(0)
    figures = metrics.summary({"small": domain(5, rng, 2.0), "large": domain(60, rng)})
    for name in metrics.FIGURES:
        expected = (figures["small"][name] + figures["large"][name]) / 2
        assert figures["mean"][name] == pytest.approx(expected)


@given(st.dictionaries(st.sampled_from(["bags", "cars", "toys"]), matrices(), min_size=1), st.integers(0, 2**32))
@settings(max_examples=30)
def test_intervals_hold_their_figures(domains, seed):
    figures, intervals = metrics.summary(domains), metrics.bootstrap(domains, seed, rounds=40)
    assert list(figures) == list(intervals)
    for name, each in figures.items():
        for figure, value in each.items():
            low, high = intervals[name][figure]
            assert 0 <= low <= value + 1e-9
            assert value - 1e-9 <= high <= 1


def test_the_same_seed_gives_the_same_intervals():
    domains = {"bags": domain(20, np.random.default_rng(0))}
    assert metrics.bootstrap(domains, 3, rounds=50) == metrics.bootstrap(domains, 3, rounds=50)
    assert metrics.bootstrap(domains, 3, rounds=50) != metrics.bootstrap(domains, 4, rounds=50)


def test_intervals_narrow_with_more_items_and_more_domains_and_widen_with_the_level():
    rng = np.random.default_rng(0)
    domains = {"small": domain(15, rng)} | {f"large {number}": domain(90, rng) for number in range(4)}
    widths = {
        name: {figure: high - low for figure, (low, high) in each.items()}
        for name, each in metrics.bootstrap(domains, 0, rounds=300).items()
    }
    low, high = metrics.bootstrap(domains, 0, rounds=300, level=0.5)["small"]["recall_at_1"]
    assert high - low < widths["small"]["recall_at_1"]
    for figure in metrics.FIGURES:
        assert widths["large 0"][figure] < widths["small"][figure]
        assert widths["mean"][figure] < widths["small"][figure]


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(0)
    many = [metrics.summary({"bags": domain(30, rng)})["bags"] for _ in range(300)]
    truth = {name: np.mean([each[name] for each in many]) for name in metrics.FIGURES}
    held = {name: [] for name in metrics.FIGURES}
    for seed in range(60):
        intervals = metrics.bootstrap({"bags": domain(30, rng)}, seed, rounds=100)["bags"]
        for name, (low, high) in intervals.items():
            held[name].append(low <= truth[name] <= high)
    assert all(np.mean(each) >= 0.8 for each in held.values()), {name: np.mean(each) for name, each in held.items()}


@given(
    arrays(float, st.integers(1, 30), elements=st.sampled_from([0.0, 0.2, 0.4, 0.5, 0.9, 1.0])),
    st.sampled_from([0.1, 0.5, 0.9, 0.999, 1.0]),
    st.data(),
)
def test_recall_at_a_precision_is_the_best_of_sklearns_curve(scores, precision, data):
    labels = data.draw(arrays(bool, len(scores)).filter(np.any))
    recall, threshold = recall_at_precision(scores, labels, precision)
    precisions, recalls, thresholds = precision_recall_curve(labels, scores)
    good = [
        (each, place)
        for right, each, place in zip(precisions, recalls, thresholds, strict=False)  # the last point has no threshold
        if right >= precision
    ]
    if not good:
        assert (recall, threshold) == (0.0, float("inf"))
        return
    assert (recall, threshold) == (pytest.approx(max(good)[0]), max(good)[1])
    found = scores >= threshold
    assert labels[found].mean() >= precision
    assert found[labels].mean() == pytest.approx(recall)


@pytest.mark.parametrize(
    ("domains", "message"),
    [
        ({}, "domains none: expected at least one, none called mean"),
        ({"bags": np.eye(3), "mean": np.eye(3)}, "domains bags, mean: expected at least one, none called mean"),
        ({"bags": np.eye(3), "cars": np.ones((1, 1))}, r"domain 'cars': shape \(1, 1\); expected a row and a column"),
        ({"cars": np.ones((2, 3))}, r"domain 'cars': shape \(2, 3\); expected a row and a column"),
        ({"cars": np.full((2, 2), np.nan)}, "domain 'cars': 4 scores are not finite; score every pair"),
    ],
)
def test_domains_without_figures_are_refused_by_name(domains, message):
    for figures in (metrics.summary, lambda each: metrics.bootstrap(each, 0)):
        with pytest.raises(ValueError, match=message):
            figures(domains)


@pytest.mark.parametrize("setting", [{"rounds": 0}, {"level": 0.0}, {"level": 1.0}])
def test_a_bootstrap_without_draws_or_with_a_strange_level_is_refused(setting):
    with pytest.raises(ValueError, match="expected at least one round and a level between 0 and 1"):
        metrics.bootstrap({"bags": np.eye(3)}, 0, **setting)


def test_recall_at_a_precision_needs_positives_scores_and_a_precision():
    for scores, labels in (([0.5], [False]), ([0.5, 0.4], [True]), ([np.nan], [True]), ([], [])):
        with pytest.raises(ValueError, match="expected one finite score a label, and at least one positive"):
            recall_at_precision(scores, labels, 0.9)
    for precision in (0.0, 1.1):
        with pytest.raises(ValueError, match=f"precision={precision}: expected a number above 0, at most 1"):
            recall_at_precision([0.5], [True], precision)
