"""The figures of labelled pairs → one HTML file: precision and recall, thresholds, and the worst pairs with photos."""

from collections.abc import Iterator, Mapping, Sequence

from productcat.evaluation.evaluate_pairs import PairEvaluation
from productcat.evaluation.metrics import PairMetrics
from productcat.reports import plots
from productcat.reports.evaluation import Origin
from productcat.reports.group_article import Reading, group_article
from productcat.reports.listing_cards import ListingCard
from productcat.reports.page import Cell, page, remarks, section, share, table, tiles
from productcat.reports.reported_groups import LABELLED, ReportedGroup
from productcat.wording import counted

FIGURES = {
    "average_precision": "average precision",
    "auc": "area under the ROC curve",
    "precision": "precision at the threshold",
    "recall": "recall at the threshold",
}


def pair_report(
    evaluation: PairEvaluation, figures: PairMetrics, cards: Mapping[str, ListingCard], origin: Origin
) -> Iterator[bytes]:
    """Yield the report, an HTML file, piece by piece.

    Parameters
    ----------
    evaluation : PairEvaluation
    figures : PairMetrics
        The figures of this evaluation.
    cards : dict, id → ListingCard
        The listings of the worst pairs, as `productcat.reports.listing_cards.draw` makes them.
    origin : Origin
    """
    threshold, wrong = figures["threshold"], figures["wrong"]
    reading = Reading(cards, threshold)
    reported = [
        group_article(number, ReportedGroup.of_pair(each, LABELLED), reading, "labelled as different items")
        for number, each in enumerate(evaluation.worst(False), 1)
    ]
    missed = [
        group_article(number, ReportedGroup.of_pair(each, LABELLED), reading, "labelled as the same item")
        for number, each in enumerate(evaluation.worst(True), 1 + len(reported))
    ]
    sections = (
        ("curves", "Precision and recall", _curves(evaluation, figures)),
        ("thresholds", "What a threshold means", _thresholds(figures)),
        ("reported", "Different items that are reported", _worst(wrong["reported"], reported)),
        ("missed", "The same item that is missed", _worst(wrong["missed"], missed)),
    )
    yield from page(
        f"How well does {origin.bundle} tell the duplicates of {origin.source}?",
        _top(figures, origin),
        (section(*each) for each in sections),
        ("style.css", "duplicates.css", "evaluation.css"),
        "evaluation.js",
    )


def _top(figures: PairMetrics, origin: Origin) -> str:
    found, different = figures["figures"], figures["pairs"] - figures["same_item"]
    precision = found["precision"]["value"]
    right = "" if precision is None else f"; <b>{share(precision)}</b> of what it finds is right"
    interval = figures["interval"]
    return f"""<p class="lead">Of {counted(figures["same_item"], "labelled pair")} of one item it finds \
<b>{share(found["recall"]["value"])}</b> at the threshold of {share(figures["threshold"])}{right}.</p>
<p class="soft">{counted(figures["pairs"], "pair")}, {different:,} of them of different items. Precision depends on
which pairs were labelled. If they were chosen because they are hard, it says little about a catalogue, in which nearly
all pairs are different and easy. Intervals contain {100 * interval["level"]:g} % of {interval["rounds"]:,} bootstrap
draws of the pairs.</p>
{remarks(origin.notes)}{tiles(FIGURES, found)}
"""


def _curves(evaluation: PairEvaluation, figures: PairMetrics) -> str:
    found, threshold = figures["figures"], figures["threshold"]
    curve = plots.precision_recall(figures["curve"], threshold, found)
    histogram = plots.score_histogram(evaluation.scores, evaluation.labels, threshold)
    return f"""<div class="pair">
<div class="panel"><h3>Every threshold is a point of the line</h3>{curve}</div>
<div class="panel"><h3>How the scores lie; the dashed line is the threshold</h3>{histogram}</div>
</div>
"""


def _thresholds(figures: PairMetrics) -> str:
    found = figures["figures"]
    rows = [_row("the one in use", figures["threshold"], found["recall"]["value"], found["precision"]["value"])]
    for each in figures["thresholds"]:
        name = f"at least {100 * each['asked_precision']:g} % right"
        rows.append(_row(name, each["threshold"], each["recall"], each["precision"]))
    return f"""{table(["", "threshold", "found (recall)", "right among the found"], rows)}
<p class="soft">Those for a precision are read off these same pairs, so they promise a little too much.</p>
"""


def _row(name: str, threshold: float | None, recall: float | None, precision: float | None) -> list[Cell]:
    if threshold is None:
        return [name, ("not reached", None), ("–", None), ("–", None)]
    return [name, *((share(each), each) for each in (threshold, recall, precision))]


def _worst(count: int, articles: Sequence[str]) -> str:
    """Return the worst of `count` pairs on the wrong side of the threshold."""
    if not count:
        return "<p>There is none.</p>\n"
    some = "" if len(articles) == count else f" The {len(articles)} farthest from the threshold are shown."
    return f"""<p>{counted(count, "pair")}.{some} Some labels may be wrong: look before you believe them.</p>
<div class="pairs">
{"".join(articles)}</div>
"""
