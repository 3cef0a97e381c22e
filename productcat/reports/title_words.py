"""What differs between the titles of a group: words that others lack, and words that only others have."""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|(?:(?![\u3040-\u30ff\u3400-\u9fff])[^\W_])+(?:[.,][0-9]+)*")
"""A word or a number; in Chinese and Japanese, which have no spaces, a sign."""


@dataclass(frozen=True)
class TitleWords:
    """A title and what differs in it.

    pieces : list of (text, bool)
        The title in pieces, and whether a piece is a word that most others lack.
    missing : list of str
        Words that most others have and this one lacks; of two titles the other's marks say it already.
    """

    pieces: list[tuple[str, bool]]
    missing: list[str]


def compare_titles(titles: Sequence[str]) -> list[TitleWords]:
    """Compare each title with the others. Case and the way in which a letter is encoded make no difference.

    A word differs if fewer than half of the other titles have it. Listings without a title say nothing.
    """
    found = [[match.span() for match in WORD.finditer(title)] for title in titles]
    words = [[_same(title[a:b]) for a, b in spans] for title, spans in zip(titles, found, strict=True)]
    with_word = Counter(word for each in words for word in set(each))
    others = sum(bool(each) for each in words) - 1
    spelt: dict[str, str] = {}
    for title, spans, each in zip(titles, found, words, strict=True):
        for (a, b), word in zip(spans, each, strict=True):
            spelt.setdefault(word, title[a:b])
    usual = [word for word in spelt if 2 * with_word[word] > others] if others > 1 else []
    return [
        TitleWords(
            _pieces(title, spans, [2 * (with_word[word] - 1) < others for word in each]),
            [spelt[word] for word in usual if word not in set(each)] if each else [],
        )
        for title, spans, each in zip(titles, found, words, strict=True)
    ]


def _same(word: str) -> str:
    return unicodedata.normalize("NFKC", word).casefold()


def _pieces(title: str, spans: Sequence[tuple[int, int]], differs: Sequence[bool]) -> list[tuple[str, bool]]:
    """Cut a title into words that differ and what lies between them."""
    pieces: list[tuple[str, bool]] = []
    end = 0
    for (start, stop), marked in zip(spans, differs, strict=True):
        if marked:
            pieces += [(title[end:start], False), (title[start:stop], True)]
            end = stop
    return [(text, marked) for text, marked in [*pieces, (title[end:], False)] if text]
