"""Pairs of duplicates → one HTML file for a person to judge them by: photos side by side, what decided, doubts first.

The file holds everything itself, loads nothing and runs nothing. Photos are small JPEGs in it.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from productcat.duplicates.matches import PhotoMatch, ReportedPair, level_names
from productcat.listings.listing import Listing
from productcat.listings.photos import name_of, thumbnail_or_reason
from productcat.notebook import bars, image, percent, plain
from productcat.reports.page import SIDE, page
from productcat.wording import counted

MATCHES = 3
"""Number of pairs of photos shown large for a pair of listings."""

OTHERS = 4
"""Number of further photos shown of each listing."""

EXPLANATION = """\
<details><summary>How to read this</summary>
<p>Each row shows two photos that match, the best match first. The bars show how alike the two are on each level of the
image model: 1 is the same, 0 is no more alike than any two photos. Higher levels show objects, lower ones scenes
and surfaces. “Copy” compares the pictures themselves, however turned or mirrored: near 1 it is the same picture. The
percentage of a pair, the probability that both show the same item, weighs all photos of both listings.</p>
</details>
"""


@dataclass(frozen=True)
class Findings:
    """What the top of the report says.

    source : str
    threshold : float
    n_listings, n_pairs : int
        Listings that were searched, and pairs that reach the threshold.
    left_out, left_out_below : int
        Pairs that are not shown: those that reach the threshold, and those that do not.
    """

    source: str
    threshold: float
    n_listings: int
    n_pairs: int
    left_out: int = 0
    left_out_below: int = 0


@dataclass(frozen=True)
class Photo:
    """A photo of the report. number: its place in the listing, from 1."""

    number: int
    name: str
    jpeg: bytes


@dataclass(frozen=True)
class ListingCard:
    """What the report shows of a listing.

    title : str
    photos : dict, number among the readable photos → Photo
        Those that matter, and a few others.
    count : int
        Photos that can be read.
    """

    title: str
    photos: Mapping[int, Photo]
    count: int


GONE = ListingCard("", {}, 0)
"""The card of a listing that cannot be found any more."""


def draw(pairs: Iterable[ReportedPair], listings: Iterable[Listing]) -> Iterator[tuple[str, ListingCard]]:
    """Yield the id and the card of each listing of the pairs.

    Parameters
    ----------
    pairs : iterable of ReportedPair
    listings : iterable of Listing
        May be longer than memory; those of no pair are passed over.
    """
    wanted: dict[str, set[int]] = {}
    for each in pairs:
        wanted.setdefault(each.pair.left, set()).update(match.left for match in each.matches[:MATCHES])
        wanted.setdefault(each.pair.right, set()).update(match.right for match in each.matches[:MATCHES])
    with ThreadPoolExecutor() as pool:
        for listing in listings:
            if listing.id in wanted:
                yield listing.id, _card(listing, wanted[listing.id], pool)


def _card(listing: Listing, wanted: Container[int], pool: ThreadPoolExecutor) -> ListingCard:
    photos: dict[int, Photo] = {}
    count = 0
    drawn = pool.map(lambda photo: thumbnail_or_reason(photo, SIDE)[0], listing.photos)
    for number, (photo, jpeg) in enumerate(zip(listing.photos, drawn, strict=True), 1):
        if jpeg is None:
            continue
        if count in wanted or sum(other not in wanted for other in photos) < OTHERS + MATCHES:
            photos[count] = Photo(number, name_of(photo), jpeg)
        count += 1
    return ListingCard(listing.title, photos, count)


def report(pairs: Sequence[ReportedPair], cards: Mapping[str, ListingCard], findings: Findings) -> Iterator[bytes]:
    """Yield the report, an HTML file, piece by piece.

    Parameters
    ----------
    pairs : sequence of ReportedPair
        In the order in which they are to be read.
    cards : dict, id → ListingCard
    findings : Findings
    """
    threshold = findings.threshold
    articles = (
        pair_article(number, each, cards, threshold, "reported" if each.pair.score >= threshold else "not reported")
        for number, each in enumerate(pairs, 1)
    )
    yield from page(f"Duplicates in {findings.source}", _top(findings, len(pairs)), articles)


def _top(findings: Findings, n_shown: int) -> str:
    said = [
        f"{counted(findings.n_pairs, 'pair')} of {counted(findings.n_listings, 'listing')} reach the threshold of "
        f"<b>{percent(findings.threshold)}</b>, and are reported as the same item."
    ]
    if n_shown:
        said.append("The pairs nearest to the threshold, on either side of it, come first: they are the doubts.")
    left_out = [
        f"{counted(findings.left_out, 'reported pair')} further above the threshold" if findings.left_out else "",
        f"{counted(findings.left_out_below, 'pair')} further below it" if findings.left_out_below else "",
    ]
    if any(left_out):
        said.append(f"Left out here: {' and '.join(filter(None, left_out))}.")
    return f"<p>{' '.join(said)}</p>\n{EXPLANATION}"


def pair_article(
    number: int, reported: ReportedPair, cards: Mapping[str, ListingCard], threshold: float, badge: str
) -> str:
    """Return a pair as a piece of HTML. badge: what is said of it."""
    pair, matches = reported.pair, reported.matches[:MATCHES]
    left, right = cards.get(pair.left, GONE), cards.get(pair.right, GONE)
    kind = "reported" if pair.score >= threshold else "below"
    others = _others(left, {match.left for match in matches}), _others(right, {match.right for match in matches})
    return f"""<article class="{kind}" id="pair-{number}">
