"""The figures and cases of an evaluation → one HTML file for a person: what it can do, where it fails, what to decide.

The file holds everything itself, loads nothing, and runs nothing but its own script. Plots are drawn by matplotlib.
"""

from dataclasses import dataclass, field

from productcat.categories.ensemble import MODALITY_NAMES as KINDS
from productcat.evaluation.confusions import most_confused
from productcat.notebook import plain
from productcat.reports import cases as evaluation_cases
from productcat.reports import plots as evaluation_plots
from productcat.reports import style as report_style
from productcat.reports.evaluation_style import SCRIPT, STYLE
from productcat.reports.page import head, remarks, scripted, share, table, tiles
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
NOT_SHARES = ("expected_calibration_error", "negative_log_likelihood")

SECTIONS = {
    "evidence": "Photos, title and both",
    "confidence": "Can the confidence be relied on?",
    "threshold": "What a threshold means",
    "confused": "What is taken for what",
    "title": "What the title does",
    "mistakes": "The most confident mistakes",
    "categories": "Every category",
    "drift": "Are these the listings that the bundle was made for?",
}

METHOD = """<details><summary>How to read these figures</summary>
<p>The smaller numbers are bootstrap intervals: of {rounds:,} draws of as many listings as there are, {percent} lie
inside. They tell of chance, not of listings chosen for being easy. Where not one of n listings is wrong, the interval
has no width; up to 3/n may still be wrong. A listing without evidence, neither a photo that can be read nor a known
word, counts as wrong and is never assigned; only the calibration error and the log-likelihood leave it out. F1 counts
categories that were answered and never meant with 0. The expected calibration error is the mean distance between
confidence and share of right answers, in 15 bins (Naeini et al. 2015).</p></details>
"""


@dataclass(frozen=True)
class Origin:
    """What a report tells of its making.

    source, bundle : str
    notes : list of str
        What was left out, a line each.
    """

    source: str
    bundle: str
    notes: list = field(default_factory=list)


def report(evaluation, figures, origin):
    """The report.

    Parameters
    ----------
    evaluation : productcat.evaluation.evaluate.Evaluation
    figures : dict
        As `productcat.evaluation.figures.measure` gives them.
    origin : Origin

    Yields
    ------
    bytes
        A piece of the HTML file.
    """
    words = {use: KINDS[use] for use in figures["overall"]}
    wanted = {name: title for name, title in SECTIONS.items() if name != "title" or figures["title"]}
    made = {
        "evidence": lambda: _evidence(figures, words),
        "confidence": lambda: _confidence(figures, words),
        "threshold": lambda: threshold_section(figures),
        "confused": lambda: _confused(evaluation, figures),
        "title": lambda: evaluation_cases.title_section(evaluation, figures),
        "mistakes": lambda: evaluation_cases.mistakes_section(evaluation, figures),
        "categories": lambda: _categories(figures),
        "drift": lambda: drift_section(figures["drift"]),
    }
    title = f"How good is {origin.bundle} on {origin.source}?"
    yield _bytes(head(title, report_style.STYLE + STYLE, SCRIPT))
    yield _bytes(_top(title, figures, origin, wanted))
    for name, words_of_it in wanted.items():
        yield _bytes(f'<section id="{name}">\n<h2>{plain(words_of_it)}</h2>\n{made[name]()}</section>\n')
    yield _bytes(f"</main>\n{scripted(SCRIPT)}</body>\n</html>\n")


def _bytes(text):
    return text.encode("utf-8", "replace")


def _top(title, figures, origin, wanted):
    n, whole = figures["listings"], list(figures["overall"])[-1]
    main, decided = figures["overall"][whole], figures["decisions"]
    lead = (
        f"The right category comes first for <b>{share(main['top1']['value'])}</b> of {counted(n, 'labelled listing')}."
    )
    if decided["assigned_rightly"] is not None:
        wrong = 1 - decided["assigned_rightly"]
        lead += (
            f" The bundle assigns <b>{share(decided['assign'])}</b> by itself, <b>{share(wrong)}</b> of them wrongly."
        )
    names = {"top1": "right category first", "top5": "among the first five", "assigned": "assigned"}
    names["precision"] = "right among the assigned"
    told = [(share(main[key]["value"]), name, _range(main[key])) for key, name in names.items()]
    links = "".join(f'<a href="#{name}">{plain(words)}</a>' for name, words in wanted.items())
    n_categories = counted(figures["categories"], "category", "categories")
    return f"""<header class="page">
<h1>{plain(title)}</h1>
<p class="lead">{lead}</p>
<p class="soft">{figures["categories_present"]:,} of its {n_categories} occur among the labels. Figures are by all the
evidence that a listing has, unless it is said otherwise.</p>
{remarks(origin.notes)}{tiles(told)}
<nav aria-label="Sections">{links}</nav>
</header>
<main>
"""


