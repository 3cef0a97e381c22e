"""Learning curves of `training.transfer`, readable on white paper and on a dark screen."""

import matplotlib.pyplot as plt

INK = "#777777"
"""Lines and letters in a grey that both a white and a black page bear."""
COLOURS = ("#777777", "#3987e5", "#e0762f", "#2f9e6e")
STYLES = {"whole": "-", "frozen": ":"}


def draw(results, path):
    """Draw top-1 by the number of examples, a line for each start. results: as `transfer` returns them."""
    figure, axes = plt.subplots(figsize=(6.4, 4), layout="constrained")
    starts = list(dict.fromkeys(row["start"] for row in results))
    for start, colour in zip(starts, COLOURS * len(starts), strict=False):
        for trained, style in STYLES.items():
            rows = [row for row in results if (row["start"], row["trained"]) == (start, trained)]
            label = start if trained == "whole" else f"{start}, frozen"
            sizes, top1, error = ([row[key] for row in rows] for key in ("listings", "top1", "error"))
            axes.errorbar(sizes, top1, error, color=colour, ls=style, marker="o", ms=4, capsize=2, label=label)
    axes.set_xscale("log")
    axes.set_xlabel("listings trained on", color=INK)
    axes.set_ylabel("top-1 on test", color=INK)
    axes.tick_params(which="both", colors=INK)
    axes.grid(color=INK, alpha=0.25)
    for spine in axes.spines.values():
        spine.set_color(INK)
    axes.legend(frameon=False, labelcolor=INK)
    figure.savefig(path, transparent=True, metadata={"Date": None} if str(path).endswith(".svg") else None)
    plt.close(figure)
