"""The section of a report that tells what thresholds mean in listings a day."""

import json

from productcat.reports.page import share, table


def threshold_section(figures):
    """As a piece of HTML. figures: as `productcat.evaluation.figures.measure` gives them."""
    own, *others = figures["thresholds"]
    rows = [_threshold_row("the bundle's own", own)]
    rows += [_threshold_row(name, row) for name, row in _merged(others)]
    columns = ["right among the assigned", "threshold", "assigned a day", "wrongly", "left to people"]
    curve = json.dumps(figures["coverage"][list(figures["coverage"])[-1]])
    own_at = own["threshold"]
    return f"""<p>{_a_day(own)}</p>
{table(columns, rows)}
<div class="slider" hidden>
<label for="threshold-input">Try a threshold</label>
<input id="threshold-input" type="range" min="0" max="1000" value="{1000 * own_at:.0f}">
<output for="threshold-input" aria-live="polite"></output>
</div>
<p class="soft">The lowest thresholds that reach a precision are read off these same listings, so they promise a little
too much; <code>productcat calibrate --precision</code> chooses them and tells what to expect of others.</p>
<script type="application/json" id="curve">{curve}</script>
"""


def _merged(rows):
    """Rows under the precisions asked for; those of the same threshold are one row."""
    groups = {}
    for row in rows:
        groups.setdefault(row["threshold"], []).append(row)
    for group in groups.values():
        asked = [f"{100 * row['asked_precision']:g}" for row in group]
        yield f"at least {asked[0] if len(asked) == 1 else f'{asked[0]} to {asked[-1]}'} %", group[0]


def _threshold_row(name, row):
    if row["threshold"] is None:
        return [name, ("not reached", None), *[("–", None)] * 3]
    wrong = row["wrongly_a_day"]
    return [
        name,
        (_threshold_text(row["threshold"]), row["threshold"]),
        (f"{row['assigned_a_day']:,}", row["assigned_a_day"]),
        ("–", None) if wrong is None else (f"{wrong:,}", wrong, share(1 - row["precision"])),
        (f"{row['asked_a_day']:,}", row["asked_a_day"]),
    ]


def _threshold_text(value):
    """A threshold just below 1 must not be read as 100 %."""
    return share(value) if value == 1 or value < 0.9995 else f"{100 * value:.4f} %"


def _a_day(row):
    if row["precision"] is None:
        return "With the bundle's own thresholds nothing is assigned."
    return (
        f"With the bundle's own thresholds, of 100,000 listings a day: <b>{row['assigned_a_day']:,}</b> assigned, "
        f"<b>{share(1 - row['precision'])}</b> of them wrongly; {row['asked_a_day']:,} are left to people, with a "
        "shortlist or without."
    )
