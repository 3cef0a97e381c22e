"""What two titles say about whether two listings are the same item: columns of numbers, and the head that weighs them.

Rare words that agree count for, rare words that only one title has count against. How rare a word is comes from the
catalogue at hand, as its inverse document frequency (Spärck Jones 1972), in nats. So shared words add up to the
logarithm of how unlikely they agree by chance (Fellegi and Sunter 1969, "A theory for record linkage"). There is no
list of words, and nothing depends on a language. `training/duplicates/titles.py` learns the head.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from productcat.models.title_words import MAX_WORDS, split_words

# Thai, Lao, Burmese, Khmer, kana and Han are written without spaces between words.
UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff]+"
)
DIGITS = re.compile(r"\d+")

PRIOR_TITLES = 20.0
"""Number of titles that a catalogue's own counts are smoothed with."""

PRIOR_COUNT = 1.0
"""Number of those titles that hold a word: in no catalogue at all a word's rarity is ln(20 / 1) = 3 nats."""

REPEATS = 3
"""Number of titles with the same rare words that count, at most: one item posted often does not make words usual."""

GENERIC = 3
"""Number of words from which a title may be of one item only. Shorter ones say what many listings say."""

ENOUGH = 6.0
"""Rarity, in nats, of so little text that it says half as much as a long text. It keeps short titles near 0."""

MOST_REPLACED = 2
"""Number of neighbouring words that are taken for one word replaced by another, such as "navy blue"."""

USUAL = 6.0
"""Rarity, in nats, that the titles of two items often share: what kind of thing they are, or "new" and "test".

Titles count for one item by what they share beyond it, a nat for a nat at most, as for a record linkage (Fellegi and
Sunter 1969). Of titles that share less, hardly any two are of one item, also where a small or unknown catalogue makes
their words look rare. Two words of which nothing is known are as much.
"""

CLUSTERED = 0.75
"""What the rarity of words without digits counts there: words come in clusters, so one in two titles is no chance.
Church 2000, "Empirical estimates of adaptation: the chance of two Noriegas is closer to p/2 than p²"."""

LETTERS, NUMBER, CODE = 0, 1, 2
"""Kinds of words: without digits, digits only, and both ("128gb", a model's number)."""

LONGEST = 16
"""Number of characters of a word that are compared where two words are nearly the same."""

NEAR_WORTH = 0.8
"""What a word with a typo counts of the same word without one."""

SHORTEST_NEAR = 4
"""Number of characters of the longer word from which there may be a typo; two from twice as many."""

SHORTEST_STEM = 4
"""Number of characters that two codes must have in common."""

COMMON_BIGRAMS = 1 / 3
"""Share of pairs of letters below which two words are not compared letter by letter."""

BITS = 64
"""Number of bits of a half of a word's set of pairs of letters."""

WIDTHS = np.array([3, 4, 5, 6, 8, 10, 12, 14, 16, 20, 24, 32, 48, MAX_WORDS])
"""Numbers of words to which titles are filled up, so that alike long ones are compared together."""

COMPARED_AT_ONCE = 2_000_000
"""Number of pairs of words compared together, which bounds the memory."""

TOLD = 3
"""Number of words, the weightiest ones, that are told of a pair of titles: for, and on each side against."""

LEAST_TOLD = 0.1
"""Weight of a word, in nats, below which nothing is told of it."""

COLUMNS: dict[str, int] = {
    "alike": 1,
    "alike_rare": 1,
    "contained": 1,
    "shared": 1,
    "shared_letters": 1,
    "shared_numbers": 1,
    "shared_codes": 1,
    "code_stem": 1,
    "first_same": 1,
    "differ": -1,
    "differ_letters": -1,
    "differ_numbers": -1,
    "differ_codes": -1,
    "differ_rarest": -1,
    "other_number": -1,
    "first_differs": -1,
    "replaced": -1,
    "one_has_more": -1,
    "one_has_more_numbers": -1,
    "one_has_more_codes": -1,
}
"""Columns of `title_evidence`, each with the sign that its weight has. So more agreement never lowers a logit.

"alike", "alike_rare", "contained": shared rarity as a share of all, of all squared, and of the title that has less
"shared…": shared rarity, as a logarithm; of words without digits, of numbers, of codes
"code_stem": codes of which one begins or ends with the other ("kd55af8" and "kd55af8bu")
"first_same", "first_differs": the first words, where many titles have the brand
"differ…": rarity that both titles have, and neither shares with the other; as a share of all, by kind, and the rarest
"other_number": words that differ in their digits only ("64gb" and "128gb")
"replaced": one or two words in whose place, between words that both have, others stand in the other title ("men's navy
    blue belt" and "men's black belt"): so differ the titles of sister articles, however usual the words; as a logarithm
"one_has_more…": rarity that one title has beyond that
"""


