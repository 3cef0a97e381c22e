"""How a title model is trained; what a trained one does is tested in tests/models."""

import numpy as np
import pytest
from fashion_titles import N_CLASSES, make_titles
from make_bundles import train_fashion_titles

from productcat.errors import ListingError
from training.titles.title_model import TitleConfig, train, train_baseline


@pytest.fixture(scope="module")
def titles():
    return make_titles(300, np.random.default_rng(3))


@pytest.fixture(scope="module")
def config():
    return TitleConfig(dimensions=8, epochs=8, members=2)


@pytest.fixture(scope="module")
def model():
    return train_fashion_titles()


def test_it_learns_the_classes_of_titles_it_has_not_seen(model):
    names, labels = make_titles(90, np.random.default_rng(11))
    assert np.mean(model.distributions(names).argmax(axis=1) == labels) > 0.98


def test_a_word_with_combining_marks_stays_whole(titles, config):
    names, labels = ["काली घड़ी", "लाल थैला"] * 40, np.arange(80) % 2
    model = train(names, labels, (names[:4], labels[:4]), 2, TitleConfig(dimensions=4, epochs=3, members=1))
    assert "घड़ी" in model.vocabulary or any("घ" in feature and " " not in feature for feature in model.vocabulary[:4])
    assert model.distributions(names[:2]).argmax(axis=1).tolist() == [0, 1]


def test_the_same_seed_trains_the_same_model(model, titles):
    again = train_fashion_titles()
    assert again.vocabulary == model.vocabulary
    assert np.allclose(again.distributions(titles[0]), model.distributions(titles[0]), atol=1e-3)


def test_titles_without_words_cannot_be_learnt_from(config):
    with pytest.raises(ListingError, match="none of the 2 training titles has a word"):
        train(["", "👗"], [0, 1], ([""], [0]), 2, config)


def test_it_trains_from_random_vectors_and_without_ngrams_too(titles):
    names, labels = titles
    config = TitleConfig(dimensions=8, epochs=6, members=1, cbow=False, ngram_sizes=())
    model = train(names[:240], labels[:240], (names[240:], labels[240:]), N_CLASSES, config)
    assert np.mean(model.distributions(names).argmax(axis=1) == labels) > 0.95
    assert np.isnan(model.distributions(["tshrit"])).all()


def test_the_baseline_gives_nothing_to_classes_without_titles(titles):
    names, labels = titles
    rows = train_baseline(names, labels * 3 % 7, 8).predict_proba(names)
    assert rows.shape == (300, 8)
    assert np.allclose(rows.sum(axis=1), 1.0)
    assert (rows[:, [1, 2, 4, 5, 7]] == 0).all()
