"""Turn titles into distributions over the classes, with NumPy alone.

A title is a bag of features: its words, its pairs of neighbouring words, and its last word marked as such. Every
feature has a vector. The title's vector is their sum divided by the square root of their number. A linear layer with a
softmax turns it into a distribution. A word that training never saw is built from its n-grams (pieces of three to five
letters), so that misspelt words still count.

Evidence is any known word, and any unknown word with enough known n-grams: at least two, and at least the share
`known_share` of its shortest ones. A title with neither is no evidence, and its rows are NaN. Emoji and punctuation are
not words.
"""

import json
import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from productcat.arithmetic.distributions import information_of
from productcat.arithmetic.vectors import products
from productcat.errors import BundleError, ListingError
from productcat.models.contents import AGAIN, Contents, Entries, different_texts
from productcat.models.title_words import ngrams, phrases, split_words

FILES = VOCABULARY, SETTINGS, WEIGHTS = "vocabulary.json", "settings.json", "weights.safetensors"

LONGEST_PIECE = 64
"""Number of letters that a piece of a word may have."""

MOST_RARE = 1_000
"""Greatest rarity of a feature, which is a logarithm."""

SAYS_LITTLE = 0.25
"""Threshold for the information of a distribution, in [0, 1] as `information_of` gives it: less says almost nothing."""

TITLES_AT_ONCE = 4_096
"""Number of titles worked on at once, which limits the memory."""