def words_of(title: str) -> list[str]:
    """Return the words of a title in order, and pairs of characters where a script puts no spaces between words."""
    found: list[str] = []
    for word in split_words(title):
        if word.isascii():
            found.append(word)
            continue
        end = 0
        for run in UNSPACED.finditer(word):
            found += [word[end : run.start()], *(map("".join, pairwise(run.group()))), *run.group()[: len(run[0]) == 1]]
            end = run.end()
        found.append(word[end:])
    return [word for word in found if word][:MAX_WORDS]


class Rarity:
    """How rare words are among the titles at hand, in nats.

    Parameters
    ----------
    counts : mapping, word → number of titles that hold it
    n_titles : int
    """

    def __init__(self, counts: Mapping[str, int], n_titles: int) -> None:
        self._counts, self._n_titles = counts, n_titles

    @classmethod
    def empty(cls) -> Self:
        """Return what is known without a catalogue: all words are equally rare."""
        return cls({}, 0)

    @classmethod
    def of(cls, titles: Iterable[str]) -> Self:
        """Count the words of a catalogue's titles. Titles without a word do not count.

        An item may be posted many times, with a title worded in other ways each time. So titles that hold a word and
        share the two rarest of their other words count `REPEATS` times at most. Otherwise an item's own words would
        become usual, and its copies be lost. Shorter titles count as often as they occur.
        """
        times = Counter(words for words in (frozenset(words_of(title)) for title in titles) if words)
        plain: Counter[str] = Counter()
        for words, n in times.items():
            plain.update(dict.fromkeys(words, n))
        counts: Counter[str] = Counter()
        together: Counter[tuple[str, ...]] = Counter()
        for words, n in times.items():
            # a word that occurs once is a typo as often as not, and would make every copy a title of its own
            rarest = sorted((plain[word], word) for word in words if plain[word] > 1)[:GENERIC]
            for word in words:
                others = [other for _, other in rarest if other != word][: GENERIC - 1]
                if len(others) < GENERIC - 1:
                    counts[word] += n
                else:
                    together[word, *others] += n
        for (word, *_), n in together.items():
            counts[word] += min(n, REPEATS)
        return cls(counts, sum(times.values()))

    def __call__(self, word: str) -> float:
        """Return the rarity of a word as `words_of` gives it: almost 0 if all titles have it. At least 0."""
        share = (self._counts.get(word, 0) + PRIOR_COUNT) / (self._n_titles + PRIOR_TITLES)
        # two characters of a script without spaces are about half a word
        return float(-np.log(share)) * (0.5 if UNSPACED.fullmatch(word) else 1.0)


