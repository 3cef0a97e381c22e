"""HTML pages that hold everything themselves and load nothing. Whatever comes from listings is escaped."""

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from productcat.evaluation.metrics import Figure
from productcat.notebook import percent, plain

SIDE = 200
"""Pixels of the longer side of a thumbnail."""

NOT_SHARES = {"expected_calibration_error", "negative_log_likelihood", "average_precision", "auc"}
"""Names of the figures that are not percentages; they are shown with three decimals."""

Cell: TypeAlias = str | tuple[str, float | None] | tuple[str, float | None, str]
"""A cell of a table: a text, or (text, number to sort by), or (text, number, a smaller text below)."""


def page(
    title: str, top: str, body: Iterable[str], styles: Sequence[str] = ("style.css",), script: str | None = None
) -> Iterator[bytes]:
    """Yield a page in UTF-8, piece by piece. It runs nothing except its script.

    Parameters
    ----------
    title : str
    top : str
        HTML between the title and the body.
    body : iterable of str
        Pieces of HTML.
    styles : sequence of str
        Names of the style sheets, files beside this module.
    script : str, optional
        Name of the script, a file beside this module.
    """
    style, code = "".join(map(_read, styles)), _read(script) if script else ""
    yield _utf8(_head(title, style, code))
    yield _utf8(f'<header class="page">\n<h1>{plain(title)}</h1>\n{top}</header>\n<main>\n')
    yield from map(_utf8, body)
    element = f"<script>{code}</script>\n" if code else ""
    yield _utf8(f"</main>\n{element}</body>\n</html>\n")


def _read(name: str) -> str:
    return "\n" + Path(__file__).with_name(name).read_text("utf-8")


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _head(title: str, style: str, script: str) -> str:
    allowed = ""
    if script:
        checksum = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        allowed = f"; script-src 'sha256-{checksum}'"
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; \
base-uri 'none'; form-action 'none'{allowed}">
<title>{plain(title)}</title>
<style>{style}</style>
</head>
<body>
"""


def section(id: str, title: str, html: str) -> str:
    """Return a section of a page under its heading."""
    return f'<section id="{id}">\n<h2>{plain(title)}</h2>\n{html}</section>\n'


def share(value: float | None) -> str:
    """Return a share as text, "–" where there is none."""
    return "–" if value is None else percent(value).replace(" ", "\N{NO-BREAK SPACE}")


def points(value: float) -> str:
    """Return a share, or a difference of shares, in percent without the sign."""
    return f"{100 * value:.1f}".replace("-", "−")


def figure_text(name: str, value: float | None) -> str:
    """Return a figure of merit as text, "–" where there is none."""
    return share(value) if value is None or name not in NOT_SHARES else f"{value:.3f}"


def interval_text(name: str, figure: Figure, unit: str = "") -> str:
    """Return the interval of a figure as text, "" where there is none. unit: what follows where it is a share."""
    low, high = figure["low"], figure["high"]
    if low is None or high is None:
        return ""
    return f"{low:.3f}–{high:.3f}" if name in NOT_SHARES else f"{points(low)}–{points(high)}{unit}"


def tiles(names: Mapping[str, str], figures: Mapping[str, Figure]) -> str:
    """Return the figures that are to be seen first, with their intervals.

    Parameters
    ----------
    names : dict, figure → its name in words
    figures : dict, figure → its value and interval
    """
    drawn = (
        f'<div class="tile"><b>{plain(figure_text(key, figures[key]["value"]))}</b><span>{plain(name)}'
        f"<small>{interval_text(key, figures[key], ' %')}</small></span></div>"
        for key, name in names.items()
    )
    return f'<div class="tiles">{"".join(drawn)}</div>'


def remarks(notes: Iterable[str]) -> str:
    """Return a list of what is not in the figures, a line each; nothing where there is nothing."""
    lines = "".join(f"<li>{plain(note)}</li>" for note in notes)
    return f"<p>Left out, or seen with less evidence:</p><ul>{lines}</ul>\n" if lines else ""


def table(columns: Sequence[str], rows: Sequence[Sequence[Cell]], sortable: bool = False) -> str:
    """Return a table. Its text is escaped, and its numbers stand on the right.

    Parameters
    ----------
    columns : list of str
    rows : list of list of Cell
    sortable : bool
        Whether a click on a column's name sorts the rows, where the page has its script.
    """
    names = [f'<button type="button">{plain(each)}</button>' if sortable else plain(each) for each in columns]
    kinds = [' class="number"' if isinstance(cell, tuple) else "" for cell in rows[0]] if rows else [""] * len(columns)
    header = "".join(f'<th scope="col"{kind}>{name}</th>' for kind, name in zip(kinds, names, strict=True))
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>\n" for row in rows)
    kind = "sortable" if sortable else "short"
    return (
        f'<div class="scroll {kind}" tabindex="0">\n<table class="{kind}">\n<thead><tr>{header}</tr></thead>\n'
        f"<tbody>\n{body}</tbody>\n</table>\n</div>\n"
    )


def _cell(cell: Cell) -> str:
    if isinstance(cell, str):
        return f"<td>{plain(cell)}</td>"
    text, value, *small = cell
    below = "".join(f"<small>{plain(each)}</small>" for each in small)
    return f'<td class="number" data-value="{"" if value is None else value}">{plain(text)}{below}</td>'
