"""How figures are read from the files of the repository and written in documents."""

import json
import textwrap
from pathlib import Path

ROOT = Path(__file__).parent.parent
NO_RUN = "No such run is stored yet."


def stored(path):
    """The content of a JSON file of the repository."""
    return json.loads((ROOT / path).read_text("utf-8"))


def result(name):
    """The content of a file that a benchmark has written."""
    return stored(f"benchmarks/results/{name}.json")


def rivals_of(part):
    """What `benchmarks/rivals.py` has stored of "categories" or "duplicates", or None."""
    path = "benchmarks/results/rivals.json"
    return stored(path).get(part) if (ROOT / path).exists() else None


def table(header, rows, words=1):
    """Rows of cells as Markdown; so many of the first columns hold words, the others figures."""
    lines = [f"| {' | '.join(map(str, cells))} |".replace("|  |", "| |") for cells in (header, *rows)]
    return "\n".join([lines[0], f"|{'---|' * words}{'---:|' * (len(header) - words)}", *lines[1:]])


def paragraph(text):
    """Lines of one width, as in the documents. (A figure and its per cent sign stay together.)"""
    joined = " ".join(text.split()).replace(" %", "\N{NO-BREAK SPACE}%")
    return textwrap.fill(joined, 120, break_on_hyphens=False).replace("\N{NO-BREAK SPACE}", " ")


def share(value, decimals=3):
    """A share; a dash where there is none. decimals: not fewer than it is stored with, lest it be rounded twice."""
    return "–" if value is None else f"{value:.{decimals}f}"


def percent(value, decimals=1):
    """A share in per cent."""
    return f"{100 * value:.{decimals}f} %"


def amount(value):
    """A number with three digits that count."""
    if value >= 100:
        digits = len(f"{value:.0f}") - 3
        return f"{round(value / 10**digits) * 10**digits:,}"
    return f"{value:.2g}" if value < 0.01 else f"{value:#.3g}".rstrip(".")


def between(value, interval):
    """A figure and its interval."""
    return f"{share(value)} ({share(interval[0])}–{share(interval[1])})"
