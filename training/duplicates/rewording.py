"""Words titles in another way, as sellers do before they post an item again, to learn and measure that it is found."""

from collections.abc import Callable

import numpy as np

BRAND_DROPPED = 0.2
"""Share of the titles that lose their first word, which often is the brand."""

DROPPED = 0.15
"""Share of the other words that are left out."""

SWAPPED = 0.5
"""Share of the titles in which two neighbours are swapped."""

MISSPELT = 0.15
"""Share of the words of four letters or more that get a typo."""

LEAST = 2
"""Number of words that are kept, at least."""

CASES: tuple[Callable[[str], str], ...] = (str, str.lower, str.upper, str.title)


def reword(title: str, rng: np.random.Generator) -> str:
    """Leave out, swap and misspell words of a title, and change its case. A title of one word may stay the same."""
    words = title.split()
    for _ in range(100):
        found = _reworded(list(words), rng)
        if found.split() != words:
            return found
    return title


def _reworded(words: list[str], rng: np.random.Generator) -> str:
    shares = np.where(np.arange(len(words)) > 0, DROPPED, BRAND_DROPPED)
    kept = [word for word, drop in zip(words, rng.random(len(words)) < shares, strict=True) if not drop]
    words = kept if len(kept) >= LEAST else words
    if len(words) > 1 and rng.random() < SWAPPED:
        place = int(rng.integers(len(words) - 1))
        words[place : place + 2] = reversed(words[place : place + 2])
    case = CASES[rng.integers(len(CASES))]
    return case(" ".join(misspell(word, rng) if rng.random() < MISSPELT else word for word in words))


def misspell(word: str, rng: np.random.Generator) -> str:
    """Swap two letters, or lose, double or change one; words below four letters and with digits stay."""
    if len(word) < 4 or not word.isalpha():
        return word
    place = int(rng.integers(1, len(word) - 1))
    before, letter, after = word[:place], word[place], word[place + 1 :]
    changed = str(rng.choice(list("aeioulnrst")))
    ways = (
        before + after[0] + letter + after[1:],
        before + after,
        before + 2 * letter + after,
        before + changed + after,
    )
    return ways[rng.integers(len(ways))]
