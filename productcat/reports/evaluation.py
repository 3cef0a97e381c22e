"""The figures and cases of an evaluation → one HTML file for a person: what it can do, where it fails, what to decide.

The file holds everything itself, loads nothing, and runs nothing but its own script. Plots are drawn by matplotlib.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from productcat.categories.ensemble import MODALITY_NAMES, Modality
from productcat.evaluation.confusions import most_confused
from productcat.evaluation.evaluate import Evaluation
from productcat.evaluation.metrics import CoveragePoint, Figure, Metrics
from productcat.notebook import plain
from productcat.reports import plots
from productcat.reports.cases import mistakes_section, title_section
from productcat.reports.page import (
    Cell,
    figure_text,
    interval_text,
    page,
    points,
    remarks,
    section,
    share,
    table,
    tiles,
)
from productcat.reports.sections import drift_section, threshold_section
from productcat.wording import counted

FIGURES = {
    "top1": "right category first (top-1)",
    "top5": "right category among the first five (top-5)",
    "mean_category_top1": "top-1, mean over the categories",
    "mean_category_top5": "top-5, mean over the categories",
    "macro_f1": "F1, mean over the categories",
    "assigned": "assigned by the decision rules",
    "precision": "right among the assigned",
    "expected_calibration_error": "expected calibration error, where there is evidence",
    "negative_log_likelihood": "negative log-likelihood, nats, where there is evidence",
}

LEADING = {
    "top1": "right category first",
    "top5": "among the first five",
    "assigned": "assigned",
    "precision": "right among the assigned",
}
"""Names of the figures at the top of the report."""

COMPARED = {
    "top1": "top-1",
    "top5": "top-5",
    "mean_category_top1": "top-1, mean of\ncategories",
    "assigned": "assigned",
}
"""Names of the figures in the plot of photos, title and both."""

METHOD = """<details><summary>How to read these figures</summary>
<p>The smaller numbers are bootstrap intervals: of {rounds:,} draws of as many listings as there are, {percent} lie
inside. They account for chance, not for listings that were chosen because they are easy. Where none of n listings is
wrong, the interval has no width; up to 3/n may still be wrong. A listing without evidence (no photo that can be read,
no known word) counts as wrong and is never assigned; only the calibration error and the log-likelihood leave it out. In
the F1, a category that is answered but is no listing's label counts as 0. The expected calibration error is the mean
distance between confidence and share of right answers, in 15 bins (Naeini et al. 2015).</p></details>
"""


@dataclass(frozen=True)
class Origin:
    """What a report says of how it was made.

    source, bundle : str
    notes : sequence of str
        What was left out, a line each.
    """

    source: str
    bundle: str
    notes: Sequence[str] = ()


def report(evaluation: Evaluation, figures: Metrics, origin: Origin) -> Iterator[bytes]:
    """Yield the report, an HTML file, piece by piece.

    Parameters
    ----------
    evaluation : Evaluation
    figures : Metrics
        The figures of this evaluation.
    origin : Origin
    """
    words = {use: MODALITY_NAMES[use] for use in figures["overall"]}
    sections = [
        ("evidence", "Photos, title and both", _evidence(figures, words)),
        ("confidence", "Can the confidence be relied on?", _confidence(figures, words)),
        ("threshold", "What a threshold means", threshold_section(figures)),
        ("confused", "What is taken for what", _confused(evaluation, figures)),
        ("title", "What the title does", title_section(evaluation, figures)),
        ("mistakes", "The most confident mistakes", mistakes_section(evaluation, figures)),
        ("categories", "Every category", _categories(figures)),
        ("drift", "Are these the listings that the bundle was made for?", drift_section(figures["drift"])),
    ]
    sections = [each for each in sections if each[2]]
    links = "".join(f'<a href="#{id}">{plain(name)}</a>' for id, name, _ in sections)
    yield from page(
        f"How good is {origin.bundle} on {origin.source}?",
        f'{_top(figures, origin)}\n<nav aria-label="Sections">{links}</nav>\n',
        (section(*each) for each in sections),
        ("style.css", "evaluation.css"),
        "evaluation.js",
    )


def _top(figures: Metrics, origin: Origin) -> str:
    *_, main = figures["overall"].values()
    decided, right = figures["decisions"], figures["decisions"]["assigned_rightly"]
    lead = (
        f"The right category comes first for <b>{share(main['top1']['value'])}</b> of "
        f"{counted(figures['listings'], 'labelled listing')}."
    )
    if right is not None:
        lead += (
            f" The bundle assigns <b>{share(decided['assign'])}</b> by itself, "
            f"<b>{share(1 - right)}</b> of them wrongly."
        )
    n_categories = counted(figures["categories"], "category", "categories")
    return f"""<p class="lead">{lead}</p>