@dataclass(frozen=True)
class TitleTable:
    """Titles as numbers of words. Its size grows with the number of words; a repeated word adds nothing.

    Arrays of words have one more row than there are words: what stands for no word.

    starts : ndarray of shape (n_titles + 1,), int
        Where each title's words begin in `words`.
    words : ndarray of shape (n_words,), int
        Numbers of the words of all titles, each word once in a title, in order.
    join_starts : ndarray of shape (n_titles + 1,), int
    joins : ndarray of shape (n_joins,), uint64
        Marks of two or three neighbouring words that are written together ("128 gb" as "128gb").
    join_slots : ndarray of shape (n_joins, 3), int
        Which of the title's words they are.
    marks : ndarray of shape (n + 1,), uint64
        A word's hash, the same in every table.
    rarity : ndarray of shape (n + 1,), float32
    kinds : ndarray of shape (n + 1,), int
    shapes : ndarray of shape (n + 1,), uint64
        A hash of the word with every number replaced by 0.
    bigrams : ndarray of shape (n + 1, 2), uint64
        A set of hashed pairs of letters.
    characters : ndarray of shape (n + 1, LONGEST), uint32
    lengths : ndarray of shape (n + 1,), int
    """

    starts: NDArray[np.int64]
    words: NDArray[np.int32]
    join_starts: NDArray[np.int64]
    joins: NDArray[np.uint64]
    join_slots: NDArray[np.int8]
    marks: NDArray[np.uint64]
    rarity: NDArray[np.float32]
    kinds: NDArray[np.int8]
    shapes: NDArray[np.uint64]
    bigrams: NDArray[np.uint64]
    characters: NDArray[np.uint32]
    lengths: NDArray[np.int16]

    @classmethod
    def of(cls, titles: Sequence[str], rarity: Rarity) -> Self:
        """Split titles into words. A title without a word is as good as none."""
        return cls._of_words([words_of(title) for title in titles], rarity)

    @classmethod
    def _of_words(cls, titles: Sequence[Sequence[str]], rarity: Rarity) -> Self:
        numbers: dict[str, int] = {}
        words: list[int] = []
        joins: dict[str, int] = {}
        rows: list[int] = []
        slots: list[tuple[int, int, int]] = []
        starts, join_starts = [0], [0]
        for title in titles:
            place = {word: slot for slot, word in enumerate(dict.fromkeys(title))}
            words += [numbers.setdefault(word, len(numbers)) for word in place]
            starts.append(len(words))
            joined = _joins(title, place)
            rows += [joins.setdefault(join, len(joins)) for join in joined]
            slots += joined.values()
            join_starts.append(len(rows))
        marks = np.array([_mark(join) for join in joins], np.uint64)[np.array(rows, np.intp)]
        characters = np.zeros((len(numbers) + 1, LONGEST), np.uint32)
        for word, number in numbers.items():
            characters[number, : len(word)] = [ord(letter) for letter in word[:LONGEST]]
        return cls(
            np.array(starts),
            np.array(words, np.int32),
            np.array(join_starts),
            marks,
            np.array(slots, np.int8).reshape(-1, 3),
            np.array([*map(_mark, numbers), 0], np.uint64),
            np.array([*map(rarity, numbers), 0], np.float32),
            np.array([*map(_kind, numbers), LETTERS], np.int8),
            np.array([*(_mark(DIGITS.sub("0", word)) for word in numbers), 0], np.uint64),
            np.array([*map(_bigrams, numbers), (0, 0)], np.uint64),
            characters,
            (characters > 0).sum(axis=1).astype(np.int16),
        )

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def counts(self) -> NDArray[np.int64]:
        """The number of different words of each title, shape (n_titles,)."""
        return np.diff(self.starts)

    @cached_property
    def known(self) -> NDArray[np.uint64]:
        """The marks of all words, in order."""
        return np.sort(self.marks[:-1])

    def filled(self, rows: NDArray[np.intp], width: int) -> NDArray[np.intp]:
        """Return the words of some titles, filled up with the number that stands for none, (n,) → (n, width)."""
        place = self.starts[rows][:, None] + np.arange(width)
        inside = place < self.starts[rows + 1][:, None]
        return np.where(inside, self.words[np.minimum(place, len(self.words) - 1)], len(self.marks) - 1)


def _joins(title: Sequence[str], place: Mapping[str, int]) -> dict[str, tuple[int, int, int]]:
    """Write two and three neighbouring words as one, and tell which of the title's words they are."""
    found = {left + right: (place[left], place[right], place[right]) for left, right in pairwise(title)}
    triples = zip(title, title[1:], title[2:], strict=False)
    return found | {"".join(three): (place[three[0]], place[three[1]], place[three[2]]) for three in triples}


