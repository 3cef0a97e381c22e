"""What notebooks show in the place of a repr: pieces of HTML, made of plain values.

Notebooks have light and dark themes of their own, which style sheets cannot ask for. So text takes the colour that is
there, and the other colours can be told from white and from black.
"""

import base64
from html import escape

SIDE = 160
"""Pixels of the longer side of a thumbnail."""

IGNORED_BY_MATHJAX = "tex2jax_ignore mathjax_ignore"
"""Classes under which the dollars of a title are no formulas."""

STYLE = """
div.productcat {
  --bar: #3f88c5; --yes: #178a65; --ask: #b06d00; --line: rgba(128, 128, 128, .4); --track: rgba(128, 128, 128, .18);
  max-width: 44rem; margin: .3rem 0; padding: .6rem .8rem; border: 1px solid var(--line); border-radius: .5rem;
  font: .875rem/1.4 system-ui, sans-serif; overflow-wrap: anywhere;
}
div.productcat :is(p, dl, dt, dd, figure) {
  display: block; margin: 0; padding: 0; float: none; width: auto; font-weight: 400;
}
div.productcat > :is(p, dl, div) + :is(p, dl, div) { margin-top: .45rem; }
div.productcat .soft { opacity: .7; }
div.productcat b { font-weight: 600; }
div.productcat .badge { border: 1px solid; border-radius: 1rem; padding: 0 .5rem; }
div.productcat .assign { color: var(--yes); }
div.productcat .shortlist { color: var(--ask); }
div.productcat .abstain { opacity: .7; }
div.productcat .photos { display: flex; flex-wrap: wrap; gap: .5rem; align-items: end; }
div.productcat figure { width: 7rem; text-align: center; font-size: .75rem; }
div.productcat figure img {
  display: block; height: 7rem; width: 100%; object-fit: contain; margin: 0; border-radius: .3rem; background: #fff;
}
div.productcat figcaption { opacity: .7; overflow: hidden; white-space: nowrap; text-overflow: ellipsis; }
div.productcat .gone {
  display: grid; place-content: center; height: 7rem; padding: .4rem; box-sizing: border-box;
  border: 1px dashed var(--line); border-radius: .3rem; font-style: italic;
}
div.productcat dl > div { display: grid; grid-template-columns: 12rem 1fr; gap: .6rem; }
div.productcat dd { display: grid; grid-template-columns: 1fr 4.2rem; align-items: center; gap: .6rem; }
div.productcat dd::before, div.productcat dd i { grid-area: 1 / 1; height: .7rem; border-radius: .2rem; }
div.productcat dd::before { content: ""; background: var(--track); }
div.productcat dd i { background: var(--bar); }
div.productcat dd span { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
div.productcat .match { display: grid; grid-template-columns: 7rem 1fr 7rem; gap: .8rem; align-items: center; }
div.productcat .match dl > div { grid-template-columns: 8rem 1fr; }
""".strip()


def card(*pieces):
    """One object, with the style of all. → str"""
    return f'<div class="productcat {IGNORED_BY_MATHJAX}"><style>{STYLE}</style>{"".join(pieces)}</div>'


def plain(text):
    """Any text, safe inside HTML and in a file of UTF-8, where half a surrogate pair has no place. → str"""
    return escape(str(text).encode("utf-8", "replace").decode())


def headline(title, id=""):
    """A title, whatever way it is written, and an id; "no title" where there is none."""
    said = f'<b dir="auto">{plain(title)}</b>' if title.strip() else '<i class="soft">no title</i>'
    return f"<p>{said}{_after(id)}</p>"


def _after(id):
    return f' <span class="soft">{plain(id)}</span>' if str(id) else ""


def photo_row(figures, count):
    """The figures of some photos of a listing that has `count`; in words where it has none."""
    if not count:
        return note("no photo")
    more = f'<p class="soft">+ {count - len(figures)} more</p>' if count > len(figures) else ""
    return f'<div class="photos">{"".join(figures)}{more}</div>'


def note(text):
    """A line of less weight."""
    return f'<p class="soft">{plain(text)}</p>'


def badge(decision, text, id=""):
    """A decision, as a word and a colour, what it means, and an id."""
    return f'<p><span class="badge {plain(decision)}">{plain(decision)}</span> <b>{plain(text)}</b>{_after(id)}</p>'


def image(jpeg, said):
    """A JPEG file inside the page. said: what it shows, for those who cannot see it, and on hovering."""
    said = plain(said)
    return f'<img alt="{said}" title="{said}" src="data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}">'


def figure(jpeg, name, why=""):
    """A photo and its name. jpeg: None where it cannot be read, and `why` tells the reason."""
    shown = image(jpeg, name) if jpeg else f'<div class="gone" title="{plain(why)}">cannot be read</div>'
    return f'<figure>{shown}<figcaption title="{plain(name)}">{plain(name)}</figcaption></figure>'


def bars(rows):
    """Shares as bars. rows: iterable of (name, share, text); a share outside [0, 1] is drawn as the nearer end."""
    drawn = (
        f'<div><dt>{plain(name)}</dt><dd><i style="width:{100 * min(max(share, 0.0), 1.0):.1f}%"></i>'
        f"<span>{plain(text)}</span></dd></div>"
        for name, share, text in rows
    )
    return f"<dl>{''.join(drawn)}</dl>"


def percent(share):
    """A share as text."""
    return f"{100 * share:.1f} %"
