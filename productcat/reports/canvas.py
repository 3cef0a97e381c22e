"""A sheet to draw a plot on, and the plot as a piece of SVG that stands in an HTML page and follows its theme.

matplotlib draws each plot once, in colours that stand for those of the page (`--ink`, `--photos`, ...). In the text of
the SVG the names of the page's colours replace them. So one picture is right on a dark screen, a light one and paper.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from productcat.errors import ListingError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend
    from matplotlib.typing import RcKeyType

COLOURS = {
    name: f"#0a0b{number:02x}"
    for number, name in enumerate(("ink", "soft", "line", "card", "photos", "title", "both", "yes", "no"), 16)
}
"""Colours that stand for those of the page; no plot has another colour."""

WIDTH = 4.2
"""Width of a plot in inches, about that of a phone, on which it can still be read."""

_STYLE: dict[RcKeyType, Any] = {"font.size": 10, "legend.fontsize": 9}


def refuse_without_matplotlib() -> None:
    """Raise ListingError when matplotlib is not installed, so that this is known before the work."""
    if find_spec("matplotlib") is None:
        raise ListingError("the report needs matplotlib for its plots; run pip install matplotlib")


def sheet(height: float, heights: Sequence[float] = (1,)) -> tuple[Figure, list[Axes]]:
    """Return a figure of the page's width, and its axes from top to bottom.

    No global state of matplotlib is touched.

    Parameters
    ----------
    height : float, inches
    heights : sequence of float
        Proportions of the heights of the axes.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    ink, soft, line = COLOURS["ink"], COLOURS["soft"], COLOURS["line"]
    with rc_context({**_STYLE, "text.color": ink, "axes.labelcolor": ink}):
        figure = Figure((WIDTH, height), layout="constrained")
        axes = list(figure.subplots(len(heights), 1, height_ratios=heights, sharex=False, squeeze=False)[:, 0])
        for each in axes:
            each.set_facecolor("none")
            each.grid(color=line, linewidth=0.6)
            each.set_axisbelow(True)
            each.tick_params(color=line, labelcolor=soft, labelsize=9)
            each.spines[["top", "right"]].set_visible(False)
            each.spines[["left", "bottom"]].set_color(line)
    figure.patch.set_alpha(0)
    return figure, axes


def svg(figure: Figure, name: str, title: str) -> str:
    """Return a figure as an <svg> element that can stand beside others in a page."""
    from matplotlib import rc_context

    for axes in figure.axes:
        _dress(axes.get_legend())
    for legend in figure.legends:
        _dress(legend)
    file = io.StringIO()
    with warnings.catch_warnings(), rc_context({"svg.fonttype": "none", "svg.hashsalt": name, **_STYLE}):
        warnings.simplefilter("ignore")  # about letters that its fonts lack; the browser's fonts have them
        figure.savefig(file, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    text = file.getvalue()
    text = text[text.index("<svg") :]
    for of_a_file in (r' xmlns(:xlink)?="[^"]*"', r'(?<=<g) id="[^"]*"', r"<style.*?</style>", r"font-family: [^;]*; "):
        text = re.sub(of_a_file, "", text, flags=re.DOTALL)
    # Names of elements must differ from those of the other plots in the page.
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\1{name}-", text)
    for colour, code in COLOURS.items():
        text = text.replace(code, f"var(--{colour})")
    return text.replace("<svg ", f'<svg role="img" aria-label="{title}" class="plot" ', 1)


def _dress(legend: Legend | None) -> None:
    if legend is not None:
        legend.get_frame().set(alpha=0.85, facecolor=COLOURS["card"], edgecolor=COLOURS["line"], linewidth=0.6)
        for text in legend.get_texts():
            text.set_color(COLOURS["ink"])
