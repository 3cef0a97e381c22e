"""Write the model card of a bundle, its README.md. It comes from the manifest alone, so the two cannot disagree.

After Mitchell et al. 2019, "Model Cards for Model Reporting".
"""

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

Figures: TypeAlias = Mapping[str, Any]
"""Numbers and texts by name, or more of such mappings."""

SECTIONS = {
    "Categories": "categories",
    "Trained from": "trained_from",
    "Figures": "metrics",
    "Decision rule": "decision_rule",
    "Decision rules of photos alone and of the title alone": "decision_rules_alone",
    "Calibration on listings of a marketplace": "calibration",
    "Duplicates": "duplicates",
}
"""Titles of the sections, and the entry of the manifest that each shows."""

NOTES = {"categories": ["All figures are of the classes that were learnt, whatever the categories are now.", ""]}
"""Lines that a section begins with."""

LEFT_OUT = {"config", "learnt_with", "description", "training_mix"}
"""Names that are not shown as figures: whole configurations, the description, which stands above the figures, and the
number of listings of each class, which is too long to read."""


def model_card(manifest: Figures) -> str:
    """Return a bundle's README.md, in Markdown."""
    lines = [f"# {manifest.get('name', 'unnamed')}: a productcat bundle", "", *_description(manifest)]
    for title, key in SECTIONS.items():
        if section := manifest.get(key):
            lines += [f"## {title}", "", *NOTES.get(key, ()), *_description(section), *_figures(section, "###")]
    return "\n".join([*lines, *_retraining(manifest), *USE])


def _description(section: Figures) -> list[str]:
    return [section["description"].strip(), ""] if section.get("description") else []


def _figures(section: Figures, heading: str) -> list[str]:
    """Return the lines of a section: single figures as a list, then tables, then deeper figures under a heading each.

    A row is a mapping that holds no other mapping. Rows with the same columns are a table. A row whose columns no other
    row has joins the list.
    """
    shown = {name: value for name, value in section.items() if name not in LEFT_OUT}
    single = [(name, value) for name, value in shown.items() if not isinstance(value, Mapping)]
    rows = {name: value for name, value in shown.items() if _is_row(value)}
    tables = []
    for columns, table in _by_columns(rows).items():
        if len(table) > 1:
            tables.append(table)
        else:
            single += [(f"{name}, {column}", table[name][column]) for name in table for column in columns]
    lines = [f"- {_words(name)}: {_number(value)}" for name, value in single]
    lines += [""] if lines else []
    for table in tables:
        lines += [*_table(table), ""]
    for name in shown:
        if isinstance(shown[name], Mapping) and name not in rows:
            lines += [f"{heading} {_words(name).capitalize()}", "", *_figures(shown[name], heading + "#")]
    return lines


def _is_row(value: object) -> bool:
    return isinstance(value, Mapping) and not any(isinstance(each, Mapping) for each in value.values())


def _by_columns(rows: Mapping[str, Figures]) -> dict[tuple[str, ...], dict[str, Figures]]:
    """Return the rows in groups that have the same columns."""
    groups: dict[tuple[str, ...], dict[str, Figures]] = {}
    for name, row in rows.items():
        groups.setdefault(tuple(row), {})[name] = row
    return groups


def _table(rows: Mapping[str, Figures]) -> list[str]:
    """Return the lines of a Markdown table, numbers to the right. All rows have the same columns."""
    columns = next(iter(rows.values()))
    header = ["", *map(_words, columns)]
    body = [[_words(name), *map(_number, row.values())] for name, row in rows.items()]
    return [_cells(header), _cells(["---", *["---:" for _ in columns]]), *map(_cells, body)]


def _cells(texts: Iterable[str]) -> str:
    return f"| {' | '.join(texts)} |"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _number(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _retraining(manifest: Figures) -> list[str]:
    """Return the section that says how to make such a bundle from other data."""
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
"""Lines of the last section."""
