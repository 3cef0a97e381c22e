"""The sections of a report that show listings with their photos: what the title rescued and spoilt, and mistakes."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from productcat.categories.ensemble import MODALITY_NAMES, Modality
from productcat.evaluation.cases import Case, Top
from productcat.evaluation.evaluate import Evaluation
from productcat.evaluation.figures import self_confidence
from productcat.evaluation.metrics import Metrics
from productcat.listings.photo_limits import cores
from productcat.listings.photos import name_of, thumbnail_or_reason
from productcat.notebook import image, plain
from productcat.reports.page import SIDE, share
from productcat.wording import counted

PHOTOS = 3
"""Number of photos shown of a listing."""


def title_section(evaluation: Evaluation, figures: Metrics) -> str:
    """Return the listings for which the title changes whether the answer is right, "" without such listings."""
    said, cases = figures["title"], evaluation.cases
    if said is None:
        return ""
    parts = [
        ("Rescued by the title", cases.rescued, "photos alone are wrong, photos and title are right"),
        ("Spoilt by the title", cases.spoilt, "photos alone are right, photos and title are wrong"),
    ]
    html = (
        f"<p>Of {counted(said['listings_with_both'], 'listing')} with both, the title rescued "
        f"<b>{said['rescued']:,}</b> and spoilt <b>{said['spoilt']:,}</b>.</p>\n"
    )
    for title, top, meaning in parts:
        if top.count:
            html += f"<h3>{title}: {meaning}{_of(top)}</h3>\n{_cards(top.best, evaluation)}"
    return html


def mistakes_section(evaluation: Evaluation, figures: Metrics) -> str:
    """Return the mistakes that the bundle was surest of, which are often mistakes of the label."""
    said, top = figures["mistakes"], evaluation.cases.mistakes
    if not top.count:
        return "<p>There is no mistake among the listings with evidence.</p>\n"
    usual = dict(zip(evaluation.categories, self_confidence(evaluation), strict=True))

    def flagged(case: Case) -> bool:
        best = case.candidates[evaluation.whole][0]
        answers = {case.candidates[use][0].category for use in evaluation.answers if case.candidates[use]}
        return best.confidence >= usual[best.category] and case.label not in answers

    are = "is" if said["wrong"] == 1 else "are"
    return f"""<p>{counted(said["wrong"], "listing")} {are} answered wrongly; for <b>{said["suspect_labels"]:,}</b> the
label itself is suspect: the answer is at least as likely as it is, on average, for listings that have it as their
label, and neither the photos alone nor the title alone speak for the label that is there (confident learning, Northcutt
et al. 2021). Look at these first; a wrong label makes the figures worse than the bundle is.</p>
{f"<h3>The surest{_of(top)}</h3>" if _of(top) else ""}
{_cards(top.best, evaluation, flagged)}"""


def _of(top: Top) -> str:
    shown = min(top.size, top.count)
    return f" ({shown} of {top.count:,})" if shown < top.count else ""


def _cards(cases: Sequence[Case], evaluation: Evaluation, flagged: Callable[[Case], bool] = lambda _: False) -> str:
    with ThreadPoolExecutor(cores()) as pool:
        pictures = pool.map(_pictures, cases)
        cards = [_card(case, shown, evaluation, flagged(case)) for case, shown in zip(cases, pictures, strict=True)]
    return f'<div class="cases">\n{"".join(cards)}</div>\n'


def _pictures(case: Case) -> str:
    """Return the first photos that can be read."""
    shown: list[str] = []
    why = ""
    for number, photo in enumerate(case.listing.photos, 1):
        jpeg, reason = thumbnail_or_reason(photo, SIDE)
        if jpeg:
            shown.append(image(jpeg, name_of(photo) or f"photo {number}"))
        why = why or reason
        if len(shown) == PHOTOS:
            break
    if shown:
        return "".join(shown)
    return f'<span class="gone" title="{plain(why)}">{"no photo that can be read" if why else "no photo"}</span>'


def _card(case: Case, pictures: str, evaluation: Evaluation, suspect: bool) -> str:
    title = plain(case.listing.title) if case.listing.title.strip() else '<span class="none">no title</span>'
    answers = "".join(_answer(use, case) for use in evaluation.answers)
    flag = '<p><span class="flag">label suspect</span></p>' if suspect else ""
    return f"""<article class="case">
<div class="pictures">{pictures}</div>
<p class="title" dir="auto">{title}</p>
<p class="id">{plain(case.listing.id)}</p>
<dl class="answers"><div><dt>label</dt><dd>{plain(case.label)}</dd></div>{answers}</dl>
{flag}</article>
"""


def _answer(use: Modality, case: Case) -> str:
    found = case.candidates.get(use)
    if not found:
        return f'<div><dt title="{MODALITY_NAMES[use]}">{use}</dt><dd class="none">no evidence</dd></div>'
    best = found[0]
    right = best.category == case.label
    kind, mark = ("right", "✓") if right else ("wrong", "✗")
    return (
        f'<div><dt title="{MODALITY_NAMES[use]}">{use}</dt>'
        f'<dd class="{kind}">{mark} {plain(best.category)}</dd><dd class="{kind}">{share(best.confidence)}</dd></div>'
    )
