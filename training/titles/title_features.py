"""Turns training titles into what the network sees: a vocabulary, padded bags, and CBOW vectors to start from."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from productcat.models.title_model import TitleModel
from productcat.models.title_words import MAX_WORDS, ngrams, phrases
from training.titles.title_config import TitleConfig

NGRAM, PHRASE = MAX_WORDS, 2 * MAX_WORDS
"""Slots of a title's features: the word at place i has slot i, its n-grams slot NGRAM + i, the rest slot PHRASE."""


class Features:
    """The vocabulary of a set of titles: words, then phrases, then n-grams, each with its row.

    Parameters
    ----------
    words : sequence of list of str
        The words of each title.
    """

    def __init__(self, words: Sequence[list[str]], config: TitleConfig) -> None:
        self.config = config
        counts = Counter(word for title in words for word in title)
        self.words = [word for word, count in counts.items() if count >= config.minimum_word_count]
        pairs = Counter(phrase for title in words for phrase in set(phrases(title)))
        pieces: Counter[str] = Counter()
        for word, count in counts.items():
            pieces.update(dict.fromkeys(ngrams(word, config.ngram_sizes), count))
        self.vocabulary = [
            *self.words,
            *sorted(phrase for phrase, count in pairs.items() if count >= config.minimum_phrase_count),
            *sorted(piece for piece, count in pieces.items() if count >= config.minimum_ngram_count),
        ]
        self.rows = {feature: row for row, feature in enumerate(self.vocabulary)}
        titles = Counter(word for title in words for word in set(title)) + pairs
        # A feature in n of N titles: log((N + 1) / (n + 1)) + 1. N-grams count as in no title.
        self.rarity = np.log((len(words) + 1) / (np.array([titles[each] for each in self.vocabulary]) + 1)) + 1
        self.pieces = {word: self.known(ngrams(word, config.ngram_sizes)) for word in counts}

    def known(self, features: Iterable[str]) -> list[int]:
        """Return the rows of those features that have one."""
        return [self.rows[feature] for feature in features if feature in self.rows]

    def encode(self, titles: Iterable[list[str]]) -> "Bags":
        """Return the words of titles as arrays to draw batches from."""
        return Bags([list(self._entries(words)) for words in titles])

    def _entries(self, words: list[str]) -> Iterator[tuple[int, float, int]]:
        """Yield row, share and slot of each feature; the n-grams of a word share one part."""
        for place, word in enumerate(words):
            if word in self.rows:
                yield self.rows[word], 1.0, place
            pieces = self.pieces.get(word, ())
            yield from ((piece, 1.0 / len(pieces), NGRAM + place) for piece in pieces)
        yield from ((row, 1.0, PHRASE) for row in self.known(phrases(words)))

    def complete(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Add to each word's vector the mean of its n-grams, as a title without hidden words sees it."""
        result = vectors.copy()
        for row, word in enumerate(self.words):
            if self.pieces[word]:
                result[row] += vectors[self.pieces[word]].mean(axis=0)
        return result

    def model(
        self, vectors: NDArray[np.floating], kernel: NDArray[np.floating], bias: NDArray[np.floating]
    ) -> TitleModel:
        """Return the model of these complete vectors and this layer."""
        tensors = {"vectors": vectors, "kernel": kernel, "bias": bias, "rarity": self.rarity.astype(np.float16)}
        sizes, rarest = list(self.config.ngram_sizes), float(self.rarity.max())
        settings = {"ngram_sizes": sizes, "known_share": self.config.known_share, "rarest": rarest}
        return TitleModel(self.vocabulary, tensors, settings)


class Bags:
    """Titles as padded arrays of shape (n_titles, n_longest): rows, shares and slots of their features."""

    def __init__(self, entries: Sequence[list[tuple[int, float, int]]]) -> None:
        self.lengths = np.array([len(each) for each in entries])
        shape = len(entries), self.lengths.max()
        self.rows = np.zeros(shape, np.int32)
        self.shares = np.zeros(shape, np.float32)
        self.slots = np.full(shape, PHRASE, np.uint8)
        filled = np.arange(shape[1]) < self.lengths[:, None]
        entries_in_order = np.array([entry for each in entries for entry in each]).reshape(-1, 3)
        self.rows[filled], self.shares[filled], self.slots[filled] = entries_in_order.T

    def draw(
        self, places: NDArray[np.intp], config: TitleConfig, rng: np.random.Generator
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return rows and shares of some titles, with words and phrases dropped and hidden at random.

        Returns
        -------
        rows, shares : ndarray of shape (n_places, n_longest)
            The shares are divided by the square root of the number of words and phrases left.
        """
        # Padding to multiples of 32 keeps the number of compiled shapes small.
        longest = -(-self.lengths[places].max() // 32) * 32
        slots = self.slots[places, :longest]
        dropped = rng.random((len(places), NGRAM)) < config.word_dropout
        hidden = rng.random((len(places), NGRAM)) < config.word_hiding
        gone = np.concatenate([dropped | hidden, dropped, np.zeros((len(places), 1), bool)], axis=1)
        gone = np.take_along_axis(gone, slots.astype(np.int64), axis=1)
        gone |= (slots == PHRASE) & (rng.random(slots.shape) < config.phrase_dropout)
        shares = np.where(gone, 0.0, self.shares[places, :longest])
        present = np.zeros((len(places), NGRAM), bool)
        title, column = np.nonzero((slots != PHRASE) & (shares > 0))
        present[title, slots[title, column] % NGRAM] = True
        units = present.sum(axis=1) + ((slots == PHRASE) & (shares > 0)).sum(axis=1)
        shares = (shares / np.sqrt(np.maximum(units, 1))[:, None]).astype(np.float32)
        return self.rows[places, :longest], shares


def train_cbow(features: Features, corpus: Iterable[list[str]], config: TitleConfig, seed: int) -> NDArray[np.float32]:
    """Return vectors to start from, shape (n_features, n_dimensions); n-grams start at zero."""
    if not config.cbow:
        rng = np.random.default_rng(seed)
        return rng.normal(0.0, 0.1, (len(features.vocabulary), config.dimensions)).astype(np.float32)
    from gensim.models import Word2Vec

    sentences = [list(_with_pairs(words, features.rows)) for words in corpus]
    settings = {"window": config.cbow_window, "epochs": config.cbow_epochs, "min_count": 1, "workers": 1}
    trained = Word2Vec(sentences, vector_size=config.dimensions, sg=0, seed=seed + 1, **settings).wv
    result = np.zeros((len(features.vocabulary), config.dimensions), np.float32)
    for row, feature in enumerate(features.vocabulary):
        name = feature.removesuffix(" $")
        if name in trained:
            result[row] = trained[name]
    return result * (config.cbow_scale / np.sqrt(np.mean(trained.vectors**2)))


def _with_pairs(words: list[str], known: dict[str, int]) -> Iterator[str]:
    """Yield each word, then its pair with the next one if that is a feature."""
    for word, after in zip_longest(words, words[1:], fillvalue=""):
        yield word
        if f"{word} {after}" in known:
            yield f"{word} {after}"
