"""From titles to distributions over the classes, with NumPy alone.

A title is a bag of features: its words, its pairs of neighbouring words, and its last word marked as such.
Every feature has a vector. The title's vector is their sum divided by the square root of their number, and a
linear layer with a softmax turns it into a distribution. A word that training never saw is built from its
n-grams (pieces of three to five letters), so that spelling slips still speak.

What is evidence: any known word, and any unknown word with enough known n-grams (of its shortest ones
`known_share`, and at least two). A title with neither is no evidence, and its rows are NaN. Emoji and
punctuation are no words.
"""

import json
import re
import unicodedata
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np

from productcat.arithmetic.distributions import information_of
from productcat.arithmetic.vectors import products
from productcat.errors import BundleError, ListingError

MAX_WORDS = 64
"""Words of a title that count: the first ones."""

MAX_CHARACTERS = 4_000
"""Characters of a title that count: the first ones."""

SAYS_LITTLE = 0.25
"""Information in [0, 1], as `information_of` has it, below which a guess is hardly one."""

BATCH = 4_096
"""Titles worked on at once, which bounds the memory."""

ASCII_WORD = re.compile(r"[a-z0-9]+")
# Python's \w has no combining marks, without which words of Indic, Thai, Arabic or Hebrew script fall to pieces.
WORD = re.compile(r"[^\W_](?:[^\W_]|[\u0300-\u036f\u0483-\u0487\u0591-\u05c7\u0610-\u06ed\u0900-\u109f])*")
# Symbols that normalisation would turn into letters and digits: keycaps, trade marks, letters in squares.
SYMBOL = re.compile("[0-9#*]\ufe0f?\u20e3|[\u2100-\u214f\u3297\u3299\U0001f100-\U0001f2ff]")