<p class="soft">{figures["categories_present"]:,} of its {n_categories} occur among the labels. Figures use all the
evidence that a listing has, unless stated otherwise.</p>
{remarks(origin.notes)}{tiles(LEADING, main)}"""


def _evidence(figures: Metrics, words: Mapping[Modality, str]) -> str:
    overall, interval = figures["overall"], figures["interval"]
    plot = plots.comparison({name: {use: each[key] for use, each in overall.items()} for key, name in COMPARED.items()})
    rows: list[list[Cell]] = [
        [name, *(_figure(key, each[key]) for each in overall.values())] for key, name in FIGURES.items()
    ]
    if min(figures["evidence"].values()) < 1:
        rows.insert(0, ["listings with an answer", *((share(each), each) for each in figures["evidence"].values())])
    return f"""{_gains(figures, words)}<div class="pair">
<div class="panel">{plot}</div>
{table(["", *words.values()], rows)}</div>
{METHOD.format(rounds=interval["rounds"], percent=f"{100 * interval['level']:g} %")}"""


def _figure(name: str, figure: Figure) -> Cell:
    value = figure["value"]
    return ("–", None) if value is None else (figure_text(name, value), value, interval_text(name, figure))


def _gains(figures: Metrics, words: Mapping[Modality, str]) -> str:
    """Return in words what photos and title together gain over each alone."""
    said = []
    for use, gain in figures["gains_of_both"].items():
        value, low, high = gain["value"] or 0.0, gain["low"] or 0.0, gain["high"] or 0.0
        amount = f"{100 * abs(value):.1f} points"
        if float(amount.split()[0]) == 0:
            said.append(f"are as good as {words[use]}")
            continue
        sure = "" if low > 0 or high < 0 else ", so it may be chance"
        verb = "gain" if value >= 0 else "lose"
        said.append(f"{verb} {amount} against {words[use]} ({points(low)} to {points(high)}{sure})")
    return f"<p>In top-1, photos and title together {' and '.join(said)}.</p>\n" if said else ""


def _confidence(figures: Metrics, words: Mapping[Modality, str]) -> str:
    own: dict[Modality, CoveragePoint] = {}
    for use, each in figures["overall"].items():
        coverage, precision = each["assigned"]["value"], each["precision"]["value"]
        if coverage is not None and precision is not None:
            threshold = figures["decisions"]["rules"][use]["assign_at"]
            own[use] = {"threshold": threshold, "coverage": coverage, "precision": precision}
    diagram = plots.reliability_diagram(figures["reliability"], words)
    curves = plots.coverage_plot(figures["coverage"], own, words)
    return f"""<p>Where the points lie on the line, a confidence of 90 % is right nine times in ten. Below the line, the
bundle is too confident; <code>productcat calibrate</code> corrects that.</p>
<div class="pair">
<div class="panel"><h3>Reliability</h3>{diagram}</div>
<div class="panel"><h3>Coverage against precision</h3>{curves}
<p class="soft">Every threshold is a point of the line; the marks are the bundle's own.</p></div>
</div>
"""


def _confused(evaluation: Evaluation, figures: Metrics) -> str:
    if not figures["confusions"]:
        return "<p>Not one listing is taken for another category.</p>\n"
    names, counts = most_confused(evaluation)
    rows: list[list[Cell]] = [
        [
            each["label"],
            each["answer"],
            (f"{each['listings']:,}", each["listings"]),
            (share(each["share"]), each["share"]),
        ]
        for each in figures["confusions"]
    ]
    columns = ["labelled", "answered", "listings", "of the label"]
    plot = plots.confusion_matrix(names, counts)
    return f"""<div class="pair">
<div class="panel">{plot}<p class="soft">{counted(len(names), "category", "categories")} with most confusions, those
confused with each other side by side. Answers outside of these are not shown.</p></div>
{table(columns, rows, sortable=True)}</div>
"""


def _categories(figures: Metrics) -> str:
    rows = figures["per_category"]
    columns = [name for name in rows[0] if name not in ("category", "support")]
    names = [_column(name) for name in columns]
    cells: list[list[Cell]] = [
        [row["category"], (f"{row['support']:,}", row["support"]), *((share(row[name]), row[name]) for name in columns)]
        for row in rows
    ]
    return f"""<p>Click on the name of a column to sort by it. A share of few listings means little.</p>
{table(["category", "listings", *names], cells, sortable=True)}"""


def _column(name: str) -> str:
    use, k = name.split("_top")
    return f"{use}, top-{k}"
