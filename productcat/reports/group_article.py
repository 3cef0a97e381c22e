"""A group of duplicates as a piece of HTML: its listings side by side, what matches, and the buttons to decide by."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from productcat.duplicates.matches import PhotoMatch, level_names
from productcat.duplicates.pairs import DuplicatePair
from productcat.duplicates.titles import LEAST_TOLD, said_of_titles, words_of
from productcat.notebook import bars, image, percent, plain
from productcat.reports.listing_cards import GONE, ListingCard, Photo
from productcat.reports.reported_groups import COPY, DOUBT, REPORTED, ReportedGroup, marked_matches, photos_each, ties
from productcat.reports.title_words import TitleWords, compare_titles
from productcat.wording import counted

KINDS = {
    "copy": "the same picture",
    "near copy": "nearly the same picture",
    "same item": "other photos of it",
    "title": "the titles alone",
}
"""What the kind of a pair is called. Of a pair without a kind only gray thumbnails tell, so it may be a near copy."""

KEEP = {REPORTED: "keep", DOUBT: "would keep"}
"""What is said of the listing to keep, by the kind of the group."""

SPEAKS = 0.005
"""Difference that the titles make to a score from which the report mentions it."""

BARS = 3
"""Number of matches of a pair whose likeness is shown as bars."""

PAIRS = 30
"""Number of pairs inside a group that are listed, the weakest first."""


@dataclass(frozen=True)
class Mark:
    """What stands below a photo that matches. letter: the same on photos that match each other."""

    letter: str
    text: str


@dataclass(frozen=True)
class Reading:
    """What is the same for every group of a report.

    cards : dict, id → ListingCard
    threshold : float
    shared : dict, (id, number among the readable photos) → int
        In how many listings a picture lies that counts for nothing.
    """

    cards: Mapping[str, ListingCard]
    threshold: float
    shared: Mapping[tuple[str, int], int] = field(default_factory=dict)


def group_article(number: int, reported: ReportedGroup, reading: Reading, badge: str) -> str:
    """Return a group as a piece of HTML.

    number: its place in the report, from 1. badge: what is said of it, such as "reported".
    """
    group, score = reported.group, min(reported.group.scores)
    tie, marks = ties(group), _marks(reported, reading)
    titles = compare_titles([reading.cards.get(id, GONE).title for id in reported.shown])
    members = "".join(
        _member(place, words, reported, tie.get(id), "".join(_photos(id, reported, reading, marks)))
        for place, (id, words) in enumerate(zip(reported.shown, titles, strict=True))
    )
    n_shown, n_all = len(reported.shown), len(group.ids)
    size = f" <small>{counted(n_all, 'listing')}</small>" if n_all > 2 else ""
    least = " <small>at least</small>" if n_all > 2 else ""
    more = f'<p class="soft">+ {n_all - n_shown} more listings, which a decision here leaves out</p>\n'
    ids = plain(json.dumps(reported.shown))  # as ASCII, so that nothing in an id is changed on the way
    every = "" if n_all == 2 else "All "
    return f"""<article class="{"reported" if score >= reading.threshold else "below"}" id="group-{number}"
 data-ids="{ids}" tabindex="-1" aria-labelledby="name-{number}">
