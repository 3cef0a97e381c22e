"""Pieces of HTML that notebooks show instead of a repr, made of plain values.

Notebooks have light and dark themes of their own, which style sheets cannot ask for. So text keeps the colour of the
notebook, and every other colour can be told from white and from black.
"""

import base64
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

SIDE = 160
"""Pixels of the longer side of a thumbnail."""

IGNORED_BY_MATHJAX = "tex2jax_ignore mathjax_ignore"
"""Classes under which the dollars of a title are no formulas."""


def card(*pieces: str) -> str:
    """Return one object as HTML that brings its own style."""
    style = Path(__file__).with_name("notebook.css").read_text("utf-8").strip()
    return f'<div class="productcat {IGNORED_BY_MATHJAX}"><style>{style}</style>{"".join(pieces)}</div>'


def plain(text: object) -> str:
    """Return any text, safe inside HTML and in a file of UTF-8, which cannot hold half a surrogate pair."""
    return escape(str(text).encode("utf-8", "replace").decode())


def headline(title: str, id: object = "") -> str:
    """Return a title, whatever way it is written, and an id; "no title" where there is none."""
    said = f'<b dir="auto">{plain(title)}</b>' if title.strip() else '<i class="soft">no title</i>'
    return f"<p>{said}{_after(id)}</p>"


def _after(id: object) -> str:
    return f' <span class="soft">{plain(id)}</span>' if str(id) else ""


def photo_row(figures: Sequence[str], count: int) -> str:
    """Return the figures of some photos of a listing that has `count`, and say so where it has none."""
    if not count:
        return note("no photo")
    more = f'<p class="soft">+ {count - len(figures)} more</p>' if count > len(figures) else ""
    return f'<div class="photos">{"".join(figures)}{more}</div>'


def note(text: str) -> str:
    """Return a line of less weight."""
    return f'<p class="soft">{plain(text)}</p>'


def badge(decision: str, text: str, id: object = "") -> str:
    """Return a decision as a word and a colour, what it means, and an id."""
    return f'<p><span class="badge {plain(decision)}">{plain(decision)}</span> <b>{plain(text)}</b>{_after(id)}</p>'


def image(jpeg: bytes, said: str) -> str:
    """Return a JPEG file inside the page. said: what it shows, for those who cannot see it, and on hovering."""
    said = plain(said)
    return f'<img alt="{said}" title="{said}" src="data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}">'


def figure(jpeg: bytes | None, name: str, why: str = "") -> str:
    """Return a photo and its name. jpeg: None where the photo cannot be read; `why` is the reason."""
    shown = image(jpeg, name) if jpeg else f'<div class="gone" title="{plain(why)}">cannot be read</div>'
    return f'<figure>{shown}<figcaption title="{plain(name)}">{plain(name)}</figcaption></figure>'


def bars(rows: Iterable[tuple[str, float, str]]) -> str:
    """Return shares as bars. rows: (name, share, text) each; a share outside [0, 1] is drawn as the nearer end."""
    drawn = (
        f'<div><dt>{plain(name)}</dt><dd><i style="width:{100 * min(max(share, 0.0), 1.0):.1f}%"></i>'
        f"<span>{plain(text)}</span></dd></div>"
        for name, share, text in rows
    )
    return f"<dl>{''.join(drawn)}</dl>"


def percent(share: float) -> str:
    """Return a share as text."""
    return f"{100 * share:.1f} %"