class TitleModel:
    """Turn titles into distributions and vectors. Threads may share a model.

    Parameters
    ----------
    vocabulary : list of str
        The features, in row order: words, then "left right" pairs and "last $", then "~" n-grams.
    tensors : dict, name → ndarray
        "vectors" of shape (n_features, n_dimensions), words complete with their n-grams; "kernel" of shape
        (n_dimensions, n_classes); "bias" of shape (n_classes,). Optional are "confusion" of shape (n_classes,
        n_classes), rows summing to 1, which says how a class that is meant is seen, and "rarity" of shape
        (n_features,), for `productcat.models.word_bags`.
    settings : dict
        "ngram_sizes": letters per n-gram, ascending; "known_share": share of an unknown word's shortest n-grams that
        must be known for it to be evidence. Optional are "endings": endings that an unknown word may lose to become a
        known one, such as ["s"], and "rarest": the rarity of a feature that is not in the vocabulary.
    """

    # Two threads may compute a cached property at the same time. Both get the same, so this does no harm.

    def __init__(self, vocabulary: list[str], tensors: Mapping[str, NDArray[Any]], settings: Mapping[str, Any]) -> None:
        self.vocabulary, self.tensors, self.settings = vocabulary, tensors, settings

    @classmethod
    def load(cls, folder: str | os.PathLike[str] | Contents) -> Self:
        """Read vocabulary.json, settings.json and weights.safetensors from a folder.

        Raises
        ------
        BundleError
            A file is missing or damaged, or the three do not belong together.
        """
        contents = folder if isinstance(folder, Contents) else Contents.of(Path(folder))
        vocabulary = different_texts(f"{contents.said}{VOCABULARY}", contents.json(VOCABULARY))
        settings = contents.entries(SETTINGS)
        _check_settings(settings)
        weights = contents.tensors(WEIGHTS)
        n_dimensions = weights.array("vectors", None, None).shape[1]
        if len(weights.tensors["vectors"]) != len(vocabulary):
            raise BundleError(
                f"{contents.said}{VOCABULARY} has {len(vocabulary)} features, but {WEIGHTS} has vectors of shape "
                f"{weights.tensors['vectors'].shape}; the files are of different models, get them again"
            )
        n_classes = weights.array("kernel", n_dimensions, None).shape[1]
        weights.array("bias", n_classes)
        if weights.has("confusion"):
            weights.distributions("confusion", n_classes, n_classes)
        if weights.has("rarity"):
            weights.array("rarity", len(vocabulary))
        if not n_dimensions or not n_classes:
            weights.refuse("kernel", "is empty")
        return cls(vocabulary, weights.tensors, settings.entries)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write vocabulary.json, settings.json and weights.safetensors into a folder, which is made if absent."""
        from safetensors.numpy import save_file

        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        vocabulary = json.dumps(self.vocabulary, ensure_ascii=False, separators=(",", ":"))
        (folder / VOCABULARY).write_text(vocabulary, "utf-8")
        (folder / SETTINGS).write_text(json.dumps(self.settings, indent=1), "utf-8")
        tensors = {name: np.ascontiguousarray(tensor) for name, tensor in self.tensors.items()}
        save_file(tensors, folder / WEIGHTS)

    def distributions(self, titles: Sequence[str]) -> NDArray[np.float64]:
        """Return the titles seen through the classes.

        Parameters
        ----------
        titles : sequence of str

        Returns
        -------
        ndarray of shape (n_titles, n_classes), dtype float64
            Rows sum to 1. A row of NaN means no evidence.
        """
        vectors = self.vectors(titles)
        logits = vectors @ self.tensors["kernel"].astype(np.float32) + self.tensors["bias"].astype(np.float32)
        scores = np.exp((logits - logits.max(axis=1, keepdims=True)).astype(np.float64))
        meant = scores / scores.sum(axis=1, keepdims=True)
        found = meant if self._confusion is None else products(meant, self._confusion.T)
        _refuse_nan(found[~np.isnan(vectors).any(axis=1)])
        return found

    def vectors(self, titles: Sequence[str]) -> NDArray[np.float32]:
        """Return the dense vectors of the titles.

        Returns
        -------
        ndarray of shape (n_titles, n_dimensions), dtype float32
            A row of NaN means no evidence.
        """
        if isinstance(titles, str):
            raise ListingError(f"titles are a list of str, not one str ({titles!r:.60}); put it into a list")
        titles = list(titles)
        starts = range(0, len(titles), TITLES_AT_ONCE)
        parts = [self._batch_vectors(titles[start : start + TITLES_AT_ONCE]) for start in starts]
        return np.concatenate(parts) if parts else np.empty((0, self._table.shape[1]), np.float32)

    def guesses(self, title: str) -> bool:
        """Return whether a title has no known word, even without an ending, and the pieces of its words say little."""
        if any(word in self._rows or self._without_ending(word) is not None for word in split_words(title)):
            return False
        return bool(information_of(self.distributions([title]))[0] < SAYS_LITTLE)

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {feature: row for row, feature in enumerate(self.vocabulary)}

    @cached_property
    def _table(self) -> NDArray[np.float32]:
        return self.tensors["vectors"].astype(np.float32)

    @cached_property
    def _confusion(self) -> NDArray[np.float64] | None:
        if "confusion" not in self.tensors:
            return None
        rows = self.tensors["confusion"].astype(np.float64)
        rows /= rows.sum(axis=1, keepdims=True)  # the stored ones are rounded
        return rows

    def _batch_vectors(self, titles: Sequence[str]) -> NDArray[np.float32]:
        rows, counts, unknown = self._batch_rows(titles)
        result = np.full((len(titles), self._table.shape[1]), np.nan, np.float32)
        evident = np.flatnonzero(counts)
        if len(evident):
            gathered = self._gather(rows, unknown)
            starts = np.cumsum(counts)[evident] - counts[evident]
            result[evident] = np.add.reduceat(gathered, starts) / np.sqrt(counts[evident, None])
            _refuse_nan(result[evident])
        return result

    def _batch_rows(self, titles: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64], list[list[int]]]:
        """Return the rows of all features, how many each title has, and the n-gram rows of the unknown words.

        The j-th unknown word has row n_features + j.
        """
        known = self._rows
        rows: list[int] = []
        unknown: list[list[int]] = []
        places: dict[str, int | None] = {}
        counts = np.zeros(len(titles), np.int64)
        for number, title in enumerate(titles):
            words, before = split_words(title), len(rows)
            for word in words:
                row = known.get(word)
                if row is None:
                    row = self._without_ending(word)
                if row is None:
                    if word not in places:
                        places[word] = self._guess(word, unknown)
                    row = places[word]
                if row is not None:
                    rows.append(row)
            rows += [known[phrase] for phrase in phrases(words) if phrase in known]
            counts[number] = len(rows) - before
        return np.array(rows, np.int64), counts, unknown

    def _without_ending(self, word: str) -> int | None:
        """Return the row of a word that is known without its ending, or None."""
        stems = (word.removesuffix(ending) for ending in self.settings.get("endings", ()) if word.endswith(ending))
        return next((self._rows[stem] for stem in stems if stem in self._rows), None)

    def _guess(self, word: str, unknown: list[list[int]]) -> int | None:
        """Add the known n-grams of an unknown word to `unknown` and return its row; None when it is no evidence."""
        sizes = self.settings["ngram_sizes"]
        rows = [self._rows[piece] for piece in ngrams(word, sizes) if piece in self._rows]
        shortest = ngrams(word, sizes[:1])
        known = sum(piece in self._rows for piece in shortest)
        if known < 2 or known < self.settings["known_share"] * len(shortest):
            return None
        unknown.append(rows)
        return len(self.vocabulary) + len(unknown) - 1

    def _gather(self, rows: NDArray[np.int64], unknown: list[list[int]]) -> NDArray[np.float32]:
        """Return the vectors of the rows that `_batch_rows` gives."""
        if not unknown:
            return self._table[rows]
        gathered = self._table[np.minimum(rows, len(self._table) - 1)]
        lengths = np.array([len(pieces) for pieces in unknown])
        starts = np.cumsum(lengths) - lengths
        guessed = np.add.reduceat(self._table[np.concatenate(unknown)], starts) / lengths[:, None]
        guesses = np.flatnonzero(rows >= len(self._table))
        gathered[guesses] = guessed[rows[guesses] - len(self._table)]
        return gathered


def _check_settings(settings: Entries) -> None:
    """Raise BundleError unless the settings are as `TitleModel` has them."""
    sizes = settings.whole("ngram_sizes", 1, LONGEST_PIECE)
    if sizes != sorted(set(sizes)):
        settings.refuse("ngram_sizes", "numbers of letters, ascending")
    settings.number("known_share", 0, 1)
    if settings.has("rarest"):
        settings.number("rarest", 0, MOST_RARE)
    if settings.has("endings"):
        settings.texts("endings")


def _refuse_nan(rows: NDArray[np.floating]) -> None:
    """Raise BundleError when titles that are evidence have a row that says otherwise."""
    if not np.isfinite(rows).all():
        raise BundleError(f"the title model gives a number that is not finite; {AGAIN}")
