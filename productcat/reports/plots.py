"""Plots of an evaluation as pieces of SVG. What a colour says, a dash or a mark says too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from productcat.categories.ensemble import Modality
from productcat.evaluation.metrics import Bin, CoveragePoint, Figure, PairPoint
from productcat.reports.canvas import COLOURS, sheet, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.patches import Rectangle
    from matplotlib.ticker import FixedLocator

DASHES = {"photos": (0, (4, 2)), "title": (0, (1, 1.4)), "both": "solid"}
MARKS = {"photos": "s", "title": "^", "both": "o"}
ENOUGH = 10
"""Number of listings from which on a share says enough; that of fewer is drawn faintly."""

PERCENT_TICKS: list[float] = np.linspace(0, 1, 6).tolist()


def reliability_diagram(bins: Mapping[Modality, Sequence[Bin]], words: Mapping[Modality, str]) -> str:
    """Draw the share of right answers against confidence, a line for each modality, and below the number of listings.

    Parameters
    ----------
    bins : dict, modality → list of Bin, the main one last
    words : dict, modality → its name in words
    """
    figure, (upper, lower) = sheet(4.4, (4, 1))
    upper.plot([0, 1], [0, 1], color=COLOURS["soft"], linewidth=0.8, zorder=1)
    upper.annotate("as it should be", (0.2, 0.22), rotation=38, color=COLOURS["soft"], fontsize=9)
    for use, rows in bins.items():
        _points(upper, use, rows, words[use])
    main = list(bins)[-1]
    centres, counts = [row["confidence"] for row in bins[main]], [row["listings"] for row in bins[main]]
    lower.bar(centres, counts, width=0.03, color=COLOURS[main])
    lower.set_ylabel("listings")
    lower.set_yscale("symlog", linthresh=1)
    lower.yaxis.set_major_locator(_few_ticks(counts))
    lower.yaxis.minorticks_off()
    lower.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    _percents(upper.yaxis, lower.xaxis)
    upper.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.04), ylabel="share that is right")
    upper.tick_params(labelbottom=False)
    lower.set(xlim=(-0.02, 1.02), xlabel="confidence of the best category")
    upper.legend(loc="upper left")
    return svg(figure, "reliability", "Reliability diagram: share of right answers against confidence")


def _points(axes: Axes, use: Modality, rows: Sequence[Bin], label: str) -> None:
    """Draw the bins of one modality, each with its standard deviation; those of few listings apart from the line."""
    x, y, n = np.array([(row["confidence"], row["right"], row["listings"]) for row in rows], float).T
    # The half keeps the deviation from vanishing where all are right.
    spread = np.sqrt((y * n + 0.5) * ((1 - y) * n + 0.5) / (n + 1) ** 3)
    low, high = np.minimum(spread, y), np.minimum(spread, 1 - y)
    few = n < ENOUGH
    axes.errorbar(x[~few], y[~few], (low[~few], high[~few]), fmt="none", ecolor=COLOURS[use], alpha=0.6)
    axes.plot(x[few], y[few], MARKS[use], color=COLOURS[use], markersize=4, alpha=0.3, mew=0)
    _line(axes, x[~few], y[~few], use, label, MARKS[use])


def _few_ticks(counts: Sequence[int]) -> FixedLocator:
    powers = np.arange(np.log10(max(counts)) + 1)
    return _fixed((10.0 ** powers[:: 1 + len(powers) // 4]).tolist())


def coverage_plot(
    curves: Mapping[Modality, Sequence[CoveragePoint]],
    own: Mapping[Modality, CoveragePoint],
    words: Mapping[Modality, str],
) -> str:
    """Draw the precision of what is assigned against how much is assigned, for all thresholds.

    Parameters
    ----------
    curves : dict, modality → list of CoveragePoint
    own : dict, modality → CoveragePoint
        The bundle's own thresholds, where they assign something; they are marked.
    words : dict, modality → its name in words
    """
    figure, (axes,) = sheet(3.6)
    lowest = 1.0
    for use, rows in curves.items():
        x, y = np.array([(row["coverage"], row["precision"]) for row in rows]).T
        at = f", from {100 * own[use]['threshold']:.0f} %" if use in own else ""
        _line(axes, x, y, use, f"{words[use]}{at}")
        # The first few listings say little, and would take most of the height.
        lowest = min([lowest, *y[x >= 0.1]])
    for use, point in own.items():
        coverage, precision = point["coverage"], point["precision"]
        axes.plot(coverage, precision, MARKS[use], color=COLOURS[use], markersize=9, mec=COLOURS["card"], zorder=5)
        lowest = min(lowest, precision)
    margin = 0.12 * max(1 - lowest, 0.02)
    axes.set(xlim=(-0.02, 1.02), ylim=(max(lowest - 2 * margin, 0) - 0.001, 1 + margin))
    axes.set(xlabel="share of the listings that is assigned", ylabel="share of the assigned that is right")
    axes.xaxis.set_major_locator(_fixed(PERCENT_TICKS))
    axes.xaxis.set_major_formatter(_as_percent)
    axes.yaxis.set_major_formatter(_as_exact_percent)
    axes.legend(loc="best")
    return svg(figure, "coverage", "Precision of the assigned listings against the share that is assigned")


def comparison(rows: Mapping[str, Mapping[Modality, Figure]]) -> str:
    """Draw figures of each modality with their intervals, as points on lines.

    Parameters
    ----------
    rows : dict, name of a figure → dict, modality → Figure
    """
    figure, (axes,) = sheet(0.55 * len(rows) + 1.0)
    for place, figures in enumerate(rows.values()):
        for number, (use, each) in enumerate(figures.items()):
            y = place + 0.22 * (number - (len(figures) - 1) / 2)
            value, low, high = (np.nan if part is None else part for part in (each["value"], each["low"], each["high"]))
            axes.plot([low, high], [y, y], color=COLOURS[use], linewidth=2, alpha=0.55, solid_capstyle="round")
            label = use if place == 0 else None
            axes.plot(value, y, MARKS[use], color=COLOURS[use], markersize=6, mec=COLOURS["card"], label=label)
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.xaxis.set_major_formatter(_as_exact_percent)
    axes.grid(axis="y", visible=False)
    axes.locator_params(axis="x", nbins=5)
    figure.legend(loc="outside upper center", ncols=3, handletextpad=0.1, columnspacing=1.2)
    return svg(figure, "comparison", "Photos, title and both side by side, with intervals")


def confusion_matrix(names: Sequence[str], counts: NDArray[np.int_]) -> str:
    """Draw how often listings of one category (rows) are taken for another (columns).

    Parameters
    ----------
    names : list of str
    counts : ndarray of shape (n_names, n_names), int
    """
    n = len(names)
    figure, (axes,) = sheet(1.6 + 0.29 * n)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    for row, column in zip(*np.nonzero(counts), strict=True):
        share, same = shares[row, column], row == column
        # Even one listing in a hundred must be seen, so the shade grows with the root of the share.
        axes.add_patch(_cell(column, row, COLOURS["yes" if same else "no"], 0.12 + 0.6 * np.sqrt(share)))
        text = f"{counts[row, column]:,}"
        axes.text(column, row, text, ha="center", va="center", fontsize=9 if len(text) < 4 else 7)
    axes.set(xlim=(-0.5, n - 0.5), ylim=(n - 0.5, -0.5))
    short = [_shortened(name) for name in names]
    axes.set_xticks(range(n), short, rotation=90, fontsize=9)
    axes.set_yticks(range(n), short, fontsize=9)
    axes.set_xticks(np.arange(n + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(n + 1) - 0.5, minor=True)
    axes.grid(which="major", visible=False)
    axes.grid(which="minor", color=COLOURS["line"], linewidth=0.6)
    axes.tick_params(which="both", length=0)
    axes.set(xlabel="answer", ylabel="label")
    return svg(figure, "confusions", "Confusion matrix of the categories that are confused most")


def _cell(column: float, row: float, colour: str, alpha: float) -> Rectangle:
    from matplotlib.patches import Rectangle

    return Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=colour, alpha=alpha, linewidth=0)


def _shortened(name: str, most: int = 20) -> str:
    name = " ".join(name.split())
    name = name if len(name) <= most else f"{name[: most - 1]}…"
    return name.replace("$", r"\$")  # it would begin a formula


def precision_recall(curve: Sequence[PairPoint], threshold: float, figures: Mapping[str, Figure]) -> str:
    """Draw precision against recall of labelled pairs, the threshold marked.

    Parameters
    ----------
    curve : list of PairPoint
    threshold : float
    figures : dict, name of a figure → Figure
    """
    figure, (axes,) = sheet(3.6)
    recall = [0, *(each["recall"] for each in curve)]
    precision = [curve[0]["precision"], *(each["precision"] for each in curve)]
    axes.step(recall, precision, where="pre", color=COLOURS["both"], linewidth=1.8)
    axes.fill_between(recall, precision, step="pre", color=COLOURS["both"], alpha=0.12)
    found, right = figures["recall"]["value"], figures["precision"]["value"]
    if found is not None and right is not None:
        axes.plot(found, right, "o", color=COLOURS["both"], markersize=8, mec=COLOURS["card"], mew=1.2)
        axes.annotate(
            f"threshold {100 * threshold:.0f} %",
            (found, right),
            xytext=(-8, -14),
            textcoords="offset points",
            ha="right",
        )
    axes.text(0.04, 0.06, f"average precision {figures['average_precision']['value']:.3f}", transform=axes.transAxes)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.04))
    axes.set(xlabel="recall: share of the duplicates found", ylabel="precision: share of the found right")
    _percents(axes.xaxis, axes.yaxis)
    return svg(figure, "precision-recall", "Precision against recall of the labelled pairs")


def score_histogram(scores: NDArray[np.float64], labels: NDArray[np.bool_], threshold: float) -> str:
    """Draw how the scores of pairs of one item and of different items lie around the threshold.

    Parameters
    ----------
    scores : ndarray of shape (n_pairs,)
    labels : ndarray of shape (n_pairs,), bool
    threshold : float
    """
    figure, rows = sheet(3.0, (1, 1))
    edges: list[float] = np.linspace(0, 1, 26).tolist()
    kinds = (("yes", labels, "same item"), ("no", ~labels, "different items"))
    for axes, (colour, chosen, words) in zip(rows, kinds, strict=True):
        axes.hist(scores[chosen], edges, color=COLOURS[colour], alpha=0.8)
        axes.axvline(threshold, color=COLOURS["ink"], linewidth=1.2, linestyle=(0, (3, 2)))
        axes.text(0.5, 0.82, f"{words} ({chosen.sum():,})", transform=axes.transAxes, ha="center")
        axes.set(xlim=(-0.01, 1.01), ylabel="pairs")
        axes.locator_params(axis="y", nbins=3, integer=True)
    rows[0].tick_params(labelbottom=False)
    rows[1].set_xlabel("score")
    _percents(rows[1].xaxis)
    return svg(figure, "scores", "Histogram of the scores of pairs of one item and of different items")


def _line(axes: Axes, x: ArrayLike, y: ArrayLike, use: Modality, label: str, marker: str | None = None) -> None:
    width, colour = 2.2 if use == "both" else 1.6, COLOURS[use]
    axes.plot(x, y, label=label, marker=marker, markersize=4, linestyle=DASHES[use], linewidth=width, color=colour)


def _percents(*axes: Axis) -> None:
    for each in axes:
        each.set_major_locator(_fixed(PERCENT_TICKS))
        each.set_major_formatter(_as_percent)


def _fixed(places: list[float]) -> FixedLocator:
    from matplotlib.ticker import FixedLocator

    return FixedLocator(places)


def _as_percent(value: float, _: object) -> str:
    return f"{100 * value:.0f} %"


def _as_exact_percent(value: float, _: object) -> str:
    return f"{100 * value:.4g} %"