<header>
<h2 id="name-{number}"><span class="unseen">Group </span>{number}{size}</h2>
<p class="score"><b>{percent(score)}</b>{least} <span class="badge">{plain(badge)}</span>{_kinds(reported)}</p>
<div class="ruler" aria-hidden="true"><i style="width:{100 * score:.1f}%"></i>\
<s style="left:{100 * reading.threshold:.1f}%"></s></div>
<p class="state" hidden></p>
</header>
<div class="members{" two" if n_all == 2 else ""}">
{members}</div>
{more if n_all > n_shown else ""}{_why(reported, tie)}\
<div class="decide" hidden>
<button type="button" class="same" aria-pressed="false"><span>{every}{"the same" if every else "Same item"}</span> \
<kbd>s</kbd></button>
<button type="button" class="different" aria-pressed="false">{every}{"different" if every else "Different"} \
<kbd>d</kbd></button>
</div>
</article>
"""


def _kinds(reported: ReportedGroup) -> str:
    """Say what the pairs are: one picture, or other photos."""
    found = {_kind(pair, reported) for pair in reported.group.pairs}
    said = " and ".join(name for kind, name in KINDS.items() if kind in found)
    perhaps = "perhaps " if reported.kind == DOUBT else ""
    return f' <span class="kind">{perhaps}{said}</span>' if said else ""


def _kind(pair: DuplicatePair, reported: ReportedGroup) -> str:
    """Return the kind of a pair; for one that does not tell, that of its best match, "" without matches."""
    matches = reported.matches.get((pair.left, pair.right), ())
    return pair.kind or (matches and ("near copy" if matches[0].copy >= COPY else "same item")) or ""


def _marks(reported: ReportedGroup, reading: Reading) -> dict[tuple[str, int], Mark]:
    """Return the mark of each photo that matches another, by listing and number.

    Photos that match, directly or through others, have the same letter. The letter of most photos comes first.
    """
    sets: dict[tuple[str, int], set[tuple[str, int]]] = {}
    copies = {(pair.left, pair.right) for pair in reported.group.pairs if pair.kind == "copy"}
    edited: set[tuple[str, int]] = set()
    for left, right, matches in marked_matches(reported):
        for match in matches:
            ends = (left, match.left), (right, match.right)
            if reading.shared.keys() & set(ends):
                continue  # it says nothing
            joined = sets.get(ends[0], {ends[0]}) | sets.get(ends[1], {ends[1]})
            sets.update(dict.fromkeys(joined, joined))
            if match.copy < COPY or (left, right) not in copies:
                edited.update(ends)
    order = {id: place for place, id in enumerate(reported.shown)}
    different = {id(each): each for each in sets.values()}.values()
    ranked = sorted(different, key=lambda each: (-len(each), min((order[id], number) for id, number in each)))
    return {
        photo: Mark(_letter(place), "alike" if photo in edited else "the same picture")
        for place, photos in enumerate(ranked)
        for photo in photos
    }


def _letter(place: int) -> str:
    """Return A to Z, then A2 to Z2 and so on."""
    turn, letter = divmod(place, 26)
    return chr(ord("A") + letter) + (str(turn + 1) if turn else "")


def _member(place: int, words: TitleWords, reported: ReportedGroup, tie: DuplicatePair | None, photos: str) -> str:
    """Return a listing of a group: what is said of it, its title, its photos. place: from 0."""
    id, several = reported.shown[place], len(reported.group.ids) > 2
    score = f"<span>{percent(reported.group.scores[place])}</span>" if several else ""
    out = f'<button type="button" class="out" aria-pressed="false" hidden>Another item{_key(place)}</button>\n'
    title = f"{_title(words, _weights(tie, reported))}{_title_says(tie, reported)}"
    return f"""<div class="member" role="group" aria-label="listing {place + 1}">
<p class="tags"><span class="number">{place + 1}</span>{_keep(id, reported)}{score}</p>
<div class="names">{title}<p class="id" dir="auto">{plain(id)}</p></div>
<div class="photos">{photos}</div>
{out if several else ""}</div>
"""


def _keep(id: str, reported: ReportedGroup) -> str:
    said = KEEP.get(reported.kind)
    if said is None or id != reported.group.keep:
        return ""
    why = f": {plain(reported.why_kept)}" if reported.why_kept else ""
    return f'<span class="keep">{said}{why}</span>'


def _key(place: int) -> str:
    return f" <kbd>{place + 1}</kbd>" if place < 9 else ""


def _title_says(pair: DuplicatePair | None, reported: ReportedGroup) -> str:
    """Say what the titles did to the score of a pair, and by which words; nothing where they had no say."""
    if pair is None:
        return ""
    ids = pair.left, pair.right
    before, by_words = reported.by_photos.get(ids), said_of_titles(reported.title_words.get(ids, ()))
    told = [f"The title {by_words}."] if by_words else []
    if before is not None and abs(pair.score - before) >= SPEAKS:
        word = "for" if pair.score > before else "against"
        told.insert(0, f"The title speaks {word} it: {percent(before)} by the photos alone.")
    elif before is not None:
        told = ["The title changes nothing."] if len(reported.group.ids) == 2 else []
    return f'<p class="says">{plain(" ".join(told))}</p>' if told else ""


def _weights(tie: DuplicatePair | None, reported: ReportedGroup) -> dict[str, float]:
    """Return what the words of a listing's title count in the pair that ties it to its group; of two in their pair."""
    pairs = [(tie.left, tie.right)] if tie else [*reported.title_words] if len(reported.group.ids) == 2 else []
    return {each.word: each.weight for pair in pairs for each in reported.title_words.get(pair, ())}