def _mark(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def _kind(word: str) -> int:
    digits = sum(character.isdigit() for character in word)
    return CODE if 0 < digits < len(word) else NUMBER if digits else LETTERS


def _bigrams(word: str) -> tuple[int, int]:
    bits = 0
    for left, right in pairwise(f"<{word[:LONGEST]}>"):
        bits |= 1 << (ord(left) * 31 + ord(right) * 17) % (2 * BITS - 1)
    return bits % 2**BITS, bits >> BITS


def title_evidence(left: TitleTable, right: TitleTable, pairs: NDArray[np.intp]) -> NDArray[np.float32]:
    """Describe pairs of titles.

    Parameters
    ----------
    left, right : TitleTable
    pairs : ndarray of shape (n_pairs, 2), int
        Numbers of titles in `left` and in `right`.

    Returns
    -------
    ndarray of shape (n_pairs, n_columns), float32
        The columns of `COLUMNS`. Swapping left and right changes nothing. A row is 0 where a title has no word.
    """
    found = np.zeros((len(pairs), len(COLUMNS)), np.float32)
    ours, theirs = left.counts[pairs[:, 0]], right.counts[pairs[:, 1]]
    there = np.flatnonzero((ours > 0) & (theirs > 0))
    shapes = np.searchsorted(WIDTHS, ours[there]) * len(WIDTHS) + np.searchsorted(WIDTHS, theirs[there])
    for shape in np.unique(shapes):
        alike = there[shapes == shape]
        widths = WIDTHS[shape // len(WIDTHS)], WIDTHS[shape % len(WIDTHS)]
        at_once = max(COMPARED_AT_ONCE // int(widths[0] * widths[1]), 1)
        for start in range(0, len(alike), at_once):
            some = alike[start : start + at_once]
            found[some] = _columns(
                _Side.of(left, pairs[some, 0], widths[0]), _Side.of(right, pairs[some, 1], widths[1])
            )
    return found


@dataclass
class _Side:
    """One side of some pairs. All arrays but `rows` have the shape (n_pairs, width).

    shared: how far the other side has the word, from 0 to 1. stem, other: whether it has a code with the same
    beginning or end, and a word that differs in digits only.
    """

    table: TitleTable
    rows: NDArray[np.intp]
    words: NDArray[np.intp]
    marks: NDArray[np.uint64]
    rarity: NDArray[np.float32]
    kinds: NDArray[np.int8]
    shared: NDArray[np.float32]
    stem: NDArray[np.float32]
    other: NDArray[np.float32]

    @classmethod
    def of(cls, table: TitleTable, rows: NDArray[np.intp], width: int) -> Self:
        words = table.filled(rows, width)
        nothing = (np.zeros(words.shape, np.float32) for _ in range(3))
        return cls(table, rows, words, table.marks[words], table.rarity[words], table.kinds[words], *nothing)

    def open(self) -> NDArray[np.bool_]:
        """Return which words the other side lacks so far."""
        lacking: NDArray[np.bool_] = (self.shared == 0) & (self.words < len(self.table.marks) - 1)
        return lacking

    def mass(self, each: NDArray[Any], kind: int | None = None) -> NDArray[np.float32]:
        """Add up the rarity of words, each so many times, shape (n_pairs,)."""
        of_kind = each if kind is None else each * (self.kinds == kind)
        total: NDArray[np.float32] = np.einsum("nw,nw->n", of_kind, self.rarity)
        return total


def _columns(left: _Side, right: _Side) -> NDArray[np.float32]:
    """Return the evidence of pairs of titles that are filled up to the same widths."""
    _match(left, right)
    shared = (left.mass(left.shared) + right.mass(right.shared)) / 2
    less, more = _apart(left, right)
    rare = (_squared(left, left.shared) + _squared(right, right.shared)) / 2
    rare_apart = (_squared(left, 1 - left.shared) + _squared(right, 1 - right.shared)) / 2
    columns: dict[str, NDArray[Any]] = {
        "alike": shared / (shared + (less + more) / 2 + ENOUGH),
        "alike_rare": rare / (rare + rare_apart + ENOUGH**2),
        "contained": shared / (shared + less + ENOUGH),
        "shared": _dampened(shared),
        "code_stem": _dampened(np.minimum(left.mass(left.stem), right.mass(right.stem))),
        "differ": less / (shared + less + ENOUGH),
        "differ_rarest": _dampened(np.minimum(*(((1 - side.shared) * side.rarity).max(1) for side in (left, right)))),
        "other_number": _dampened(np.minimum(left.mass(left.other), right.mass(right.other))),
        "one_has_more": (more - less) / (shared + more + ENOUGH),
    }
    first = [side.rarity[:, 0] for side in (left, right)]
    columns["first_same"] = _dampened((left.marks[:, 0] == right.marks[:, 0]) * (first[0] + first[1]) / 2)
    apart = [(1 - side.shared[:, 0]) * side.rarity[:, 0] for side in (left, right)]
    columns["first_differs"] = _dampened(np.minimum(*apart))
    columns["replaced"] = np.log1p(_replaced(left, right))
    for kind, name in ((LETTERS, "letters"), (NUMBER, "numbers"), (CODE, "codes")):
        columns[f"shared_{name}"] = _dampened((left.mass(left.shared, kind) + right.mass(right.shared, kind)) / 2)
        less, more = _apart(left, right, kind)
        columns[f"differ_{name}"] = _dampened(less)
        columns[f"one_has_more_{name}"] = _dampened(more - less)
    return np.stack([columns[name] for name in COLUMNS], axis=1)


def _apart(left: _Side, right: _Side, kind: int | None = None) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the rarity of what the other title lacks: of the title with less of it, and of the other."""
    both = left.mass(1 - left.shared, kind), right.mass(1 - right.shared, kind)
    return np.minimum(*both), np.maximum(*both)


def _replaced(left: _Side, right: _Side) -> NDArray[np.float32]:
    """Count the words that stand where the other side has others, one or two. → (n_pairs,)"""
    fits = left.open()[:, :, None] & right.open()[:, None, :]
    before, after = ([_beside(side, backwards) for side in (left, right)] for backwards in (False, True))
    for ours, theirs in ([marks for marks, _ in before], [marks for marks, _ in after]):
        fits &= ours[:, :, None] == theirs[:, None, :]
    few = [apart[0][1] + apart[1][1] <= MOST_REPLACED + 1 for apart in zip(before, after, strict=True)]
    fits &= few[0][:, :, None] & few[1][:, None, :]
    found: NDArray[np.float32] = np.minimum(*(fits.any(axis).sum(1, dtype=np.float32) for axis in (1, 2)))
    return found


def _beside(side: _Side, backwards: bool) -> tuple[NDArray[np.uint64], NDArray[np.intp]]:
    """Find the last word before each that both sides have, or the first after it. → its mark, 0 for none, and steps"""
    steps = slice(None, None, -1 if backwards else 1)
    both = ~side.open()[:, steps]
    places = np.arange(1, both.shape[1] + 1)
    last = np.maximum.accumulate(np.where(both, places, 0), axis=1)
    marks: NDArray[np.uint64] = np.take_along_axis(np.pad(side.marks[:, steps], ((0, 0), (1, 0))), last, axis=1)
    return marks[:, steps], (places - last)[:, steps]


def _squared(side: _Side, each: NDArray[np.float32]) -> NDArray[np.float32]:
    return side.mass(each * side.rarity)


def _dampened(mass: NDArray[Any]) -> NDArray[np.float32]:
    damped: NDArray[np.float32] = np.log1p(mass / np.float32(ENOUGH))
    return damped


def _undampened(column: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the rarity that a column was made of, in nats."""
    mass: NDArray[np.float64] = ENOUGH * np.expm1(column.astype(np.float64))
    return mass


def _match(left: _Side, right: _Side) -> None:
    """Find the words that both sides have, as they stand, written together, or with a typo."""
    same = left.marks[:, :, None] == right.marks[:, None, :]
    left.shared[same.any(axis=2) & left.open()] = 1
    right.shared[same.any(axis=1) & right.open()] = 1
    joined = [(side, other, *_joined(side, other)) for side, other in ((left, right), (right, left))]
    for side, other, pairs, slots, whole in joined:
        other.shared[pairs, whole] = 1
        side.shared[pairs[:, None], slots] = 1
    pairs, ours, theirs = np.nonzero(left.open()[:, :, None] & right.open()[:, None, :])
    words = left.words[pairs, ours], right.words[pairs, theirs]
    kinds = left.table.kinds[words[0]], right.table.kinds[words[1]]
    near = _nearly_same(left.table, right.table, *words)
    digits = (kinds[0] > LETTERS) & (kinds[1] > LETTERS)
    digits[digits] = left.table.shapes[words[0][digits]] == right.table.shapes[words[1][digits]]
    stem = (kinds[0] == CODE) & (kinds[1] == CODE)
    stem[stem] = _stem(left.table, right.table, words[0][stem], words[1][stem])
    for side, places in ((left, ours), (right, theirs)):
        side.shared[pairs[near], places[near]] = NEAR_WORTH
        side.other[pairs[digits], places[digits]] = 1
        side.stem[pairs[stem], places[stem]] = 1


def _joined(side: _Side, other: _Side) -> tuple[NDArray[np.intp], NDArray[np.int8], NDArray[np.intp]]:
    """Find words that the other side writes as one.

    Returns
    -------
    pairs : ndarray of shape (n,)
    slots : ndarray of shape (n, 3)
        Where the words stand on this side.
    whole : ndarray of shape (n,)
        Where the one stands on the other side.
    """
    table, known = side.table, other.table.known
    counts = np.diff(table.join_starts)[side.rows]
    pairs = np.repeat(np.arange(len(counts)), counts)
    place = np.arange(len(pairs)) + np.repeat(table.join_starts[side.rows] - (np.cumsum(counts) - counts), counts)
    # most joins are no word of any title of the other table
    at = np.minimum(np.searchsorted(known, table.joins[place]), len(known) - 1)
    kept = known[at] == table.joins[place]
    pairs, place = pairs[kept], place[kept]
    row, whole = np.nonzero((other.marks[pairs] == table.joins[place][:, None]) & other.open()[pairs])
    return pairs[row], table.join_slots[place[row]], whole


def _nearly_same(
    left: TitleTable, right: TitleTable, ours: NDArray[np.intp], theirs: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """Tell which words without digits differ by a typo: a changed, lost, added or swapped letter, or two in long ones.

    ours, theirs : ndarray of shape (n,), numbers of words → (n,), bool
    """
    lengths = left.lengths[ours], right.lengths[theirs]
    shorter, longer = np.minimum(*lengths), np.maximum(*lengths)
    letters = (left.kinds[ours] == LETTERS) & (right.kinds[theirs] == LETTERS)
    chosen = np.flatnonzero(
        letters & (longer >= SHORTEST_NEAR) & (longer - shorter <= 2) & (shorter >= SHORTEST_NEAR - 1)
    )
    common = np.bitwise_count(left.bigrams[ours[chosen]] & right.bigrams[theirs[chosen]]).sum(axis=1)
    chosen = chosen[common > COMMON_BIGRAMS * (longer[chosen] + 1)]
    found = np.zeros(len(ours), bool)
    words = np.unique(np.stack([ours[chosen], theirs[chosen]]), axis=1, return_inverse=True)
    (a, b), back = words[0], words[1].ravel()
    edits = _edits(left.characters[a], right.characters[b], left.lengths[a], right.lengths[b])
    found[chosen] = edits[back] <= np.where(longer[chosen] >= 2 * SHORTEST_NEAR, 2, 1)
    return found


def _edits(
    left: NDArray[np.uint32], right: NDArray[np.uint32], ours: NDArray[np.int16], theirs: NDArray[np.int16]
) -> NDArray[np.int8]:
    """Count the edits between words, swapped neighbours as one (Damerau 1964). (n, LONGEST) twice, lengths → (n,)"""
    if not len(left):
        return np.zeros(0, np.int8)
    a, b = left.T, right.T
    width = int(max(ours.max(), theirs.max()))
    edits = np.zeros((width + 1, width + 1, len(left)), np.int8)
    edits[:, 0] = edits[0] = np.arange(width + 1)[:, None]
    for i in range(1, width + 1):
        for j in range(1, width + 1):
            changed = edits[i - 1, j - 1] + (a[i - 1] != b[j - 1])
            edits[i, j] = np.minimum(np.minimum(edits[i - 1, j], edits[i, j - 1]) + 1, changed)
            if i > 1 and j > 1:
                swapped = (a[i - 1] == b[j - 2]) & (a[i - 2] == b[j - 1])
                edits[i, j] = np.where(swapped, np.minimum(edits[i, j], edits[i - 2, j - 2] + 1), edits[i, j])
    return edits[ours, theirs, np.arange(len(left))]


def _stem(left: TitleTable, right: TitleTable, ours: NDArray[np.intp], theirs: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Tell of which two codes one begins or ends with the other. (n,) twice → (n,), bool"""
    a, b = left.characters[ours], right.characters[theirs]
    lengths = left.lengths[ours], right.lengths[theirs]
    shorter = np.minimum(*lengths)
    place = np.arange(LONGEST)
    begin = ((a == b) | (place >= shorter[:, None])).all(axis=1)
    backwards = [
        np.take_along_axis(each, np.maximum(length[:, None] - 1 - place, 0), axis=1)
        for each, length in zip((a, b), lengths, strict=True)
    ]
    end = ((backwards[0] == backwards[1]) | (place >= shorter[:, None])).all(axis=1)
    found: NDArray[np.bool_] = (begin | end) & (shorter >= SHORTEST_STEM)
    return found


@dataclass(frozen=True)
class TitleHead:
    """The weight of each column of `title_evidence`.

    There is no bias, so no title, or titles of usual words only, say nothing: their logit is 0, or almost. Nor do equal
    titles that are short: what counts for is no more than what they share beyond `USUAL`.

    weights : ndarray of shape (n_columns,), in the order of `COLUMNS`
    most : float
        What titles say at most against, in nats: sellers reword.
    most_for : float
        What they say at most for one item. Sister articles have equal titles and photos that look alike, so beside the
        photos equal titles say little.
    """

    weights: NDArray[np.float64]
    most: float
    most_for: float = 1.0

    def __post_init__(self) -> None:
        if len(self.weights) != len(COLUMNS):
            raise ValueError(f"{len(self.weights)} weights of titles: expected {len(COLUMNS)}, one for each column")
        for most in (self.most, self.most_for):
            if not most > 0:
                raise ValueError(f"titles say {most} at most: expected a number above 0")

    def sums(self, evidence: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return what each row counts, before `most` bounds it. (n_pairs, n_columns) → (n_pairs,)"""
        shared, letters = (_undampened(evidence[:, list(COLUMNS).index(name)]) for name in ("shared", "shared_letters"))
        return np.minimum(self.weighed(evidence), np.maximum(shared - (1 - CLUSTERED) * letters - USUAL, 0.0))

    def weighed(self, evidence: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the weighted sum of each row, as if no words were usual. (n_pairs, n_columns) → (n_pairs,)"""
        # einsum, unlike a matrix product, gives a row the same bits whatever rows are beside it
        found: NDArray[np.float64] = np.einsum("ne,e->n", evidence.astype(np.float64), self.weights)
        return found

    def logits(self, evidence: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the logarithm of how many times likelier one item is, (n_pairs, n_columns) → (n_pairs,), in nats.

        It can be added to the logit of other evidence. It is 0 where a title is missing, and from -most to most_for.
        """
        sums = self.sums(evidence)
        bounds = np.where(sums > 0, self.most_for, self.most)
        logits: NDArray[np.float64] = bounds * np.tanh(sums / bounds)
        return logits

    def settings(self) -> dict[str, Any]:
        """Return what a JSON file keeps: the bound, and the weights by the names of their columns."""
        return {
            "most": self.most,
            "most_for": self.most_for,
            "weights": dict(zip(COLUMNS, self.weights.tolist(), strict=True)),
        }

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        """Return the head that `settings` described. A column without a weight counts nothing.

        Raises
        ------
        ValueError
            A column is unknown: a newer version wrote the settings.
        """
        weights = settings["weights"]
        if unknown := sorted(weights.keys() - COLUMNS.keys()):
            raise ValueError(f"weights of titles: {unknown[0]!r} is not a column; update productcat")
        return cls(
            np.array([weights.get(name, 0.0) for name in COLUMNS], float), settings["most"], settings["most_for"]
        )


@dataclass(frozen=True)
class TitleWord:
    """A word of two titles, and what it does.

    left, right: whether the title has it. weight: what the sum of the evidence would lose without it, in nats; below 0
    it counts against. What counts for is less where titles share usual things only, and 0 where they share no more.
    """

    word: str
    left: bool
    right: bool
    weight: float


def explain_titles(left: str, right: str, rarity: Rarity, head: TitleHead) -> list[TitleWord]:
    """Return what each word of two titles counts for or against: `TitleHead.weighed` less that without the word.

    Words are in the order of the left title; those that only the right one has follow. In scripts without spaces they
    are pairs of characters. Words depend on each other, so the weights do not add up to the sum.
    """
    ours, theirs = words_of(left), words_of(right)
    words = list(dict.fromkeys([*ours, *theirs])) if ours and theirs else []
    titles = [(ours, theirs), *(([w for w in ours if w != word], [w for w in theirs if w != word]) for word in words)]
    tables = (TitleTable._of_words(side, rarity) for side in zip(*titles, strict=True))
    aligned = np.repeat(np.arange(len(titles))[:, None], 2, axis=1)
    seen = title_evidence(next(tables), next(tables), aligned)
    sums = head.weighed(seen)
    counted = head.sums(seen[:1])[0] / sums[0] if sums[0] > 0 else 1.0
    weights = [float(each * counted if each > 0 else each) for each in sums[0] - sums[1:]]
    return [TitleWord(word, word in ours, word in theirs, weight) for word, weight in zip(words, weights, strict=True)]


def said_of_titles(words: Iterable[TitleWord]) -> str:
    """Say which words count most, such as "counts for “nx200”, against “blue” / “white”"; "" where none counts.

    words: as `explain_titles` returns them. Words of the left title alone are before the slash.
    """
    ranked = sorted(words, key=lambda each: -abs(each.weight))
    told = [each for each in ranked if each.weight >= LEAST_TOLD][:TOLD]
    against = [each for each in ranked if each.weight <= -LEAST_TOLD]
    sides = ([each for each in against if each.left is side][:TOLD] for side in (True, False))
    said = {"for": _quoted(told), "against": " / ".join(filter(None, map(_quoted, sides)))}
    parts = [f"{name} {which}" for name, which in said.items() if which]
    return f"counts {', '.join(parts)}" if parts else ""


def _quoted(words: Iterable[TitleWord]) -> str:
    return ", ".join(f"“{each.word}”" for each in words)


PRICE_WEIGHT = 0.7
"""What `price_evidence` counts. Not learnt: no data at hand has prices.

It is a cautious guess: a price twice as high halves the odds, almost (by 0.6), and no price says more than -1.5 nats.
"""

GREATEST_RATIO = 8.0
"""Ratio of two prices from which a greater one says no more: one may be in another currency, or of another quantity."""


def price_evidence(
    left: NDArray[np.float64], right: NDArray[np.float64], pairs: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Return how far prices are apart, as minus the logarithm of their ratio.

    Equal prices say nothing: many items of a shop cost the same.

    Parameters
    ----------
    left, right : ndarray of shape (n_listings,)
        Prices; NaN, or not above 0, where there is none.
    pairs : ndarray of shape (n_pairs, 2), int

    Returns
    -------
    ndarray of shape (n_pairs, 1), float32
        From -ln(GREATEST_RATIO) to 0; 0 where a price is missing.
    """
    ours, theirs = np.asarray(left, float)[pairs[:, 0]], np.asarray(right, float)[pairs[:, 1]]
    there = (ours > 0) & (theirs > 0) & np.isfinite(ours) & np.isfinite(theirs)
    found = np.zeros((len(pairs), 1), np.float32)
    apart = np.abs(np.log(ours[there]) - np.log(theirs[there]))
    found[there, 0] = -np.minimum(apart, np.log(GREATEST_RATIO))
    return found
