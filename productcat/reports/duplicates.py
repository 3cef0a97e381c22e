"""Pairs of duplicates → one HTML file for a person to judge them by: photos side by side, what decided, doubts first.

The file holds everything itself, loads nothing and runs nothing. Photos are small JPEGs in it.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from html import escape

from productcat.duplicates.matches import level_names
from productcat.listings.photos import name_of, thumbnail_or_reason
from productcat.notebook import bars, image, percent
from productcat.reports.page import SIDE, head
from productcat.reports.style import STYLE
from productcat.wording import counted

MATCHES, OTHERS = 3, 4
"""Pairs of photos shown large for a pair of listings, and further photos of each listing."""

EXPLANATION = """\
<details><summary>How to read this</summary>
<p>Each row shows two photos that match, the best match first. The bars tell how alike the two are on each level of the
image model: 1 is the same, 0 is no more alike than any two photos. Higher levels tell of objects, lower ones of scenes
and surfaces. “Copy” compares the pictures themselves, however turned or mirrored: near 1 it is the same picture. The
percentage of a pair, the probability that both show the same item, weighs all photos of both listings.</p>
</details>
"""


@dataclass(frozen=True)
class Findings:
    """What the report's head says.

    source : str
    threshold : float
    n_listings, n_pairs : int
        Listings looked at, pairs that reach the threshold.
    left_out, left_out_below : int
        Pairs not shown, that reach the threshold and that do not.
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
class Shown:
    """A listing of the report.

    photos : dict, number among the readable photos → Photo
        Those that matter, and a few others.
    count : int, photos that can be read
    """

    title: str
    photos: dict
    count: int


def draw(judged, listings):
    """Make the thumbnails that a report needs, listing by listing.

    Parameters
    ----------
    judged : list of Judged
    listings : iterable of Listing
        May be longer than memory; those of no pair are passed over.

    Yields
    ------
    id : str
    shown : Shown
    """
    wanted = {}
    for each in judged:
        left, right = each.pair.left, each.pair.right
        wanted.setdefault(left, set()).update(match.left for match in each.matches[:MATCHES])
        wanted.setdefault(right, set()).update(match.right for match in each.matches[:MATCHES])
    with ThreadPoolExecutor() as pool:
        for listing in listings:
            if listing.id in wanted:
                yield listing.id, _show(listing, wanted[listing.id], pool)


def _show(listing, wanted, pool):
    photos, count = {}, 0
    drawn = pool.map(lambda photo: thumbnail_or_reason(photo, SIDE)[0], listing.photos)
    for number, (photo, jpeg) in enumerate(zip(listing.photos, drawn, strict=True), 1):
        if jpeg is None:
            continue
        if count in wanted or sum(other not in wanted for other in photos) < OTHERS + MATCHES:
            photos[count] = Photo(number, name_of(photo), jpeg)
        count += 1
    return Shown(listing.title, photos, count)


def report(judged, shown, findings):
    """The report.

    Parameters
    ----------
    judged : list of Judged
        In the order in which they are to be read.
    shown : dict, id → Shown
    findings : Findings

    Yields
    ------
    bytes
        A piece of the HTML file.
    """
    yield _head(findings, len(judged)).encode("utf-8", "replace")
    for number, each in enumerate(judged, 1):
        yield pair_article(number, each, shown, findings.threshold).encode("utf-8", "replace")
    yield b"</main>\n</body>\n</html>\n"


def _head(findings, n_shown):
    source, threshold = escape(findings.source), percent(findings.threshold)
    said = [
        f"{counted(findings.n_pairs, 'pair')} of {counted(findings.n_listings, 'listing')} reach the threshold of "
        f"<b>{threshold}</b>, and are reported as the same item."
    ]
    if n_shown:
        said.append("The pairs nearest to the threshold, on either side of it, come first: they are the doubts.")
    left_out = [
        f"{counted(findings.left_out, 'reported pair')} further above the threshold" if findings.left_out else "",
        f"{counted(findings.left_out_below, 'pair')} further below it" if findings.left_out_below else "",
    ]
    if any(left_out):
        said.append(f"Left out here: {' and '.join(filter(None, left_out))}.")
    return f"""{head(f"Duplicates in {findings.source}", STYLE)}<header class="page">
<h1>Duplicates in {source}</h1>
<p>{" ".join(said)}</p>
{EXPLANATION}</header>
<main>
"""


def pair_article(number, judged, shown, threshold, badges=("reported", "not reported")):
    """A pair as a piece of HTML.

    Parameters
    ----------
    number : int
    judged : Judged
    shown : dict, id → Shown
    threshold : float
    badges : (str, str)
        What is said of a pair that reaches the threshold, and of one that does not.
    """
    pair, matches = judged.pair, judged.matches[:MATCHES]
    left, right = (shown.get(id, Shown("", {}, 0)) for id in (pair.left, pair.right))
    kind, badge = ("reported", badges[0]) if pair.score >= threshold else ("below", badges[1])
    others = _others(left, {match.left for match in matches}), _others(right, {match.right for match in matches})
    return f"""<article class="{kind}" id="pair-{number}">
<header>
<h2>{number}</h2>
<p class="score"><b>{percent(pair.score)}</b> <span class="badge">{escape(badge)}</span></p>
<div class="ruler" aria-hidden="true"><i style="width:{100 * pair.score:.1f}%"></i>\
<s style="left:{100 * threshold:.1f}%"></s></div>
</header>
{_sides(_listing(pair.left, left), _listing(pair.right, right))}\
{"".join(_match(match, left, right) for match in matches)}\
{_sides(*others)}</article>
"""


def _sides(left, right):
    """What belongs to each listing, side by side; nothing where there is nothing."""
    return f'<div class="sides">\n<div>{left}</div>\n<div>{right}</div>\n</div>\n' if left or right else ""


def _listing(id, shown):
    title = f'<p class="title">{escape(shown.title)}</p>' if shown.title else '<p class="title none">no title</p>'
    return f'<p class="id">{escape(id)}</p>{title}'


def _match(match, left, right):
    rows = [*zip(level_names(match.levels), match.levels.values(), strict=True), ("copy", match.copy)]
    return f"""<div class="match">
{_figure(left.photos.get(match.left))}
{bars((name, value, f"{value:.2f}") for name, value in rows)}
{_figure(right.photos.get(match.right))}
</div>
"""


def _figure(photo):
    if photo is None:
        return '<figure class="gone">the photo cannot be read any more</figure>'
    caption = escape(photo.name or f"photo {photo.number}")
    return f'<figure>{_image(photo)}<figcaption title="{caption}">{caption}</figcaption></figure>'


def _others(shown, used):
    """The listing's photos that are in no row above, small."""
    others = [photo for number, photo in shown.photos.items() if number not in used][:OTHERS]
    more = shown.count - len(used & shown.photos.keys()) - len(others)
    note = f"<span>+ {more} more</span>" if more > 0 else ""
    return f'<div class="others">{"".join(map(_image, others))}{note}</div>' if others or note else ""


def _image(photo):
    return image(photo.jpeg, f"photo {photo.number} {photo.name}".rstrip())