def _range(figure):
    return "" if figure["low"] is None else f"{_number(figure['low'])}–{_number(figure['high'])} %"


def _number(value):
    return f"{100 * value:.1f}".replace("-", "−")


def _evidence(figures, words):
    overall, interval = figures["overall"], figures["interval"]
    shown = {
        "top1": "top-1",
        "top5": "top-5",
        "mean_category_top1": "top-1, mean of\ncategories",
        "assigned": "assigned",
    }
    points = {
        name: {use: tuple(each[key][part] for part in ("value", "low", "high")) for use, each in overall.items()}
        for key, name in shown.items()
    }
    rows = [[name, *(_figure(each[key], key) for each in overall.values())] for key, name in FIGURES.items()]
    if min(figures["evidence"].values()) < 1:
        rows.insert(0, ["listings with an answer", *((share(each), each) for each in figures["evidence"].values())])
    return f"""{_gains(figures, words)}<div class="pair">
<div class="panel">{evaluation_plots.comparison(points)}</div>
{table(["", *words.values()], rows)}</div>
{METHOD.format(rounds=interval["rounds"], percent=f"{100 * interval['level']:g} %")}"""


def _figure(figure, key):
    value, low, high = (figure[part] for part in ("value", "low", "high"))
    if value is None:
        return "–", None
    if key in NOT_SHARES:
        return f"{value:.3f}", value, f"{low:.3f}–{high:.3f}"
    return share(value), value, f"{_number(low)}–{_number(high)}"


def _gains(figures, words):
    """In words, what photos and title together gain over each alone."""
    said = []
    for use, gain in figures["gains_of_both"].items():
        amount = f"{100 * abs(gain['value']):.1f} points"
        if float(amount.split()[0]) == 0:
            said.append(f"are as good as {words[use]}")
            continue
        sure = "" if gain["low"] > 0 or gain["high"] < 0 else ", so it may be chance"
        verb = "gain" if gain["value"] >= 0 else "lose"
        said.append(f"{verb} {amount} against {words[use]} ({_number(gain['low'])} to {_number(gain['high'])}{sure})")
    return f"<p>In top-1, photos and title together {' and '.join(said)}.</p>\n" if said else ""


def _confidence(figures, words):
    rules, overall = figures["decisions"]["rules"], figures["overall"]
    points = {}
    for use, each in overall.items():
        if each["precision"]["value"] is not None:
            points[use] = (rules[use]["assign_at"], each["assigned"]["value"], each["precision"]["value"])
    diagram = evaluation_plots.reliability_diagram(figures["reliability"], words)
    coverage = evaluation_plots.coverage_plot(figures["coverage"], points, words)
    return f"""<p>Where the points lie on the line, a confidence of 90 % is right nine times in ten; below it, the
bundle believes too much of itself. <code>productcat calibrate</code> mends that.</p>
<div class="pair">
<div class="panel"><h3>Reliability</h3>{diagram}</div>
<div class="panel"><h3>Coverage against precision</h3>{coverage}
<p class="soft">Every threshold is a point of the line; the marks are the bundle's own.</p></div>
</div>
"""


def _confused(evaluation, figures):
    if not figures["confusions"]:
        return "<p>Not one listing is taken for another category.</p>\n"
    names, counts = most_confused(evaluation)
    rows = [
        [
            each["label"],
            each["answer"],
            (f"{each['listings']:,}", each["listings"]),
            (share(each["share"]), each["share"]),
        ]
        for each in figures["confusions"]
    ]
    columns = ["labelled", "answered", "listings", "of the label"]
    plot = evaluation_plots.confusion_matrix(names, counts)
    return f"""<div class="pair">
<div class="panel">{plot}<p class="soft">{counted(len(names), "category", "categories")} with most confusions, those
confused with each other side by side. Answers outside of these are not shown.</p></div>
{table(columns, rows, sortable=True)}</div>
"""


def _categories(figures):
    rows = figures["per_category"]
    columns = [name for name in rows[0] if name not in ("category", "support")]
    names = [_column(name) for name in columns]
    cells = [
        [row["category"], (f"{row['support']:,}", row["support"]), *((share(row[name]), row[name]) for name in columns)]
        for row in rows
    ]
    return f"""<p>A click on a name sorts by it. Of few listings a share means little.</p>
{table(["category", "listings", *names], cells, sortable=True)}"""


def _column(name):
    use, k = name.split("_top")
    return f"{use}, top-{k}"
