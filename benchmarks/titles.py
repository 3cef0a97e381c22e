"""Titles per second: `TitleModel.distributions` against the plain way, a loop over gensim vectors, in the same process.

    python benchmarks/titles.py [--titles CSV] [--column NAME] [--rounds N] [--to JSON]

The plain way takes, for each title, the mean of its words' vectors from gensim and one linear layer on it. Without a
CSV the titles are made up. Both models have the same words, dimensions and number of classes.
"""

import argparse
import csv
import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from timing import compare, report, seconds, take_turns

from productcat.models.title_model import TitleModel
from productcat.models.title_words import ngrams, phrases, split_words

BRANDS = ("Puma", "Nike", "Levis", "Fossil", "Wrangler", "Baggit", "Reebok", "Lotto", "Wildcraft", "Titan")
PEOPLE = ("Men", "Women", "Unisex", "Kids", "Boys", "Girls", "Men's", "Women's")
LOOKS = ("Printed", "Striped", "Solid", "Casual", "Sports", "Leather", "Formal", "Round Neck", "Washed")
COLOURS = ("Black", "White", "Navy Blue", "Red", "Off White", "Olive Green", "Brown", "Grey")
KINDS = ("T-shirt", "Shirt", "Handbag", "Watch", "Casual Shoes", "Flip Flops", "Jeans", "Track Pants", "Belt")
DIMENSIONS, N_CLASSES = 48, 142
MOST = 20_000
"""Number of titles that are measured, at most."""


def read_titles(path: str | None, column: str) -> list[str]:
    """Read the titles of a CSV column, or make titles up if there is no path."""
    if path is None:
        return [" ".join(parts) for parts in itertools.product(BRANDS, PEOPLE, LOOKS, COLOURS, KINDS)]
    with open(path, encoding="utf-8", newline="") as file:
        return [row[column] or "" for row in csv.DictReader(file)]


def make_models(titles: Sequence[str]) -> tuple[TitleModel, Any]:
    """Make an untrained TitleModel and gensim vectors of the same words: speed does not depend on the numbers."""
    from gensim.models import KeyedVectors

    words = [split_words(title) for title in titles]
    vocabulary = sorted({word for title in words for word in title})
    pairs = Counter(phrase for title in words for phrase in phrases(title))
    pieces = {piece for word in vocabulary for piece in ngrams(word, (3, 4, 5))}
    features = [*vocabulary, *(pair for pair, count in pairs.items() if count > 1), *sorted(pieces)]
    rng = np.random.default_rng(0)
    tensors = {
        "vectors": rng.normal(size=(len(features), DIMENSIONS)).astype(np.float16),
        "kernel": rng.normal(size=(DIMENSIONS, N_CLASSES)).astype(np.float32),
        "bias": np.zeros(N_CLASSES, np.float32),
    }
    plain = KeyedVectors(DIMENSIONS)
    plain.add_vectors(vocabulary, tensors["vectors"][: len(vocabulary)].astype(np.float32))
    return TitleModel(features, tensors, {"ngram_sizes": [3, 4, 5], "known_share": 0.34}), plain


def plain_distributions(
    vectors: Any, tensors: Mapping[str, NDArray[np.floating]], titles: Sequence[str]
) -> NDArray[np.floating]:
    """Compute distributions the plain way: one title after the other."""
    rows = []
    for title in titles:
        known = [vectors[word] for word in split_words(title) if word in vectors]
        mean = np.mean(known, axis=0) if known else np.zeros(DIMENSIONS, np.float32)
        logits = mean @ tensors["kernel"] + tensors["bias"]
        scores = np.exp(logits - logits.max())
        rows.append(scores / scores.sum())
    return np.array(rows)


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--titles", metavar="CSV", help="a file of titles; without it they are made up")
    parser.add_argument(
        "--column", default="productDisplayName", help="the column of the titles (default: %(default)s)"
    )
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each way (default: %(default)s)")
    parser.add_argument("--to", type=Path, help="also write the figures to this JSON file")
    options = parser.parse_args()
    titles = read_titles(options.titles, options.column)[:MOST]
    model, plain = make_models(titles)
    rivals = {
        "productcat": lambda: len(titles) / seconds(lambda: model.distributions(titles)),
        "gensim loop": lambda: len(titles) / seconds(lambda: plain_distributions(plain, model.tensors, titles)),
    }
    measured = take_turns(rivals, options.rounds)
    report([compare(f"distributions of {len(titles):,} titles", "titles/s", measured, more_is_better=True)], options.to)


if __name__ == "__main__":
    main()
