"""Split titles into words, phrases and n-grams of characters."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import pairwise

from productcat.errors import ListingError

MAX_WORDS = 64
"""Number of words of a title that count: the first ones."""

MAX_CHARACTERS = 4_000
"""Number of characters of a title that count: the first ones."""

ASCII_WORD = re.compile(r"[a-z0-9]+")

# Python's \w has no combining marks, without which words of Indic, Thai, Arabic or Hebrew script fall to pieces.
WORD = re.compile(r"[^\W_](?:[^\W_]|[\u0300-\u036f\u0483-\u0487\u0591-\u05c7\u0610-\u06ed\u0900-\u109f])*")

# Symbols that normalisation would turn into letters and digits: keycaps, trade marks, letters in squares.
SYMBOL = re.compile("[0-9#*]\ufe0f?\u20e3|[\u2100-\u214f\u3297\u3299\U0001f100-\U0001f2ff]")


def split_words(title: str) -> list[str]:
    """Return the words of a title, normalised (NFKC, casefold), in order and without the possessive "s"."""
    if not isinstance(title, str):
        raise ListingError(f"a title is a str, not {type(title).__name__} ({title!r:.60}); use '' for none")
    if title.isascii():
        found = ASCII_WORD.findall(title[:MAX_CHARACTERS].lower())
    else:
        title = SYMBOL.sub(" ", title[:MAX_CHARACTERS])
        found = WORD.findall(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", title).casefold()))
    return [word for word in found if word != "s"][:MAX_WORDS]


def phrases(words: Sequence[str]) -> list[str]:
    """Return the features that are not single words: neighbouring pairs, and the last word marked "$"."""
    pairs = [f"{left} {right}" for left, right in pairwise(words)]
    return [*pairs, f"{words[-1]} $"] if words else pairs


def ngrams(word: str, sizes: Iterable[int]) -> list[str]:
    """Return the pieces of "<word>" of `sizes` letters, marked "~", not the whole (Bojanowski et al., 2017)."""
    marked = f"<{word}>"
    return ["~" + marked[i : i + size] for size in sizes if size < len(marked) for i in range(len(marked) - size + 1)]
