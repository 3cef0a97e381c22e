"""Groups of duplicates → one HTML file on which a person decides: photos and titles side by side, the doubts first.

The file holds everything itself and loads nothing. Its script keeps decisions in the browser and saves them as a CSV;
without it, the report can be read.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from productcat.notebook import image, percent, plain
from productcat.reports.group_article import Reading, group_article
from productcat.reports.listing_cards import GONE, ListingCard, SharedPicture
from productcat.reports.page import page
from productcat.reports.reported_groups import DOUBT, ReportedGroup
from productcat.wording import counted

IDS = 12
"""Number of listings named of a picture that many share."""

EXPLANATION = """\
<details><summary>How to read this, and how to decide</summary>
<p>A card is a group of listings that seem to show one item. Photos with the same letter match. In a title, words are
marked that the other titles lack; below it stands which words count for and against, if the bundle knows titles. The
percentage is the probability that the listings show the same item; that of a larger group is the one of the listing
that fits it least. “Copy” compares the pictures themselves, however turned or mirrored: near 1 it is the same
picture.</p>
<p class="keys" hidden>Keys: <kbd>s</kbd> the same item, <kbd>d</kbd> different items, <kbd>u</kbd> undo,
<kbd>j</kbd> next, <kbd>k</kbd> previous, <kbd>n</kbd> next without a decision, <kbd>1</kbd> to <kbd>9</kbd> that
listing of a group is another item than the rest.
<label><input type="checkbox" checked> keys are on</label></p>
<p class="keys" hidden>Decisions are kept in this browser, for this report. “Save” writes them to a file of pairs,
<code>left,right,verdict</code>, with a line for each pair of listings that a decision tells apart or joins.</p>
</details>
"""

BAR = """\
<div class="bar" hidden data-report="{checksum}">
<p role="status" aria-live="polite"></p>
<progress max="{groups}" value="0" aria-label="groups decided"></progress>
<div>
<button type="button" class="open">Next <kbd>n</kbd></button>
<button type="button" class="undo" disabled>Undo <kbd>u</kbd></button>
<button type="button" class="save" disabled>Save</button>
</div>
</div>
<noscript><p class="soft">Deciding needs JavaScript, which is off. The report can be read without it.</p></noscript>
"""


@dataclass(frozen=True)
class Findings:
    """What the top of the report says.

    source : str
    threshold : float
    n_listings, n_pairs, n_groups : int
        Listings that were searched, pairs that reach the threshold, and groups that they make.
    left_out, left_out_below : int
        What is not shown: groups, and pairs that do not reach the threshold.
    shared : sequence of SharedPicture
        Pictures that counted for nothing, because many listings have them.
    note : str
        A sentence on the threshold: how it was chosen, and what to expect.
    """

    source: str
    threshold: float
    n_listings: int
    n_pairs: int
    n_groups: int
    left_out: int = 0
    left_out_below: int = 0
    shared: Sequence[SharedPicture] = ()
    note: str = ""


def report(groups: Sequence[ReportedGroup], cards: Mapping[str, ListingCard], findings: Findings) -> Iterator[bytes]:
    """Yield the report, an HTML file, piece by piece.

    Parameters
    ----------
    groups : sequence of ReportedGroup
        In the order in which they are to be read.
    cards : dict, id → ListingCard
        As `productcat.reports.listing_cards.draw` makes them.
    findings : Findings
    """
    title = f"Duplicates in {findings.source}"
    styles = "style.css", "duplicates.css"
    yield from page(title, _top(findings, len(groups)), _body(groups, cards, findings), styles, "duplicates.js")


def _body(groups: Sequence[ReportedGroup], cards: Mapping[str, ListingCard], findings: Findings) -> Iterator[str]:
    yield _shared_section(findings.shared, cards)
    if groups:
        yield BAR.format(checksum=_checksum(groups, findings), groups=len(groups))
    shared = {photo: _n_listings(picture) for picture in findings.shared for photo in picture.photos}
    reading = Reading(cards, findings.threshold, shared)
    for number, each in enumerate(groups, 1):
        yield group_article(number, each, reading, "not reported" if each.kind == DOUBT else "reported")


def _checksum(groups: Sequence[ReportedGroup], findings: Findings) -> str:
    """Return a name for what is decided here, so that decisions are not taken for those of another report."""
    decided = json.dumps([findings.source, [each.shown for each in groups]])
    return hashlib.sha256(decided.encode()).hexdigest()[:16]


def _top(findings: Findings, n_shown: int) -> str:
    said = [
        f"{counted(findings.n_pairs, 'pair')} of {counted(findings.n_listings, 'listing')} reach the threshold of "
        f"<b>{percent(findings.threshold)}</b> and make <b>{counted(findings.n_groups, 'group')}</b>.",
        plain(findings.note),
    ]
    if n_shown:
        said.append("Those nearest to the threshold come first, with pairs that just miss it: they are the doubts.")
    left_out = [
        f"{counted(findings.left_out, 'group')} further above the threshold" if findings.left_out else "",
        f"{counted(findings.left_out_below, 'pair')} further below it" if findings.left_out_below else "",
    ]
    if any(left_out):
        said.append(f"Left out here: {' and '.join(filter(None, left_out))}.")
    return f"<p>{' '.join(filter(None, said))}</p>\n{EXPLANATION}"


def _n_listings(picture: SharedPicture) -> int:
    return len({id for id, _ in picture.photos})


def _shared_section(shared: Sequence[SharedPicture], cards: Mapping[str, ListingCard]) -> str:
    """Show the pictures that counted for nothing, each once."""
    if not shared:
        return ""
    drawn = "".join(_shared_figure(picture, cards) for picture in shared)
    return (
        f'<section class="shared">\n<h2>Left out: {counted(len(shared), "picture")} that many listings share</h2>\n'
        f'<div class="pictures">{drawn}</div>\n</section>\n'
    )


def _shared_figure(picture: SharedPicture, cards: Mapping[str, ListingCard]) -> str:
    id, number = picture.photos[0]
    photo = cards.get(id, GONE).photos.get(number)
    said = f"in {counted(_n_listings(picture), 'listing')}"
    drawn = image(photo.jpeg, f"a picture {said}") if photo else '<p class="gone">cannot be read any more</p>'
    ids = list(dict.fromkeys(id for id, _ in picture.photos))
    names = "".join(f'<li dir="auto">{plain(each)}</li>' for each in ids[:IDS])
    more = f"<li>+ {len(ids) - IDS:,} more</li>" if len(ids) > IDS else ""
    listed = f"<details><summary>which</summary><ul>{names}{more}</ul></details>"
    return f"<figure>{drawn}<figcaption>{said}{listed}</figcaption></figure>"
