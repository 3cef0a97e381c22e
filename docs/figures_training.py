"""Blocks of figures: what training starts from. Each is made of stored files alone."""

from figure_text import stored, table

TRANSFER = "training/results/transfer.json"


def transfer():
    """Top-1 by the number of examples and the start, with its standard error; a dash for what was not trained."""
    found = {(*key(row), row["start"], row["trained"]): row for row in stored(TRANSFER)}
    sizes, starts = dict.fromkeys(each[:2] for each in found), dict.fromkeys(each[2:] for each in found)
    rows = [
        [f"{examples}, {height}×{width}", *(top1(found.get((examples, (height, width), *start))) for start in starts)]
        for examples, (height, width) in sizes
    ]
    return table(["examples of a label, photo size", *(f"{start}, {trained}" for start, trained in starts)], rows)


def key(row):
    """Examples and photo size of a run."""
    return row["examples"], tuple(row["photo_size"])


def top1(row):
    """A mean over draws and its standard error."""
    return f"{row['top1']:.3f} ± {row['error']:.3f}" if row else "–"
