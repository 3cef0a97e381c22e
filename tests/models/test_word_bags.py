"""Bags of words: what a category remembers of its examples' titles."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from productcat.models.title_model import TitleModel
from productcat.models.word_bags import WordBags

VOCABULARY = ["red", "bag", "red bag", "bag $", "belt"]
RARITY = np.array([1.0, 4.0, 5.0, 4.5, 3.0], np.float16)
words = st.lists(st.sampled_from(["red", "bag", "belt", "wool", "été", "靴"]), min_size=1, max_size=6).map(" ".join)


def bags(**tensors):
    vectors = np.zeros((len(VOCABULARY), 2), np.float32)
    return WordBags(TitleModel(VOCABULARY, {"vectors": vectors, **tensors}, {"ngram_sizes": [], "rarest": 6.0}))


@given(st.lists(words, min_size=1, max_size=5))
def test_a_title_has_the_same_unit_vector_alone_and_among_others(titles):
    together = bags(rarity=RARITY).vectors(titles)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1.0, rtol=1e-5)
    np.testing.assert_array_equal(together[:1], bags(rarity=RARITY).vectors(titles[:1]))


def test_a_title_without_a_word_is_no_evidence():
    found = bags().vectors(["", "🎉 !", "wool"])
    assert np.isnan(found).all(axis=1).tolist() == [True, True, False]


def test_titles_that_share_rare_words_are_more_alike_than_those_that_share_frequent_ones():
    title, rare, frequent = bags(rarity=RARITY).vectors(["red bag", "blue bag", "red belt"])
    assert title @ rare > title @ frequent
    title, other, stranger = bags(rarity=RARITY).vectors(["zori sandal", "pair of zori", "pair of clogs"])
    assert title @ other > 0.1 > title @ stranger
