"""Blocks of figures: what training starts from. Each is made of stored files alone."""

from figure_text import stored, table

TRANSFER = "training/results/transfer.json"
BACKBONES = "training/results/backbones.json"


def transfer():
    """Top-1 by the number of examples and the start, with its standard error; a dash for what was not trained."""
    found = {}
    for row in stored(TRANSFER):
        size = "{}, {}×{}".format(row["examples"], *row["photo_size"])
        found.setdefault(size, {})[f"{row['start']}, {row['trained']}"] = row
    starts = list(dict.fromkeys(start for runs in found.values() for start in runs))
    rows = [[size, *(top1(runs.get(start)) for start in starts)] for size, runs in found.items()]
    return table(["examples of a label, photo size", *starts], rows)


def top1(row):
    """A mean over draws and its standard error."""
    return f"{row['top1']:.3f} ± {row['error']:.3f}" if row else "–"


def backbones():
    """Backbones with all weights trained and frozen: top-1, size and time."""
    header = ["backbone and start", "top-1, whole", "top-1, frozen", "float32 weights", "a photo"]
    found = {}
    for row in stored(BACKBONES):
        found.setdefault(row["start"], {})[row["trained"]] = row
    rows = []
    for start, runs in found.items():
        cost = runs["frozen"]
        tops = [top1(runs[trained]) for trained in ("whole", "frozen")]
        rows.append([start, *tops, f"{cost['megabytes']:.0f} MB", f"{cost['ms']:.0f} ms"])
    return table(header, rows)