def _title(words: TitleWords, weights: Mapping[str, float]) -> str:
    if not any(text.strip() for text, _ in words.pieces):
        return '<p class="title none">no title</p>'
    html = "".join(_marked(text, weights) if marked else plain(text) for text, marked in words.pieces)
    lacking = "".join(f"<s>{plain(word)}</s> " for word in words.missing)
    without = f'<p class="lacking" dir="auto">without {lacking}</p>' if lacking else ""
    return f'<p class="title" dir="auto">{html}</p>{without}'


def _marked(text: str, weights: Mapping[str, float]) -> str:
    """Mark what differs, and tell on hovering what it counts, where that is known."""
    weight = sum(weights.get(word, 0.0) for word in words_of(text))
    if abs(weight) < LEAST_TOLD:
        return f"<mark>{plain(text)}</mark>"
    said = f"counts {'for' if weight > 0 else 'against'} it: {weight:+.1f}"
    return f'<mark title="{said}">{plain(text)}</mark>'


def _photos(id: str, reported: ReportedGroup, reading: Reading, marks: Mapping[tuple[str, int], Mark]) -> Iterator[str]:
    """Yield the photos of a listing, those that match first, and say how many are left out."""
    card, room = reading.cards.get(id, GONE), photos_each(len(reported.shown))
    matching = sorted(
        (number for owner, number in marks if owner == id),
        key=lambda number: (len(marks[id, number].letter), marks[id, number].letter, number),
    )
    others = [number for number in card.photos if (id, number) not in marks]
    shown = matching + others[: max(room - len(matching), 0)]
    for number in shown:
        yield _figure(card.photos.get(number), marks.get((id, number)), reading.shared.get((id, number)))
    if card.count > len(shown):
        yield f'<p class="soft">+ {card.count - len(shown)} more</p>'
    if not shown:
        yield f'<p class="soft">{"no photo" if card is not GONE else "the listing cannot be read any more"}</p>'


def _figure(photo: Photo | None, mark: Mark | None, n_listings: int | None) -> str:
    if photo is None:
        return '<figure class="gone">the photo cannot be read any more</figure>'
    said = f"photo {photo.number} {photo.name}".rstrip()
    caption, kind, letter = plain(photo.name or f"photo {photo.number}"), "", ""
    if n_listings is not None:
        kind, caption = ' class="common"', f"in {n_listings:,} listings, left out"
    elif mark is not None:
        kind, letter = ' class="matching"', f' data-letter="{mark.letter}"'
        caption = f"<b>{mark.letter}</b> {mark.text}"
    return (
        f'<figure{kind}{letter}><button type="button" class="zoom">{image(photo.jpeg, said)}</button>'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _why(reported: ReportedGroup, tie: Mapping[str, DuplicatePair]) -> str:
    """Return what decided, folded: the likeness of the photos of a pair, the pairs of a larger group."""
    if len(reported.group.ids) > 2:
        return _inside(reported)
    rows = [match for pair in tie.values() for match in reported.matches.get((pair.left, pair.right), ())]
    drawn = "".join(f"<div><p>{_place(match)}</p>{_bars(match)}</div>" for match in rows[:BARS])
    return f'<details><summary>How alike</summary><div class="alike">{drawn}</div></details>\n' if drawn else ""


def _place(match: PhotoMatch) -> str:
    return f"readable photos {match.left + 1} and {match.right + 1}"


def _bars(match: PhotoMatch) -> str:
    rows = [*zip(level_names(match.levels), match.levels.values(), strict=True), ("copy", match.copy)]
    return bars((name, value, f"{value:.2f}") for name, value in rows)


def _inside(reported: ReportedGroup) -> str:
    places = {id: place for place, id in enumerate(reported.shown, 1)}
    pairs = sorted(
        (pair for pair in reported.group.pairs if pair.left in places and pair.right in places),
        key=lambda pair: pair.score,
    )
    rows = "".join(
        f"<li>{places[pair.left]} and {places[pair.right]}: {percent(pair.score)}{_named(_kind(pair, reported))}</li>"
        for pair in pairs[:PAIRS]
    )
    more = f"<li>+ {len(pairs) - PAIRS} more</li>" if len(pairs) > PAIRS else ""
    summary = f"<summary>{counted(len(pairs), 'pair')} inside, the weakest first</summary>"
    return f'<details>{summary}<ul class="inside">{rows}{more}</ul></details>\n' if rows else ""


def _named(kind: str) -> str:
    return f", {KINDS[kind]}" if kind in KINDS else ""