<header>
<h2>{number}</h2>
<p class="score"><b>{percent(pair.score)}</b> <span class="badge">{plain(badge)}</span></p>
<div class="ruler" aria-hidden="true"><i style="width:{100 * pair.score:.1f}%"></i>\
<s style="left:{100 * threshold:.1f}%"></s></div>
</header>
{_sides(_listing(pair.left, left), _listing(pair.right, right))}\
{"".join(_match(match, left, right) for match in matches)}\
{_sides(*others)}</article>
"""


def _sides(left: str, right: str) -> str:
    """Return what belongs to each listing, side by side; nothing where there is nothing."""
    return f'<div class="sides">\n<div>{left}</div>\n<div>{right}</div>\n</div>\n' if left or right else ""


def _listing(id: str, card: ListingCard) -> str:
    title = f'<p class="title">{plain(card.title)}</p>' if card.title else '<p class="title none">no title</p>'
    return f'<p class="id">{plain(id)}</p>{title}'


def _match(match: PhotoMatch, left: ListingCard, right: ListingCard) -> str:
    rows = [*zip(level_names(match.levels), match.levels.values(), strict=True), ("copy", match.copy)]
    return f"""<div class="match">
{_figure(left.photos.get(match.left))}
{bars((name, value, f"{value:.2f}") for name, value in rows)}
{_figure(right.photos.get(match.right))}
</div>
"""


def _figure(photo: Photo | None) -> str:
    if photo is None:
        return '<figure class="gone">the photo cannot be read any more</figure>'
    caption = plain(photo.name or f"photo {photo.number}")
    return f'<figure>{_image(photo)}<figcaption title="{caption}">{caption}</figcaption></figure>'


def _others(card: ListingCard, used: Set[int]) -> str:
    """Return the photos of a listing that are in no row above, small."""
    others = [photo for number, photo in card.photos.items() if number not in used][:OTHERS]
    more = card.count - len(used & card.photos.keys()) - len(others)
    note = f"<span>+ {more} more</span>" if more > 0 else ""
    return f'<div class="others">{"".join(map(_image, others))}{note}</div>' if others or note else ""


def _image(photo: Photo) -> str:
    return image(photo.jpeg, f"photo {photo.number} {photo.name}".rstrip())
