"""Learning curves of `training.transfer`, readable on white paper and on a dark screen."""

from itertools import cycle, groupby

import matplotlib.pyplot as plt
from matplotlib.lines import Line2D

INK = "#777777"
"""Lines and letters in a grey that both a white and a black page bear."""
COLOURS = ("#777777", "#3987e5", "#e0762f", "#2f9e6e")
STYLES = {"whole": "-", "frozen": ":"}
MARKERS = "os^Dv"


def draw(results, path):
    """Draw top-1 by the number of examples: a colour for each start, a marker for each photo size, lines of points.

    Frozen networks have dotted lines. results: as `transfer` returns them.
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
    figure.savefig(path, transparent=True, metadata={"Date": None} if str(path).endswith(".svg") else None)
    plt.close(figure)


def size_of(row):
    """The photo size of a run, in words."""
    return "{}×{}".format(*row["photo_size"])


def line_of(row):
    """Which line of the figure a run is a point of."""
    return row["start"], row["trained"], size_of(row)


def legend(colours, markers):
    """What colours, lines and markers mean. → iterator of Line2D"""
    for start, colour in colours.items():
        yield Line2D([], [], color=colour, label=start)
    yield Line2D([], [], color=INK, ls=STYLES["frozen"], label="frozen")
    for size, marker in markers.items():
        yield Line2D([], [], color=INK, ls="", marker=marker, ms=4, label=size)
