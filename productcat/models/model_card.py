"""The model card of a bundle, its README.md: written from the manifest alone, so that the two cannot disagree.

After Mitchell et al. 2019, "Model Cards for Model Reporting".
"""

SECTIONS = {
    "Categories": "categories",
    "Trained from": "trained_from",
    "Figures": "metrics",
    "Decision rule": "decision_rule",
    "Decision rules of photos alone and of the title alone": "decision_rules_alone",
    "Calibration on listings of a marketplace": "calibration",
    "Duplicates": "duplicates",
}
"""Titles of sections, and what of the manifest they show."""

NOTES = {"categories": ["All figures are of the classes that were learnt, whatever the categories are now.", ""]}
"""What is said of a section before its figures."""

TEXTS = "config", "learnt_with", "description"
"""Whole configurations, which the card does not repeat, and what it puts before the figures."""

COUNTED = "training_mix"
"""A number for each class, too many to read."""


def model_card(manifest):
    """A bundle's README.md. → str, Markdown"""
    name = manifest.get("name", "unnamed")
    lines = [f"# {name}: a productcat bundle", ""]
    lines += [manifest["description"].strip(), ""] if manifest.get("description") else []
    for title, key in SECTIONS.items():
        if manifest.get(key):
            lines += [f"## {title}", "", *NOTES.get(key, ())]
            lines += [manifest[key]["description"].strip(), ""] if manifest[key].get("description") else []
            lines += _shown(manifest[key], "###")
    return "\n".join([*lines, *_retraining(manifest), *USE])


def _shown(values, heading):
    """A nested dict: numbers as a list, rows of like numbers as a table, what is deeper under headings of its own."""
    values = {key: value for key, value in values.items() if key not in TEXTS and key != COUNTED}
    rows = {key: value for key, value in values.items() if _is_row(value)}
    tables = {}
    for key, row in rows.items():
        tables.setdefault(tuple(row), {})[key] = row
    tables = {columns: table for columns, table in tables.items() if len(table) > 1}
    lines = [_line(key, value) for key, value in values.items() if not isinstance(value, dict)]
    for columns, row in ((tuple(row), (key, row)) for key, row in rows.items()):
        if columns not in tables:
            lines += [_line(f"{row[0]}, {key}", value) for key, value in row[1].items()]
    lines += [""] if lines else []
    for columns, table in tables.items():
        lines += [*_table(columns, table), ""]
    for key, value in values.items():
        if isinstance(value, dict) and key not in rows:
            lines += [f"{heading} {key.replace('_', ' ').capitalize()}", "", *_shown(value, heading + "#")]
    return lines


def _is_row(value):
    return isinstance(value, dict) and not any(isinstance(each, dict) for each in value.values())


def _line(name, value):
    return f"- {name.replace('_', ' ')}: {_number(value)}"


def _table(columns, rows):
    """A Markdown table, a line for each row, numbers to the right."""
    names = [each.replace("_", " ") for each in columns]
    body = [[key.replace("_", " "), *map(_number, row.values())] for key, row in rows.items()]
    return ["| " + " | ".join(cells) + " |" for cells in [["", *names], ["---", *["---:"] * len(names)], *body]]


def _number(value):
    return "–" if value is None else f"{value:.4f}" if isinstance(value, float) else f"{value}"


def _retraining(manifest):
    """How to make such a bundle from other data."""
    commands = []
    if "config" in manifest.get("trained_from", {}):
        commands.append("`python -m training CONFIG`, with the text under `trained_from`, `config`")
    if "learnt_with" in manifest.get("duplicates", {}):
        commands.append("`python -m training.general CONFIG`, with the text under `duplicates`, `learnt_with`")
    if not commands:
        return []
    return [
        "## Train it on your own data",
        "",
        f"The configurations are in `manifest.json`: {'; '.join(commands)}, as the file CONFIG.",
        "The training README of productcat has the recipe.",
        "",
    ]


USE = [
    "## Use",
    "",
    "Load with `productcat.Categorizer.load` and the path of this directory. "
    "The files are sealed: `productcat bundle verify` compares them with the checksums in `manifest.json`.",
    "",
]
"""The last section."""
