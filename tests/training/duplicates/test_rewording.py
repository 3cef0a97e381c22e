"""Titles that are worded in another way."""

import numpy as np
import pytest

from training.duplicates.rewording import misspell, reword

TITLE = "Puma Men Solid Navy Blue Knits Panel Shorts"


def test_a_reworded_title_is_another_one_and_can_be_repeated():
    found = {reword(TITLE, np.random.default_rng(seed)) for seed in range(50)}
    assert len(found) > 40
    assert TITLE not in found
    assert reword(TITLE, np.random.default_rng(3)) == reword(TITLE, np.random.default_rng(3))


def test_most_words_stay():
    words = set(TITLE.lower().split())
    kept = [len(words & set(reword(TITLE, np.random.default_rng(seed)).lower().split())) for seed in range(200)]
    assert 5 < np.mean(kept) < len(words)


def test_two_words_are_kept_at_least():
    assert all(len(reword("Nike Shoes", np.random.default_rng(seed)).split()) == 2 for seed in range(50))


@pytest.mark.parametrize("word", ["red", "128gb", "7-8"])
def test_short_words_and_numbers_are_not_misspelt(word):
    assert misspell(word, np.random.default_rng(0)) == word