def split_words(title):
    """The words of a title, normalised (NFKC, casefold), in order; the possessive "s" left out. → list[str]"""
    if not isinstance(title, str):
        raise ListingError(f"a title is a str, not {type(title).__name__} ({title!r:.60}); use '' for none")
    if title.isascii():
        found = ASCII_WORD.findall(title[:MAX_CHARACTERS].lower())
    else:
        title = SYMBOL.sub(" ", title[:MAX_CHARACTERS])
        found = WORD.findall(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", title).casefold()))
    return [word for word in found if word != "s"][:MAX_WORDS]


def phrases(words):
    """Features that are more than one word alone: neighbouring pairs, and the last word marked "$". → list[str]"""
    pairs = [f"{left} {right}" for left, right in pairwise(words)]
    return [*pairs, f"{words[-1]} $"] if words else pairs


def ngrams(word, sizes):
    """Pieces of "<word>" of `sizes` letters, marked "~", not the whole (Bojanowski et al., 2017). → list[str]"""
    marked = f"<{word}>"
    return ["~" + marked[i : i + size] for size in sizes if size < len(marked) for i in range(len(marked) - size + 1)]


class TitleModel:
    """Titles → distributions and vectors.

    Parameters
    ----------
    vocabulary : list[str]
        The features, in row order: words, then "left right" pairs and "last $", then "~" n-grams.
    tensors : dict[str, ndarray]
        "vectors" of shape (n_features, n_dimensions), words complete with their n-grams; "kernel" of shape
        (n_dimensions, n_classes); "bias" of shape (n_classes,). It may have "confusion" of shape (n_classes,
        n_classes), rows summing to 1: what a class that is meant is seen as, and "rarity" of shape (n_features,), for
        `productcat.models.title_words`.
    settings : dict
        "ngram_sizes": letters per n-gram, ascending; "known_share": share of an unknown word's shortest n-grams
        that must be known for it to be evidence. It may have "endings": what an unknown word may lose to be a known
        one, such as ["s"], and "rarest": the rarity of what is not in the vocabulary.
    """

    def __init__(self, vocabulary, tensors, settings):
        self.vocabulary, self.tensors, self.settings = vocabulary, tensors, settings

    @classmethod
    def load(cls, folder):
        """Read vocabulary.json, settings.json and weights.safetensors from a folder."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        folder = Path(folder)
        try:
            vocabulary = json.loads((folder / "vocabulary.json").read_text("utf-8"))
            settings = json.loads((folder / "settings.json").read_text("utf-8"))
            tensors = load_file(folder / "weights.safetensors")
        except (OSError, ValueError, SafetensorError) as error:
            raise BundleError(f"{folder}: no readable title model ({error}); get it again") from None
        shape = tensors["vectors"].shape if "vectors" in tensors else None
        if shape is None or shape[0] != len(vocabulary):
            raise BundleError(
                f"{folder}: {len(vocabulary)} features in vocabulary.json, but vectors of shape {shape} in "
                "weights.safetensors; the files are of different models, get them again"
            )
        return cls(vocabulary, tensors, settings)

    def save(self, folder):
        """Write vocabulary.json, settings.json and weights.safetensors into a folder, made if absent."""
        from safetensors.numpy import save_file

        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        compact = {"ensure_ascii": False, "separators": (",", ":")}
        (folder / "vocabulary.json").write_text(json.dumps(self.vocabulary, **compact), "utf-8")
        (folder / "settings.json").write_text(json.dumps(self.settings, indent=1), "utf-8")
        tensors = {name: np.ascontiguousarray(tensor) for name, tensor in self.tensors.items()}
        save_file(tensors, folder / "weights.safetensors")

    def distributions(self, titles):
        """The titles seen through the classes.

        Parameters
        ----------
        titles : sequence of str

        Returns
        -------
        ndarray of shape (n_titles, n_classes), dtype float64
            Rows sum to 1. A row of NaN: no evidence.
        """
        vectors = self.vectors(titles)
        logits = vectors @ self.tensors["kernel"].astype(np.float32) + self.tensors["bias"].astype(np.float32)
        scores = np.exp((logits - logits.max(axis=1, keepdims=True)).astype(np.float64))
        meant = scores / scores.sum(axis=1, keepdims=True)
        return meant if self._confusion is None else products(meant, self._confusion.T)

    def vectors(self, titles):
        """The dense vectors of the titles.

        Returns
        -------
        ndarray of shape (n_titles, n_dimensions), dtype float32
            A row of NaN: no evidence.
        """
        if isinstance(titles, str):
            raise ListingError(f"titles are a list of str, not one str ({titles!r:.60}); put it into a list")
        titles = list(titles)
        parts = [self._batch_vectors(titles[i : i + BATCH]) for i in range(0, len(titles), BATCH)]
        return np.concatenate(parts) if parts else np.empty((0, self._table.shape[1]), np.float32)

    def guesses(self, title):
        """Whether it knows no word of a title, with or without its ending, and what their pieces say is little."""
        if any(word in self._rows or self._without_ending(word) is not None for word in split_words(title)):
            return False
        return bool(information_of(self.distributions([title]))[0] < SAYS_LITTLE)

    @cached_property
    def _rows(self):
        return {feature: row for row, feature in enumerate(self.vocabulary)}

    @cached_property
    def _table(self):
        return self.tensors["vectors"].astype(np.float32)

    @cached_property
    def _confusion(self):
        if "confusion" not in self.tensors:
            return None
        rows = self.tensors["confusion"].astype(np.float64)
        return rows / rows.sum(axis=1, keepdims=True)  # as they are kept they sum to 1 but for rounding

    def _batch_vectors(self, titles):
        rows, counts, unknown = self._batch_rows(titles)
        result = np.full((len(titles), self._table.shape[1]), np.nan, np.float32)
        evident = np.flatnonzero(counts)
        if len(evident):
            gathered = self._gather(rows, unknown)
            starts = np.cumsum(counts)[evident] - counts[evident]
            result[evident] = np.add.reduceat(gathered, starts) / np.sqrt(counts[evident, None])
        return result

    def _batch_rows(self, titles):
        """Rows of all features, how many each title has, and the n-gram rows of the unknown words.

        The j-th unknown word has row n_features + j.
        """
        known, unknown, places, rows = self._rows, [], {}, []
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

    def _without_ending(self, word):
        """The row of a word that is known without its ending, or None."""
        stems = (word.removesuffix(ending) for ending in self.settings.get("endings", ()) if word.endswith(ending))
        return next((self._rows[stem] for stem in stems if stem in self._rows), None)

    def _guess(self, word, unknown):
        """Add the known n-grams of an unknown word to `unknown` and return its row, or None: no evidence."""
        sizes = self.settings["ngram_sizes"]
        rows = [self._rows[piece] for piece in ngrams(word, sizes) if piece in self._rows]
        shortest = ngrams(word, sizes[:1])
        known = sum(piece in self._rows for piece in shortest)
        if known < 2 or known < self.settings["known_share"] * len(shortest):
            return None
        unknown.append(rows)
        return len(self.vocabulary) + len(unknown) - 1

    def _gather(self, rows, unknown):
        if not unknown:
            return self._table[rows]
        gathered = self._table[np.minimum(rows, len(self._table) - 1)]
        lengths = np.array([len(pieces) for pieces in unknown])
        starts = np.cumsum(lengths) - lengths
        guessed = np.add.reduceat(self._table[np.concatenate(unknown)], starts) / lengths[:, None]
        guesses = np.flatnonzero(rows >= len(self._table))
        gathered[guesses] = guessed[rows[guesses] - len(self._table)]
        return gathered
