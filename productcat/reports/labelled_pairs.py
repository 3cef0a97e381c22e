"""The figures of labelled pairs → one HTML file: precision and recall, thresholds, and the worst pairs with photos."""

import numpy as np

from productcat.notebook import plain
from productcat.reports import plots as evaluation_plots
from productcat.reports import style as report_style
from productcat.reports.duplicates import pair_article
from productcat.reports.evaluation_style import SCRIPT, STYLE
from productcat.reports.page import head, remarks, scripted, share, table, tiles
from productcat.wording import counted

FIGURES = {
    "average_precision": "average precision",
    "auc": "area under the ROC curve",
    "precision": "precision at the threshold",
    "recall": "recall at the threshold",
}
NOT_SHARES = ("average_precision", "auc")


def pair_report(evaluation, figures, shown, origin):
    """The report.

    Parameters
    ----------
    evaluation : productcat.evaluation.evaluate_pairs.PairEvaluation
    figures : dict
        As `productcat.evaluation.evaluate_pairs.measure_pairs` gives them.
    shown : dict, id → productcat.reports.duplicates.Shown
        The listings of the worst pairs, as `productcat.reports.duplicates.draw` makes them.
    origin : productcat.reports.evaluation.Origin

    Yields
    ------
    bytes
        A piece of the HTML file.
    """
    title = f"How well does {origin.bundle} tell the duplicates of {origin.source}?"
    yield _bytes(head(title, report_style.STYLE + STYLE, SCRIPT))
    yield _bytes(_top(title, figures, origin))
    yield _bytes(_curves(evaluation, figures))
    yield _bytes(_thresholds(figures))
    first = 1
    for name, judged in (("reported", evaluation.worst(False)), ("missed", evaluation.worst(True))):
        yield _bytes(_worst(name, list(enumerate(judged, first)), figures, shown))
        first += len(judged)
    yield _bytes(f"</main>\n{scripted(SCRIPT)}</body>\n</html>\n")


def _bytes(text):
    return text.encode("utf-8", "replace")


def _top(title, figures, origin):
    found, different = figures["figures"], figures["pairs"] - figures["same_item"]
    precision = found["precision"]["value"]
    right = "" if precision is None else f"; of what it finds <b>{share(precision)}</b> is right"
    interval = figures["interval"]
    told = [(_value(found[key], key), name, _range(found[key], key)) for key, name in FIGURES.items()]
    return f"""<header class="page">
<h1>{plain(title)}</h1>
<p class="lead">Of {counted(figures["same_item"], "labelled pair")} of one item it finds \
<b>{share(found["recall"]["value"])}</b> at the threshold of {share(figures["threshold"])}{right}.</p>
<p class="soft">{counted(figures["pairs"], "pair")}, {different:,} of them of different items. Precision depends on
which pairs were labelled: of pairs that were chosen for being hard it says little about a catalogue, in which nearly
all pairs are different and easy. Intervals hold {100 * interval["level"]:g} % of {interval["rounds"]:,} bootstrap draws
of the pairs.</p>
{remarks(origin.notes)}{tiles(told)}
</header>
<main>
"""


def _value(figure, key):
    if figure["value"] is None:
        return "–"
    return f"{figure['value']:.3f}" if key in NOT_SHARES else share(figure["value"])


def _range(figure, key):
    if figure["low"] is None:
        return ""
    low, high = figure["low"], figure["high"]
    return f"{low:.3f}–{high:.3f}" if key in NOT_SHARES else f"{100 * low:.1f}–{100 * high:.1f} %"


def _curves(evaluation, figures):
    recall, precision = (np.array([each[name] for each in figures["curve"]]) for name in ("recall", "precision"))
    found = {name: each["value"] for name, each in figures["figures"].items()}
    point = figures["threshold"], found["recall"], found["precision"]
    curve = evaluation_plots.precision_recall(recall, precision, point, found["average_precision"])
    histogram = evaluation_plots.score_histogram(evaluation.scores, evaluation.labels, figures["threshold"])
    return f"""<section id="curves">
<h2>Precision and recall</h2>
<div class="pair">
<div class="panel"><h3>Every threshold is a point of the line</h3>{curve}</div>
<div class="panel"><h3>How the scores lie; the dashed line is the threshold</h3>{histogram}</div>
</div>
</section>
"""


def _thresholds(figures):
    found = {name: each["value"] for name, each in figures["figures"].items()}
    rows = [_row("the one in use", figures["threshold"], found["recall"], found["precision"])]
    for each in figures["thresholds"]:
        name = f"at least {100 * each['asked_precision']:g} % right"
        rows.append(_row(name, each["threshold"], each["recall"], each["precision"]))
    return f"""<section id="thresholds">
<h2>What a threshold means</h2>
{table(["", "threshold", "found (recall)", "right among the found"], rows)}
<p class="soft">Those for a precision are read off these same pairs, so they promise a little too much.</p>
</section>
"""


def _row(name, threshold, recall, precision):
    if threshold is None:
        return [name, ("not reached", None), ("–", None), ("–", None)]
    return [name, *((share(each), each) for each in (threshold, recall, precision))]


def _worst(name, judged, figures, shown):
    n = figures["wrong"][name]
    titles = {
        "reported": ("Different items that are reported", "labelled as different items"),
        "missed": ("The same item that is missed", "labelled as the same item"),
    }
    title, badge = titles[name]
    if not n:
        return f'<section id="{name}">\n<h2>{title}</h2>\n<p>There is none.</p>\n</section>\n'
    some = "" if len(judged) == n else f" The {len(judged)} farthest from the threshold are shown."
    pairs = "".join(pair_article(number, each, shown, figures["threshold"], (badge, badge)) for number, each in judged)
    return f"""<section id="{name}">
<h2>{title}</h2>
<p>{counted(n, "pair")}.{some} Some labels may be wrong: look before you believe them.</p>
<div class="pairs">
{pairs}</div>
</section>
"""
