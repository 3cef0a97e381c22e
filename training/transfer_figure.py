"""Draws the learning curves of `training.transfer`, readable on white paper and on a dark screen."""

from collections.abc import Iterator, Sequence
from itertools import cycle, groupby
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.lines import Line2D

INK = "#777777"
"""Colour of lines and letters: a grey that reads on a white and on a black page."""
COLOURS = ("#777777", "#3987e5", "#e0762f", "#2f9e6e")
STYLES = {"whole": "-", "frozen": ":"}
MARKERS = "os^Dv"


def draw(results: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw top-1 by the number of examples: a colour for each start, a marker for each photo size.

    Frozen networks have dotted lines. results : as `transfer` returns them
    """
    figure, axes = plt.subplots(figsize=(7.6, 4), layout="constrained")
    colours = dict(zip(dict.fromkeys(row["start"] for row in results), cycle(COLOURS), strict=False))
    markers = dict(zip(dict.fromkeys(size_of(row) for row in results), cycle(MARKERS), strict=False))
    in_order = sorted(results, key=lambda row: (*line_of(row), row["listings"]))
    for (start, trained, size), rows in groupby(in_order, line_of):
        listings, top1, error = zip(*((row["listings"], row["top1"], row["error"]) for row in rows), strict=True)
        style = {"color": colours[start], "ls": STYLES[trained], "marker": markers[size], "ms": 4, "capsize": 2}
        axes.errorbar(listings, top1, error, **style)
    axes.set_xscale("log")
    axes.set_xlabel("listings trained on", color=INK)
    axes.set_ylabel("top-1 on test", color=INK)
    axes.tick_params(which="both", colors=INK)
    axes.grid(color=INK, alpha=0.25)
    for spine in axes.spines.values():
        spine.set_color(INK)
    figure.legend(handles=[*legend(colours, markers)], loc="outside right upper", frameon=False, labelcolor=INK)
    figure.savefig(path, transparent=True, metadata={"Date": None} if path.suffix == ".svg" else None)
    plt.close(figure)


def size_of(row: dict[str, Any]) -> str:
    """Return the photo size of a run in words."""
    return "{}×{}".format(*row["photo_size"])


def line_of(row: dict[str, Any]) -> tuple[str, str, str]:
    """Return which line of the figure a run is a point of: start, trained, photo size."""
    return row["start"], row["trained"], size_of(row)


def legend(colours: dict[str, str], markers: dict[str, str]) -> Iterator[Line2D]:
    """Yield what colours, lines and markers mean."""
    for start, colour in colours.items():
        yield Line2D([], [], color=colour, label=start)
    yield Line2D([], [], color=INK, ls=STYLES["frozen"], label="frozen")
    for size, marker in markers.items():
        yield Line2D([], [], color=INK, ls="", marker=marker, ms=4, label=size)
