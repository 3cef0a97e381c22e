"""Pieces of HTML pages that hold everything themselves and load nothing. Whatever comes from listings is escaped."""

import base64
import hashlib

from productcat.notebook import percent, plain

SIDE = 200
"""Pixels of the longer side of a thumbnail."""


def head(title, style, script=""):
    """A page up to the beginning of its body, in which nothing runs but `script`, and nothing is loaded.

    Parameters
    ----------
    title : str
    style : str, of the style sheet
    script : str
        Stands in the page as `scripted` gives it.
    """
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
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'\
{allowed}">
<title>{plain(title)}</title>
<style>{style}</style>
</head>
<body>
"""


def scripted(script):
    """The element of the script that `head` allows."""
    return f"<script>{script}</script>\n"


def share(value):
    """A share in words; "–" where there is none."""
    return "–" if value is None else percent(value).replace(" ", "\N{NO-BREAK SPACE}")


def tiles(rows):
    """Figures that are to be seen first. rows: iterable of (value, what it is, its interval or ""), all text"""
    drawn = (
        f'<div class="tile"><b>{plain(value)}</b><span>{plain(name)}<small>{plain(between)}</small></span></div>'
        for value, name, between in rows
    )
    return f'<div class="tiles">{"".join(drawn)}</div>'


def remarks(notes):
    """What is not in the figures, a line each; nothing where there is nothing."""
    lines = "".join(f"<li>{plain(note)}</li>" for note in notes)
    return f"<p>Left out, or seen with less evidence:</p><ul>{lines}</ul>\n" if lines else ""


def table(columns, rows, sortable=False):
    """A table. Its text is escaped, and its numbers stand on the right.

    Parameters
    ----------
    columns : list of str
    rows : iterable of list
        A cell is a text, or (text, number to sort by), or (text, number, a smaller text below).
    sortable : bool
        Whether a click on a column's name sorts the rows, where the page has its script.
    """
    names = [f'<button type="button">{plain(each)}</button>' if sortable else plain(each) for each in columns]
    rows = list(rows)
    kinds = [' class="number"' if isinstance(cell, tuple) else "" for cell in rows[0]] if rows else [""] * len(columns)
    header = "".join(f'<th scope="col"{kind}>{name}</th>' for kind, name in zip(kinds, names, strict=True))
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>\n" for row in rows)
    kind = "sortable" if sortable else "short"
    return (
        f'<div class="scroll {kind}" tabindex="0">\n<table class="{kind}">\n<thead><tr>{header}</tr></thead>\n'
        f"<tbody>\n{body}</tbody>\n</table>\n</div>\n"
    )


def _cell(cell):
    if isinstance(cell, tuple):
        text, value, *small = cell
        below = "".join(f"<small>{plain(each)}</small>" for each in small)
        return f'<td class="number" data-value="{"" if value is None else value}">{plain(text)}{below}</td>'
    return f"<td>{plain(cell)}</td>"
