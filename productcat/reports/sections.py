"""Two sections of the report of an evaluation: what thresholds mean in listings a day, and drift."""

import json
from collections.abc import Iterable, Iterator

from productcat.categories.ensemble import MODALITY_NAMES
from productcat.evaluation.metrics import Drift, Metrics, MixDrift, Mixes, Threshold
from productcat.reports.page import Cell, figure_text, share, table

NAMES = {
    "top1": "right category first (top-1)",
    "top5": "among the first five (top-5)",
    "expected_calibration_error": "expected calibration error",
}


def threshold_section(figures: Metrics) -> str:
    """Return the section on thresholds."""
    own, *others = figures["thresholds"]
    rows = [_threshold_row(name, row) for name, row in (("the bundle's own", own), *_merged(others))]
    columns = ["right among the assigned", "threshold", "assigned a day", "wrongly", "left to people"]
    *_, curve = figures["coverage"].values()
    return f"""<p>{_a_day(own)}</p>
{table(columns, rows)}
<div class="slider" hidden>
<label for="threshold-input">Try a threshold</label>
<input id="threshold-input" type="range" min="0" max="1000" value="{1000 * (own["threshold"] or 0):.0f}">
<output for="threshold-input" aria-live="polite"></output>
</div>
<p class="soft">The lowest thresholds that reach a precision are read off these same listings, so they promise a little
too much; <code>productcat calibrate --precision</code> chooses them and tells what to expect of others.</p>
<script type="application/json" id="curve">{json.dumps(curve)}</script>
"""


def _merged(rows: Iterable[Threshold]) -> Iterator[tuple[str, Threshold]]:
    """Yield rows with the precisions that were asked for; those of the same threshold are one row."""
    groups: dict[float | None, list[Threshold]] = {}
    for row in rows:
        groups.setdefault(row["threshold"], []).append(row)
    for group in groups.values():
        asked = [f"{100 * (row['asked_precision'] or 0):g}" for row in group]
        yield f"at least {asked[0] if len(asked) == 1 else f'{asked[0]} to {asked[-1]}'} %", group[0]


def _threshold_row(name: str, row: Threshold) -> list[Cell]:
    threshold, wrong, precision = row["threshold"], row["wrongly_a_day"], row["precision"]
    if threshold is None:
        return [name, ("not reached", None), *[("–", None)] * 3]
    return [
        name,
        (_threshold_text(threshold), threshold),
        (f"{row['assigned_a_day']:,}", row["assigned_a_day"]),
        ("–", None) if wrong is None or precision is None else (f"{wrong:,}", wrong, share(1 - precision)),
        (f"{row['asked_a_day']:,}", row["asked_a_day"]),
    ]


def _threshold_text(value: float) -> str:
    """Return a threshold as text, in which one just below 1 does not read as 100 %."""
    return share(value) if value == 1 or value < 0.9995 else f"{100 * value:.4f} %"


def _a_day(row: Threshold) -> str:
    if row["precision"] is None:
        return "With the bundle's own thresholds nothing is assigned."
    return (
        f"With the bundle's own thresholds, of 100,000 listings a day: <b>{row['assigned_a_day']:,}</b> assigned, "
        f"<b>{share(1 - row['precision'])}</b> of them wrongly; {row['asked_a_day']:,} are left to people, with a "
        "shortlist or without."
    )


def drift_section(found: Drift) -> str:
    """Return the section on drift."""
    return _mix(found["mix"]) + _figures(found) + _titles(found["titles_without_known_word"])


def _mix(mix: Mixes | None) -> str:
    if mix is None:
        return (
            "<p>Whether the mix of classes has moved is <b>not known</b>: the bundle does not hold how many listings "
            "of each class it was trained on.</p>\n"
        )
    seen = mix["seen"]
    said = _labels(mix["labels"]) if "labels" in mix else ""
    said += (
        f"<p>As the models see the listings, it is {seen['jensen_shannon']:.3f} bits, and {share(seen['moved'])} would "
        "have to be of another class.</p>\n"
    )
    shown = mix.get("labels", seen)["differences"]
    rows: list[list[Cell]] = [
        [each["class"], (share(each["training"]), each["training"]), (share(each["here"]), each["here"])]
        for each in shown
    ]
    columns = ["class", "in training", "here"]
    return said + (f"<h3>Classes whose shares differ most</h3>\n{table(columns, rows, sortable=True)}" if rows else "")


def _labels(found: MixDrift) -> str:
    """Return whether the labels differ more than samples do."""
    beyond = "more" if found["jensen_shannon"] > found["usual"] else "no more"
    return (
        f"<p>The labels differ from the training listings by a Jensen-Shannon divergence of "
        f"<b>{found['jensen_shannon']:.3f} bits</b> (0: the same mix, 1: nothing in common), {beyond} than chance "
        f"explains: 95 % of the samples of this size from the training mix stay below {found['usual']:.3f}. "
        f"{share(found['moved'])} of the listings would have to be of another class for the mixes to be the same.</p>\n"
    )


def _figures(found: Drift) -> str:
    rows: list[list[Cell]] = []
    for each in found["figures"]:
        name, test, here = each["figure"], each["test"], each["here"]
        cells = ((figure_text(name, value), value) for value in (test, here))
        rows.append([f"{NAMES[name]}, {MODALITY_NAMES[each['evidence']]}", *cells])
    for use, means in found["confidence"].items():
        test, here = means["test"], means["here"]
        before = "not known" if test is None else share(test)
        rows.append([f"mean confidence, {MODALITY_NAMES[use]}", (before, test), (share(here), here)])
    why = (
        "<p>These listings are compared with those that training set apart to test the bundle. Figures that are much "
        "worse here mean that these listings are of another kind, or labelled differently. Here, listings "
        "without such evidence are left out; above they count as wrong.</p>\n"
        if found["figures"]
        else "<p>How the bundle did on the test listings of its training is <b>not known</b>, or cannot be compared, "
        "since its categories are not the classes that it was trained on.</p>\n"
    )
    return f"{why}{table(['', 'test listings from training', 'here'], rows)}" if rows else why


def _titles(unknown: float | None) -> str:
    if unknown is None:
        return "<p>No title was read.</p>\n"
    return (
        f"<p>{share(unknown)} of the titles have no word that the title model knows. How many of the training titles "
        "had none is not known.</p>\n"
    )
